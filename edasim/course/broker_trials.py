"""What chapter 03 asks of a learner's own work: a pattern, an assignment, an order of reading, a selector, a key.

Each rule tries the answer on the broker's own pure part or on a simulation, and names the typical mistake from what
comes out. Follows the rules RMQ-01, RMQ-11, RMQ-12, KAF-01, KAF-03, KAF-07, KAF-08 and AMQ-07 of docs/FIDELITY.md.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from .. import checks
from ..brokers import Kafka, RabbitMQ
from ..brokers.activemq import selector
from ..brokers.kafka import assign
from ..brokers.rabbitmq import topic_matches
from ..errors import ConfigurationError
from ..events import Event
from ..kernel import Run, Simulation, times
from ..kernel.runlog import DONE
from ..services import Service
from .ideas import WrongIdea
from .rules import Verdict, idea_in_words
from .trials import must_be_callable

# ------------------------------------------------------------------------------------------ a topic pattern

WANTED_KEYS = ("user.mail", "user.mail.sent", "user.mail.sent.again", "user.mail.failed.address.unknown")
OTHER_KEYS = ("user.row.written", "user", "order.mail.sent", "user.mailbox.full", "mail.user", "user.spam.mail")


@checks.configuration
class PatternRule:
    """A topic pattern that takes all of `wanted` and none of `others`."""

    wanted: tuple[str, ...] = checks.kind(tuple, "routing keys", default=WANTED_KEYS)
    others: tuple[str, ...] = checks.kind(tuple, "routing keys", default=OTHER_KEYS)

    def judge(self, answer: Any) -> Verdict:
        """The first key on which the pattern is wrong, with the mistake behind it."""
        missed = [key for key in self.wanted if not topic_matches(answer, key)]
        extra = [key for key in self.others if topic_matches(answer, key)]
        if not missed and not extra:
            return Verdict(True, f"{answer!r} takes all of the {len(self.wanted)} keys, and none of the others.")
        found = f"{answer!r} does not take {missed[0]!r}." if missed else f"{answer!r} also takes {extra[0]!r}."
        return Verdict(False, found, self.mistake(answer, missed, extra))

    def mistake(self, pattern: str, missed: list[str], extra: list[str]) -> str | None:
        """The idea behind a typical wrong pattern."""
        words = pattern.split(".")
        if "/" in pattern:
            return "“/” is MQTT's. RabbitMQ has dots between the words."
        if pattern != "".join(pattern.split()):
            return "A blank belongs to its word. Leave it out."
        if ">" in words:
            return "“>” is NATS. RabbitMQ's word for any number of words is “#”; here “>” is an ordinary word."
        if any("#" in word and word != "#" for word in words) or any("*" in word and word != "*" for word in words):
            return "“#” and “*” stand for whole words between dots; inside a word they are ordinary letters."
        if missed and "*" in words and "#" not in words:
            return "“*” is exactly one word. “user.mail” has none after it, “user.mail.sent.again” has two."
        if missed and "#" not in words:
            return "Without a wildcard a pattern takes one key, its own. Which sign stands for any number of words?"
        if extra:
            return "The pattern is too wide: which words must stand where they stand?"
        return None


# ------------------------------------------------------------------------------------------ an assignment

MEMBERS = ("ann", "ben", "cem")
PARTITIONS: Mapping[str, int] = {"mails": 4, "orders": 4}


def by(strategy: str) -> dict[str, list[str]]:
    """Who reads what by a strategy of Kafka, each partition as "topic-number"."""
    dealt = assign(strategy, {member: list(PARTITIONS) for member in MEMBERS}, dict(PARTITIONS))
    return {member: sorted(f"{topic}-{number}" for topic, number in given) for member, given in dealt.items()}


@checks.configuration
class AssignmentRule:
    """A dictionary from members to lists of partitions, as the `strategy` of Kafka deals them."""

    strategy: str = checks.text(default="range")

    def judge(self, answer: Any) -> Verdict:
        """Passed if it is the assignor's; otherwise what is wrong with it, partition by partition or by its idea."""
        right, given = by(self.strategy), self.kept(answer)
        if given == right:
            return Verdict(True, f"That is what the {self.strategy} assignor deals.")
        counts = Counter(partition for partitions in given.values() for partition in partitions)
        twice = [partition for partition, count in counts.items() if count > 1]
        if twice:
            return Verdict(False, f"{twice[0]} has two readers.", "Within a group a partition has one reader at most.")
        missing = sorted({each for given in right.values() for each in given} - set(counts))
        if missing:
            return Verdict(False, f"Nobody reads {missing[0]}.", "Every partition of the topic needs a reader.")
        differs = next(member for member in MEMBERS if given[member] != right[member])
        said = f"{differs} gets {', '.join(given[differs]) or 'nothing'} from you."
        return Verdict(False, said, self.mistake(given))

    def kept(self, answer: Any) -> dict[str, list[str]]:
        """The answer with its members and partitions checked."""
        if not isinstance(answer, Mapping) or set(answer) != set(MEMBERS):
            raise checks.refuse("answer", answer, f"give a dictionary with the keys {', '.join(MEMBERS)}")
        known = {f"{topic}-{number}" for topic, count in PARTITIONS.items() for number in range(count)}
        kept: dict[str, list[str]] = {}
        for member in MEMBERS:
            partitions = answer[member]
            if not isinstance(partitions, list | tuple | set):
                raise checks.refuse(f"answer[{member!r}]", partitions, "give a list such as ['mails-0', 'orders-0']")
            named = [
                f"{each[0]}-{each[1]}" if isinstance(each, tuple) and len(each) == 2 else each for each in partitions
            ]
            unknown = [each for each in named if each not in known]
            if unknown:
                raise checks.refuse(f"answer[{member!r}]", unknown[0], "give partitions such as 'mails-0'")
            kept[member] = sorted(named)
        return kept

    def mistake(self, given: Mapping[str, list[str]]) -> str:
        """The idea behind a typical wrong assignment."""
        if given == by("roundrobin"):
            return "That is round robin: all partitions in one row, dealt like cards. Range deals each topic alone."
        counts = [len(given[member]) for member in MEMBERS]
        if max(counts) - min(counts) <= 1:
            return "It is fair, and range is not: in each topic the surplus goes to the first member, the same one."
        return "Range deals runs of neighbours, topic by topic, to the members in the order of their names."


