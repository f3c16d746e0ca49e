"""The delivery lab: its numbers, its exact means, its extremes, and how quick it is."""

from xml.etree import ElementTree

import pytest
from quiet import quiet_s

from edasim import labs


def test_the_default_tells_this_run_and_the_mean():
    told = labs.delivery.draw().text.splitlines()
    assert told[0].startswith(
        "A consumer that crashes: acknowledged in batches of 20 after processing, a crash every 100"
    )
    assert told[1].startswith("This run, 1,000 messages: 0 lost, 74 done once more, in 11 crashes")
    assert told[2] == "On average, exactly: 0.0 lost, 101.5 done once more, 11.1 crashes."


def test_a_pinned_run_is_told():
    assert "Pinned, in grey: acknowledged in batches of 5 after" in labs.delivery.draw(pinned={"batch": 5}).text


@pytest.mark.long
def test_the_default_is_quick_enough_for_a_slider():
    labs.delivery.draw()
    assert quiet_s(lambda seed: labs.delivery.draw(seed=seed)) < 0.15


@pytest.mark.long
@pytest.mark.parametrize(
    "values", [{"batch": 100, "crash_every": 50}, {"batch": 1, "crash_every": 1000, "acknowledge": "before"}]
)
def test_extremes_are_drawn_and_true(values):
    picture = labs.delivery.draw(**values)
    ElementTree.fromstring(picture.svg)
    assert "nan" not in picture.svg


def test_memory_repeats_what_nothing_repeats_and_a_transaction_nothing():
    def repeated(dedup):
        return labs.delivery.simulate({**labs.delivery.values({}), "dedup": dedup}, 1).books.repeated

    assert repeated("memory") == repeated("none") == 74
    assert repeated("same transaction") == repeated("effect with a key") == 0
