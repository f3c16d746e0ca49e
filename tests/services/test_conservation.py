"""Conservation laws: in whatever system, nothing is lost or invented without the log saying so.

Hypothesis builds small systems of sources, filters, bounded queues, failing handlers and crashing nodes.
"""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edasim import Event, MemoryBus, Service, Simulation, Source, load, times
from edasim.kernel.runlog import DONE

pytestmark = pytest.mark.long

KINDS = ("a", "b", "c")
ENDS = ("done", "dropped", "dead_lettered")
OPEN = ("queued", "in_flight")

seconds = some.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0, 1.5])
instants = some.lists(some.integers(0, 40).map(lambda eighths: eighths / 8), min_size=3, max_size=12).map(sorted)
outages = some.lists(some.tuples(some.integers(0, 60), some.integers(1, 16)), max_size=4)
subscriptions = some.fixed_dictionaries(
    {
        "types": some.none() | some.lists(some.sampled_from(KINDS), min_size=1, max_size=2, unique=True),
        "capacity": some.none() | some.integers(1, 3),
        "overflow": some.sampled_from(["refuse_newest", "drop_oldest"]),
        "max_attempts": some.integers(1, 4),
        "buried": some.booleans(),
        "takers": some.sampled_from(["service", "waiting handler", "by hand", "nobody", "forgetful"]),
        "nodes": some.integers(1, 3),
        "concurrency": some.integers(1, 2),
        "service_s": some.lists(seconds, min_size=1, max_size=4),
        "handover_s": some.sampled_from([0.0, 0.125]),
        "failing": some.sampled_from([0.0, 0.2, 0.7, 1.0]),
        "outages": outages,
    }
)
systems = some.fixed_dictionaries(
    {
        "sources": some.lists(instants, min_size=1, max_size=3),
        "subscriptions": some.lists(subscriptions, min_size=1, max_size=3),
        "until_s": some.sampled_from([0.25, 3.0, 5.0, 500.0]),
        "seed": some.integers(0, 3),
    }
)


def build(system):
    """The system in a simulation, run to its end."""
    sim = Simulation(seed=system["seed"])
    bus = MemoryBus().start(sim)
    here, graves = bus.topic("here"), bus.topic("graves")
    for place, wish in enumerate(system["subscriptions"]):
        subscription = here.subscribe(
            f"group-{place}",
            types=wish["types"],
            capacity=wish["capacity"],
            overflow=wish["overflow"],
            max_attempts=wish["max_attempts"],
            dead_letters=graves if wish["buried"] else None,
        )
        if wish["takers"] == "by hand":
            receive_by_hand(sim, subscription, wish, place)
        elif wish["takers"] != "nobody":
            serve(sim, subscription, wish, place)
    for place, times_s in enumerate(system["sources"]):
        Source(f"source-{place}", load=load.Trace(times_s=times_s), to=here, event=one_of_each)
    return sim.run(until_s=system["until_s"])


def one_of_each(occasion):
    return Event(type=KINDS[occasion.number % len(KINDS)])


def serve(sim, subscription, wish, place):
    def plain(event, context):
        if context.draw("mood") < wish["failing"]:
            raise RuntimeError("refused")

    def waits(event, context):
        yield context.pause(0.25)
        plain(event, context)
        yield context.pause(0.125)

    service = Service(
        f"service-{place}",
        of=subscription,
        service_time=times.Trace(values_s=wish["service_s"], at_end="repeat"),
        nodes=wish["nodes"],
        concurrency=wish["concurrency"],
        handover_s=wish["handover_s"],
        handler=waits if wish["takers"] == "waiting handler" else plain,
        acknowledge="on_delivery" if wish["takers"] == "forgetful" else "after_handling",
    )
    for number, (begin, eighths) in enumerate(wish["outages"]):
        node = service.nodes[number % len(service.nodes)]
        sim.at(begin / 8, node.crash)
        sim.at((begin + eighths) / 8, node.restart)


def receive_by_hand(sim, subscription, wish, place):
    mood = sim.streams.uniform(f"by-hand-{place}/mood")
    service_s = wish["service_s"]

    def consumer(name):
        for turn in range(1000):
            receive = subscription.receive(consumer=name)
            got = yield receive | sim.env.timeout(2.0)
            if receive not in got:
                continue
            yield sim.env.timeout(service_s[turn % len(service_s)])
            if mood() < wish["failing"]:
                got[receive].nack()
            elif mood() < 0.1:
                got[receive].reject()
            else:
                got[receive].ack()

    for node in range(wish["nodes"]):
        sim.env.process(consumer(f"hand-{place}/{node}"))


def by_message(run):
    """For each group and message: its rows in order of attempt, as (attempt, outcome, consumer)."""
    found = defaultdict(list)
    for row in run.messages().itertuples():
        found[row.group, row.event_id].append((row.attempt, row.outcome, row.consumer))
    return {key: sorted(rows) for key, rows in found.items()}


def final(wish):
    """The outcomes after which a message does not come back."""
    return {*ENDS, "failed"} if wish["takers"] == "forgetful" else set(ENDS)


