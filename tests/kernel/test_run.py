"""A run: its tables, its summary, its fingerprint, and when it may begin and end."""

import math
import os
import subprocess
import sys
import textwrap
from importlib.metadata import PackageNotFoundError

import numpy as np
import pandas as pd
import pytest

from edasim import Event, MemoryBus, Service, Simulation, Source, load, times
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.kernel import fingerprint
from edasim.kernel.fingerprint import canonical
from edasim.kernel.runlog import OUTCOMES
from edasim.kernel.tables import COLUMNS


def shop(log="full", seed=3, *, until_s=60.0, mean_s=0.02, capacity=5, ends_s=(), **settings):
    """Orders are checked by two nodes, one of which crashes; a third of them is refused now and then; some go on."""
    sim = Simulation(seed=seed, log=log, **settings)
    bus = MemoryBus().start(sim)
    orders, bills = bus.topic("orders"), bus.topic("bills")

    def check(event, context):
        if context.draw("mood") < 0.05:
            raise RuntimeError("not in the mood")
        return Event(type="billed", subject=event.subject) if context.draw("bill") < 0.3 else None

    Service(
        "check",
        of=orders.subscribe("checks", capacity=capacity, max_attempts=2, dead_letters=bus.topic("odd orders")),
        service_time=times.Exponential(mean_s=mean_s),
        nodes=2,
        handler=check,
        to=bills,
    )
    Service("book", of=bus.topic("odd orders").subscribe("odd"), service_time=times.Exponential(mean_s=0.01))
    bills.subscribe("nobody")
    Source("till", load=load.Poisson(rate_per_s=80.0), to=orders, event=lambda o: Event(type="ordered", subject="me"))
    for crash_s in (2.0, 12.5, 22.5, 32.5):
        sim.at(crash_s, sim.node("check/0").crash)
        sim.at(crash_s + 1.0, sim.node("check/0").restart)
    for end_s in ends_s:
        sim.run(until_s=end_s)
    return sim.run(until_s=until_s)


@pytest.fixture(scope="module")
def run():
    return shop()


# ------------------------------------------------------------------------------------------------ tables


def test_the_delivery_table_has_the_agreed_columns_and_types(run):
    table = run.messages()
    assert tuple(table.columns) == COLUMNS
    texts = {"event_id", "type", "source", "subject", "broker", "destination", "consumer", "group", "outcome"}
    for name in texts | {"cause_id", "trace_id"}:
        assert table[name].dtype == pd.Series([], dtype="str").dtype, name
    for name in (name for name in COLUMNS if name.endswith("_s")):
        assert table[name].dtype == np.float64, name
    assert table["attempt"].dtype == np.int64
    assert str(table["partition"].dtype) == "Int64"
    assert set(table["outcome"]) <= set(OUTCOMES)
    assert {"done", "failed", "crashed", "dropped", "dead_lettered", "queued"} <= set(table["outcome"])


def test_what_was_not_reached_is_missing(run):
    table = run.messages()
    dropped, queued = table[table["outcome"] == "dropped"], table[table["outcome"] == "queued"]
    for never in (dropped, queued):
        assert never[["consumer", "delivered_s", "started_s"]].isna().all(axis=None)
        assert never[["event_id", "published_s", "enqueued_s"]].notna().all(axis=None)
    assert dropped["finished_s"].notna().all()
    assert queued["finished_s"].isna().all()
    done = table[table["outcome"] == "done"]
    assert (done["published_s"] <= done["enqueued_s"]).all()
    assert (done["enqueued_s"] <= done["started_s"]).all()
    assert (done["started_s"] <= done["finished_s"]).all()
    assert table["partition"].isna().all()
    assert table.loc[table["source"] == "till", "cause_id"].isna().all()


