"""Services: what a handler may do, what a crash does to it, and what is refused."""

import math
import pickle

import pytest
import simpy
from timelines import timeline

from edasim import Event, MemoryBus, Service, Simulation, Source, load, times
from edasim.brokers.base import Capability, require
from edasim.errors import ConfigurationError, EdasimError, HandlerError, StateError, UnknownNameError
from edasim.services import Acknowledge
from edasim.services.handling import NodeCrashed
from edasim.services.node import crash_together


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def bus(sim):
    return MemoryBus().start(sim)


@pytest.fixture
def here(bus):
    return bus.topic("here")


@pytest.fixture
def there(bus):
    topic = bus.topic("there")
    topic.subscribe("reader")
    return topic


def publish_at(topic, *times_s, name="src"):
    """One event at each of the instants; its data is its number."""
    arrivals = load.Trace(times_s=times_s)
    Source(name, load=arrivals, to=topic, event=lambda occasion: Event(type="x", data=occasion.number))


def second(value_s=1.0):
    return times.Constant(value_s=value_s)


def what_reached(run, group="reader"):
    table = run.messages()
    mine = table.loc[table["group"] == group, ["event_id", "type", "cause_id", "published_s"]]
    return list(mine.itertuples(index=False, name=None))


# ------------------------------------------------------------------------------------------------ what handlers return


@pytest.mark.parametrize(
    ("answer", "types"),
    [
        (lambda event: None, []),
        (lambda event: [], []),
        (lambda event: Event(type="a"), ["a"]),
        (lambda event: [Event(type="a"), Event(type="b")], ["a", "b"]),
        (lambda event: (Event(type=kind) for kind in ()) and (Event(type="a"),), ["a"]),
        (lambda event: {"one": Event(type="a")}.values(), ["a"]),
    ],
)
def test_a_handler_returns_no_event_one_or_several(sim, here, there, answer, types):
    Service("srv", of=here.subscribe(), service_time=second(), handler=lambda event, context: answer(event), to=there)
    publish_at(here, 1.0)
    assert what_reached(sim.run()) == [(f"srv-{i}", kind, "src-0", 2.0) for i, kind in enumerate(types)]


def test_what_is_published_comes_before_the_acknowledgement_and_the_next_message(sim, here, there):
    """All at one instant, and in this order: publish, acknowledge, take the next."""
    Service("srv", of=here.subscribe(), service_time=second(), handler=lambda e, _: Event(type="a"), to=there)
    Service("reader", of=there.subscription("reader"))
    publish_at(here, 1.0, 1.5)
    assert timeline(sim.run()) == [
        (1.0, "srv/0 takes src-0"),
        (2.0, "srv/0: src-0 done"),
        (2.0, "reader/0: srv-0 done"),
        (2.0, "srv/0 takes src-1"),
        (2.0, "reader/0 takes srv-0"),
        (3.0, "srv/0: src-1 done"),
        (3.0, "reader/0: srv-1 done"),
        (3.0, "reader/0 takes srv-1"),
    ]


@pytest.mark.parametrize("wrong", ["text", b"bytes", 7, {"type": "x"}, [Event(type="a"), 7], [None], object, {1, 2}])
def test_a_handler_that_returns_no_event_ends_the_run_at_that_instant(sim, here, there, wrong):
    Service("srv", of=here.subscribe(), service_time=second(), handler=lambda event, context: wrong, to=there)
    publish_at(here, 1.0)
    with pytest.raises(HandlerError, match=r"at 2\.000000 s of simulated time: the handler of srv returned") as caught:
        sim.run()
    error = caught.value
    assert (error.field, error.at_s) == ("handler", 2.0)
    assert error.value in (wrong, 7, None, 1, 2)
    assert "return an Event, a list of Events, or None" in error.remedy
    assert len(there.subscription("reader").waiting) == 0


def test_a_service_without_a_destination_returns_nothing(sim, here):
    Service("srv", of=here.subscribe(), handler=lambda event, context: Event(type="a"))
    publish_at(here, 1.0)
    with pytest.raises(HandlerError, match="publishes to nowhere; give the service a destination") as caught:
        sim.run()
    assert (caught.value.field, caught.value.at_s) == ("Service.to", 1.0)


