"""Laws of the whole: nothing is lost or invented, by hand and declared are the same, Registration keeps its books."""

from typing import Any

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim import Event, RabbitMQ, Service, Simulation, Source, failures, load, scenarios, times
from edasim.brokers import Topology
from edasim.errors import UnknownNameError
from edasim.kernel import Run
from edasim.scenarios import Registration

pytestmark = pytest.mark.long

# ------------------------------------------------------------------------------------------------ conservation

INSTANTS = st.integers(0, 40).map(lambda eighths: eighths / 8)
QUEUES = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("classic")},
        optional={
            "max_length": st.integers(0, 4),
            "overflow": st.sampled_from(["drop-head", "reject-publish", "reject-publish-dlx"]),
            "message_ttl_s": st.sampled_from([0.0, 0.5, 2.0]),
            "max_priority": st.integers(1, 3),
            "single_active_consumer": st.just(True),
            "dead_letter_exchange": st.just("dlx"),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("quorum")},
        optional={
            "max_length": st.integers(0, 4),
            "message_ttl_s": st.sampled_from([0.0, 0.5, 2.0]),
            "delivery_limit": st.integers(0, 3),
            "single_active_consumer": st.just(True),
            "dead_letter_exchange": st.just("dlx"),
        },
    ),
)
SYSTEMS = st.fixed_dictionaries(
    {
        "queue": QUEUES,
        "prefetch": st.integers(0, 3),
        "nodes": st.integers(1, 3),
        "slots": st.integers(1, 2),
        "published_s": st.lists(INSTANTS, min_size=1, max_size=25).map(sorted),
        "services_s": st.lists(st.integers(0, 12).map(lambda eighths: eighths / 8), min_size=1, max_size=5),
        "refused": st.integers(1, 5),
        "on_failure": st.sampled_from(["requeue", "reject"]),
        "crashes_s": st.lists(st.tuples(st.integers(0, 2), INSTANTS), max_size=4),
        "restart_s": st.one_of(st.none(), INSTANTS),
    }
)


def system(told: dict[str, Any]) -> tuple[Simulation, Run]:
    """One queue with its dead letters, crashes of consumers and of the broker, and a handler that fails at times."""
    sim = Simulation(seed=1)
    broker = RabbitMQ(sync_interval_s=0.25).start(sim)
    broker.declare_queue("dead").bind(broker.declare_exchange("dlx", type="fanout"))
    queue = broker.declare_queue("q", **told["queue"])
    calls = iter(range(10**9))

    def handler(event: Event, context: Any) -> None:
        if next(calls) % 6 == told["refused"]:
            raise RuntimeError("no luck")

    Service(
        "srv",
        of=queue.consume(prefetch=told["prefetch"], on_failure=told["on_failure"]),
        service_time=times.Trace(values_s=[*told["services_s"], 0.125], at_end="repeat"),
        nodes=told["nodes"],
        concurrency=told["slots"],
        handler=handler,
    )
    Source(
        "src", load=load.Trace(times_s=told["published_s"]), to=queue.address(priority=lambda event: len(event.id) % 4)
    )
    for node, at_s in told["crashes_s"]:
        name = f"srv/{node % told['nodes']}"
        sim.at(at_s, sim.node(name).crash)
        sim.at(at_s + 0.75, sim.node(name).restart)
    if told["restart_s"] is not None:
        sim.at(told["restart_s"], broker.kill)
        sim.at(told["restart_s"] + 0.5, broker.start_again)
    return sim, sim.run(until_s=6.0)


FINAL = {"done", "dropped", "expired", "dead_lettered", "queued", "in_flight", "filtered"}