def test_the_delivery_table_and_the_columns_say_the_same(run):
    table, rows = run.messages(), run.deliveries
    assert len(table) == len(rows)
    assert table["published_s"].is_monotonic_increasing
    for name in ("published_s", "enqueued_s", "delivered_s", "started_s", "finished_s", "attempt"):
        assert np.array_equal(table[name], getattr(rows, name), equal_nan=name.endswith("_s")), name
    assert list(table["destination"]) == [run.lanes[lane].destination for lane in rows.lane]
    assert list(table["source"]) == [run.origins[origin] for origin in rows.origin]
    assert list(table["consumer"].fillna("nobody")) == [
        [*run.consumers, "nobody"][consumer] for consumer in rows.consumer
    ]
    assert np.array_equal(rows.waits_s, rows.started_s - rows.enqueued_s, equal_nan=True)
    keys = np.stack([rows.published_s, rows.number, rows.lane, rows.attempt])
    assert np.array_equal(np.lexsort(keys[::-1]), np.arange(len(rows)))


def test_a_run_in_which_nothing_happened_has_empty_tables():
    sim = Simulation()
    MemoryBus().start(sim).topic("t").subscribe()
    run = sim.run()
    assert (run.messages().shape, run.facts().shape) == ((0, len(COLUMNS)), (0, 4))
    assert (run.events(), run.summary().lines, run.traces(), run.ended_s) == ([], (), {}, 0.0)
    assert len(run.flow()) == 0
    assert len(run.fingerprint()) == 16


def test_facts_are_a_table(run):
    facts = run.facts()
    assert list(facts.columns) == ["time_s", "kind", "subject", "detail"]
    assert facts["time_s"].is_monotonic_increasing
    crash = facts[facts["kind"] == "node_crashed"].iloc[0]
    assert (crash["time_s"], crash["subject"], crash["detail"]["service"]) == (2.0, "check/0", "check")
    assert set(facts["kind"]) == {"node_crashed", "node_restarted", "handler_failed"}


def test_an_event_is_found_by_its_id(run):
    event = run.event("till-17")
    assert (event.id, event.type, event.source) == ("till-17", "ordered", "till")
    assert event in run.events()
    with pytest.raises(UnknownNameError, match="there is no event 'till-9999999'"):
        run.event("till-9999999")


def test_looking_up_many_events_makes_each_once():
    sim = Simulation(seed=1)
    topic = MemoryBus().start(sim).topic("t")
    topic.subscribe()
    Source("src", load=load.Poisson(rate_per_s=1.0).first(500), to=topic)
    run, made = sim.run(), []
    make = sim.log.event_of
    sim.log.event_of = lambda number, published_s: made.append(number) or make(number, published_s)
    assert [run.event(f"src-{number}").id for number in range(500)] == [event.id for event in run.events()]
    assert len(run.messages()) == len(made) == 500


def test_a_trace_holds_what_an_event_caused(run):
    table = run.messages()
    bill = table[table["type"] == "billed"].iloc[0]
    tree = run.trace(bill["event_id"])
    assert list(tree["event_id"].unique()) == [bill["cause_id"], bill["event_id"]]
    assert tree.equals(run.trace(bill["cause_id"]))
    assert tree.equals(run.traces()[bill["trace_id"]].reset_index(drop=True))
    with pytest.raises(UnknownNameError):
        run.trace("nothing")


def test_the_flow_tells_who_published_what_to_whom(run):
    table, flow = run.messages(), run.flow()
    assert set(flow.edges) == {("till", "check"), ("till", "book"), ("check", "nobody")}
    edge = flow.edges["till", "check"]
    mine = table[table["group"] == "checks"]
    assert edge["messages"] == mine["event_id"].nunique()
    assert edge["deliveries"] == mine["delivered_s"].notna().sum()
    assert edge["types"] == {"ordered": len(mine)}
    done = mine[mine["outcome"] == "done"]
    assert edge["mean_latency_s"] == pytest.approx((done["finished_s"] - done["published_s"]).mean(), rel=1e-12)
    assert math.isnan(flow.edges["check", "nobody"]["mean_latency_s"])