def test_an_event_that_is_passed_on_stays_the_same_fact(sim, here, there):
    """It is no cause of itself, so that the chain of causes has an end."""
    Service("router", of=here.subscribe(), handler=lambda event, context: event, to=there)
    publish_at(here, 1.0)
    run = sim.run()
    assert run.messages()["cause_id"].isna().all()
    assert [(event_id, kind) for event_id, kind, _, _ in what_reached(run)] == [("src-0", "x")]
    assert run.event("src-0").cause_id is None
    assert len(run.trace("src-0")) == 2
    assert set(run.deliveries.root.tolist()) == {run.deliveries.number[0]}


def test_what_an_event_has_it_keeps_and_what_is_missing_is_filled_in(sim, here, there):
    own = {"id": "A-1", "source": "/own", "cause_id": "C", "trace_id": "T"}
    answers = [Event(type="a"), Event(type="b", **own)]
    Service("srv", of=here.subscribe(), handler=lambda event, context: answers, to=there)
    publish_at(here, 1.0)
    run = sim.run()
    first, other = run.event("srv-0"), run.event("A-1")
    assert (first.source, first.cause_id, first.trace_id) == ("srv", "src-0", "src-0")
    assert (other.source, other.cause_id, other.trace_id) == ("/own", "C", "T")


def test_a_service_without_a_handler_only_takes_time(sim, here):
    Service("srv", of=here.subscribe(), service_time=second(0.5))
    publish_at(here, 1.0)
    assert timeline(sim.run()) == [(1.0, "srv/0 takes src-0"), (1.5, "srv/0: src-0 done")]


def test_a_service_without_service_time_is_done_at_once(sim, here):
    Service("srv", of=here.subscribe())
    publish_at(here, 1.0, 1.0)
    assert timeline(sim.run()) == [
        (1.0, "srv/0: src-0 done"),
        (1.0, "srv/0: src-1 done"),
        (1.0, "srv/0 takes src-0"),
        (1.0, "srv/0 takes src-1"),
    ]


# ------------------------------------------------------------------------------------------------ told to handlers


def test_a_handler_is_told_where_when_and_which_attempt(sim, here):
    told = []

    def handler(event, context):
        told.append((context.now_s, context.node.name, context.attempt, event.id, context.event is event))
        if context.attempt == 1:
            raise RuntimeError("once more")

    Service("srv", of=here.subscribe(), service_time=second(), nodes=["north"], handler=handler)
    publish_at(here, 1.0)
    sim.run()
    assert told == [(2.0, "north", 1, "src-0", True), (3.0, "north", 2, "src-0", True)]


def test_a_handler_draws_from_streams_of_its_service(sim, here):
    drawn = []
    Service("srv", of=here.subscribe(), handler=lambda _, context: drawn.append([context.draw(p) for p in "ab"]))
    publish_at(here, 1.0, 2.0)
    sim.run()
    other = Simulation(seed=1).streams
    streams = [other.uniform(f"service/srv/{purpose}") for purpose in "ab"]
    assert drawn == [[stream() for stream in streams], [stream() for stream in streams]]


def test_a_handler_appends_facts_with_the_trace(sim, here):
    Service("srv", of=here.subscribe(), handler=lambda event, context: context.fact("seen", n=event.data))
    publish_at(here, 1.0)
    (fact,) = sim.run().fact_list
    assert (fact.time_s, fact.kind, fact.subject) == (1.0, "seen", "srv")
    assert fact.detail == {"event_id": "src-0", "trace_id": "src-0", "n": 0}


# ------------------------------------------------------------------------------------------------ handlers that fail


def test_a_failure_is_told_and_the_message_tried_again(sim, here):
    def handler(event, context):
        if context.attempt < 3:
            raise ValueError(f"attempt {context.attempt}")

    Service("srv", of=here.subscribe(), service_time=second(), handler=handler)
    publish_at(here, 1.0)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "srv/0 takes src-0"),
        (2.0, "srv/0: src-0 failed"),
        (2.0, "srv/0 takes src-0 (attempt 2)"),
        (3.0, "srv/0: src-0 failed (attempt 2)"),
        (3.0, "srv/0 takes src-0 (attempt 3)"),
        (4.0, "srv/0: src-0 done (attempt 3)"),
    ]
    for attempt, fact in enumerate(run.fact_list, start=1):
        assert (fact.time_s, fact.kind, fact.subject) == (attempt + 1.0, "handler_failed", "srv")
        error = f"ValueError: attempt {attempt}"
        assert fact.detail == {"node": "srv/0", "event_id": "src-0", "attempt": attempt, "error": error}
    assert len(run.fact_list) == 2


