"""Sources: what they publish and when, and what is refused.

The closed loop is compared with mean value analysis by intervals over 20 runs, each at a false-alarm rate of 1e-5.
"""

import itertools
import math

import numpy as np
import pytest
from timelines import timeline

from edasim import Event, MemoryBus, Service, Simulation, Source, load, theory, times
from edasim.errors import ConfigurationError, EdasimError, HandlerError, StateError
from edasim.services.watching import is_of_the_house

FALSE_ALARM = 1e-5


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def topic(sim):
    return MemoryBus().start(sim).topic("here")


def published(run):
    return list(zip(run.deliveries.published_s.tolist(), run.messages()["event_id"], strict=True))


# ------------------------------------------------------------------------------------------------ what it publishes


def test_a_source_publishes_at_the_instants_of_its_load(sim, topic):
    topic.subscribe()
    Source("src", load=load.Trace(times_s=[0.0, 0.5, 0.5, 2.0]), to=topic)
    assert published(sim.run()) == [(0.0, "src-0"), (0.5, "src-1"), (0.5, "src-2"), (2.0, "src-3")]


def test_a_source_draws_its_instants_from_its_own_stream():
    def instants(*others):
        sim = Simulation(seed=5)
        topic = MemoryBus().start(sim).topic("t")
        topic.subscribe()
        for name in (*others, "src"):
            Source(name, load=load.Poisson(rate_per_s=3.0).first(200), to=topic)
        table = sim.run().messages()
        return table.loc[table["source"] == "src", "published_s"].tolist()

    stream = Simulation(seed=5).streams.generator("source/src")
    expected = itertools.islice(load.Poisson(rate_per_s=3.0).arrivals_s(stream), 200)
    assert instants() == instants("a", "b") == list(expected)


@pytest.mark.parametrize(
    "arrivals", [load.Poisson(rate_per_s=1.0).until(1e-9), load.Constant(rate_per_s=1.0).until(0.5)]
)
def test_a_load_without_arrivals_publishes_nothing(sim, topic, arrivals):
    topic.subscribe()
    Source("src", load=arrivals, to=topic)
    assert len(sim.run().deliveries) == 0


def test_an_event_may_be_given_by_its_type_and_subject(sim, topic):
    topic.subscribe()
    Source("my shop", load=load.Trace(times_s=[1.0]), to=topic, event="sold", subject="tea")
    event = sim.run().event("my shop-0")
    assert (event.type, event.source, event.subject, event.has_data) == ("sold", "my%20shop", "tea", False)
    assert (event.cause_id, event.trace_id) == (None, "my shop-0")


def test_an_event_may_be_made_for_each_occasion(sim, topic):
    topic.subscribe()
    told = []

    def sold(occasion):
        told.append((occasion.number, occasion.now_s, occasion.draw()))
        own = {"id": "A-1", "source": "/till"} if occasion.number else {}
        return Event(type="sold", data=occasion.number, **own)

    Source("shop", load=load.Trace(times_s=[1.0, 2.5]), to=topic, event=sold)
    run = sim.run()
    draw = Simulation(seed=1).streams.uniform("source/shop/event")
    assert told == [(0, 1.0, draw()), (1, 2.5, draw())]
    assert [event.identity for event in run.events()] == [("shop", "shop-0"), ("/till", "A-1")]


def test_a_source_that_joins_later_counts_from_then(sim, topic):
    topic.subscribe()
    Source("early", load=load.Trace(times_s=[0.0, 5.0]), to=topic)
    sim.at(3.0, lambda: Source("late", load=load.Trace(times_s=[0.0, 1.5]), to=topic))
    assert published(sim.run()) == [(0.0, "early-0"), (3.0, "late-0"), (4.5, "late-1"), (5.0, "early-1")]


def test_a_source_publishes_whether_anyone_receives_or_not(sim, topic):
    Source("src", load=load.Trace(times_s=[1.0]), to=topic)
    assert sim.run().messages()["outcome"].tolist() == ["filtered"]


# ------------------------------------------------------------------------------------------------ users who wait


