"""Core NATS and JetStream, case by case, as nats-server 2.9.10 was measured.

A case is replayed by a client that does what the measuring client did: it fetches, and settles or not. Times count from
the first delivery, since the measuring client's own first steps took up to 0.1 s.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from edasim import Event, JetStream, Nats, Service, Simulation, Source, load
from edasim.brokers.nats import JetStreamError, NoRespondersError

Rows = list[dict[str, str]]


class Case:
    """A server with a stream, messages "0", "1"… in it, and a client that fetches."""

    def __init__(self, subjects: str = "V.>", **settings: Any) -> None:
        self.sim = Simulation(seed=1)
        self.server = JetStream().start(self.sim)
        self.stream = self.server.stream("V", subjects=subjects, **settings)
        self.seen: list[list[Any]] = []

    def store(self, *subjects: str) -> None:
        for subject in subjects:
            body = str(self.stream.last_sequence)
            self.server.publish(f"V.{subject}", Event(type="m", data=body))

    def run(self, until_s: float = 20.0) -> None:
        self.sim.run(until_s=until_s)

    def client(self, consumer: Any, act: Callable[[Any, int], Any], wait_s: float = 6.0) -> None:
        """Fetches one after the other for `wait_s` and acts on each; notes body, delivery number, time."""

        def work() -> Any:
            end = self.sim.env.timeout(wait_s)
            while True:
                asked = consumer.receive()
                yield asked | end
                if not asked.triggered:
                    return
                delivery = asked.value
                self.seen.append([delivery.event.data, delivery.attempt, float(self.sim.env.now)])
                more = act(delivery, len(self.seen))
                if more is not None:
                    yield from more

        self.sim.env.process(work())

    def told(self) -> list[list[Any]]:
        """Body, delivery number, seconds since the first delivery."""
        first_s = self.seen[0][2] if self.seen else 0.0
        return [[body, attempt, round(at_s - first_s, 1)] for body, attempt, at_s in self.seen]

    def bodies(self) -> list[str]:
        return [body for body, _, _ in self.seen]


def leave(delivery: Any, place: int) -> None:
    """Neither acknowledges nor refuses."""


def never_acked() -> Any:
    case = Case()
    case.store("a", "a")
    case.client(case.stream.consumer("c", ack_wait_s=0.5, max_deliver=3), leave)
    case.run()
    return case.told()


def refused() -> Any:
    case = Case()
    case.store("a")
    case.client(case.stream.consumer("c", max_deliver=4), lambda delivery, _: delivery.nak())
    case.run()
    return case.told()


def terminated() -> Any:
    case = Case()
    case.store("a")
    case.client(case.stream.consumer("c", ack_wait_s=1.0), lambda delivery, _: delivery.term())
    case.run()
    return case.told()


def in_progress() -> Any:
    case = Case()
    case.store("a")

    def keep_three_times(delivery: Any, place: int) -> Any:
        for _ in range(3 if place == 1 else 0):
            yield case.sim.env.timeout(0.6)
            delivery.in_progress()

    case.client(case.stream.consumer("c", ack_wait_s=1.0, max_deliver=2), keep_three_times)
    case.run()
    return case.told()


def ack_pending() -> Any:
    case = Case()
    case.store(*"aaaaa")
    case.client(case.stream.consumer("c", ack_wait_s=2.0, max_ack_pending=3), leave, wait_s=1.0)
    case.run()
    return case.told()


def again_before_new() -> Any:
    case = Case()
    case.store(*"aaaaaa")
    consumer = case.stream.consumer("c", ack_wait_s=1.0)

    def work() -> Any:
        for wait_s, count in ((1.5, 3), (0.0, 6)):
            for _ in range(count):
                delivery = yield consumer.receive()
                case.seen.append([delivery.event.data, delivery.attempt, float(case.sim.env.now)])
            yield case.sim.env.timeout(wait_s)

    case.sim.env.process(work())
    case.run()
    return [case.bodies()[:3], [[body, attempt] for body, attempt, _ in case.seen[3:]]]


def started(**policy: Any) -> Any:
    case = Case()
    case.store(*"abacab")
    case.client(case.stream.consumer("c", **policy), lambda delivery, _: delivery.ack())
    case.run()
    return case.bodies()


def third_acked(policy: str) -> Any:
    case = Case()
    case.store(*"aaaaa")
    consumer = case.stream.consumer("c", ack_policy=policy, ack_wait_s=1.0)
    case.client(consumer, lambda delivery, place: delivery.ack() if place == 3 else None, wait_s=1.5)
    case.run()
    return case.bodies()[5:]


def kept(retention: str) -> Any:
    case = Case(retention=retention)
    counts = []
    case.store("a")
    counts.append(len(case.stream))
    consumer = case.stream.consumer("c")
    case.store("a", "a", "a")
    counts.append(len(case.stream))
    case.client(consumer, lambda delivery, place: delivery.ack() if place <= 2 else None, wait_s=1.0)
    case.run()
    return [*counts, len(case.stream)]


def second_consumer(retention: str) -> str:
    case = Case(retention=retention)
    case.stream.consumer("first")
    try:
        case.stream.consumer("second")
    except JetStreamError as error:
        return f"error {error.code} {error.description}"
    return "second consumer accepted"


def full() -> Any:
    case, answers = Case(max_messages=3, discard="new"), []
    for _ in range(5):
        try:
            answers.append(case.server.publish("V.a", Event(type="m")).sequence)
        except JetStreamError as error:
            answers.append(f"error {error.code}")
    return [answers, case.stream.first_sequence, case.stream.last_sequence]


def full_subjects() -> Any:
    case = Case(max_messages_per_subject=2)
    case.store(*"aabaab")
    return [len(case.stream), case.stream.first_sequence]


def duplicate() -> Any:
    case = Case()
    answers = [case.server.publish(f"V.{subject}", Event(type="m"), message_id="x") for subject in "ab"]
    return answers[1].duplicate


def expecting(**expected: Any) -> str:
    """Five are stored, the last two of them on V.b."""
    case = Case()
    case.store(*"aaabb")
    try:
        answer = case.server.publish("V.b", Event(type="m"), **expected)
    except JetStreamError as error:
        return f"error {error.code} {error.description}"
    return f"stored {answer.sequence - 5} later"


def heard_late() -> str:
    sim = Simulation(seed=1)
    nats = Nats().start(sim)
    nats.subject("a").publish(Event(type="m"))
    subscription, heard = nats.subscribe("a"), []

    def listen() -> Any:
        heard.append((yield subscription.receive()))

    sim.env.process(listen())
    sim.run(until_s=5.0)
    return "something" if heard else "nothing"


def asked_alone() -> str:
    sim = Simulation(seed=1)
    nats, seen = Nats().start(sim), []

    def ask() -> Any:
        try:
            yield nats.request("a", Event(type="question"), timeout_s=1.0)
        except NoRespondersError as error:
            seen.append((sim.env.now, type(error).__name__))

    sim.env.process(ask())
    sim.run()
    assert seen[0][0] == 0.0
    return str(seen[0][1])


def split(members: int, messages: int) -> list[int]:
    sim = Simulation(seed=3)
    nats = Nats().start(sim)
    Service("s", of=nats.subscribe("a", queue="q"), nodes=members)
    Source("src", load=load.Constant(rate_per_s=1.0).first(messages), to=nats.subject("a"))
    return sorted(np.unique(sim.run().deliveries.consumer, return_counts=True)[1].tolist(), reverse=True)


def looks_random(counts: list[int]) -> bool:
    """Whether counts per member are those of independent, equal chances; false alarms: 1 in 1,000."""
    return bool(stats.chisquare(counts).pvalue > 0.001)


MODELLED: dict[str, Callable[[], Any]] = {
    "core queue group, 2 members, 1000 messages": lambda: split(2, 1000),
    "core queue group, 3 members, 3000 messages": lambda: split(3, 3000),
    "core: subscribe after publish": heard_late,
    "core request, nobody subscribed": asked_alone,
    "same id on another subject of the stream": duplicate,
    "expected last sequence right": lambda: expecting(expected_last_sequence=5),
    "expected stream wrong": lambda: expecting(expected_stream="other"),
    "expected last sequence of the subject wrong": lambda: expecting(expected_last_subject_sequence=1),
    "retention limits": lambda: second_consumer("limits"),
    "retention interest: 1 before any consumer, then consumer, 3 more, 2 of 3 fetched acked": lambda: kept("interest"),
    "retention workqueue: 1 before any consumer, then consumer, 3 more, 2 of 4 fetched acked": lambda: kept(
        "workqueue"
    ),
    "retention workqueue": lambda: second_consumer("workqueue"),
    "max msgs 3, discard new, five published": full,
    "max msgs per subject 2; subjects a a b a a b": full_subjects,
    "ack wait 0.5 s, max deliver 3, never acked": never_acked,
    "max deliver 4, nak at once": refused,
    "term at first delivery": terminated,
    "in progress every 0.6 s three times, ack wait 1 s": in_progress,
    "max ack pending 3, five stored, never acked, ack wait 2 s": ack_pending,
    "six stored, three fetched and never acked, ack wait over, fetch 6": again_before_new,
    "deliver policy last; bodies 0..5 on subjects a b a c a b": lambda: started(deliver_policy="last"),
    "deliver policy new; bodies 0..5 on subjects a b a c a b": lambda: started(deliver_policy="new"),
    "deliver policy last per subject; bodies 0..5 on subjects a b a c a b": lambda: started(
        deliver_policy="last_per_subject", filter_subjects="V.>"
    ),
    "deliver policy all, filter V.a; bodies 0..5 on subjects a b a c a b": lambda: started(filter_subjects="V.a"),
    "ack policy all: five fetched, third acked, ack wait over": lambda: third_acked("all"),
    "ack policy explicit: five fetched, third acked, ack wait over": lambda: third_acked("explicit"),
}


def as_told(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def since_the_first(result: Any) -> Any:
    """Times of a list of [body, delivery number, time] from the first delivery on."""
    is_timed = isinstance(result, list) and result and isinstance(result[0], list) and len(result[0]) == 3
    if not is_timed or not isinstance(result[0][2], float):
        return result
    return [[body, attempt, round(at_s - result[0][2], 1)] for body, attempt, at_s in result]


@pytest.mark.rule(
    "NAT-02", "NAT-03", "NAT-05", "NAT-07", "NAT-08", "NAT-09", "NAT-10", "NAT-11", "NAT-12", "NAT-14", "NAT-15",
    "NAT-16", "NAT-17", "NAT-24",
)  # fmt: skip
def test_each_case_ends_as_measured(rows: Callable[[str], Rows], agreement: Callable[..., None]):
    outcomes: dict[int, tuple[object, object]] = {}
    for number, row in enumerate(rows("nats/semantics"), start=2):
        measured, modelled = as_told(row["result"]), MODELLED[row["case"]]()
        if "queue group" in row["case"]:
            outcomes[number] = looks_random(measured), looks_random(modelled)
        else:
            outcomes[number] = since_the_first(measured), modelled
    agreement("nats/semantics", outcomes)
