"""Queues, dispatch, expiry, dead letters and errors, as RabbitMQ 3.10.8 was measured: each case is played again."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from edasim import Event, RabbitMQ, Simulation
from edasim.brokers.rabbitmq import ChannelError, Confirmed, Consumption, Queue

Rows = list[dict[str, str]]
Agreement = Callable[..., None]


class Stage:
    """A broker, and a script that is played as a process."""

    def __init__(self) -> None:
        self.sim = Simulation(seed=1)
        self.broker = RabbitMQ().start(self.sim)

    def play(self, script: Callable[..., Any], *given: Any, until_s: float = 100.0) -> Any:
        """Runs a script, a generator function, and returns what it returns."""
        process = self.sim.env.process(script(*given))
        self.sim.run(until_s=until_s)
        assert process.triggered
        return process.value

    def publish(self, queue: Queue, bodies: range, **properties: Any) -> None:
        for body in bodies:
            queue.publish(Event(type="measured", data=body), **properties)


def bodies_left(queue: Queue, channel: str = "reader") -> list[tuple[int, bool]]:
    """Reads all that is ready, and keeps it unacknowledged: bodies and redelivered flags."""
    poll, read = queue.poll(), []
    while (delivery := poll.get(channel=channel)) is not None:
        read.append((delivery.event.data, delivery.redelivered))
    return read


# ------------------------------------------------------------------------------------------------ dispatch


def dispatched(consumers: int, prefetch: int, acknowledging: str) -> list[list[str]]:
    """30 messages to so many consumers; what each has been sent."""
    stage = Stage()
    queue = stage.broker.declare_queue("measured")
    subscription = queue.consume(prefetch=prefetch)
    sent: list[list[str]] = [[] for _ in range(consumers)]

    def consumer(place: int) -> Any:
        while True:
            delivery = yield subscription.receive(consumer=f"consumer {place}")
            sent[place].append(str(delivery.event.data))
            if acknowledging == "consumer 0 acknowledges at once" and place == 0:
                delivery.ack()

    def publisher() -> Any:
        for body in range(30):
            yield stage.sim.env.timeout(0.001)
            queue.publish(Event(type="measured", data=body))

    for place in range(consumers):
        stage.sim.env.process(consumer(place))
    stage.play(publisher)
    return sent


@pytest.mark.rule("RMQ-08", "RMQ-09")
def test_consumers_are_sent_what_was_measured(rows: Callable[[str], Rows], agreement: Agreement):
    outcomes = {
        number: (
            json.loads(row["bodies_by_consumer"]),
            dispatched(int(row["consumers"]), int(row["prefetch"]), row["acknowledging"]),
        )
        for number, row in enumerate(rows("rabbitmq/dispatch"), start=2)
    }
    agreement("rabbitmq/dispatch", outcomes)


# ------------------------------------------------------------------------------------------------ requeueing


def spoken(read: list[tuple[int, bool]]) -> tuple[str, str]:
    return " ".join(str(body) for body, _ in read), " ".join(str(int(again)) for _, again in read)


def requeued(queue_type: str, taken: int, nacked: list[int], acked: list[int], *, closing: bool) -> tuple[str, str]:
    """Of 10 messages a holder takes some, and gives back; what is read then, or after the holder's channel closed."""
    stage = Stage()
    queue = stage.broker.declare_queue("measured", type=queue_type)
    holder = queue.poll()

    def script() -> Any:
        stage.publish(queue, range(10))
        held = [holder.get(channel="holder") for _ in range(taken)]
        for place in acked:
            held[place].ack()
        for place in nacked:
            held[place].nack()
        read = bodies_left(queue)
        if closing:
            holder.disconnect("holder")
            yield stage.sim.env.timeout(0.1)
            read = bodies_left(queue)
        return read

    def script_of_the_lost() -> Any:
        stage.publish(queue, range(10))
        held = [holder.get(channel="holder") for _ in range(taken)]
        for place in acked:
            held[place].ack()
        holder.disconnect("holder")
        yield stage.sim.env.timeout(0.1)
        return bodies_left(queue)

    return spoken(stage.play(script if nacked else script_of_the_lost))


def requeue_case(row: dict[str, str]) -> tuple[str, str]:
    acked: list[int] = [0, 2] if row["case"] == "nack one after acking others" else []
    if row["case"] == "consumer lost":
        acked = json.loads(row["positions"].removeprefix("acked "))
        return requeued(row["queue_type"], int(row["taken"]), [], acked, closing=True)
    closing = row["what_is_read"] == "after the holder's connection closed"
    return requeued(row["queue_type"], int(row["taken"]), json.loads(row["positions"]), acked, closing=closing)


@pytest.mark.rule("RMQ-11", "RMQ-12", "RMQ-13")
def test_what_is_requeued_is_read_where_it_was_measured(rows: Callable[[str], Rows], agreement: Agreement):
    outcomes = {
        number: ((row["order_of_bodies"], row["redelivered_flags"]), requeue_case(row))
        for number, row in enumerate(rows("rabbitmq/requeue_position"), start=2)
    }
    agreement("rabbitmq/requeue_position", outcomes)


