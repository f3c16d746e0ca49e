"""What was measured on ActiveMQ Classic 5.17.2 over STOMP, with consumers in the mode client-individual."""

import json
from collections.abc import Callable

import pytest

from edasim import ActiveMQ, Event, Simulation

Rows = list[dict[str, str]]
STOMP = {"acknowledge": "individual"}


class Bench:
    """A broker whose clients speak STOMP, and consumers that hold what they get."""

    def __init__(self):
        self.sim = Simulation(seed=1)
        self.broker = ActiveMQ(client="stomp").start(self.sim)
        self.queue = self.broker.queue("here")
        self.held = {}

    def hold(self, consumer, prefetch, of=None):
        subscription = (of or self.queue).consume(prefetch=prefetch, **STOMP)
        self.hold_from(consumer, subscription)
        return subscription

    def hold_from(self, consumer, subscription):
        mine = self.held[consumer] = []

        def process():
            while True:
                mine.append((yield subscription.receive(consumer=consumer)))

        self.sim.env.process(process())
        self.settle()

    def send(self, *bodies, to=None):
        for body in bodies:
            (to or self.queue).publish(Event(type="x", data=body))
        self.settle()

    def settle(self, seconds=1.0):
        self.sim.run(until_s=self.sim.env.now + seconds)

    def bodies(self, *consumers):
        return [[delivery.event.data for delivery in self.held[each]] for each in consumers]

    def flagged(self, consumer):
        return [[delivery.event.data, str(delivery.redelivered).lower()] for delivery in self.held[consumer]]


def numbers(count):
    return [str(number) for number in range(count)]


def two_consumers(prefetch):
    bench = Bench()
    bench.hold("one", prefetch)
    bench.hold("two", prefetch)
    bench.send(*numbers(20))
    return bench.bodies("one", "two")


def groups():
    bench = Bench()
    consumers = [bench.hold(name, 100) for name in "123"]
    bench.send(
        *(f"{'abcdef'[number % 6]}{number}" for number in range(18)),
        to=bench.queue.producer(group=lambda event: event.data[0]),
    )
    return bench, consumers


def message_groups():
    return groups()[0].bodies("1", "2", "3")


def the_owner_of_groups_leaves():
    bench, consumers = groups()
    before = {name: len(bench.held[name]) for name in "23"}
    consumers[0].disconnect("1")
    bench.settle()
    return [bench.flagged(name)[before[name] :] for name in "23"]


def the_exclusive_consumer_leaves():
    bench = Bench()
    exclusive = bench.queue.consume_exclusively(prefetch=10, **STOMP)
    for name in ("one", "two"):
        bench.hold_from(name, exclusive)
    bench.send(*numbers(5))
    assert bench.bodies("one", "two") == [numbers(5), []]
    exclusive.disconnect("one")
    bench.settle()
    return bench.flagged("two")


def acknowledge_the_second_and_leave():
    bench = Bench()
    consumer = bench.hold("one", 4)
    bench.send(*numbers(8))
    bench.held["one"][1].ack()
    bench.settle()
    consumer.disconnect("one")
    bench.hold("new", 100)
    return bench.flagged("new")


def twelve_losses():
    bench, flags = Bench(), []
    bench.send("x")
    for loss in range(12):
        consumer = bench.hold(f"consumer {loss}", 1)
        flags += [flag for _, flag in bench.flagged(f"consumer {loss}")]
        consumer.disconnect(f"consumer {loss}")
    return flags


def expiry():
    bench = Bench()
    bench.send("x", to=bench.queue.producer(time_to_live_s=0.5))
    bench.hold("late", 10)
    bench.hold("undertaker", 10, of=bench.broker.queue("ActiveMQ.DLQ"))
    return bench.bodies("late", "undertaker")


def priorities():
    bench = Bench()
    urgency = bench.queue.producer(priority=lambda event: int(event.data.split(":")[1]))
    bench.send("0:4", "1:9", "2:0", "3:9", "4:5", to=urgency)
    bench.hold("one", 10)
    return bench.bodies("one")[0]


def virtual_topic():
    bench = Bench()
    topic = bench.broker.topic("VirtualTopic.orders")
    for group, consumer in [("A", "A1"), ("A", "A2"), ("B", "B")]:
        bench.hold(consumer, 100, of=topic.consumer_queue(group))
    bench.send(*numbers(6), to=topic)
    return bench.bodies("A1", "A2", "B")


def scheduled():
    """The phase of the broker's clock was not recorded: this row needs a send 0.2 s after a half second of it."""
    bench = Bench()
    bench.hold("one", 1)
    bench.settle(0.2)
    sent_s = bench.sim.env.now
    bench.send("x", to=bench.queue.producer(delay_s=0.8))
    bench.settle(5.0)
    return round(bench.held["one"][0].delivered_s - sent_s, 1)


CASES = {
    "queue, two consumers, prefetch 1, nobody acknowledges, 20 messages": lambda: two_consumers(1),
    "queue, two consumers, prefetch 10, nobody acknowledges, 20 messages": lambda: two_consumers(10),
    "message groups a..f, three consumers, 18 messages": message_groups,
    "then the first consumer leaves without acknowledging": the_owner_of_groups_leaves,
    "then the first leaves": the_exclusive_consumer_leaves,
    "prefetch 4, second acknowledged, consumer leaves, new consumer": acknowledge_the_second_and_leave,
    "consumer leaves without acknowledging, twelve times": twelve_losses,
    "message expired before a consumer came": expiry,
    "priorities 4 9 0 9 5, default queue": priorities,
    "virtual topic, group A with two consumers, group B with one, six messages": virtual_topic,
    "scheduled delay 800 ms": scheduled,
}


@pytest.mark.rule(
    "AMQ-01", "AMQ-02", "AMQ-03", "AMQ-06", "AMQ-09", "AMQ-10", "AMQ-12", "AMQ-13", "AMQ-15",
)  # fmt: skip
def test_the_model_does_what_the_broker_did(rows: Callable[[str], Rows], agreement: Callable[..., None]):
    measured = rows("activemq/semantics")
    assert {row["case"] for row in measured} == set(CASES)
    outcomes = {
        number: (json.loads(row["result"]), CASES[row["case"]]()) for number, row in enumerate(measured, start=2)
    }
    agreement("activemq/semantics", outcomes)