def test_a_refused_message_goes_to_who_is_free(sim, here):
    def handler(event, context):
        if context.node.name == "clumsy":
            raise RuntimeError("dropped it")

    subscription = here.subscribe()
    Service("first", of=subscription, service_time=second(), nodes=["clumsy"], handler=handler)
    Service("other", of=subscription, service_time=second(), nodes=["able"], handler=handler)
    publish_at(here, 1.0)
    assert timeline(sim.run()) == [
        (1.0, "clumsy takes src-0"),
        (2.0, "clumsy: src-0 failed"),
        (2.0, "able takes src-0 (attempt 2)"),
        (3.0, "able: src-0 done (attempt 2)"),
    ]


def test_nothing_of_a_refused_message_is_published_unless_the_handler_did_so_itself(sim, here, there):
    def handler(event, context):
        if context.attempt == 1:
            context.publish(Event(type="early"))
            raise RuntimeError("after all, no")
        return Event(type="late")

    Service("srv", of=here.subscribe(), service_time=second(), handler=handler, to=there)
    publish_at(here, 1.0)
    assert [(kind, at_s) for _, kind, _, at_s in what_reached(sim.run())] == [("early", 2.0), ("late", 3.0)]


@pytest.mark.parametrize("acknowledge", ["after_handling", "on_delivery"])
def test_a_failure_after_acknowledging_on_delivery_is_final(sim, here, acknowledge):
    def fail(event, context):
        raise RuntimeError("no")

    Service("srv", of=here.subscribe(max_attempts=2), service_time=second(), handler=fail, acknowledge=acknowledge)
    publish_at(here, 1.0)
    told = [text for _, text in timeline(sim.run())]
    again = ["srv/0 takes src-0 (attempt 2)", "srv/0: src-0 dead_lettered (attempt 2)"]
    assert told == ["srv/0 takes src-0", "srv/0: src-0 failed", *(again if acknowledge == "after_handling" else [])]


def test_an_error_of_the_house_in_a_handler_ends_the_run(sim, here):
    """It is about the system that was built, not about the message: trying again would hide it."""

    def handler(event, context):
        here.subscription("nobody")

    Service("srv", of=here.subscribe(), handler=handler)
    publish_at(here, 1.0)
    with pytest.raises(UnknownNameError, match="no subscription of topic 'here' 'nobody'") as caught:
        sim.run()
    assert caught.value.at_s == 1.0


# ------------------------------------------------------------------------------------------------ generator handlers


def test_a_generator_handler_goes_on_in_simulated_time_and_returns_events_at_its_end(sim, here, there):
    def handler(event, context):
        yield context.pause(0.5)
        context.fact("half-way")
        yield sim.env.timeout(0.25) & sim.env.timeout(0.5)
        return Event(type="a")

    Service("srv", of=here.subscribe(), service_time=second(), handler=handler, to=there)
    publish_at(here, 1.0, 1.25)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "srv/0 takes src-0"),
        (3.0, "srv/0: src-0 done"),
        (3.0, "srv/0 takes src-1"),
        (5.0, "srv/0: src-1 done"),
    ]
    assert [fact.time_s for fact in run.fact_list] == [2.5, 4.5]
    assert [(event_id, at_s) for event_id, _, _, at_s in what_reached(run)] == [("srv-0", 3.0), ("srv-1", 5.0)]


def test_a_generator_handler_may_end_without_waiting(sim, here, there):
    def handler(event, context):
        if event.data > 100:
            yield context.pause(1.0)
        return Event(type="a")

    Service("srv", of=here.subscribe(), service_time=second(), handler=handler, to=there)
    publish_at(here, 1.0)
    assert timeline(sim.run())[:2] == [(1.0, "srv/0 takes src-0"), (2.0, "srv/0: src-0 done")]