# ------------------------------------------------------------------------------------------------ expiry, dead letters


def with_dead_letters(stage: Stage, name: str = "measured", **arguments: Any) -> tuple[Queue, Queue]:
    queue = stage.broker.declare_queue(name, dead_letter_exchange="dlx", **arguments)
    dead = stage.broker.declare_queue("dead").bind(stage.broker.declare_exchange("dlx", type="fanout"))
    return queue, dead


def deaths_in(queue: Queue) -> list[tuple[str, list[list[Any]]]]:
    poll, read = queue.poll(), []
    while (delivery := poll.get()) is not None:
        deaths = [[death.reason.value, death.times, death.queue] for death in delivery.deaths]
        read.append((str(delivery.event.data), deaths))
    return read


def long_before_short(stage: Stage, look_s: float) -> tuple[int, list[str]]:
    queue, dead = with_dead_letters(stage)

    def script() -> Any:
        queue.publish(Event(type="measured", data="long"), expiration_s=3.0)
        queue.publish(Event(type="measured", data="short"), expiration_s=0.2)
        yield stage.sim.env.timeout(look_s)
        return len(queue.ready), [body for body, _ in deaths_in(dead)]

    return stage.play(script)


def overflowing(stage: Stage, overflow: str) -> tuple[list[int], dict[str, Any]]:
    queue, dead = with_dead_letters(stage, max_length=3, overflow=overflow)

    def script() -> Any:
        confirms = [
            stage.broker.default_exchange.publish_confirmed(Event(type="measured", data=body), routing_key="measured")
            for body in range(6)
        ]
        answers = yield stage.sim.env.all_of(confirms)
        refused = [place for place, confirm in enumerate(confirms) if answers[confirm].answer is Confirmed.NACK]
        kept = [str(body) for body, _ in bodies_left(queue)]
        return refused, {"kept": kept, "dead": [[body, deaths[0][0]] for body, deaths in deaths_in(dead)]}

    return stage.play(script)


def expiry_case(case: str, observed: str) -> tuple[str, Any, Any]:
    """What was observed, the count and the detail, modelled."""
    stage = Stage()
    if case.startswith("per-message ttl"):
        look_s = 0.6 if "0.6 s" in observed else 0.6 + 2.9
        depth, dead = long_before_short(stage, look_s)
        return observed, depth, dead
    if case == "queue ttl 300 ms":
        queue, dead_queue = with_dead_letters(stage, name="eq", message_ttl_s=0.3)

        def expire() -> Any:
            stage.publish(queue, range(3))
            yield stage.sim.env.timeout(1.0)
            return [[body, deaths] for body, deaths in deaths_in(dead_queue)]

        detail = stage.play(expire)
        return observed, len(detail), detail
    if case == "reject without requeue":
        queue, dead_queue = with_dead_letters(stage)

        def reject() -> Any:
            stage.publish(queue, range(1))
            queue.poll().get().reject()
            yield stage.sim.env.timeout(0.1)
            return deaths_in(dead_queue)[0][1]

        detail = stage.play(reject)
        return observed, len(detail), [death[:2] for death in detail]
    refused, detail = overflowing(stage, case.split(", ")[1])
    return f"kept / refused by confirm {refused}", len(refused), detail


@pytest.mark.rule("RMQ-20", "RMQ-21", "RMQ-22")
def test_expiry_length_and_dead_letters_are_as_measured(rows: Callable[[str], Rows], agreement: Agreement):
    outcomes = {}
    for number, row in enumerate(rows("rabbitmq/expiry_deadletter_length"), start=2):
        measured = row["observed"], int(row["count"]), json.loads(row["detail"])
        outcomes[number] = measured, expiry_case(row["case"], row["observed"])
    agreement("rabbitmq/expiry_deadletter_length", outcomes)


# ------------------------------------------------------------------------------------------------ order, routing


def priorities(stage: Stage) -> str:
    queue = stage.broker.declare_queue("measured", max_priority=5)
    given = [0, 5, 1, 5, 9, 2, None, 3]

    def script() -> Any:
        for body, priority in enumerate(given):
            queue.publish(Event(type="measured", data=body), priority=priority)
        yield stage.sim.env.timeout(0.1)
        return " ".join(f"{body}:{given[body]}" for body, _ in bodies_left(queue))

    return stage.play(script)


def single_active(stage: Stage) -> str:
    queue = stage.broker.declare_queue("measured", single_active_consumer=True)
    subscription: Consumption = queue.consume(prefetch=2)
    sent: list[list[str]] = [[], [], []]

    def consumer(place: int) -> Any:
        while True:
            delivery = yield subscription.receive(consumer=f"consumer {place}")
            sent[place].append(str(delivery.event.data))
            if delivery.event.data <= 2:
                delivery.ack()

    def script() -> Any:
        yield stage.sim.env.timeout(0.1)
        stage.publish(queue, range(10))
        yield stage.sim.env.timeout(1.0)
        return json.dumps(sent)

    for place in range(3):
        stage.sim.env.process(consumer(place))
    return stage.play(script)