@given(SYSTEMS)
@settings(max_examples=300, deadline=None)
def test_every_message_is_accounted_for(told):
    """At each queue a message ends once, is done again only after its acknowledgement was lost, or is still there."""
    run = system(told)[1]
    broker_died = told["restart_s"] is not None
    table = run.messages()
    mine = table[table["group"] == "q"]
    nowhere = table[table["group"].isna()]
    assert set(mine["event_id"]) | set(nowhere["event_id"]) == {f"src-{n}" for n in range(len(told["published_s"]))}
    for _, attempts in mine.groupby("event_id"):
        outcomes = attempts["outcome"].tolist()
        ended = [outcome for outcome in outcomes if outcome in FINAL]
        assert attempts["attempt"].tolist() == list(range(1, len(outcomes) + 1))
        if broker_died:
            assert len(ended) >= 1
            assert set(ended[:-1]) <= {"done", "in_flight"}
        else:
            assert len(ended) == 1
            assert outcomes[-1] in FINAL
    dead = table[table["group"] == "dead"]
    assert len(dead) <= (mine["outcome"] == "dead_lettered").sum()
    if not broker_died:
        assert sorted(dead["event_id"]) == sorted(mine[mine["outcome"] == "dead_lettered"]["event_id"])


@given(SYSTEMS)
@settings(max_examples=100, deadline=None)
def test_a_consumer_never_holds_more_than_its_prefetch(told):
    run = system(told)[1]
    rows = run.messages()
    mine = rows[(rows["group"] == "q") & rows["delivered_s"].notna()]
    for _, deliveries in mine.groupby("consumer"):
        ends = deliveries["finished_s"].fillna(float("inf"))
        for at_s in deliveries["delivered_s"]:
            held = ((deliveries["delivered_s"] <= at_s) & (ends > at_s)).sum()
            lost_ack_s = 2.0 if told["restart_s"] is not None else 0.0  # work goes on when its channel is gone
            limit = told["prefetch"] or float("inf")
            assert held <= limit + (told["slots"] if lost_ack_s else 0)


@given(SYSTEMS)
@settings(max_examples=50, deadline=None)
def test_the_same_system_gives_the_same_run(told):
    assert system(told)[1].fingerprint() == system(told)[1].fingerprint()


# ------------------------------------------------------------------------------------------------ by hand and declared

LAWS = {
    "exponential": (load.Poisson(rate_per_s=40.0), times.Exponential(mean_s=0.02)),
    "clockwork, with an end at each arrival": (load.Constant(rate_per_s=8.0), times.Constant(value_s=0.25)),
    "several at one instant": (
        load.Trace(times_s=[0.0] * 5 + [0.5] * 5 + [0.75, 0.75, 1.0, 1.0]),
        times.Trace(values_s=[0.25, 0.5, 0.25, 0.0], at_end="repeat"),
    ),
}
OUTAGES = [(2.125, 3.0), (4.0, 4.5), (9.0, 9.25)]


def declared(sim: Simulation, subscription: Any, answers: Any, service_time: Any, consumers: int) -> None:
    Service(
        "srv",
        of=subscription,
        service_time=service_time,
        nodes=consumers,
        handler=lambda event, context: event.follow(type="answer", data=event.id),
        to=answers,
    )
    for down_s, up_s in OUTAGES:
        sim.at(down_s, sim.node("srv/0").crash)
        sim.at(up_s, sim.node("srv/0").restart)


def by_hand(sim: Simulation, subscription: Any, answers: Any, service_time: Any, consumers: int) -> None:
    draw = service_time.draws(sim.streams.generator("service/srv/service_time"))

    def consumer(name: str) -> Any:
        while True:
            delivery = yield subscription.receive(consumer=name)
            yield sim.env.timeout(draw())
            answers.publish(delivery.event.follow(type="answer", data=delivery.event.id), publisher="srv")
            delivery.ack()

    def with_outages(name: str) -> Any:
        while True:
            try:
                yield from consumer(name)
            except simpy.Interrupt as crash:
                subscription.disconnect(name)
                yield sim.env.timeout(crash.cause)

    processes = [sim.env.process(with_outages(f"srv/{place}")) for place in range(consumers)]
    for down_s, up_s in OUTAGES:
        sim.at(down_s, lambda for_s=up_s - down_s: processes[0].interrupt(for_s))


