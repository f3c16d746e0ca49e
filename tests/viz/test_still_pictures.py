"""Pictures that stand still: a system at an instant, queues, curves, dots, figures and storylines."""

import subprocess
import sys
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from quiet import quiet_s

from edasim import viz
from edasim.errors import ConfigurationError, EdasimError, StateError, UnknownNameError
from edasim.kernel.runlog import Fact, Lane
from edasim.scenarios import Registration
from edasim.theory import mm1

EVIL = "<script>alert(1)</script>"
MAILS = Lane("memory", "mails", "mail")
NAN = float("nan")
CURVE = [(load / 100, mm1(load, 100).mean_wait_s) for load in range(1, 99)]


def texts(picture):
    return [text.text for text in ET.fromstring(picture.svg).iter("{http://www.w3.org/2000/svg}text")]


class TestSystem:
    def test_shows_counts_queues_and_nodes_that_are_down(self, registration_run):
        picture = viz.system(registration_run(), at_s=2.5)
        assert "21" in texts(picture)
        assert "7 waiting" in texts(picture)
        assert "by way of registration-requests: 21 deliveries, 7 of that queue waiting." in picture.text
        assert "behaviour-analytics/1 is down." in picture.text
        assert "down" in texts(picture)

    def test_after_the_restart_nobody_is_down(self, registration_run):
        assert "is down" not in viz.system(registration_run(), at_s=3.5).text

    def test_agrees_with_the_deliveries(self, queue_run):
        run = queue_run(400)
        log = run.deliveries
        for at_s in (1.0, 3.0, 5.0):
            waiting = int(((log.enqueued_s <= at_s) & (log.started_s > at_s)).sum())
            assert f"{waiting} waiting" in texts(viz.system(run, at_s=at_s))[5]

    def test_a_long_queue_says_how_many_are_drawn(self, queue_run):
        picture = viz.system(queue_run(2000, load=3.0), at_s=12.0)
        assert any(text.endswith("171 drawn") for text in texts(picture) if text)

    def test_a_node_that_stays_down(self, rows):
        rows.add(0, "web", MAILS, 1.0, 1.0, 2.0, "mail/0", "crashed")
        run = rows.run(3.0, [Fact(2.0, "node_crashed", "mail/0", {})])
        assert "mail/0 is down." in viz.system(run).text
        assert "is down" not in viz.system(run, at_s=1.5).text

    @pytest.mark.parametrize("at_s", [0.0, -1.0, float("inf")])
    def test_refuses_instants_that_cannot_be(self, queue_run, at_s):
        with pytest.raises(ConfigurationError, match="at_s"):
            viz.system(queue_run(5), at_s=at_s)


class TestQueue:
    def test_tells_mean_peak_load_and_quantiles(self, rows):
        for number, (came, began, ended) in enumerate([(0.0, 0.0, 4.0), (1.0, 4.0, 6.0), (2.0, 6.0, 8.0)]):
            rows.add(number, "web", MAILS, came, began, ended, "mail/0")
        picture = viz.queue_svg(rows.run(10.0))
        assert picture.text == (
            "From 0 s to 10 s: 0.7 waiting on average, at most 2; consumers busy 80.0 % of the time.\n"
            "Waits of 3 messages: mean 2.33 s, half up to 3 s, 95 % up to 3.9 s, 99 % up to 3.98 s, longest 4 s."
        )
        assert "p95 3.9 s" in texts(picture)

    def test_quantiles_are_those_of_the_columns(self, queue_run):
        run = queue_run(3000)
        waits = run.deliveries.started_s - run.deliveries.enqueued_s
        p95 = np.quantile(waits, 0.95)
        assert f"p95 {viz.svg.say(float(p95))} s" in texts(viz.queue_svg(run))

    def test_size_does_not_grow_with_messages(self, queue_run):
        assert len(viz.queue_svg(queue_run(20_000)).svg) < 60_000

    def test_3000_messages_are_quick(self, queue_run):
        run = queue_run(3000)
        viz.queue_svg(run)
        assert quiet_s(lambda _: viz.queue_svg(run)) < 0.03

    def test_several_servers(self, queue_run):
        assert any("8 consumers busy" in text for text in texts(viz.queue_svg(queue_run(500, 0.9, servers=8))))

    def test_when_nothing_was_taken(self, rows):
        rows.add(0, "web", MAILS, 1.0)
        picture = viz.queue_svg(rows.run(2.0))
        assert "No message was taken into service." in picture.text
        assert "no message was taken into service" in texts(picture)

    def test_when_nobody_waited(self, rows):
        rows.add(0, "web", MAILS, 1.0, 1.0, 2.0, "mail/0")
        assert "mean 0 s" in viz.queue_svg(rows.run(2.0)).text


