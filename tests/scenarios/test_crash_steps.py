"""The crash steps of one mail: the whole table, and how it is counted."""

import pytest

from edasim.errors import ConfigurationError
from edasim.scenarios.registration import Care, Fate, clockwork, crash_steps, welcomes_s

FIRST, LAST, KEYED = Care


def test_the_table_of_all_steps() -> None:
    found = crash_steps()
    assert [(step.step, round(step.crash_s, 6), *(step.told(care) for care in Care)) for step in found.steps] == [
        ("nobody has asked for the mail yet", 0.01, *["once, at 1.135 s"] * 3),
        ("it writes the file", 0.0225, "lost", *["once, at 1.147 s"] * 2),
        ("the file is written, nothing is sent", 0.035, "lost", *["once, at 1.160 s"] * 2),
        ("the mail is on its way", 0.095, "once, at 0.145 s", "twice, at 0.145 s and 1.220 s", "once, at 0.145 s"),
        (
            "the mail has arrived, its answer has not", 0.195,
            "once, at 0.145 s", "twice, at 0.145 s and 1.320 s", "once, at 0.145 s",
        ),
        ("all is done and acknowledged", 0.3575, *["once, at 0.145 s"] * 3),
    ]  # fmt: skip


def test_it_prints_and_counts_and_is_a_table() -> None:
    found = crash_steps()
    assert {care: [found.count(care, fate) for fate in Fate] for care in Care} == {
        FIRST: [4, 0, 2], LAST: [4, 2, 0], KEYED: [6, 0, 0],
    }  # fmt: skip
    assert str(found).splitlines()[2].split("  ")[0] == "it writes the file"
    assert list(found.table().columns) == ["dies while", "at_s", *(care.value for care in Care)]
    with pytest.raises(ConfigurationError, match="fate"):
        found.count("acknowledge first", "never")


def test_being_down_longer_delays_and_changes_no_fate() -> None:
    short, long = crash_steps(down_s=0.5), crash_steps(down_s=3.0)
    for one, other in zip(short.steps, long.steps, strict=True):
        assert [one.fate(care) for care in Care] == [other.fate(care) for care in Care]
    assert long.steps[1].arrivals_s[LAST][0] - short.steps[1].arrivals_s[LAST][0] == pytest.approx(2.5)


def test_a_system_that_mails_nobody_has_no_steps() -> None:
    with pytest.raises(ConfigurationError, match="no mail was asked for"):
        crash_steps(clockwork(spam_ratio=1.0))


def test_clockwork_can_be_counted_by_hand() -> None:
    assert welcomes_s(clockwork().run()) == pytest.approx([0.02 + 0.005 + 0.02 + 0.1])
    assert clockwork(connecting_s=0.0).connecting_s == 0.0