# ------------------------------------------------------------------------------------------ where a nacked message goes

TAKEN, REFUSED, QUEUED = 5, 2, 10


@lru_cache
def read_after_nack(queue_type: str) -> tuple[int, ...]:
    """What is read next of a queue of 10, of which one consumer holds 0 to 4 and refuses 2 with requeueing."""
    queue = RabbitMQ().start(Simulation()).declare_queue("jobs", type=queue_type)
    for number in range(QUEUED):
        queue.publish(Event(type="job", data=number))
    polling = queue.poll()
    held = [polling.get() for _ in range(TAKEN)]
    refused = held[REFUSED]
    assert refused is not None
    refused.nack()
    read = iter(polling.get, None)
    return tuple(int(delivery.event.data) for delivery in read if delivery is not None)


@checks.configuration
class ReadingRule:
    """Two orders of reading, of a classic queue and of a quorum queue without a delivery limit."""

    def judge(self, answer: Any) -> Verdict:
        """Passed if both are as the queues read; otherwise which is wrong, and the idea behind it."""
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise checks.refuse("answer", answer, "give two lists: the classic queue's order, the quorum queue's order")
        if not all(isinstance(each, tuple | list) and all(type(number) is int for number in each) for each in answer):
            raise checks.refuse("answer", answer, "give two lists of numbers, such as ([5, 6, …], [5, 6, …])")
        classic, quorum = (tuple(each) for each in answer)
        right = read_after_nack("classic"), read_after_nack("quorum")
        if (classic, quorum) == right:
            return Verdict(True, "Both orders are right: back in its place, and to the end.")
        wrong, said = ("classic", classic) if classic != right[0] else ("quorum", quorum)
        return Verdict(False, f"The {wrong} queue does not read {list(said)}.", self.mistake(classic, quorum, right))

    def mistake(self, classic: Any, quorum: Any, right: tuple[tuple[int, ...], ...]) -> str | None:
        """The idea behind a typical wrong order."""
        if (quorum, classic) == right:
            return "The other way round: the classic queue has places to go back to, the quorum queue is a log."
        if classic == quorum == right[0] or classic == quorum == right[1]:
            return "You gave both the same rule. They differ: one returns it to its place, one appends it."
        if any(number in (*classic, *quorum) for number in range(TAKEN) if number != REFUSED):
            return "0, 1, 3 and 4 are still held by the first consumer. Only what was refused is ready again."
        if REFUSED not in classic or REFUSED not in quorum:
            return "The message was requeued, so it is not gone. Without requeueing it would be, or be a dead letter."
        if {*classic} < {*right[0]} or {*quorum} < {*right[1]}:
            return "The next consumer reads on to the end: all that was never taken, and what was refused."
        return None


# ------------------------------------------------------------------------------------------ a selector with NULL

MAILS: tuple[tuple[Mapping[str, Any], bool], ...] = (
    ({"region": "us", "size": 3}, True),
    ({"region": "eu", "size": 3}, False),
    ({"size": 3}, True),
    ({"region": "EU"}, True),
)