def test_a_generator_handler_that_fails_is_refused_at_that_instant(sim, here):
    def handler(event, context):
        yield context.pause(0.5)
        if context.attempt == 1:
            raise ConnectionError("cut off")

    Service("srv", of=here.subscribe(), service_time=second(), handler=handler)
    publish_at(here, 1.0)
    assert timeline(sim.run()) == [
        (1.0, "srv/0 takes src-0"),
        (2.5, "srv/0: src-0 failed"),
        (2.5, "srv/0 takes src-0 (attempt 2)"),
        (4.0, "srv/0: src-0 done (attempt 2)"),
    ]


def test_what_a_waited_for_event_fails_with_comes_up_in_the_handler(sim, here):
    seen = []

    def handler(event, context):
        broken = sim.env.event()
        sim.env.timeout(0.5).callbacks.append(lambda _: broken.fail(ConnectionError("no route")))
        try:
            yield broken
        except ConnectionError as failure:
            seen.append((context.now_s, str(failure)))
        got = yield sim.env.timeout(0.25, value="news")
        seen.append((context.now_s, got))

    Service("srv", of=here.subscribe(), handler=handler)
    publish_at(here, 1.0)
    assert timeline(sim.run())[-1] == (1.75, "srv/0: src-0 done")
    assert seen == [(1.5, "no route"), (1.75, "news")]


def test_a_generator_handler_may_receive_by_hand(sim, bus, here):
    """A request and its answer: the handler waits for what another service publishes."""
    questions, answers = bus.topic("questions"), bus.topic("answers")
    inbox = answers.subscribe("inbox")

    def handler(event, context):
        questions.publish(event.follow(type="question"), publisher="srv")
        delivery = yield inbox.receive(consumer="srv/0")
        delivery.ack()
        context.fact("answered", by=delivery.event.source)

    Service("srv", of=here.subscribe(), handler=handler)
    Service("oracle", of=questions.subscribe(), service_time=second(), handler=lambda e, _: Event(type="a"), to=answers)
    publish_at(here, 1.0)
    run = sim.run()
    assert [(fact.time_s, fact.detail["by"]) for fact in run.fact_list] == [(2.0, "oracle")]
    assert run.trace("src-0")["type"].tolist() == ["x", "question", "a"]


@pytest.mark.parametrize("wrong", [1.5, None, "soon", Event(type="a")])
def test_a_generator_handler_yields_events_of_simpy(sim, here, wrong):
    def handler(event, context):
        yield context.pause(0.5)
        yield wrong

    Service("srv", of=here.subscribe(), handler=handler)
    publish_at(here, 1.0)
    with pytest.raises(HandlerError, match=r"the handler of srv yielded .*; .* yield SimPy events") as caught:
        sim.run()
    assert (caught.value.field, caught.value.value, caught.value.at_s) == ("handler", wrong, 1.5)


def test_a_generator_of_events_is_no_generator_handler(sim, here, there):
    Service("srv", of=here.subscribe(), handler=lambda e, _: (Event(type=kind) for kind in "ab"), to=there)
    publish_at(here, 1.0)
    with pytest.raises(HandlerError, match="yielded Event") as caught:
        sim.run()
    assert "a list of Events" in caught.value.remedy


def test_what_a_generator_handler_returns_is_checked_as_well(sim, here, there):
    def handler(event, context):
        yield context.pause(0.5)
        return "an answer"

    Service("srv", of=here.subscribe(), handler=handler, to=there)
    publish_at(here, 1.0)
    with pytest.raises(HandlerError) as caught:
        sim.run()
    assert (caught.value.value, caught.value.at_s) == ("an answer", 1.5)


@pytest.mark.parametrize("duration_s", [-0.1, math.nan, "long"])
def test_a_pause_is_a_time(sim, here, duration_s):
    def handler(event, context):
        yield context.pause(duration_s)

    Service("srv", of=here.subscribe(), handler=handler)
    publish_at(here, 1.0)
    with pytest.raises(ConfigurationError, match="give a finite number of at least 0") as caught:
        sim.run()
    assert (caught.value.field, caught.value.at_s) == ("duration_s", 1.0)


# ------------------------------------------------------------------------------------------------ crashes


def outage(sim, node, crash_s, restart_s):
    sim.at(crash_s, sim.node(node).crash)
    sim.at(restart_s, sim.node(node).restart)


