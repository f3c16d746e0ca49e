"""The message theatre: one mark per delivery, exact data for the script, and the same story in words."""

import html
import json
import re
from xml.etree import ElementTree as ET

import pytest
from quiet import quiet_s

from edasim.brokers import MemoryBus
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.kernel import Simulation, times
from edasim.kernel.runlog import Lane
from edasim.services import Service, Source, load
from edasim.viz import theatre

MAILS = Lane("memory", "mails", "mail")


def page_of(picture):
    """The page inside the frame."""
    return html.unescape(re.search(r"srcdoc='(.*)'></iframe>", picture.html, re.DOTALL).group(1))


def stage_of(picture):
    return ET.fromstring(re.search(r"<svg.*</svg>", page_of(picture), re.DOTALL).group(0))


def data_of(picture):
    return json.loads(re.search(r'id="data">(.*?)</script>', page_of(picture), re.DOTALL).group(1))


def test_each_delivery_is_one_moving_mark(registration_run):
    run = registration_run()
    picture = theatre(run)
    assert len([use for use in stage_of(picture).iter("use") if use.get("class") == "m"]) == len(run.deliveries.number)
    assert len(data_of(picture)["published"]) == len(run.deliveries.number)


def test_the_words_tell_longest_wait_counts_outcomes_and_outages(registration_run):
    text = theatre(registration_run()).text
    assert "Longest wait: message" in text
    assert "behaviour-analytics to mail by way of mail-requests: 60 deliveries; at most" in text
    assert "Outcomes: 236 done, 4 failed, 1 crashed." in text
    assert "behaviour-analytics/1 was down from 2.000 s to 3.000 s." in text


def test_data_are_millionths_of_the_window(rows):
    rows.add(0, "web", MAILS, 1.0, 2.0, 3.0, "mail/0")
    rows.add(1, "web", MAILS, 1.5)
    data = data_of(theatre(rows.run(4.0), seconds=8.0))
    assert (data["span"], data["seconds"]) == (4.0, 8.0)
    assert (data["published"], data["taken"], data["ended"]) == ([250000, 375000], [500000, None], [750000, None])
    assert (data["seat"], data["longest"]) == ([0, -1], 1)


def test_redeliveries_know_the_attempt_before(rows):
    rows.add(0, "web", MAILS, 1.0, 1.0, 2.0, "mail/0", "crashed", 1)
    rows.add(0, "web", MAILS, 1.0, 2.5, 3.0, "mail/0", "done", 2)
    picture = theatre(rows.run(4.0))
    assert data_of(picture)["before"] == [-1, 0]
    assert "handed out again" in page_of(picture)


def test_a_consumer_has_as_many_seats_as_it_needs_at_once(rows):
    for number in range(4):
        rows.add(number, "web", MAILS, 0.1 * number, 0.1 * number, 0.1 * number + 0.25, "mail/0")
    assert data_of(theatre(rows.run(1.0)))["seat"] == [0, 1, 2, 0]


def test_more_than_the_cap_ends_early_and_says_so(queue_run):
    picture = theatre(queue_run(800), at_most=200)
    assert "600 later deliveries are left out." in picture.text.split("\n")[0]
    assert "600 later ones are left out" in page_of(picture)
    assert len(data_of(picture)["published"]) == 200


def test_names_cannot_break_out(rows):
    evil = "</script><script>alert(1)</script>' onload='x"
    rows.add(0, evil, Lane(evil, evil, evil), 1.0, 1.0, 2.0, evil)
    picture = theatre(rows.run(3.0))
    page = page_of(picture)
    assert "<script>alert" not in page
    assert page.count("<script") == 2
    assert "' onload" not in picture.html
    assert evil in data_of(picture)["origins"]
    assert "<script>" not in picture.to_html().replace(picture.html, "")


def test_the_same_run_gives_the_same_page_and_another_run_other_ids(queue_run):
    assert theatre(queue_run(50)).html == theatre(queue_run(50)).html
    one, other = (set(re.findall(r'id="(e[0-9a-f]{8})', page_of(theatre(queue_run(n))))) for n in (50, 51))
    assert len(one) == len(other) == 1
    assert one != other


def test_the_frame_is_named_sandboxed_and_self_contained(queue_run):
    picture = theatre(queue_run(50))
    assert "sandbox='allow-scripts'" in picture.html
    assert "title='Message theatre: 50 deliveries from" in picture.html
    assert not re.search(r"(src|href)=\"?https?:|@import|fetch\(", page_of(picture))


def test_controls_are_labelled(queue_run):
    page = page_of(theatre(queue_run(50)))
    for control in re.findall(r"<(?:button|select|input)[^>]*>[^<]*", page):
        assert "aria-label=" in control or re.search(r">\s*\S", control), control
    assert "prefers-reduced-motion: reduce" in page


def test_500_messages_are_small_and_quick(queue_run):
    run = queue_run(500)
    assert len(theatre(run).html) < 300_000
    assert quiet_s(lambda _: theatre(run)) < 0.15


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_wrong_durations_are_refused(queue_run, seconds):
    with pytest.raises(ConfigurationError, match="seconds"):
        theatre(queue_run(5), seconds=seconds)


def test_an_unknown_service_is_an_error(queue_run):
    with pytest.raises(UnknownNameError, match="did you mean 'mail'"):
        theatre(queue_run(5), around="mail_")


def test_a_real_run_around_its_service():
    sim = Simulation(seed=1)
    mails = MemoryBus().start(sim).topic("mails")
    Source("registrations", load=load.Poisson(rate_per_s=40.0), to=mails)
    Service("mail", of=mails.subscribe(), service_time=times.Exponential(mean_s=0.02))
    run = sim.run(until_s=20.0)
    picture = theatre(run, around="mail", until_s=5.0)
    drawn = int((run.deliveries.published_s < 5.0).sum())
    assert f"registrations to mail by way of mails: {drawn} deliveries" in picture.text


def test_a_run_in_which_nothing_happened():
    picture = theatre(Simulation(seed=1).run(until_s=1.0))
    assert picture.text.startswith("0 deliveries from 0 s to 1 s")
    assert "Nobody waited." in picture.text