class TestWaitAgainstLoad:
    def test_says_point_theory_pin_and_interval(self):
        picture = viz.wait_against_load_svg(CURVE, (0.95, 0.31), pinned=(0.8, 0.04), interval_s=(0.25, 0.37))
        assert picture.text == (
            "At load 0.95 the mean wait is 0.31 s (interval 0.25 to 0.37 s); theory says 0.19 s; "
            "pinned: 0.04 s at load 0.8."
        )
        assert "now: 0.31 s at load 0.95" in texts(picture)
        assert "pinned: 0.04 s at load 0.8" in texts(picture)

    @pytest.mark.parametrize("scale", ["log", viz.Scale.LINEAR])
    @pytest.mark.parametrize("point", [(0.0, 0.0), (0.5, 0.01), (0.999, 90.0), (1.2, 500.0)])
    def test_any_point_is_on_the_picture(self, scale, point):
        picture = viz.wait_against_load_svg(CURVE, point, scale=scale)
        circle = ET.fromstring(picture.svg).find("{*}circle")
        assert 0 <= float(circle.get("cx")) <= 480
        assert 0 <= float(circle.get("cy")) <= 364

    @pytest.mark.parametrize("curve", [[], [(0.5, 1.0)], [(0.1, 1.0), (0.2, float("inf"))], [1.0, 2.0]])
    def test_refuses_curves_that_are_none(self, curve):
        with pytest.raises(ConfigurationError, match="curve"):
            viz.wait_against_load_svg(curve, (0.5, 1.0))

    def test_refuses_points_that_are_none(self):
        with pytest.raises(ConfigurationError, match="point wait_s is nan"):
            viz.wait_against_load_svg(CURVE, (0.5, float("nan")))
        with pytest.raises(ConfigurationError, match="'log'"):
            viz.wait_against_load_svg(CURVE, (0.5, 1.0), scale="cubic")


class TestDots:
    def test_one_dot_per_value(self):
        picture = viz.dots_svg([1.0, 2.0, 2.0, 9.0], (1.5, 5.0), 4.0, "mean wait", "s")
        root = ET.fromstring(picture.svg)
        assert len(root.findall("{*}circle")) == 4
        assert len({(c.get("cx"), c.get("cy")) for c in root.findall("{*}circle")}) == 4
        assert picture.text == (
            "4 repeats of mean wait (s): from 1 to 9, mean 3.5, interval 1.5 to 5; the truth is 4, inside the interval."
        )

    @pytest.mark.parametrize(("values", "first"), [([0.0] * 10, "0.0"), ([0.0, 3.0], "0"), ([-2.0, 3.0], "-2")])
    def test_the_axis_is_negative_only_if_a_value_is(self, values, first):
        written = [node.text for node in ET.fromstring(viz.dots_svg(values).svg).iter() if node.tag.endswith("text")]
        numbers = [words for words in written if words.lstrip("-").replace(".", "").isdigit()]
        assert min(numbers, key=float) == first

    def test_a_truth_outside_is_said(self):
        assert "the truth is 9, outside the interval" in viz.dots_svg([1.0, 2.0], (1.0, 2.0), 9.0).text

    def test_a_single_value(self):
        assert viz.dots_svg([3.0], truth=3.5).text.endswith("mean 3; the truth is 3.5.")
        assert viz.dots_svg([3.0]).text == "1 repeat of value: from 3 to 3, mean 3."

    @pytest.mark.parametrize("values", [[], [float("nan")], [[1.0], [2.0]]])
    def test_refuses_what_is_no_list_of_numbers(self, values):
        with pytest.raises(ConfigurationError, match="values"):
            viz.dots_svg(values)