def test_a_crash_in_the_service_time_loses_the_work_and_not_the_message(sim, here):
    Service("srv", of=here.subscribe(), service_time=second(2.0))
    publish_at(here, 1.0)
    outage(sim, "srv/0", 2.0, 5.0)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "srv/0 takes src-0"),
        (2.0, "srv/0: src-0 crashed"),
        (5.0, "srv/0 takes src-0 (attempt 2)"),
        (7.0, "srv/0: src-0 done (attempt 2)"),
    ]
    assert [(fact.time_s, fact.kind, fact.subject, fact.detail) for fact in run.fact_list] == [
        (2.0, "node_crashed", "srv/0", {"service": "srv", "in_work": 1}),
        (5.0, "node_restarted", "srv/0", {"service": "srv"}),
    ]


def test_a_crash_at_the_instant_of_the_end_comes_too_late_or_just_in_time(sim, here):
    """What was planned first happens first: the end was planned at 1, the crash before or after that."""
    Service("srv", of=here.subscribe(), service_time=second(1.0))
    publish_at(here, 1.0, 4.0)
    outage(sim, "srv/0", 2.0, 3.0)
    sim.at(4.5, lambda: outage(sim, "srv/0", 5.0, 6.0))
    assert timeline(sim.run()) == [
        (1.0, "srv/0 takes src-0"),
        (2.0, "srv/0: src-0 crashed"),
        (3.0, "srv/0 takes src-0 (attempt 2)"),
        (4.0, "srv/0: src-0 done (attempt 2)"),
        (4.0, "srv/0 takes src-1"),
        (5.0, "srv/0: src-1 done"),
    ]


def test_a_crash_before_the_start_leaves_no_start(sim, here):
    Service("srv", of=here.subscribe(), service_time=second(1.0), handover_s=0.5)
    publish_at(here, 1.0, 10.0)
    outage(sim, "srv/0", 1.25, 2.0)
    table = sim.run(until_s=10.25).messages()
    assert table["outcome"].tolist() == ["crashed", "done", "in_flight"]
    assert table["delivered_s"].tolist() == [1.0, 2.0, 10.0]
    assert table["started_s"].tolist()[1] == 2.5
    assert table["started_s"].isna().tolist() == [True, False, True]


def test_a_crash_stops_a_generator_handler_where_it_waits(sim, here):
    lines = []

    def handler(event, context):
        lines.append((context.now_s, "begins", context.attempt))
        try:
            yield context.pause(1.0)
            lines.append((context.now_s, "first step"))
            yield context.pause(1.0)
            lines.append((context.now_s, "second step"))
        except Exception:  # noqa: BLE001 - as handlers do
            lines.append("an exception that it should not see")
        finally:
            lines.append((context.now_s, "cleans up"))

    Service("srv", of=here.subscribe(), handler=handler)
    publish_at(here, 1.0)
    outage(sim, "srv/0", 2.5, 4.0)
    assert timeline(sim.run())[1] == (2.5, "srv/0: src-0 crashed")
    assert lines == [
        (1.0, "begins", 1),
        (2.0, "first step"),
        (2.5, "cleans up"),
        (4.0, "begins", 2),
        (5.0, "first step"),
        (6.0, "second step"),
        (6.0, "cleans up"),
    ]


def test_a_crash_releases_what_a_handler_holds(sim, here):
    """A lock that a crashed handler kept would stop all others; SimPy's `with` keeps it when a generator is closed."""
    lock = simpy.Resource(sim.env)

    def handler(event, context):
        with lock.request() as turn:
            yield turn
            yield context.pause(1.0)

    Service("srv", of=here.subscribe(), nodes=3, handler=handler)
    publish_at(here, 1.0, 1.0, 1.0)
    sim.at(1.5, lambda: crash_together([sim.node("srv/0"), sim.node("srv/1")]))
    sim.at(10.0, sim.node("srv/0").restart)
    run = sim.run()
    assert run.summary()["srv"].done == 3
    assert (lock.count, lock.queue) == (0, [])
    assert (2.5, "srv/2: src-2 done") in timeline(run)


def test_a_handler_that_will_not_stop_is_closed(sim, here):
    """It catches all there is and waits again: it gets no further than to that wait."""
    lines = []

    def handler(event, context):
        try:
            yield context.pause(1.0)
        except NodeCrashed:
            lines.append("caught")
            yield context.pause(1.0)
            lines.append("must not happen")

    Service("srv", of=here.subscribe(), handler=handler)
    publish_at(here, 1.0)
    sim.at(1.5, sim.node("srv/0").crash)
    sim.run()
    assert lines == ["caught"]


