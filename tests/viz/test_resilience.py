"""A story under a fault, and a crowd under it: what is drawn is said, and the axis is even first and long after."""

from xml.etree import ElementTree

import numpy as np
import pytest

from edasim.failures import Findings
from edasim.viz import crowd_svg, resilience_svg
from edasim.viz.crowd import per_second, waiting
from edasim.viz.resilience import BREAK, LEFT, RIGHT, FaultSpan, StoryStep, px

STEPS = [
    StoryStep("mail/0", "receive", "mail.welcome.requested", 0.02),
    StoryStep("mail/0", "write", "mail_cached", 0.025),
    StoryStep("mail/0", "acknowledge", "mail.welcome.requested", 3.0),
]
FAULT = FaultSpan("the mail service crashes", ("mail/0", "mail link"), 0.04, 1.04)


def test_the_axis_is_even_for_half_a_second_and_then_logarithmic():
    assert [px(at_s) for at_s in (0.0, 0.1, 0.5, 1e9)] == [LEFT, 264.0, BREAK, RIGHT]
    assert px(1.0) - px(0.5) == pytest.approx(px(2.0) - px(1.0))
    assert px(-1.0) == LEFT


def test_before_the_prediction_only_the_calm_story_is_there():
    picture = resilience_svg("<a> promise?", [], STEPS, FAULT, None, "Say first")
    ElementTree.fromstring(picture.svg)
    assert "Say first" in picture.text
    assert "&lt;A&gt;" not in picture.svg
    assert "mail link" in picture.svg
    assert "0.025 s: mail/0 writes mail cached." in picture.text


def test_a_kept_promise_is_told_with_the_steps():
    picture = resilience_svg("promise?", STEPS, [], None, Findings(), "You said so. Right.")
    assert picture.text.splitlines()[:2] == [
        "promise?; nothing fails.", "The oracle: every promise was kept. You said so. Right.",
    ]  # fmt: skip
    assert "3.000 s: mail/0 acknowledges mail.welcome.requested." in picture.text


def test_a_long_story_is_told_in_part_and_one_without_steps_says_so():
    many = [StoryStep("mail/0", "write", "x", number / 100) for number in range(80)]
    assert "20 more steps." in resilience_svg("promise?", many, [], FAULT, Findings()).text
    assert "No step was taken." in resilience_svg("promise?", [], [], FAULT, Findings()).text


def test_a_crowd_is_counted_by_the_second_in_which_it_was_answered():
    asked_s, answered_s = np.array([0.5, 1.0, 1.2, 2.0]), np.array([0.9, 3.5, 1.3, np.inf])
    starts_s, in_time = per_second((asked_s, answered_s), 1.0, 4.0)
    assert starts_s.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert in_time.tolist() == [1.0, 1.0, 0.0, 0.0]
    times_s, levels = waiting((asked_s, answered_s))
    assert times_s.tolist() == [0.5, 0.9, 1.0, 1.2, 1.3, 2.0, 3.5]
    assert levels.tolist() == [1, 0, 1, 2, 1, 2, 1]


def test_the_crowd_says_who_was_never_answered():
    stories = np.array([0.5, 1.0]), np.array([0.9, np.inf])
    picture = crowd_svg("A crowd", "a fault", [(1.0, 500.0)], stories, stories, 1.0, ["Numbers."])
    ElementTree.fromstring(picture.svg)
    assert picture.text.splitlines() == [
        "A crowd; a fault.", "Numbers.", "In the run that is drawn: 2 began, never answered: 1.",
    ]  # fmt: skip