class TestFigures:
    def test_waits(self, queue_run):
        picture = viz.waits_figure(queue_run(300))
        assert picture.html.startswith('<img alt="Histogram of the waits of 300 messages"')
        assert "Waits of 300 messages: mean" in picture.text

    def test_queue_length(self, rows):
        rows.add(0, "web", MAILS, 0.0, 0.0, 4.0, "mail/0")
        rows.add(1, "web", MAILS, 1.0, 4.0, 6.0, "mail/0")
        picture = viz.queue_length_figure(rows.run(10.0))
        assert picture.text == "From 0 s to 10 s: 0.3 messages wait on average, at most 1, first at 1 s."

    def test_are_the_same_each_time(self, queue_run):
        assert viz.waits_figure(queue_run(50)).html == viz.waits_figure(queue_run(50)).html
        assert viz.queue_length_figure(queue_run(50)).html == viz.queue_length_figure(queue_run(50)).html

    def test_no_waits_is_an_error(self, rows):
        rows.add(0, "web", MAILS, 1.0)
        with pytest.raises(StateError, match="choose a longer window"):
            viz.waits_figure(rows.run(2.0))


class TestStoryline:
    STEPS = (
        (0.0, "user", "web", "sign up", "message"),
        (0.1, "web", "mail", "mail-requested", "message", 0.2),
        (0.2, "mail", "mail", "cache", "work", 0.4),
        (0.4, "mail", "mail", "", "crash"),
        (1.0, "mail", "mail", "", "restart"),
        (1.1, "web", "mail", "mail-requested", "again"),
        (1.2, "mail", "user", "welcome", "lost", 1.3),
        (1.4, "mail", "mail", "reminder", "message"),
        (1.5, "user", "user", EVIL, "note"),
    )

    def test_tells_every_step(self):
        picture = viz.storyline(self.STEPS, "One user")
        assert picture.text.split("\n") == [
            "One user: 9 steps.",
            "0.000 s: user sends sign up to web.",
            "0.100 s: web sends mail-requested to mail, until 0.200 s.",
            "0.200 s: mail works: cache, until 0.400 s.",
            "0.400 s: mail crashes.",
            "1.000 s: mail is up again.",
            "1.100 s: web hands mail-requested to mail again.",
            "1.200 s: welcome from mail to user is lost, until 1.300 s.",
            "1.400 s: mail sends reminder to mail.",
            f"1.500 s: user: {EVIL}.",
        ]
        assert {"crash", "up again", "welcome (lost)", "mail-requested (again)"} <= set(texts(picture))
        assert "<script" not in picture.to_html()

    def test_steps_may_come_in_any_order(self):
        assert viz.storyline(reversed(self.STEPS)).svg == viz.storyline(self.STEPS).svg

    @pytest.mark.parametrize(
        "row",
        [
            (0.0, "a", "b", "x"),
            "text",
            (-1.0, "a", "b", "x", "message"),
            (0.0, "a", "b", "x", "massage"),
            (1.0, "a", "b", "x", "message", 0.5),
            (0.0, "a", "b", 3, "message"),
        ],
    )
    def test_refuses_wrong_steps(self, row):
        with pytest.raises(EdasimError):
            viz.storyline([row])

    def test_refuses_no_steps(self):
        with pytest.raises(ConfigurationError, match="at least one step"):
            viz.storyline([])

    def test_of_a_trace_of_the_registration_case(self):
        run = Registration(users_per_s=5.0).run(seed=1, until_s=5.0)
        first = run.events()[0]
        picture = viz.trace_storyline(run, first.id)
        ET.fromstring(picture.svg)
        assert f"{run.origins[0]} sends {first.type} to behaviour-analytics" in picture.text
        with pytest.raises(UnknownNameError):
            viz.trace_storyline(run, "no-such-event")


