"""Strips, stores and matrices: what is drawn, what is said, and what is refused."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from edasim import failures, viz
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.scenarios.registration import clockwork
from edasim.viz import strips
from edasim.viz.chart import Axis
from edasim.viz.strips import Strip

CRASH = failures.Crash(node="mail", at_s=1.035, down_s=1.0)


def texts(picture):
    """All that is written in a drawing, and the proof that it is well-formed."""
    return [node.text for node in ElementTree.fromstring(picture.svg).iter() if node.tag.endswith("text")]


class TestStores:
    def test_the_cursor_tells_what_each_store_holds(self):
        picture = viz.stores(clockwork(faults=[CRASH]).run(), at_s=1.5, from_s=0.95, until_s=2.5)
        assert picture.text.split("\n")[1:6] == [
            "At 1.500 s, bus: 1: mail.welcome.requested of u-0 for mail.",
            "At 1.500 s, user database: 1: row of u-0.",
            "At 1.500 s, mail folder: 1: welcome-u-0.eml.",
            "At 1.500 s, mailboxes: nothing.",
            "mail is down from 1.035 s to 2.035 s.",
        ]
        written = texts(picture)
        assert {"mail down", "1.500 s", "row of u-0", "nothing"} <= set(written)

    def test_without_an_instant_it_is_the_whole_run(self):
        picture = viz.stores(clockwork().run())
        assert "holds at" not in " ".join(texts(picture))
        assert "mailboxes: at most 1 at once, 1 at the end." in picture.text

    def test_many_items_are_counted(self):
        run = clockwork(arrivals=None, users_per_s=20.0, users=40).run()
        picture = viz.stores(run, at_s=run.ended_s)
        assert "and 38 more" in texts(picture)

    def test_an_instant_outside_of_the_window_is_refused(self):
        with pytest.raises(ConfigurationError, match="at_s is 3"):
            viz.stores(clockwork().run(), at_s=3.0, until_s=2.0)


class TestStrips:
    def test_levels_between_changes(self):
        strip = Strip("queue", np.array([1.0, 2.0, 4.0]), np.array([3.0, 1.0, 0.0]))
        assert [strip.at(at_s) for at_s in (0.5, 1.0, 1.5, 3.0, 9.0)] == [0.0, 3.0, 3.0, 1.0, 0.0]
        assert (strip.peak(0.0, 5.0), strip.peak(2.5, 5.0)) == (3.0, 1.0)
        assert strip.mean(0.0, 5.0) == pytest.approx((3 * 1 + 1 * 2) / 5)
        assert strip.mean(1.5, 2.5) == pytest.approx(2.0)

    def test_a_pinned_level_is_grey_and_behind(self):
        strip = Strip("queue", np.array([1.0]), np.array([1.0]), pinned=(np.array([2.0]), np.array([5.0])))
        drawn = "".join(strips.draw([strip], Axis(0.0, 5.0, 100.0, 400.0, "time", "s"), {}))
        grey, blue = (drawn.index(colour) for colour in (viz.palette.SLATE, viz.palette.role("waiting").colour))
        assert grey < blue
        assert ">5<" in drawn

    def test_services_that_go_down_together_share_a_band(self):
        axis = Axis(0.0, 5.0, 100.0, 400.0, "time", "s")
        drawn = "".join(strips.draw([Strip("q", np.array([]), np.array([]))], axis, {"a": [(1, 2)], "b": [(1, 2)]}))
        assert "a and b down" in drawn
        assert drawn.count('opacity=".18"') == 1


class TestMatrix:
    def test_every_cell_has_its_words(self):
        cells = {"while it writes": [("lost", "lost"), ("done", "once, 1 s late")], "later": [("done", "once")] * 2}
        picture = viz.matrix_svg("Who dies", ["hasty", "careful"], cells)
        assert texts(picture).count("once") == 2
        assert picture.text.split("\n") == [
            "Who dies.",
            "hasty: lost 1, once 1.",
            "careful: once 2.",
            "while it writes: hasty: lost; careful: once, 1 s late.",
            "later: hasty: once; careful: once.",
        ]

    def test_names_are_escaped(self):
        picture = viz.matrix_svg("T", ["<b>"], {"<i>": [("done", "a & b")]})
        assert "<b>" in texts(picture)
        assert not re.search(r"<i>|<b>", picture.svg)

    @pytest.mark.parametrize(
        ("columns", "rows", "error"),
        [
            (["a"], {"row": []}, ConfigurationError),
            ([], {}, ConfigurationError),
            (["a"], {"row": [("sunny", "x")]}, UnknownNameError),
        ],
    )
    def test_wrong_shapes_and_roles_are_refused(self, columns, rows, error):
        with pytest.raises(error):
            viz.matrix_svg("T", columns, rows)


def test_a_crash_after_the_acknowledgement_is_told_in_the_storyline():
    run = clockwork(faults=[CRASH], acknowledge="on_delivery").run()
    picture = viz.trace_storyline(run, "u-0")
    assert "1.035 s: mail crashes: crash, acknowledged already." in picture.text
    assert "lost" not in picture.text
    assert picture == viz.trace_storyline(run, "user-management-0")
