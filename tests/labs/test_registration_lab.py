"""The registration labs: what they draw and say, their theory, and their extremes."""

from xml.etree import ElementTree

import pytest
from quiet import quiet_s

from edasim import labs
from edasim.labs import registration_lab
from edasim.scenarios import audit
from edasim.theory import mean_interval

pytestmark = pytest.mark.long

CRASH_ONLY = 6.3
"""Sign-ups end soon after the crash at 6 s, which saves time and changes none of the mails that it catches."""


def books(seeds, **values):
    scenario = registration_lab.scenario(values)
    short = scenario.but(arrivals=scenario.arrivals.load.until(CRASH_ONLY))
    return [audit(short.run(seed=seed)) for seed in seeds]


def test_the_default_tells_its_books():
    picture = labs.registration.draw()
    assert picture.text.split("\n")[1:3] == [
        "229 signed up, 211 were accepted: 211 rows, 211 files, 211 mailed.",
        "Lost: 0. Mailed twice: 3. Pages opened: 69, 0 of them before the row was there.",
    ]
    written = [node.text for node in ElementTree.fromstring(picture.svg).iter() if node.tag.endswith("text")]
    assert {"mail down", "accepted, no mail yet", "user-management"} <= set(written)


def test_the_default_is_quick_enough_for_a_slider():
    labs.registration.draw()
    assert quiet_s(lambda seed: labs.registration.draw(seed=seed)) < 0.15


def test_nobody_notices_when_nobody_dies():
    model = registration_lab.simulate({"crash": "nobody"}, 1)
    assert model.outages == {}
    assert (model.books.without_mail, model.books.mailed_twice, model.books.shown_before_row) == (0, 0, 0)
    assert "nobody dies" in labs.registration.draw(crash="nobody").text


def test_each_absence_has_its_own_symptom():
    of = {name: registration_lab.simulate({"crash": name}, 1) for name in registration_lab.SERVICES}
    assert of["user-management"].books.shown_before_row > 0
    assert of["user-management"].books.mailed_twice == of["behaviour-analytics"].books.mailed_twice == 0
    assert of["mail"].books.mailed_twice > 0
    assert max(model.welcomes_s.max() for model in of.values()) > 2.0


@pytest.mark.parametrize(
    ("values", "field", "truth"),
    [
        ({}, "mailed_twice", 1.8),
        ({"users_per_s": 10, "latency_ms": 100}, "mailed_twice", 1.8),
        ({"care": "acknowledge first", "connecting_ms": 50}, "without_mail", 0.99),
    ],
)
def test_littles_law_counts_those_that_a_crash_catches(values, field, truth):
    """99.9 % intervals of 200 runs: three fixed comparisons, false alarm of one in 300."""
    theory = registration_lab.twice_truth if field == "mailed_twice" else registration_lab.lost_truth
    assert theory(values) == pytest.approx(truth)
    assert truth in mean_interval([getattr(each, field) for each in books(range(1000, 1200), **values)], level=0.999)


def test_only_the_plain_sender_repeats_and_only_the_hasty_one_loses():
    for care, lost, twice in (("acknowledge last", 0, 1), ("acknowledge last, idempotent sender", 0, 0)):
        spreads = labs.mail_crash.ten_seeds(care=care)
        assert [max(spread.values) > 0 for spread in spreads] == [lost, twice]
    lost, twice = labs.mail_crash.ten_seeds(care="acknowledge first", connecting_ms=100)
    assert max(lost.values) > 0
    assert max(twice.values) == 0


def test_theory_is_silent_where_nobody_catches_up():
    assert registration_lab.twice_truth({"users_per_s": 60}) is None
    assert registration_lab.lost_truth({"care": "acknowledge first", "latency_ms": 200}) is None
    assert registration_lab.lost_truth({"users_per_s": 60}) == 0.0


@pytest.mark.parametrize("values", [{"users_per_s": 60, "latency_ms": 150}, {"users_per_s": 5, "latency_ms": 5}])
def test_extremes_are_drawn(values):
    picture = labs.registration.draw(**values)
    ElementTree.fromstring(picture.svg)
    assert "Lost: 0." in picture.text


def test_a_pinned_run_is_told_and_drawn_in_grey():
    picture = labs.registration.draw(latency_ms=100, pinned={"latency_ms": 50})
    assert "Pinned, in grey: memory bus, 20 users per second, a mail takes 50 ms each way" in picture.text


@pytest.mark.parametrize(
    ("broker", "lost", "shown_until_s"),
    [
        ("RabbitMQ", False, 15.0),
        ("ActiveMQ", False, 15.0),
        ("JetStream", False, 40.0),
        ("Kafka", False, 55.0),
        ("core NATS", True, 15.0),
    ],
)
def test_each_broker_gives_back_what_the_dead_service_held_in_its_own_time_or_never(broker, lost, shown_until_s):
    """With seed 2 the crash catches a mail that has not left the house yet."""
    model = registration_lab.simulate({"broker": broker}, 2)
    assert (registration_lab.lost(model) > 20) is lost
    assert (registration_lab.lost(model) > 0) is lost
    assert model.shown_until_s == shown_until_s
    assert registration_lab.picture(model, None).text.startswith(f"Registration over time: {broker}, 20 users")


def test_theory_knows_what_it_does_not_know_of_kafka_and_core_nats():
    kafka, nats = {"broker": "Kafka"}, {"broker": "core NATS"}
    assert registration_lab.twice_truth(kafka) is None
    assert registration_lab.lost_truth(nats) is None
    assert registration_lab.twice_truth({**kafka, "crash": "nobody"}) == registration_lab.twice_truth(nats) == 0.0
    assert registration_lab.lost_truth({**nats, "crash": "nobody"}) == registration_lab.lost_truth(kafka) == 0.0


def test_the_mail_lab_shows_the_mail_service_alone():
    drawn = labs.mail_crash.draw()
    written = [node.text for node in ElementTree.fromstring(drawn.svg).iter() if node.tag.endswith("text")]
    assert {"mail", "accepted, no mail yet"} <= set(written)
    assert "behaviour-analytics" not in written