# ------------------------------------------------------------------------------------------------ summary


def test_the_summary_says_what_the_delivery_table_says(run):
    """Also where it is taken from running statistics alone: counts and means exactly, quantiles within 0.8 %."""
    table, ended_s = run.messages(), run.ended_s
    for line in run.summary().lines:
        rows = table[table["group"] == line.group]
        ended, done = rows[rows["finished_s"].notna()], rows[rows["outcome"] == "done"]
        waits_s = (ended["started_s"] - ended["enqueued_s"]).dropna()
        counts = rows["outcome"].value_counts()
        assert line.done == len(done)
        assert line.rate_per_s == len(done) / ended_s
        assert line.failed == sum(counts.get(name, 0) for name in ("failed", "dead_lettered"))
        assert line.crashed == counts.get("crashed", 0)
        assert line.lost == sum(counts.get(name, 0) for name in ("dropped", "dead_lettered"))
        assert line.waiting == sum(counts.get(name, 0) for name in ("queued", "in_flight"))
        assert line.redelivered == (rows["delivered_s"].notna() & (rows["attempt"] > 1)).sum()
        assert line.duplicates == done["event_id"].duplicated().sum() == 0
        close = {"rel": 1e-12, "nan_ok": True}
        assert line.mean_wait_s == pytest.approx(waits_s.mean(), **close)
        assert line.mean_response_s == pytest.approx((done["finished_s"] - done["published_s"]).mean(), **close)
        for p, told in [(50, line.p50_wait_s), (95, line.p95_wait_s), (99, line.p99_wait_s)]:
            exact = np.percentile(waits_s, p, method="inverted_cdf") if len(waits_s) else math.nan
            assert told == pytest.approx(exact, rel=0.008, nan_ok=True)


def test_the_summary_is_the_same_at_each_level(run):
    full, sampled, metrics = (each.summary() for each in (run, shop("sampled"), shop("metrics")))
    for line, *others in zip(full.lines, sampled.lines, metrics.lines, strict=True):
        for other in others:
            assert other.duplicates is None
            for name, value in vars(line).items():
                if name in ("group", "destination", "service"):
                    assert getattr(other, name) == value
                elif name != "duplicates":
                    assert getattr(other, name) == pytest.approx(value, rel=1e-9, nan_ok=True), name


def test_the_mean_queue_is_what_a_probe_would_see():
    """Little's law (QT-24), exact in a run that begins empty; what came back, was dropped or still waits counts too."""
    sim = Simulation(seed=5)
    topic = MemoryBus().start(sim).topic("t")
    subscription = topic.subscribe(capacity=6, overflow="drop_oldest")
    Service("s", of=subscription, service_time=times.Exponential(mean_s=0.1), nodes=2)
    Source("src", load=load.Poisson(rate_per_s=21.0), to=topic)
    for second in range(1, 10):
        sim.at(float(second), sim.node(f"s/{second % 2}").crash)
        sim.at(second + 0.5, sim.node(f"s/{second % 2}").restart)
    sim.env.run(until=0.001)
    area = 0.0
    while (next_s := sim.env.peek()) < 10.0:
        area += len(subscription.waiting) * (next_s - sim.env.now)
        sim.env.step()
    area += len(subscription.waiting) * (10.0 - sim.env.now)
    run = sim.run(until_s=10.0)
    assert run.summary()["s"].crashed > 5
    assert run.summary()["s"].lost > 20
    assert run.summary()["s"].mean_queue == pytest.approx(area / 10.0, rel=1e-9)


