"""The registration case on each broker under random crashes: what it promises holds, and core NATS loses.

The bus in memory has its 200 seeds in `test_registration.py`.
"""

from collections import Counter

import pytest

from edasim import ActiveMQ, JetStream, Kafka, Nats, RabbitMQ, failures, load, scenarios
from edasim.brokers import Capability
from edasim.errors import CapabilityError
from edasim.kernel import Run
from edasim.scenarios import Registration
from edasim.scenarios.registration import Promise, clockwork

SERVICES = ("user-management", "behaviour-analytics", "mail")
BROKERS = {
    "rabbitmq": RabbitMQ(prefetch=20),
    "activemq": ActiveMQ(),
    "kafka": Kafka(commit="after_batch"),
    "jetstream": JetStream(),
}
SEEDS = range(100)


def crashes(until_s: float = 2.0) -> tuple[failures.Fault, ...]:
    return tuple(failures.RandomCrashes(node=name, mtbf_s=0.8, mttr_s=0.3, until_s=until_s) for name in SERVICES)


def stormy(seed: int, **fields: object) -> Run:
    return Registration(users_per_s=6.0, users=10, opens_ratio=0.3, faults=crashes(), **fields).run(seed=seed)


def sent_again(run: Run) -> set[str]:
    """Mails that at-least-once allows to arrive twice: redelivered after a crash, or sent again without an answer."""
    return {
        fact.detail["mail_id"]
        for fact in run.fact_list
        if fact.kind in ("answer_lost", "answer_late") or (fact.kind == "mail_cached" and not fact.detail["new"])
    }


@pytest.mark.long
@pytest.mark.parametrize("name", BROKERS)
def test_four_brokers_lose_nobody_in_100_seeds_of_crashes(name: str) -> None:
    mailed_twice = crashed = 0
    for seed in SEEDS:
        run = stormy(seed, broker=BROKERS[name])
        books = scenarios.audit(run)
        assert books.requested == books.accepted + books.rejected == 10
        assert (books.undecided, books.without_row, books.without_mail, books.shown_uncached) == (0, 0, 0, 0), seed
        assert books.rows == books.cached == books.mailed == books.accepted
        twice = {mail_id for mail_id, n in run.kept["provider"].mailboxes.items() if n > 1}
        assert twice <= sent_again(run), "a second mail without a redelivery and without a lost answer"
        mailed_twice += len(twice)
        crashed += sum(fact.kind == "node_crashed" for fact in run.fact_list)
    assert crashed > 400
    assert mailed_twice > 0, "at-least-once should have shown a duplicate in 100 runs"


@pytest.mark.long
@pytest.mark.rule("NAT-02")
def test_core_nats_loses_users_rows_and_mails_under_the_same_crashes_and_nothing_without() -> None:
    found: Counter[str] = Counter()
    for seed in SEEDS:
        books = scenarios.audit(stormy(seed, broker=Nats(), promise="at_most_once"))
        found.update(undecided=books.undecided, rows=books.without_row, mails=books.without_mail)
    assert min(found.values()) > 20, found
    for seed in range(5):
        calm = Registration(users_per_s=6.0, users=15, broker=Nats(), promise="at_most_once").run(seed=seed)
        books = scenarios.audit(calm)
        assert (books.undecided, books.without_row, books.without_mail) == (0, 0, 0)


def test_core_nats_is_refused_before_the_run_unless_no_more_is_promised() -> None:
    with pytest.raises(
        CapabilityError, match=r"promises at least once, needs what nats cannot do.*redelivery"
    ) as refused:
        Registration(broker=Nats(), users=1).run()
    assert 'promise="at_most_once"' in refused.value.remedy
    told = Registration(broker=Nats(), users=1, promise=Promise.AT_MOST_ONCE)
    assert "promise='at_most_once'" in told.describe()
    assert Registration.from_dict(told.to_dict()) == told
    assert told.run(seed=1).kept["provider"].mailboxes == {"welcome-u-0": 1}


def test_no_promise_helps_a_broker_that_cannot_tell_the_story() -> None:
    others = frozenset(Capability) - {Capability.PUBLISH_SUBSCRIBE}

    class Lonely:
        def start(self, sim: object) -> object:
            return type("Running", (), {"name": "lonely", "capabilities": others, "sim": sim})()

    with pytest.raises(CapabilityError, match="publish_subscribe"):
        Registration(broker=Lonely(), promise="at_most_once").run(until_s=1.0)


@pytest.mark.parametrize(
    ("broker", "mails_s"),
    [
        pytest.param(RabbitMQ(), [7.145, 8.225], id="rabbitmq gives it to the restarted service at once"),
        pytest.param(ActiveMQ(), [7.145, 8.225], id="activemq as well"),
        pytest.param(JetStream(), [7.145, 37.145], id="jetstream after the ack wait", marks=pytest.mark.rule("NAT-11")),
        pytest.param(
            Kafka(), [7.145, 51.125], id="kafka 45 s after the last heartbeat, at 6 s", marks=pytest.mark.rule("KAF-13")
        ),
        pytest.param(Nats(), [7.145], id="core nats never, here by luck after the mail had left"),
    ],
)
def test_a_mail_on_its_way_when_the_service_dies_comes_again_when_the_broker_says_so(
    broker: object, mails_s: list[float]
) -> None:
    """The user signs up at 7 s, the service dies at 7.1 s with the mail on its way, and is back at 8.1 s."""
    story = clockwork(
        broker=broker,
        arrivals=load.Trace(times_s=(7.0,)),
        opens_ratio=0.0,
        promise="at_most_once",
        faults=[failures.Crash(node="mail", at_s=7.1, down_s=1.0)],
    )
    arrived_s = [fact.time_s for fact in story.run(seed=1).fact_list if fact.kind == "mail_arrived"]
    assert arrived_s == pytest.approx(mails_s)