def records(build: Any, law: str, consumers: int, seed: int, prefetch: int, **arguments: Any) -> Any:
    sim = Simulation(seed=seed)
    broker = RabbitMQ().start(sim)
    queue, answers = broker.declare_queue("q", **arguments), broker.declare_queue("answers")
    arrivals, service_time = LAWS[law]
    build(sim, queue.consume(prefetch=prefetch), answers, service_time, consumers)
    Service("reader", of=answers.consume(), service_time=service_time)
    Source("src", load=arrivals, to=queue)
    table = sim.run(until_s=15.0).messages()
    table["outcome"] = table["outcome"].replace("requeued", "crashed")
    return table


@pytest.mark.parametrize("arguments", [{}, {"type": "quorum"}, {"max_length": 2}], ids=str)
@pytest.mark.parametrize(("consumers", "prefetch"), [(1, 1), (3, 1), (1, 4), (3, 4), (3, 0)])
@pytest.mark.parametrize("law", LAWS)
def test_by_hand_and_declared_are_the_same_record_for_record(law, consumers, prefetch, arguments):
    for seed in range(2):
        hand, service = (records(build, law, consumers, seed, prefetch, **arguments) for build in (by_hand, declared))
        assert hand.equals(service)
        assert (service["outcome"] == "done").sum() > 10


# ------------------------------------------------------------------------------------------------ registration

SERVICES = ("user-management", "behaviour-analytics", "mail")
BROKERS = {
    "as clients come": RabbitMQ(),
    "prefetch 1": RabbitMQ(prefetch=1),
    "quorum": RabbitMQ(prefetch=4, queue_type="quorum"),
}


def crashes() -> tuple[failures.Fault, ...]:
    return tuple(failures.RandomCrashes(node=name, mtbf_s=2.0, mttr_s=0.4, until_s=12.0) for name in SERVICES)


@pytest.mark.parametrize("broker", BROKERS.values(), ids=BROKERS)
def test_30_seeds_of_crashes_lose_no_registration(broker):
    mailed_twice = crashed = 0
    for seed in range(30):
        run = Registration(users_per_s=10.0, users=60, faults=crashes(), broker=broker).run(seed=seed)
        books = scenarios.audit(run)
        assert (books.requested, books.accepted + books.rejected) == (60, 60), seed
        assert (books.undecided, books.without_row, books.without_mail, books.shown_uncached) == (0, 0, 0, 0), seed
        assert books.rows == books.cached == books.mailed == books.accepted
        mailed_twice += books.mailed_twice
        crashed += int((run.messages()["outcome"] == "crashed").sum())
    assert mailed_twice > 0, "at least once should have shown a duplicate in 30 runs"
    assert crashed > 30


def test_a_registration_on_rabbitmq_goes_to_a_dictionary_and_back():
    told = Registration(users=5, broker=RabbitMQ(prefetch=4, queue_type="quorum"))
    assert Registration.from_dict(told.to_dict()) == told


def test_a_topology_is_laid_out_in_rabbitmqs_words():
    broker = RabbitMQ(prefetch=10, delivery_limit=3, queue_type="quorum", message_ttl_s=60.0).start(Simulation(seed=1))
    shop = Topology(
        name="shop", publishes={"till": ["sold", "void"]}, consumes={"stock": ["sold"], "tax": ["sold", "void"]}
    )
    wiring = broker.wire(shop)
    assert wiring.destination("till") is broker.exchange("shop")
    assert wiring.subscription("tax").queue is broker.queue("tax")
    assert broker.path(broker.exchange("shop"), "void") == [("shop", "void", "tax")]
    arguments = broker.queue("stock").arguments
    assert (arguments.delivery_limit, arguments.message_ttl_s, arguments.durable) == (3, 60.0, True)
    assert wiring.describe() == (
        "topic exchange 'shop', the event type as routing key, and a quorum queue each, with its bindings, for "
        "stock (sold); tax (sold, void); prefetch 10"
    )
    assert "at most 10 unacknowledged messages" in broker.configuration.describe()
    for ask in (wiring.destination, wiring.subscription):
        with pytest.raises(UnknownNameError):
            ask("nobody")
