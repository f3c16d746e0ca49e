"""Two systems side by side: the picture's words are the numbers, and what lies is dashed."""

import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest

from edasim.errors import ConfigurationError
from edasim.theory import paired_interval
from edasim.viz import pairs_svg, two_queues_svg


@pytest.fixture
def fast(queue_run):
    return queue_run(seed=1, load=0.5)


@pytest.fixture
def slow(queue_run):
    return queue_run(seed=2, load=0.9)


class TestTwoQueues:
    def test_it_says_the_mean_and_the_longest_queue_of_both(self, slow, fast):
        drawn = two_queues_svg((slow, fast), ("old", "new"), said="The new one looks better.")
        first, old, new = drawn.text.splitlines()
        waits = [1000 * float((r.deliveries.started_s - r.deliveries.enqueued_s).mean()) for r in (slow, fast)]
        assert first == f"The new one looks better. old mean wait {waits[0]:.0f} ms, new mean wait {waits[1]:.3g} ms."
        assert old.startswith("old: 500 mails in ")
        assert re.search(r"new: 500 mails in [\d.]+ s, at most \d+ of them waiting at once\.", new)
        ET.fromstring(drawn.svg)

    def test_the_pinned_runs_are_dashed_and_named(self, slow, fast):
        plain, pinned = two_queues_svg((slow, fast)), two_queues_svg((slow, fast), pinned=(fast, fast))
        assert (plain.svg.count('stroke-dasharray="3 2"'), pinned.svg.count('stroke-dasharray="3 2"')) == (0, 4)
        assert pinned.text.splitlines()[-1].startswith("Pinned: A mean wait")

    def test_both_queues_share_their_scales(self, slow, fast):
        svg = two_queues_svg((slow, fast)).svg
        ticks = re.findall(r'text-anchor="end" fill="#57606A">([\d,]+)<', svg)
        assert ticks[: len(ticks) // 2] == ticks[len(ticks) // 2 :]

    def test_names_are_escaped(self, slow, fast):
        assert "<b>" not in two_queues_svg((slow, fast), ("<b>", "&"), said="<i>").svg


class TestPairs:
    def test_a_pair_that_speaks_against_the_others_is_dashed(self):
        drawn = pairs_svg([5.0, 6.0, 4.0], [4.0, 5.0, 4.5], unit="s")
        assert drawn.svg.count('stroke-dasharray="5 3"') == 1
        assert drawn.svg.count("<circle") == 9
        assert drawn.text == (
            "B looks worse in 1 of 3 pairs. A minus B: mean 0.5 s.\n"
            "Mean wait of single runs: A from 4 to 6 s; B from 4 to 5 s."
        )
        ET.fromstring(drawn.svg)

    @pytest.mark.parametrize(
        ("b", "verdict"),
        [
            ([4.0, 5.1, 3.0], "outside, B is better"),
            ([6.0, 7.1, 5.0], "outside, A is better"),
            ([4.0, 7.0, 4.0], "inside, no verdict"),
        ],
    )
    def test_the_interval_gives_the_verdict(self, b, verdict):
        a = [5.0, 6.0, 4.0]
        drawn = pairs_svg(a, b, paired_interval(a, b))
        assert drawn.text.splitlines()[0].endswith(f"zero is {verdict}.")

    def test_equal_sides_are_drawn_and_undecided(self):
        drawn = pairs_svg([1.0, 1.0], [1.0, 1.0], SimpleNamespace(mean=0.0, low=0.0, high=0.0))
        assert "mean 0 ms, interval 0 to 0: zero is inside, no verdict" in drawn.text
        assert "(dashed)" not in drawn.svg

    @pytest.mark.parametrize(
        ("a", "b", "field"), [([], [], "a"), ([1.0], [1.0, 2.0], "b"), ([1.0], [float("nan")], "b")]
    )
    def test_what_makes_no_pairs_is_refused(self, a, b, field):
        with pytest.raises(ConfigurationError) as caught:
            pairs_svg(a, b)
        assert caught.value.field == field
