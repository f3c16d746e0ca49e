"""Pictures of a crashing consumer: what is drawn, and that the text says the same."""

from xml.etree import ElementTree

import pytest

from edasim import failures, viz
from edasim.scenarios.delivery import Delivery

CRASH = failures.Crash(node="consumer", at_s=0.435, down_s=0.05)
SMALL = Delivery(messages=60, batch=20, crash_every=None, faults=[CRASH])


def written(picture):
    return [node.text for node in ElementTree.fromstring(picture.svg).iter() if node.tag.endswith("text")]


def rings(picture):
    ring = viz.palette.SHAPE_PATHS[viz.palette.role("duplicated").shape]
    return sum(node.get("d") == ring for node in ElementTree.fromstring(picture.svg).iter()) - 1  # one is the legend's


def test_each_effect_that_came_again_is_a_ring_and_the_text_counts_them():
    picture = viz.deliveries(SMALL.run())
    assert rings(picture) == 13
    assert "13 again" in written(picture)
    assert picture.text.splitlines()[1:] == [
        "This run, 60 messages: 0 lost, 13 done once more, in 1 crash and 0.885 s.",
        "Crash at 0.43 s with offset 33 in work; it goes on with 20: 13 are done once more.",
    ]


def test_lost_effects_are_drops_and_told():
    picture = viz.deliveries(SMALL.but(acknowledge="before").run())
    assert "7 lost" in written(picture)
    assert "it goes on with 40: 7 are lost" in picture.text


def test_the_exact_means_stand_beside_a_run_with_chance():
    picture = viz.deliveries(Delivery(crash_every=50).run(seed=1))
    mean = Delivery(crash_every=50).expected()
    assert f"On average, exactly: 0.0 lost, {mean.repeated:.1f} done once more" in picture.text
    assert f"mean {mean.repeated:.1f}" in written(picture)
    assert "crashes more" in picture.text


@pytest.mark.parametrize("fields", [{"crash_every": None}, {"messages": 1}, {"crash_every": 3, "batch": 2}])
def test_extremes_are_drawn(fields):
    picture = viz.deliveries(Delivery(**{"messages": 40, **fields}).run(seed=1))
    assert "nan" not in picture.svg
    ElementTree.fromstring(picture.svg)