def test_utilisation_is_the_share_of_time_at_work():
    """One node: at work from 1 to 3 (then the crash), and from 4 on, until the end at 8."""
    sim = Simulation()
    topic = MemoryBus().start(sim).topic("t")
    Service("s", of=topic.subscribe(), service_time=times.Constant(value_s=5.0))
    Source("src", load=load.Constant(rate_per_s=1.0).first(1), to=topic)
    sim.at(3.0, sim.node("s/0").crash)
    sim.at(4.0, sim.node("s/0").restart)
    line = sim.run(until_s=8.0).summary()["s"]
    assert line.utilisation == (2.0 + 4.0) / 8.0
    assert line.mean_queue == 1.0 / 8.0
    assert (line.waiting, line.redelivered, line.crashed) == (1, 1, 1)


def test_a_handover_is_waiting_and_no_work():
    sim = Simulation()
    topic = MemoryBus().start(sim).topic("t")
    Service("s", of=topic.subscribe(), service_time=times.Constant(value_s=1.0), handover_s=0.5)
    Source("src", load=load.Constant(rate_per_s=1.0).first(2), to=topic)
    run = sim.run()
    assert list(run.deliveries.started_s) == [1.5, 3.0]
    assert list(run.deliveries.delivered_s) == [1.0, 2.5]
    line = run.summary()["s"]
    assert (line.utilisation, line.mean_wait_s) == (2.0 / 4.0, 0.75)


def test_the_summary_prints_a_line_per_subscription(run):
    title, head, *lines = str(run.summary()).splitlines()
    rows = len(run.messages())
    assert title == f"one run: seed 3, 60 s simulated; log: full ({rows} of {rows} rows kept)"
    assert head.split()[:4] == ["subscription", "slots", "done", "per"]
    assert [line.split()[0] for line in lines] == ["checks", "odd", "nobody"]
    assert len({len(line) for line in (head, *lines)}) == 1
    assert "log: sampled, one causal tree in 50 (" in str(shop("sampled", one_in=50, until_s=1.0).summary())
    assert "log: metrics only (" in str(shop("metrics", until_s=1.0).summary())


def test_a_line_is_found_by_subscription_and_by_service(run):
    summary = run.summary()
    assert summary["checks"] is summary["check"]
    with pytest.raises(UnknownNameError, match="did you mean 'checks'"):
        summary["check5"]


# ------------------------------------------------------------------------------------------------ begin and end


def test_a_run_without_end_is_refused_while_a_source_is_endless():
    sim = Simulation()
    topic = MemoryBus().start(sim).topic("t")
    Source("for-ever", load=load.Poisson(rate_per_s=1.0), to=topic)
    Source("users", load=load.Closed(users=2, think_time=times.Constant(value_s=1.0)), to=topic)
    Source("short", load=load.Poisson(rate_per_s=1.0).first(3), to=topic)
    with pytest.raises(ConfigurationError, match="for-ever, users would publish for ever") as caught:
        sim.run()
    assert caught.value.field == "until_s"
    assert sim.run(until_s=1.0).ended_s == 1.0


@pytest.mark.parametrize("until_s", [0.0, -1.0, math.nan, math.inf, "soon", True])
def test_an_end_that_is_none_is_named(until_s):
    with pytest.raises(ConfigurationError) as caught:
        Simulation().run(until_s=until_s)
    assert caught.value.field == "until_s"


@pytest.mark.parametrize(("field", "ask"), [("until_s", "run"), ("time_s", "at")])
def test_the_past_is_over(field, ask):
    sim = Simulation()
    sim.run(until_s=2.0)
    with pytest.raises(ConfigurationError, match="it is 2 s already") as caught:
        _ = sim.run(until_s=1.5) if ask == "run" else sim.at(1.5, print)
    assert (caught.value.field, caught.value.value, caught.value.at_s) == (field, 1.5, 2.0)


def test_what_a_planned_act_returns_is_ignored():
    sim, told = Simulation(), []
    sim.at(1.0, lambda: told.append("first") or "a text that is no record")
    sim.at(2.0, lambda: told.append("second"))
    sim.run()
    assert told == ["first", "second"]