def test_users_think_ask_and_wait_for_the_answer(sim, topic):
    """Two users think for 1 s; the server takes 3 s. The second waits in the queue, and nobody asks meanwhile."""
    Service("srv", of=topic.subscribe(), service_time=times.Constant(value_s=3.0))
    Source("users", load=load.Closed(users=2, think_time=times.Constant(value_s=1.0)), to=topic)
    run = sim.run(until_s=12.0)
    assert timeline(run) == [
        (1.0, "srv/0 takes users-0"),
        (4.0, "srv/0: users-0 done"),
        (4.0, "srv/0 takes users-1"),
        (7.0, "srv/0: users-1 done"),
        (7.0, "srv/0 takes users-2"),
        (10.0, "srv/0: users-2 done"),
        (10.0, "srv/0 takes users-3"),
    ]
    assert run.deliveries.published_s.tolist() == [1.0, 1.0, 5.0, 8.0, 11.0]


def test_a_user_whose_message_is_lost_asks_again(sim, topic):
    """Dropped by a full queue at 1, wanted by nobody at 2, put aside at 2.5: no user waits for ever."""

    def fail(event, context):
        raise RuntimeError("no")

    subscription = topic.subscribe(types="x", capacity=1, max_attempts=1)
    Service("srv", of=subscription, service_time=times.Constant(value_s=1.5), handler=fail)
    users = load.Closed(users=3, think_time=times.Constant(value_s=1.0))
    Source("users", load=users, to=topic, event=lambda occasion: Event(type="y" if occasion.number == 3 else "x"))
    run = sim.run(until_s=6.25)
    assert run.messages()["outcome"].tolist()[:4] == ["dead_lettered", "dead_lettered", "dropped", "filtered"]
    assert run.deliveries.published_s.tolist() == [1.0, 1.0, 1.0, 2.0, 3.0, 3.5, 4.5, 5.0, 6.0]


def test_a_user_is_answered_when_the_first_of_several_subscriptions_is_done(sim, topic):
    for name, service_s in [("quick", 1.0), ("slow", 2.0)]:
        Service(name, of=topic.subscribe(name), service_time=times.Constant(value_s=service_s))
    Source("user", load=load.Closed(users=1, think_time=times.Constant(value_s=1.0)), to=topic)
    run = sim.run(until_s=5.5)
    assert sorted(set(run.deliveries.published_s.tolist())) == [1.0, 3.0, 5.0]


def closed_runs(users, think_s, service_s, runs=20, warm_up_s=100.0, until_s=1100.0):
    """Throughput per second and mean response in seconds of each run, after its warm-up."""
    measured = []
    for seed in range(runs):
        sim = Simulation(seed=seed)
        topic = MemoryBus().start(sim).topic("t")
        Service("srv", of=topic.subscribe(), service_time=times.Exponential(mean_s=service_s))
        Source("users", load=load.Closed(users=users, think_time=times.Exponential(mean_s=think_s)), to=topic)
        rows = sim.run(until_s=until_s).deliveries
        late = rows.finished_s >= warm_up_s
        response_s = (rows.finished_s - rows.published_s)[late].mean()
        measured.append((late.sum() / (until_s - warm_up_s), response_s))
    return np.array(measured).T