class TestStorylineOfATrace:
    COLUMNS = ("type", "source", "subject", "destination", "consumer", "group", "attempt", "published_s", "started_s",
               "finished_s", "outcome", "trace_id")  # fmt: skip

    def drawn(self, *rows):
        run = SimpleNamespace(
            trace=lambda event_id: pd.DataFrame(rows, columns=self.COLUMNS),
            fact_list=[Fact(0.3, "mail_cached", "mail", {"trace_id": "t"}), Fact(0.4, "lease_lost", "mail", {})],
            ended_s=9.0,
            require_rows=lambda what: None,
            events=list,
        )
        return viz.trace_storyline(run, "e-1").text.split("\n")

    def test_crash_and_second_attempt(self):
        assert self.drawn(
            ("asked", "web", "u-1", "mails", "mail/0", "g", 1, 0.0, 0.1, 0.5, "crashed", "t"),
            ("asked", "web", "u-1", "mails", "mail/1", "g", 2, 0.0, 0.6, NAN, "in_flight", "t"),
        ) == [
            "Storyline of u-1: 6 steps.",
            "0.000 s: web sends asked to mail, until 0.100 s.",
            "0.100 s: mail works, until 0.500 s.",
            "0.300 s: mail: mail cached.",
            "0.500 s: mail crashes.",
            "0.600 s: web hands asked to mail again.",
            "0.600 s: mail works, until 9.000 s.",
        ]

    def test_lost_waiting_filtered_and_failed(self):
        assert self.drawn(
            ("asked", "web", None, "mails", None, "mail", 1, 0.0, NAN, NAN, "dropped", "t"),
            ("asked", "web", None, "mails", None, "", 1, 0.1, NAN, NAN, "queued", "t"),
            ("asked", "web", None, "mails", None, "audit", 1, 0.2, NAN, NAN, "filtered", "t"),
            ("asked", "web", None, "mails", "sms", "g", 1, 0.5, 0.5, 0.6, "dead_lettered", "t"),
        ) == [
            "Storyline: 6 steps.",
            "0.000 s: asked from web to mail is lost.",
            "0.100 s: web sends asked to mails.",
            "0.300 s: mail: mail cached.",
            "0.500 s: web sends asked to sms.",
            "0.500 s: sms works, until 0.600 s.",
            "0.600 s: sms: dead lettered.",
        ]


def test_every_still_picture_is_xml_labelled_deterministic_and_escaped(rows):
    def drawn():
        rows.rows.clear()
        rows.add(0, EVIL, Lane(EVIL, EVIL, EVIL), 1.0, 1.0, 2.0, EVIL)
        run = rows.run(3.0, [Fact(2.5, "node_crashed", EVIL, {})])
        return [
            viz.system(run),
            viz.queue_svg(run),
            viz.dots_svg([1.0, 2.0], label=EVIL, unit=EVIL),
            viz.storyline([(0.0, EVIL, EVIL, EVIL, "work")], EVIL),
            viz.wait_against_load_svg(CURVE, (0.5, 0.02)),
        ]

    for one, again in zip(drawn(), drawn(), strict=True):
        root = ET.fromstring(one.svg)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert one.svg == again.svg
        assert "<script" not in one.to_html()


def test_the_room_opens_without_heavy_packages():
    heavy = ("pandas", "matplotlib", "networkx", "ipywidgets")
    code = f"import sys, edasim.viz; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