def test_what_is_to_be_called_is_a_function():
    with pytest.raises(ConfigurationError, match="give a function without arguments"):
        Simulation().at(1.0, "crash")


def test_a_run_is_read_and_the_simulation_goes_on():
    sim = Simulation(seed=1)
    bus = MemoryBus().start(sim)
    topic = bus.topic("t")
    Service("s", of=topic.subscribe(), service_time=times.Exponential(mean_s=1.0))
    Source("src", load=load.Poisson(rate_per_s=1.0), to=topic)
    early = sim.run(until_s=50.0)
    told = (early.fingerprint(), str(early.summary()), early.messages(), early.lanes, early.publishers)
    sim.at(60.0, sim.node("s/0").crash)
    bus.topic("other").publish(Event(type="late"), publisher="somebody")
    late = sim.run(until_s=100.0)
    fresh = (early.fingerprint(), str(early.summary()), early.messages(), early.lanes, early.publishers)
    for one, other in zip(told, fresh, strict=True):
        assert one.equals(other) if isinstance(one, pd.DataFrame) else one == other
    assert len(late.messages()) > len(early.messages())
    assert late.facts()["kind"].tolist() == ["node_crashed"]


def test_what_joins_while_a_run_is_under_way_begins_at_once():
    sim = Simulation()
    topic = MemoryBus().start(sim).topic("t")
    subscription = topic.subscribe()

    def join():
        Service("late", of=subscription, service_time=times.Constant(value_s=0.5))
        Source("late-source", load=load.Constant(rate_per_s=1.0).first(2), to=topic)

    sim.at(10.0, join)
    run = sim.run(until_s=20.0)
    assert run.deliveries.published_s.tolist() == [11.0, 12.0]
    assert run.deliveries.finished_s.tolist() == [11.5, 12.5]


def test_the_environment_may_be_run_directly():
    sim = Simulation()
    topic = MemoryBus().start(sim).topic("t")
    Service("s", of=topic.subscribe(), service_time=times.Constant(value_s=0.5))
    Source("src", load=load.Constant(rate_per_s=1.0).first(3), to=topic)
    sim.env.run(until=2.0)
    assert sim.run().deliveries.finished_s.tolist() == [1.5, 2.5, 3.5]


def test_a_node_that_is_unknown_is_named():
    with pytest.raises(UnknownNameError, match="there is no node 'mail/0'; known: none"):
        Simulation().node("mail/0")


# ------------------------------------------------------------------------------------------------ fingerprint


def test_the_fingerprint_changes_with_whatever_the_log_says():
    variants = {
        "as it was": {},
        "seed": {"seed": 4},
        "end": {"until_s": 60.5},
        "service time": {"mean_s": 0.020001},
        "bound": {"capacity": 6},
        "level": {"log": "metrics"},
        "sample": {"log": "sampled", "one_in": 7},
        "other sample": {"log": "sampled", "one_in": 8},
        "metrics of another seed": {"log": "metrics", "seed": 4},
        "metrics of another service time": {"log": "metrics", "mean_s": 0.020001},
    }
    found = {name: shop(**settings).fingerprint() for name, settings in variants.items()}
    assert len(set(found.values())) == len(variants), found
    assert shop().fingerprint() == found["as it was"]


@pytest.mark.parametrize("log", ["full", "sampled", "metrics"])
def test_the_fingerprint_does_not_tell_in_how_many_parts_a_run_was_run(log):
    assert shop(log).fingerprint() == shop(log, ends_s=(0.001, 2.0, 17.3)).fingerprint()


@pytest.mark.parametrize(
    "changed", [{"data": {"deep": ["x" * 500, 1]}}, {"data": {"deep": ["x" * 500, 0]}, "subject": "s"}, {}]
)
def test_the_fingerprint_covers_the_whole_of_each_event(changed):
    def run(**attributes):
        sim = Simulation()
        topic = MemoryBus().start(sim).topic("t")
        topic.publish(Event(type="x", **attributes))
        return sim.run().fingerprint()

    assert run(data={"deep": ["x" * 500, 0]}) != run(**changed)


