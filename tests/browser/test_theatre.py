"""The message theatre in a real browser: what moves agrees with the run at every instant, by mouse and by keyboard."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from edasim.brokers import MemoryBus
from edasim.kernel import Simulation, times
from edasim.services import Service, Source, load
from edasim.viz import theatre

UNTIL_S = 10.0
LATER = re.compile(r"^(0\.[3-9]|[1-9])")
"""What the clock shows from 0.3 s on."""


@pytest.fixture(scope="module")
def run():
    sim = Simulation(seed=1)
    mails = MemoryBus().start(sim).topic("mails")
    Source("registrations", load=load.Poisson(rate_per_s=40.0), to=mails)
    Service("mail", of=mails.subscribe(), service_time=times.Exponential(mean_s=0.023))
    return sim.run(until_s=UNTIL_S)


@pytest.fixture
def opened(browser, run, tmp_path):
    """Opens the theatre of the run with or without reduced motion, and fails on any error of its script."""
    path = theatre(run, seconds=10.0).save(tmp_path / "theatre.html")
    contexts, errors = [], []

    def show(reduced_motion):
        context = browser.new_context(viewport={"width": 1000, "height": 500}, reduced_motion=reduced_motion)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        frame = page.frame_locator("iframe")
        frame.locator("#stage").wait_for()
        return page, frame

    yield show
    for context in contexts:
        context.close()
    assert errors == []


def seconds(frame):
    return float(frame.locator("#time").inner_text().removesuffix(" s"))


def scrub(frame, share):
    frame.locator("#scrub").evaluate(f"e => {{ e.value = {share} * 1e6; e.dispatchEvent(new Event('input')) }}")


def test_it_plays_by_itself_and_pauses(opened):
    page, frame = opened("no-preference")
    expect(frame.locator("#time")).to_have_text(LATER)
    frame.locator("#play").click()
    reached = seconds(frame)
    assert reached > 0.3
    page.wait_for_timeout(300)
    assert seconds(frame) == reached


def test_with_reduced_motion_nothing_moves_until_it_is_asked_to(opened):
    page, frame = opened("reduce")
    page.wait_for_timeout(500)
    assert seconds(frame) == 0.0
    frame.locator("#play").click()
    expect(frame.locator("#time")).to_have_text(LATER)


def test_counts_agree_with_the_run_at_every_instant(opened, run):
    _, frame = opened("reduce")
    log = run.deliveries
    for share in np.arange(0.05, 1.0, 0.05):
        scrub(frame, round(share, 2))
        at_s = share * UNTIL_S
        waiting = int(((log.enqueued_s <= at_s) & ~(log.started_s <= at_s)).sum())
        done = int((log.finished_s <= at_s).sum())
        assert frame.locator("#lane0").text_content() == f"{waiting} waiting"
        assert frame.locator("[id^=tally]").text_content() == f"done {done}"


def test_marks_wait_in_line_without_covering_each_other(opened, run):
    _, frame = opened("reduce")
    frame.locator("#longest").click()
    places = frame.locator("#messages").evaluate(
        "g => [...g.children].filter(m => m.style.display !== 'none' && m.getAttribute('href').endsWith('waiting'))"
        ".map(m => m.getAttribute('transform'))"
    )
    count = int(re.match(r"\d+", frame.locator("#lane0").text_content()).group())
    assert len(places) == len(set(places)) == count > 5
    assert "waited" in frame.locator("#say").inner_text()


def test_stepping_by_keyboard_goes_from_event_to_event(opened, run):
    page, frame = opened("reduce")
    log = run.deliveries
    frame.locator("#stage").focus()
    instants = np.unique(np.concatenate([log.enqueued_s, log.started_s, log.finished_s]))
    for expected in instants[:5]:
        page.keyboard.press("ArrowRight")
        assert seconds(frame) == pytest.approx(expected, abs=0.011)
    assert "message" in frame.locator("#say").inner_text()
    page.keyboard.press("ArrowLeft")
    assert seconds(frame) == pytest.approx(instants[3], abs=0.011)
    page.keyboard.press("End")
    assert seconds(frame) == UNTIL_S


def test_a_click_follows_a_message(opened):
    _, frame = opened("reduce")
    scrub(frame, 0.5)
    frame.locator("#messages use:visible").first.dispatch_event("click")
    assert re.match(r"message \d+ of registrations", frame.locator("#say").inner_text())
    assert frame.locator("#ring").evaluate("e => e.style.display") == "inline"