def nobody_home(stage: Stage, *, mandatory: bool) -> str:
    def script() -> Any:
        confirm = yield stage.broker.default_exchange.publish_confirmed(
            Event(type="measured"), routing_key="no such queue", mandatory=mandatory
        )
        assert confirm.answer is Confirmed.ACK
        return f"returned {confirm.returned}" if confirm.returned else "confirmed, message gone"

    return stage.play(script)


def always_nacked(stage: Stage, limit: int) -> list[Any]:
    queue, dead = with_dead_letters(stage, type="quorum", delivery_limit=limit)

    def script() -> Any:
        stage.publish(queue, range(1))
        poll, counts = queue.poll(), []
        while (delivery := poll.get()) is not None:
            counts.append(delivery.attempt - 1)
            delivery.nack()
        yield stage.sim.env.timeout(0.1)
        return [len(counts), counts, [deaths[0][0] for _, deaths in deaths_in(dead)]]

    return stage.play(script)


def bound_thrice(stage: Stage) -> str:
    exchange = stage.broker.declare_exchange("measured", type="topic")
    queue = stage.broker.declare_queue("measured").bind(exchange, "a").bind(exchange, "a").bind(exchange, "b")

    def script() -> Any:
        exchange.publish(Event(type="measured"), routing_key="a")
        yield stage.sim.env.timeout(0.1)
        return str(len(bodies_left(queue)))

    return stage.play(script)


def routing_case(case: str) -> str:
    stage = Stage()
    if case.startswith("priority queue"):
        return priorities(stage)
    if case.startswith("single active consumer"):
        return single_active(stage)
    if case.startswith("quorum queue delivery limit"):
        return json.dumps(
            always_nacked(stage, int(case.removeprefix("quorum queue delivery limit ").partition(",")[0]))
        )
    if case.startswith("queue bound twice"):
        return bound_thrice(stage)
    return nobody_home(stage, mandatory=case.startswith("mandatory"))


@pytest.mark.rule("RMQ-04", "RMQ-05", "RMQ-16", "RMQ-17", "RMQ-23")
def test_order_and_routing_are_as_measured(rows: Callable[[str], Rows], agreement: Agreement):
    outcomes = {
        number: (row["result"], routing_case(row["case"]))
        for number, row in enumerate(rows("rabbitmq/ordering_and_routing"), start=2)
    }
    agreement("rabbitmq/ordering_and_routing", outcomes)


# ------------------------------------------------------------------------------------------------ errors


def twice(stage: Stage) -> None:
    queue = stage.broker.declare_queue("e1")
    stage.publish(queue, range(1))
    poll = queue.poll()
    poll.get()
    channel = poll.channel("by-hand")
    channel.ack(1)
    channel.ack(1)


def elsewhere(stage: Stage) -> None:
    queue = stage.broker.declare_queue("e1")
    stage.publish(queue, range(1))
    poll = queue.poll()
    assert poll.get(channel="one") is not None
    assert poll.get(channel="other") is None
    poll.channel("other").ack(1)


def otherwise(stage: Stage) -> None:
    stage.broker.declare_queue("e2", durable=False)
    stage.broker.declare_queue("e2", durable=True)


ERRORS: dict[str, Callable[[Stage], Any]] = {
    "acknowledge the same delivery twice": twice,
    "acknowledge on another channel": elsewhere,
    "redeclare with other arguments": otherwise,
    "consume from a missing queue": lambda stage: stage.broker.queue("nope").consume(),
    "declare a queue named amq.x": lambda stage: stage.broker.declare_queue("amq.x"),
    "delete a missing queue": lambda stage: stage.broker.delete_queue("nope"),
    "negative max length": lambda stage: stage.broker.declare_queue("e4", max_length=-1),
}


def error_of(case: str) -> tuple[str, str]:
    """The code and name of the reply, and the words that must be in it."""
    try:
        ERRORS[case](Stage())
    except ChannelError as error:
        return f"{error.code} {error.reply}", str(error)
    return "no error", ""


WORDS = {
    "acknowledge the same delivery twice": "unknown delivery tag 1",
    "acknowledge on another channel": "unknown delivery tag 1",
    "redeclare with other arguments": "inequivalent arg 'durable' for queue 'e2'",
    "consume from a missing queue": "no queue 'nope'",
    "declare a queue named amq.x": "reserved prefix 'amq.",
    "negative max length": "invalid arg",
}
"""What was measured to be in the reply's text."""


@pytest.mark.rule("RMQ-07", "RMQ-14")
def test_mistakes_are_answered_as_measured(rows: Callable[[str], Rows], agreement: Agreement):
    outcomes = {}
    for number, row in enumerate(rows("rabbitmq/errors"), start=2):
        reply, text = error_of(row["case"])
        measured = row["result"].removeprefix("ChannelClosedByBroker ").split(" - ")[0]
        assert WORDS.get(row["case"], "") in row["result"] or row["case"] == "negative max length"
        outcomes[number] = (measured, True), (reply, WORDS.get(row["case"], "") in text)
    agreement("rabbitmq/errors", outcomes)