def test_a_crash_at_the_instant_at_which_a_generator_handler_begins(sim, here):
    """The service time ends at 2 and at 5. The first crash was planned before that end, the second after it."""
    lines = []

    def handler(event, context):
        try:
            lines.append((context.now_s, "begins"))
            yield context.pause(1.0)
        finally:
            lines.append((context.now_s, "ends"))

    Service("srv", of=here.subscribe(), service_time=second(1.0), handler=handler)
    publish_at(here, 1.0)
    outage(sim, "srv/0", 2.0, 4.0)
    sim.at(4.5, lambda: outage(sim, "srv/0", 5.0, 6.0))
    assert timeline(sim.run()) == [
        (1.0, "srv/0 takes src-0"),
        (2.0, "srv/0: src-0 crashed"),
        (4.0, "srv/0 takes src-0 (attempt 2)"),
        (5.0, "srv/0: src-0 crashed (attempt 2)"),
        (6.0, "srv/0 takes src-0 (attempt 3)"),
        (8.0, "srv/0: src-0 done (attempt 3)"),
    ]
    assert lines == [(5.0, "begins"), (5.0, "ends"), (7.0, "begins"), (8.0, "ends")]


@pytest.mark.parametrize("end", ["returns", "raises", "waits"])
@pytest.mark.parametrize("kind", ["plain", "generator"])
def test_a_handler_that_crashes_its_own_node_counts_no_more(sim, here, there, kind, end):
    """What it does up to its end (or to its next wait) has happened; what it returns or raises then is nobody's."""
    lines = []

    def go(event, context):
        if context.attempt > 1:
            return None
        context.publish(Event(type="before"))
        context.node.crash()
        sim.at(context.now_s + 1.0, context.node.restart)
        lines.append("after the crash")
        if end == "raises":
            raise RuntimeError("too late")
        return Event(type="after")

    def generator(event, context):
        if end == "waits":
            go(event, context)
            yield context.pause(0.5 if context.attempt == 1 else 0.0)
            lines.append(f"attempt {context.attempt} goes on")
            return None
        return go(event, context)
        yield

    Service("srv", of=here.subscribe(), service_time=second(), handler=go if kind == "plain" else generator, to=there)
    publish_at(here, 1.0)
    run = sim.run()
    assert [kind for _, kind, _, _ in what_reached(run)] == ["before"]
    assert [text for _, text in timeline(run) if "srv/0" in text] == [
        "srv/0 takes src-0",
        "srv/0: src-0 crashed",
        "srv/0 takes src-0 (attempt 2)",
        "srv/0: src-0 done (attempt 2)",
    ]
    assert lines == ["after the crash", *(["attempt 2 goes on"] if (kind, end) == ("generator", "waits") else [])]


def test_what_a_handler_has_published_a_crash_does_not_take_back(sim, here, there):
    def handler(event, context):
        context.publish(Event(type="first"))
        yield context.pause(1.0)
        return Event(type="second")

    Service("srv", of=here.subscribe(), handler=handler, to=there)
    publish_at(here, 1.0)
    outage(sim, "srv/0", 1.5, 3.0)
    reached = [(kind, at_s) for _, kind, _, at_s in what_reached(sim.run())]
    assert reached == [("first", 1.0), ("first", 3.0), ("second", 4.0)]


def test_a_node_that_is_down_takes_nothing_and_stays_down(sim, here):
    Service("srv", of=here.subscribe(), service_time=second(), nodes=["a", "b"])
    publish_at(here, 3.0, 4.5)
    sim.at(1.0, sim.node("a").crash)
    sim.at(2.0, sim.node("a").crash)
    outage(sim, "b", 5.0, 6.0)
    sim.at(6.5, sim.node("b").restart)
    run = sim.run()
    assert timeline(run) == [
        (3.0, "b takes src-0"),
        (4.0, "b: src-0 done"),
        (4.5, "b takes src-1"),
        (5.0, "b: src-1 crashed"),
        (6.0, "b takes src-1 (attempt 2)"),
        (7.0, "b: src-1 done (attempt 2)"),
    ]
    assert [(fact.time_s, fact.kind, fact.subject) for fact in run.fact_list] == [
        (1.0, "node_crashed", "a"),
        (5.0, "node_crashed", "b"),
        (6.0, "node_restarted", "b"),
    ]