@settings(max_examples=300, deadline=None)
@given(systems)
def test_every_message_that_a_subscription_wants_is_accounted_for_once(system):
    """Published and wanted = done + dropped + put aside + queued + in flight, message by message."""
    run = build(system)
    found = by_message(run)
    published = published_by(run, system)
    for place, wish in enumerate(system["subscriptions"]):
        group = f"group-{place}"
        wanted = {event_id for event_id, kind in published.items() if wish["types"] is None or kind in wish["types"]}
        assert {event_id for found_at, event_id in found if found_at == group} == wanted
        for event_id in wanted:
            outcomes = [outcome for _, outcome, _ in found[group, event_id]]
            assert outcomes[-1] in final(wish) | set(OPEN)
            assert not set(outcomes[:-1]) & (set(ENDS) | set(OPEN))


def published_by(run, system):
    """What the sources published before the end, by id: nothing else may turn up."""
    return {
        f"source-{place}-{number}": KINDS[number % len(KINDS)]
        for place, times_s in enumerate(system["sources"])
        for number, at_s in enumerate(times_s)
        if at_s < system["until_s"]
    }


@settings(max_examples=100, deadline=None)
@given(systems)
def test_nothing_is_invented(system):
    run = build(system)
    assert {event.id for event in run.events()} == set(published_by(run, system))
    graves = Counter(run.messages().query("destination == 'graves'")["event_id"])
    buried = [f"group-{place}" for place, wish in enumerate(system["subscriptions"]) if wish["buried"]]
    table = run.messages()
    put_aside = table["group"].isin(buried) & (table["outcome"] == "dead_lettered")
    assert graves == Counter(table.loc[put_aside, "event_id"])


@settings(max_examples=100, deadline=None)
@given(systems)
def test_attempts_are_counted_from_one_without_a_gap(system):
    for (group, _), rows in by_message(build(system)).items():
        if isinstance(group, str):
            assert [attempt for attempt, _, _ in rows] == list(range(1, len(rows) + 1))


@settings(max_examples=100, deadline=None)
@given(systems)
def test_times_are_in_order_and_attempts_follow_one_another(system):
    rows = build(system).deliveries
    steps = np.stack([rows.published_s, rows.enqueued_s, rows.delivered_s, rows.started_s, rows.finished_s])
    for column in steps.T:
        reached = column[~np.isnan(column)]
        assert (np.diff(reached) >= 0).all()
    again = (rows.number[1:] == rows.number[:-1]) & (rows.lane[1:] == rows.lane[:-1]) & (rows.attempt[1:] > 1)
    assert (rows.enqueued_s[1:][again] == rows.finished_s[:-1][again]).all()


@settings(max_examples=100, deadline=None)
@given(systems)
def test_a_slot_works_on_one_message_at_a_time(system):
    run = build(system)
    table = run.messages().dropna(subset=["delivered_s"])
    slots = {f"service-{place}/": wish["concurrency"] for place, wish in enumerate(system["subscriptions"])}
    for consumer, rows in table.groupby("consumer"):
        limit = slots.get(consumer[: consumer.index("/") + 1], 1)
        begun, ended = np.sort(rows["delivered_s"]), np.sort(rows["finished_s"].fillna(np.inf))
        at_once = np.arange(1, len(begun) + 1) - np.searchsorted(ended, begun, side="right")
        assert at_once.max() <= limit


@settings(max_examples=100, deadline=None)
@given(systems, some.booleans())
def test_one_taker_gets_through_the_messages_of_each_publisher_in_order(system, crashes):
    """A crash does not change that: what the taker held goes back to the head of the queue."""
    alone = {"takers": "service", "nodes": 1, "concurrency": 1, "failing": 0.0}
    steady = {} if crashes else {"outages": []}
    system = system | {"subscriptions": [wish | alone | steady for wish in system["subscriptions"]]}
    rows = build(system).deliveries
    done = rows.rows(rows.outcome == DONE)
    for lane, origin in {(lane, origin) for lane, origin in zip(done.lane, done.origin, strict=True)}:
        mine = done.rows((done.lane == lane) & (done.origin == origin))
        assert (np.diff(mine.number) > 0).all()
        assert (np.diff(mine.finished_s) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(systems)
def test_the_same_seed_gives_the_same_run(system):
    assert build(system).fingerprint() == build(system).fingerprint()


@settings(max_examples=60, deadline=None)
@given(systems)
def test_the_summary_counts_what_the_table_tells(system):
    run = build(system)
    table = run.messages()
    for line in run.summary().lines:
        mine = table[table["group"] == line.group] if line.group else table[table["group"].isna()]
        mine = mine[mine["destination"] == line.destination]
        outcomes = Counter(mine["outcome"])
        assert line.done == outcomes["done"]
        assert line.failed == outcomes["failed"] + outcomes["requeued"] + outcomes["dead_lettered"]
        assert line.waiting == outcomes["queued"] + outcomes["in_flight"]
        assert line.redelivered == (mine["delivered_s"].notna() & (mine["attempt"] > 1)).sum()
        left_queue_s = mine["started_s"].fillna(mine["finished_s"]).fillna(run.ended_s)
        waited_s = (left_queue_s - mine["enqueued_s"]).sum()
        assert np.isclose(line.mean_queue * run.ended_s, waited_s, rtol=1e-9, atol=1e-12)