@pytest.mark.parametrize(("users", "think_s"), [(3, 1.0), (10, 1.0), (10, 0.25)])
def test_a_closed_loop_is_as_fast_as_mean_value_analysis_says(users, think_s):
    """QT-26, and Little's law for the whole loop (QT-24): users = throughput times (think time + response)."""
    rates_per_s, responses_s = closed_runs(users, think_s, service_s=0.2)
    expected = theory.closed_network(users, think_s, [0.2])
    assert expected.throughput_per_s in theory.mean_interval(rates_per_s, level=1.0 - FALSE_ALARM)
    assert expected.mean_response_s in theory.mean_interval(responses_s, level=1.0 - FALSE_ALARM)
    interval = theory.mean_interval(rates_per_s * (think_s + responses_s), level=1.0 - FALSE_ALARM)
    assert users in interval
    assert interval.relative_half_width < 0.03


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "Source.name"),
        ({"load": 40.0}, "Source.load"),
        ({"load": load.Poisson}, "Source.load"),
        ({"to": "here"}, "Source.to"),
        ({"event": ""}, "Source.event"),
        ({"event": 7}, "Source.event"),
        ({"event": Event(type="x")}, "Source.event"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named_and_nothing_is_registered(sim, topic, wrong, field):
    right = {"name": "src", "load": load.Trace(times_s=[1.0]), "to": topic}
    with pytest.raises(ConfigurationError) as caught:
        Source(**{**right, **wrong})
    assert caught.value.field == field
    assert caught.value.remedy
    topic.subscribe()
    Source(**right)
    assert len(sim.run().deliveries) == 1


def test_users_ask_where_answers_are_told(sim, topic):
    class Deaf:
        def route(self, now_s, message):
            """Takes everything and tells nothing."""

    with pytest.raises(ConfigurationError, match="a destination that tells what is settled") as caught:
        Source("users", load=load.Closed(users=1, think_time=times.Constant(value_s=1.0)), to=Deaf())
    assert caught.value.field == "Source.to"


def test_a_source_has_a_name_of_its_own(topic):
    Source("src", load=load.Trace(times_s=[1.0]), to=topic)
    with pytest.raises(StateError, match="has an owner already"):
        Source("src", load=load.Trace(times_s=[1.0]), to=topic)


@pytest.mark.parametrize("times_s", [[-1.0], [math.nan], [2.0, 1.0], [], ["soon"], [math.inf]])
def test_a_recorded_trace_that_is_none_is_refused(topic, times_s):
    with pytest.raises(EdasimError) as caught:
        Source("src", load=load.Trace(times_s=times_s), to=topic)
    assert caught.value.field.startswith("Trace.times_s")
    assert caught.value.remedy


@pytest.mark.parametrize("made", [None, "sold", {"type": "sold"}])
def test_what_an_occasion_makes_is_an_event(sim, topic, made):
    topic.subscribe()
    answers = iter([Event(type="x"), made])
    Source("shop", load=load.Trace(times_s=[1.0, 2.0]), to=topic, event=lambda occasion: next(answers))
    with pytest.raises(HandlerError, match="the event function of shop returned") as caught:
        sim.run()
    assert (caught.value.field, caught.value.value, caught.value.at_s) == ("Source.event", made, 2.0)


class OwnArrivals:
    """Arrivals of the user's own, which may go back in time."""

    mean_per_s, endless = 1.0, False

    def __init__(self, *times_s):
        self.times_s = times_s

    def arrivals_s(self, rng):
        return iter(self.times_s)

    def describe(self):
        return "own"


class OwnTimes:
    """Times of the user's own, which may be negative."""

    mean_s, scv = 1.0, 0.0

    def __init__(self, value_s):
        self.value_s = value_s

    def draws(self, rng):
        return lambda: self.value_s

    def describe(self):
        return "own"


def test_loads_and_times_of_ones_own_are_as_good(sim, topic):
    Service("srv", of=topic.subscribe(), service_time=OwnTimes(0.5))
    Source("src", load=OwnArrivals(0.0, 1.0, 1.0), to=topic)
    assert sim.run().deliveries.finished_s.tolist() == [0.5, 1.5, 2.0]


@pytest.mark.parametrize("times_s", [(-1.0,), (1.0, 0.5), (1.0, math.nan), (1.0, math.inf)])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_load_of_ones_own_that_goes_back_in_time_is_found(sim, topic, times_s, wrapped):
    topic.subscribe()
    own = OwnArrivals(*times_s)
    sim.at(0.0, lambda: Source("src", load=load.First(load=own, count=5) if wrapped else own, to=topic))
    with pytest.raises(StateError, match="give finite instants that never decrease") as caught:
        sim.run()
    assert caught.value.field == "Source.load"
    assert caught.value.value == times_s[-1] or math.isnan(times_s[-1])
    assert caught.value.at_s == (1.0 if len(times_s) > 1 else 0.0)


def test_a_think_time_of_ones_own_that_is_negative_is_found(sim, topic):
    topic.subscribe()
    with pytest.raises(StateError, match=r"Closed\.think_time drew -1\.0 s"):
        Source("users", load=load.Closed(users=1, think_time=OwnTimes(-1.0)), to=topic)


def test_the_house_watches_only_what_is_not_its_own():
    assert is_of_the_house(load.Poisson(rate_per_s=1.0).first(3).until(2.0))
    assert is_of_the_house(load.Renewal(gap=times.Exponential(mean_s=1.0)))
    assert not is_of_the_house(OwnTimes(1.0))
    assert not is_of_the_house(load.Renewal(gap=OwnTimes(1.0)))
    assert not is_of_the_house(load.First(load=OwnArrivals(1.0), count=1))