def test_nodes_that_crash_together_pass_nothing_to_each_other(sim, here):
    subscription = here.subscribe()
    nodes = Service("srv", of=subscription, service_time=second(5.0), nodes=2).nodes
    other = Service("other", of=subscription, service_time=second(1.0), nodes=["c"]).nodes
    publish_at(here, 1.0, 2.0, 2.5)
    sim.at(3.0, lambda: crash_together([*nodes, *other]))
    sim.at(4.0, other[0].restart)
    told = [row for row in timeline(sim.run()) if row[0] >= 3.0]
    assert told == [
        (3.0, "srv/0: src-0 crashed"),
        (3.0, "srv/1: src-1 crashed"),
        (3.0, "c: src-2 crashed"),
        (4.0, "c takes src-0 (attempt 2)"),
        (5.0, "c: src-0 done (attempt 2)"),
        (5.0, "c takes src-1 (attempt 2)"),
        (6.0, "c: src-1 done (attempt 2)"),
        (6.0, "c takes src-2 (attempt 2)"),
        (7.0, "c: src-2 done (attempt 2)"),
    ]


def test_acknowledged_on_delivery_a_crash_loses_the_message(sim, here):
    settled = []
    here.on_settled(lambda now_s, message: settled.append((now_s, message[0])))
    Service("srv", of=here.subscribe(), service_time=second(), concurrency=2, acknowledge=Acknowledge.ON_DELIVERY)
    publish_at(here, 1.0, 1.25, 1.5)
    outage(sim, "srv/0", 1.75, 3.0)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "srv/0 takes src-0"),
        (1.25, "srv/0 takes src-1"),
        (1.75, "srv/0: src-0 dropped"),
        (1.75, "srv/0: src-1 dropped"),
        (3.0, "srv/0 takes src-2"),
        (4.0, "srv/0: src-2 done"),
    ]
    assert settled == [(1.75, 0), (1.75, 1), (4.0, 2)]
    assert run.summary()["srv"].lost == 2


# ------------------------------------------------------------------------------------------------ slots, times


def test_a_node_works_on_several_messages_at_once(sim, here):
    Service("srv", of=here.subscribe(), service_time=second(2.0), concurrency=2)
    publish_at(here, 1.0, 1.5, 2.0)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "srv/0 takes src-0"),
        (1.5, "srv/0 takes src-1"),
        (3.0, "srv/0: src-0 done"),
        (3.0, "srv/0 takes src-2"),
        (3.5, "srv/0: src-1 done"),
        (5.0, "srv/0: src-2 done"),
    ]
    assert run.summary()["srv"].slots == 2


def test_a_handover_comes_between_taking_and_starting(sim, here):
    Service("srv", of=here.subscribe(), service_time=second(1.0), handover_s=0.25)
    publish_at(here, 1.0, 1.5)
    rows = sim.run().deliveries
    assert rows.delivered_s.tolist() == [1.0, 2.25]
    assert rows.started_s.tolist() == [1.25, 2.5]
    assert rows.finished_s.tolist() == [2.25, 3.5]


def test_recorded_service_times_are_used_in_their_order_and_then_refused(sim, here):
    Service("srv", of=here.subscribe(), service_time=times.Trace(values_s=[0.5, 0.25]))
    publish_at(here, 1.0, 2.0, 3.0)
    with pytest.raises(StateError, match="the recorded times are used up after 2 values") as caught:
        sim.run()
    assert caught.value.at_s == 3.0
    assert sim.log.metrics.rows == 0
    sim.log.flush()
    assert sim.log.metrics.rows == 2


def test_one_more_service_does_not_change_the_times_of_the_others():
    def waits(more):
        sim = Simulation(seed=9)
        topic = MemoryBus().start(sim).topic("t")
        for name in ("a", *more):
            Service(name, of=topic.subscribe(name), service_time=times.Exponential(mean_s=0.05))
        Source("src", load=load.Poisson(rate_per_s=15.0).first(500), to=topic)
        run = sim.run()
        lane = [lane.group for lane in run.lanes].index("a")
        return run.deliveries.waits_s[run.deliveries.lane == lane].tolist()

    assert waits([]) == waits(["b", "c"])


# ------------------------------------------------------------------------------------------------ bad input


