"""The picture of calls over time."""

import pytest

from edasim import labs, viz
from edasim.governance import Backoff, CircuitBreaker, Retry
from edasim.scenarios import Storm
from edasim.services.calls import Protections


@pytest.fixture(scope="module")
def run():
    breaker = CircuitBreaker(window="time", window_size=5, minimum_calls=10, open_s=2.0)
    retry = Retry(attempts=3, backoff=Backoff(first_wait_s=1.0, factor=1.0, jitter="none"))
    protections = Protections(timeout_s=1.0, retry=retry, breaker=breaker)
    small = {"requests_per_s": 12.0, "capacity_per_s": 20.0, "fault_capacity_per_s": 3.0, "fault_at_s": 10.0}
    return Storm(protections=protections, **small).run(seed=1, until_s=30.0)


def test_it_tells_goodput_work_attempts_queue_breaker_and_fault(run):
    picture = viz.goodput_svg(run, "shop")
    first, *lines = picture.text.split("\n")
    assert first == "What shop asks, and what comes of it: requests, attempts, work and queue over 30 s."
    assert [line.split(":")[0] for line in lines] == [
        "Goodput", "Throughput", "Attempts sent", "Waiting", "Breaker", "api/0 is slow from 10 s to 20 s.",
    ]  # fmt: skip
    assert "api/0 slow" in picture.svg


def test_a_pinned_run_stands_behind_and_in_the_text(run):
    calm = Storm(requests_per_s=5.0, fault_s=0.0).run(seed=1, until_s=30.0)
    picture = viz.goodput_svg(calm, "shop", pinned=run)
    assert "Pinned, in grey:" in picture.text
    assert "grey: the pinned run" in picture.svg
    assert "Breaker" not in picture.text.split("Pinned")[0]


def test_a_fault_without_an_end_lasts_to_the_end():
    run = Storm(requests_per_s=5.0, fault_at_s=5.0, fault_s=100.0).run(seed=1, until_s=30.0)
    assert "api/0 is slow from 5 s to 30 s." in viz.goodput_svg(run, "shop").text


def test_the_lab_shows_what_each_protection_does():
    text = labs.storm.draw(protection="all of them", pinned={"protection": "none"}).text
    before, after = text.split("Pinned, in grey:")
    assert "Goodput: 0 per s" not in before
    assert "Goodput: 0 per s" in after
    assert labs.storm.draw(retries=0, protection="retry budget 10 %").text
