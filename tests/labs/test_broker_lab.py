"""The broker lab: its books are those of the scenario, its extremes are drawn, its rules are the brokers' own."""

import itertools
import re

import pytest

from edasim import labs
from edasim.labs import broker_lab
from edasim.labs.broker_lab import LAB
from edasim.scenarios import comeback


def simulated(seed=1, **values):
    return LAB.simulate(LAB.values(values), seed)


def test_together_the_consumers_can_do_200_per_second_however_many_they_are():
    for consumers in (2, 13):
        described = broker_lab.scenario(LAB.values({"consumers": consumers}))
        assert consumers / described.service_time.mean_s == pytest.approx(200.0)
        assert (described.messages, described.rate_per_s) == (1000, 250.0)


def test_the_words_are_the_books():
    model = simulated(broker="Kafka")
    books = comeback(model.run)
    drawn = LAB.picture(model, None)
    assert drawn.text.startswith(
        "Kafka, 4 consumers holding up to 20 each, a crash 2 s after the start: "
        f"lost {books.lost}, done twice {books.twice}, more than 10 s late {books.late}. "
        f"The first came back after {books.first_s:.1f} s, {books.again} in all, to {', '.join(books.takers)}."
    )
    assert drawn.html.count("<svg") == 2
    assert "12 partitions of job.placed" in drawn.text


def test_the_inside_is_that_of_the_last_instant_before_the_crash():
    model = simulated(broker="RabbitMQ", held=50)
    inside = broker_lab.inside_of(model).text
    held = int(re.search(r"workers/0 holds (\d+)", inside)[1])
    assert held == model.books.again
    assert "down" not in inside


def test_a_broker_without_a_bound_says_so():
    for broker in broker_lab.UNBOUNDED:
        drawn = LAB.draw(broker=broker)
        assert broker_lab.COMMON in drawn.text
        assert "holding up to" not in drawn.text.splitlines()[0]
    assert "Nothing was handed out again." in LAB.draw(broker="core NATS").text


@pytest.mark.rule("KAF-06")
def test_a_thirteenth_member_of_a_group_on_twelve_partitions_has_nothing_to_do():
    model = simulated(broker="Kafka", consumers=13)
    assert broker_lab.idle_consumers(model) == ["workers/9"], "the last by name, as the range assignor sorts them"
    assert "Never had anything to do: workers/9." in LAB.picture(model, None).text
    assert broker_lab.idle_consumers(simulated(broker="RabbitMQ", consumers=13)) == []


def test_a_pinned_run_is_grey_and_told():
    drawn = LAB.draw(broker="Kafka", pinned={"broker": "RabbitMQ"})
    assert "Pinned, in grey: RabbitMQ, 4 consumers holding up to 20 each" in drawn.text
    assert "grayscale" in drawn.html
    assert "grayscale" not in LAB.draw().html


@pytest.mark.parametrize("broker", broker_lab.BROKERS)
def test_what_the_rules_promise_is_kept_with_five_seeds(broker):
    models = [simulated(seed, broker=broker) for seed in range(1, 6)]
    for metric in LAB.metrics[:2]:
        truth = metric.truth(LAB.values({"broker": broker}))
        if truth is not None:
            assert [metric.measure(model) for model in models] == [truth] * 5


def test_where_nothing_is_promised_something_happens():
    assert broker_lab.lost_truth({"broker": "core NATS"}) is None
    assert broker_lab.twice_truth({"broker": "Kafka"}) is None
    assert sum(simulated(seed, broker="Kafka").books.twice for seed in range(1, 6)) > 0
    assert LAB.metrics[2].measure(simulated(broker="Kafka")) > 100


ENDS = [
    dict(zip(("broker", "held", "consumers", "crash_s"), ends, strict=True))
    for ends in itertools.product(broker_lab.BROKERS, (1, 100), (2, 13), (0.5, 4.0))
]


@pytest.mark.long
@pytest.mark.parametrize("ends", ENDS, ids=lambda ends: "-".join(map(str, ends.values())))
def test_every_extreme_is_drawn_and_told_in_numbers_for_people(ends):
    drawn = LAB.draw(**ends)
    assert drawn.html.count("<svg") == 2
    assert not re.search(r"nan|inf\b", drawn.text)


def test_the_widget_follows_its_controls():
    box = labs.broker()
    box.fields["broker"].value = "JetStream"
    assert box.wait(60)
    assert "JetStream, 4 consumers holding up to 20 each" in box.picture.value
    assert re.search(r"The first came back after (?:28|29)\.\d s", box.picture.value)