class Backwards:
    """A distribution of the user's own that does not keep its promise."""

    mean_s, scv = 1.0, 0.0

    def __init__(self, value_s):
        self.value_s = value_s

    def draws(self, rng):
        return lambda: self.value_s

    def describe(self):
        return "wrong"


@pytest.mark.parametrize("value_s", [-0.5, math.nan])
def test_a_service_time_that_is_no_time_is_found_before_the_clock_runs_backwards(sim, here, value_s):
    Service("srv", of=here.subscribe(), service_time=Backwards(value_s))
    publish_at(here, 1.0)
    with pytest.raises(StateError, match=r"Service\.service_time drew .*; draw finite numbers of at least 0") as caught:
        sim.run()
    assert (caught.value.field, caught.value.at_s) == ("Service.service_time", 1.0)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "Service.name"),
        ({"name": 7}, "Service.name"),
        ({"of": "a topic"}, "Service.of"),
        ({"service_time": 0.02}, "Service.service_time"),
        ({"service_time": times.Exponential}, "Service.service_time"),
        ({"nodes": 0}, "Service.nodes"),
        ({"nodes": 1.5}, "Service.nodes"),
        ({"nodes": "abc"}, "Service.nodes"),
        ({"nodes": []}, "Service.nodes"),
        ({"nodes": ["a", ""]}, "Service.nodes"),
        ({"nodes": ["a", "a"]}, "Service.nodes"),
        ({"nodes": None}, "Service.nodes"),
        ({"concurrency": 0}, "Service.concurrency"),
        ({"handover_s": -0.1}, "Service.handover_s"),
        ({"handover_s": math.nan}, "Service.handover_s"),
        ({"handover_s": math.inf}, "Service.handover_s"),
        ({"handler": "decide"}, "Service.handler"),
        ({"to": "a topic"}, "Service.to"),
        ({"acknowledge": "perhaps"}, "Service.acknowledge"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named_and_nothing_is_registered(sim, here, wrong, field):
    """So the same cell of a notebook can be put right and run again."""
    right = {"name": "srv", "of": here.subscribe()}
    with pytest.raises(ConfigurationError) as caught:
        Service(**{**right, **wrong})
    assert caught.value.field == field
    assert caught.value.remedy
    Service(**right)
    publish_at(here, 1.0)
    assert sim.run().summary()["srv"].done == 1


def test_a_topic_is_no_subscription(here):
    with pytest.raises(ConfigurationError, match="give a subscription, such as"):
        Service("srv", of=here)


def test_a_service_publishes_in_its_own_simulation(here):
    elsewhere = MemoryBus().start(Simulation()).topic("t")
    with pytest.raises(ConfigurationError, match="give a destination of the same simulation"):
        Service("srv", of=here.subscribe(), to=elsewhere)


def test_names_of_nodes_are_their_own(sim, here):
    Service("srv", of=here.subscribe(), nodes=2)
    for wrong in ({"name": "srv"}, {"name": "other", "nodes": ["x", "srv/1"]}):
        with pytest.raises(ConfigurationError, match=r"a node called 'srv/[01]' exists already; give services"):
            Service(**wrong, of=here.subscription("here"))
    assert sim.node("srv/1").name == "srv/1"
    with pytest.raises(UnknownNameError, match="did you mean 'srv/1'"):
        sim.node("srv/11")


def every_error():
    """One of each kind, as users meet them."""
    sim = Simulation()
    broker = MemoryBus().start(sim)
    topic = broker.topic("t")
    mistakes = [
        lambda: topic.subscribe("x", capacity=0),
        lambda: topic.subscription("x"),
        lambda: topic.publish("x"),
        lambda: sim.env.at(-1.0, print),
        lambda: require(broker, [Capability.REPLAY], "the shop"),
        lambda: Event(type=""),
    ]
    for mistake in mistakes:
        with pytest.raises(EdasimError) as caught:
            mistake()
        yield caught.value


def test_errors_survive_a_pickle():
    errors = list(every_error())
    assert len({type(error) for error in errors}) == 6
    for error in errors:
        error.happened_at(1.5)
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.args) == (type(error), str(error), error.args)
        assert (copy.field, copy.value, copy.remedy) == (error.field, error.value, error.remedy)
        assert copy.at_s == error.at_s is not None