@checks.configuration
class SelectorRule:
    """A selector of JMS that takes the mails that are wanted, and no other."""

    def judge(self, answer: Any) -> Verdict:
        """The first mail on which the selector is wrong; a selector that the broker refuses is an `EdasimError`."""
        chosen = selector(answer)
        for properties, wanted in MAILS:
            if chosen.matches(dict(properties)) != wanted:
                told = f"{'does not take' if wanted else 'takes'} a mail with the properties {dict(properties)}"
                return Verdict(False, f"{answer!r} {told}.", self.mistake(answer, properties, wanted=wanted))
        return Verdict(True, f"{answer!r} takes what is not for eu, and what has no region.")

    def mistake(self, text: str, properties: Mapping[str, Any], *, wanted: bool) -> str | None:
        """The idea behind a typical wrong selector."""
        if re.search(r"\bNOT\s+region\b", text, re.IGNORECASE):
            return "In ActiveMQ NOT belongs to the next word alone: NOT region = … is (NOT region) = …; use brackets."
        if "region" not in properties:
            return (
                "Without a region the comparison is unknown, and so is its NOT; only what is true matches. Ask for the "
                "missing property by its own words."
            )
        if not wanted:
            return "That one is for eu and should stay out."
        return "Texts are compared letter by letter, and a region that is not eu should come in."


# ------------------------------------------------------------------------------------------ a key that keeps order

ORDERS, STEPS, GAP_S = 200, ("placed", "paid", "sent"), 0.01
KEY_PARTITIONS, WORKERS, HOT_RATIO = 12, 4, 0.34


def orders_run(key_of: Callable[[Event], Any], seed: int) -> Run:
    """Orders of three steps through a topic of Kafka, with the key that `key_of(event)` gives each event."""
    sim = Simulation(seed=seed)
    topic = Kafka(partitions=KEY_PARTITIONS, initial_rebalance_delay_s=0.0).start(sim).topic("orders")
    draw = sim.streams.uniform("orders")

    def publish(order: int, customer: int, country: str, step: str) -> None:
        data = {"order": f"o-{order}", "customer": f"c-{customer}", "country": country, "step": step}
        key = key_of(Event(type=f"order.{step}", data=data))
        if key is not None and not isinstance(key, str):
            raise ConfigurationError(f"the key is {key!r}", field="key", value=key, remedy="return a text, or None")
        extensions = {} if key is None else {"partitionkey": key}
        topic.publish(Event(type=f"order.{step}", data=data, extensions=extensions), publisher="shop")

    for order in range(ORDERS):
        customer, country = int(60 * draw()), "de" if draw() < 0.7 else "fr"
        for place, step in enumerate(STEPS):
            sim.at(1.0 + 0.02 * order + GAP_S * place, partial(publish, order, customer, country, step))
    Service("workers", of=topic.group("workers"), nodes=WORKERS, service_time=times.Exponential(mean_s=0.02))
    return sim.run()


def overtaken(run: Run) -> int:
    """How many orders had a later step begun before an earlier one was done."""
    rows = run.deliveries
    done = rows.rows(rows.outcome == DONE)
    spans: dict[str, dict[str, tuple[float, float]]] = {}
    for number, from_s, to_s in zip(
        done.number.tolist(), done.started_s.tolist(), done.finished_s.tolist(), strict=True
    ):
        data: Any = run.numbered_events[number].data
        spans.setdefault(data["order"], {})[data["step"]] = (from_s, to_s)
    return sum(
        any(steps[later][0] < steps[earlier][1] - 1e-9 for earlier, later in itertools.pairwise(STEPS))
        for steps in spans.values()
    )


def largest_share(run: Run) -> float:
    """The share of all events that lies in the fullest partition."""
    counts = Counter(run.messages()["partition"])
    return max(counts.values()) / sum(counts.values())


def keyless(run: Run) -> bool:
    """Whether some event had no key."""
    return any("partitionkey" not in event.extensions for event in run.events())


def keys_trial(answer: Any, seed: int) -> Verdict:
    """Order within each order, and no partition with more than a third of the events."""
    must_be_callable(answer)
    run = orders_run(answer, seed)
    wrong, share = overtaken(run), largest_share(run)
    if keyless(run):
        return Verdict(
            False,
            f"Some events have no key; in {wrong} of {ORDERS} orders a step began before the one before it was done.",
            "Without a key a record goes where the others of its batch go, and then elsewhere: no order is promised. "
            "(A function without `return` gives None: no key.)",
        )
    if wrong:
        idea = idea_in_words(
            "Events of one order that have different keys lie in different partitions, and their readers do not wait "
            "for each other.",
            WrongIdea.KEYS_ARE_FOR_BALANCE,
        )
        return Verdict(False, f"In {wrong} of {ORDERS} orders a step began before the one before it was done.", idea)
    if share > HOT_RATIO:
        return Verdict(
            False,
            f"The order is kept, but one partition holds {100 * share:.0f} % of the events.",
            "A key with few values fills few partitions, and a partition has one reader: the others stand idle.",
        )
    return Verdict(True, f"Every order is in order, and the fullest partition holds {100 * share:.0f} % of the events.")