@pytest.mark.parametrize("changed", [{"kind": "b"}, {"subject": "b"}, {"time_s": 2.0}, {"detail": {"n": 2}}])
def test_the_fingerprint_covers_facts(changed):
    def run(time_s=1.0, kind="a", subject="a", detail=None):
        sim = Simulation()
        sim.log.fact(time_s, kind, subject, **(detail or {"n": 1}))
        return sim.run().fingerprint()

    assert run() == run()
    assert run() != run(**changed)


SETS_AND_OBJECTS = """
    import edasim as eda

    class Plain:
        pass

    def handler(event, context):
        context.fact("seen", names={"ada", "bob", "cid"}, thing=Plain(), kinds=frozenset(event.data["tags"]))
        return eda.Event(type="y", data={tag: {tag, "all"} for tag in event.data["tags"]})

    sim = eda.Simulation(seed=2)
    bus = eda.MemoryBus().start(sim)
    here = bus.topic("here")
    eda.Service("s", of=here.subscribe(types={"x", "z", "w"}), handler=handler, to=bus.topic("there"), nodes=["b", "a"])
    tags = {"red", "green", "blue", "grey"}
    event = eda.Event(type="x", data={"tags": tags})
    eda.Source("src", load=eda.load.Poisson(rate_per_s=9.0), to=here, event=lambda occasion: event)
    print(sim.run(until_s=20.0).fingerprint())
"""


def test_the_fingerprint_is_the_same_in_processes_with_different_hash_seeds():
    def told(hash_seed):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", textwrap.dedent(SETS_AND_OBJECTS)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    first, second = told("1"), told("2")
    assert first == second
    assert len(first.strip()) == 16


def test_the_fingerprint_covers_the_version(monkeypatch):
    told = set()
    for version in ("1.0", "1.1"):
        monkeypatch.setattr(fingerprint, "_version", lambda version=version: version)
        told.add(Simulation().run().fingerprint())
    assert len(told) == 2


def test_a_checkout_that_is_not_installed_has_no_version(monkeypatch):
    def not_installed(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(fingerprint, "version", lambda name: f"{name} 1.0")
    assert fingerprint._version.__wrapped__() == "edasim 1.0"
    monkeypatch.setattr(fingerprint, "version", not_installed)
    assert fingerprint._version.__wrapped__() == "not installed"


class Told:
    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return f"Told({self.value})"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True), (1, 1.0), (1, "1"), ("a", b"a"), (None, "None"),
        ([1], [1, 1]), ([[1], 2], [1, [2]]), ({1}, {2}), ({1: 2}, {2: 1}),
        ({"a": "b:c"}, {"a:b": "c"}), (("a,b",), ("a", "b")), (Told(1), Told(2)), (np.array([1.0]), np.array([2.0])),
        (Event(type="x"), Event(type="y")), (load.Poisson(rate_per_s=1.0), load.Poisson(rate_per_s=2.0)),
        (times.AtEnd.FAIL, times.AtEnd.REPEAT), (load.Constant(rate_per_s=1.0), load.Poisson(rate_per_s=1.0)),
    ],
)  # fmt: skip
def test_different_values_have_different_canonical_forms(one, other):
    assert canonical(one) != canonical(other)
    assert canonical(one) == canonical(one)


def test_equal_values_have_one_canonical_form():
    assert canonical({"b": 1, "a": {2, 1}}) == canonical({"a": {1, 2}, "b": 1})
    assert canonical(np.float64(0.5)) == canonical(0.5)
    assert canonical(np.int64(3)) == canonical(3)
    assert canonical(object()) == canonical(object())
    assert canonical(Event(type="x", data={"b": 1, "a": 2})) == canonical(Event(type="x", data={"a": 2, "b": 1}))
