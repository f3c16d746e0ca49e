"""What each capability promises, tested for each broker that declares it; `contract.py` says how a broker joins."""

import pytest
from contract import ADAPTERS, PROMISED, Stage, done_by, ids, promise, promise_of_each_policy, rows_of

from edasim import Event, Source, load
from edasim.brokers import Capability, require
from edasim.errors import CapabilityError


@pytest.fixture
def stage(request):
    return Stage(request.param)


def fail(event, context):
    raise RuntimeError("no luck today")


# ------------------------------------------------------------------------------------------------ publish, subscribe


@promise(Capability.PUBLISH_SUBSCRIBE)
def test_every_subscription_gets_its_own_copy(stage):
    here = stage.destination()
    for name in ("mail", "audit", "slow"):
        stage.work(stage.subscription(here, name), name=f"{name}-service", service_s=3.0 if name == "slow" else 0.1)
    stage.publish(here, 20)
    run = stage.sim.run()
    for name in ("mail", "audit", "slow"):
        assert done_by(run, name) == ids(20)


@promise(Capability.PUBLISH_SUBSCRIBE)
def test_what_one_subscription_does_with_its_copy_is_nothing_to_the_others(stage):
    here = stage.destination()
    stage.work(stage.subscription(here, "fails"), name="failing", handler=fail)
    stage.work(stage.subscription(here, "works"), name="working")
    stage.subscription(here, "sleeps")
    stage.publish(here, 5)
    run = stage.sim.run(until_s=60.0)
    assert done_by(run, "works") == ids(5)
    assert done_by(run, "fails") == done_by(run, "sleeps") == []


@promise(Capability.COMPETING_CONSUMERS)
def test_takers_of_one_subscription_share_its_messages(stage):
    here = stage.destination()
    stage.work(stage.subscription(here), nodes=3, service_s=2.5)
    stage.publish(here, 30)
    run = stage.sim.run()
    assert sorted(done_by(run, "mine")) == sorted(ids(30))
    assert set(run.messages()["consumer"]) == {"worker/0", "worker/1", "worker/2"}
    assert len(rows_of(run, "mine")) == 30


@promise(Capability.FILTERING)
def test_a_subscription_gets_what_it_chose_and_nothing_else(stage):
    here = stage.destination()
    wishes = {"apples": ["apple"], "pears": ["pear"], "fruit": ["apple", "pear"], "all": None}
    for name, types in wishes.items():
        stage.work(stage.subscription(here, name, types=types), name=f"{name}-service")
    for place, kind in enumerate(["apple", "pear", "stone"]):
        stage.publish(here, 4, every_s=1.0 + place / 10, name=kind, kind=kind)
    run = stage.sim.run()
    assert done_by(run, "apples") == ids(4, "apple")
    assert done_by(run, "pears") == ids(4, "pear")
    assert sorted(done_by(run, "fruit")) == ids(4, "apple") + ids(4, "pear")
    assert sorted(done_by(run, "all")) == ids(4, "apple") + ids(4, "pear") + ids(4, "stone")


@promise(Capability.FILTERING)
def test_what_nobody_wants_is_told_as_filtered(stage):
    here = stage.destination()
    stage.work(stage.subscription(here, types=["apple"]))
    stage.publish(here, 3, kind="stone")
    run = stage.sim.run()
    assert run.messages()["outcome"].tolist() == ["filtered"] * 3
    assert run.messages()["group"].isna().all()


# ------------------------------------------------------------------------------------------------ acknowledge, again


@promise(Capability.ACKNOWLEDGEMENT)
def test_a_message_in_work_is_not_given_to_another_and_what_is_done_does_not_come_back(stage):
    here = stage.destination()
    mine = stage.subscription(here)
    stage.work(mine, name="slow", service_s=1000.0)
    stage.work(mine, name="quick", service_s=0.1)
    stage.publish(here, 5)
    run = stage.sim.run(until_s=500.0)
    told = rows_of(run, "mine")
    if Capability.PARTITIONED_LOG in stage.broker.capabilities:  # what follows in the slow one's partition waits for it
        outcomes = [outcome for _, _, outcome in told]
        assert [row[:2] for row in told] == [(event, 1) for event in ids(5)]
        assert outcomes.count("in_flight") == 1
        assert set(outcomes) <= {"in_flight", "done", "queued"}
    else:
        assert told == [("src-0", 1, "in_flight"), *((event, 1, "done") for event in ids(5)[1:])]


@promise(Capability.REDELIVERY)
def test_what_a_crashed_taker_held_is_delivered_again_and_done_once(stage):
    here = stage.destination()
    stage.work(stage.subscription(here), service_s=0.5)
    stage.publish(here, 5)
    stage.crash("worker/0", at_s=2.25, back_s=2.75)
    run = stage.sim.run()
    assert rows_of(run, "mine") == [
        ("src-0", 1, "done"), ("src-1", 1, "crashed"), ("src-1", 2, "done"), ("src-2", 1, "done"), ("src-3", 1, "done"),
        ("src-4", 1, "done"),
    ]  # fmt: skip


@promise(Capability.REDELIVERY)
def test_another_taker_gets_what_a_crashed_one_held(stage):
    here = stage.destination()
    stage.work(stage.subscription(here), nodes=2, service_s=0.5)
    stage.publish(here, 1)
    stage.crash("worker/0", at_s=1.25, back_s=100.0)
    run = stage.sim.run()
    assert rows_of(run, "mine") == [("src-0", 1, "crashed"), ("src-0", 2, "done")]
    assert run.messages()["consumer"].tolist() == ["worker/0", "worker/1"]


@promise(Capability.REDELIVERY)
def test_what_a_taker_refused_is_delivered_again(stage):
    def fail_twice(event, context):
        if context.attempt < 3:
            raise RuntimeError("not yet")

    here = stage.destination()
    stage.work(stage.subscription(here), handler=fail_twice)
    stage.publish(here, 2, every_s=10.0)
    assert rows_of(stage.sim.run(), "mine") == [
        (event, *attempt) for event in ids(2) for attempt in [(1, "failed"), (2, "failed"), (3, "done")]
    ]


# ------------------------------------------------------------------------------------------------ bounds, dead letters


@promise_of_each_policy()
def test_a_full_queue_drops_as_its_policy_says(stage, overflow):
    """One message in work, two waiting, two too many."""
    here = stage.destination()
    stage.work(stage.subscription(here, capacity=2, overflow=overflow), service_s=100.0)
    stage.publish(here, 5)
    run = stage.sim.run()
    done = {"newest": ["src-0", "src-1", "src-2"], "oldest": ["src-0", "src-3", "src-4"]}
    assert done_by(run, "mine") == done[stage.adapter.drops[overflow]]
    assert [row for row in rows_of(run, "mine") if row[2] != "done"] == [
        (event, 1, "dropped") for event in ids(5) if event not in done_by(run, "mine")
    ]


@promise(Capability.DEAD_LETTERS)
def test_a_message_that_keeps_failing_is_put_aside_and_the_next_ones_go_on(stage):
    def fail_on_the_second(event, context):
        if event.id == "src-1":
            raise RuntimeError("poison")

    here, aside = stage.destination(), stage.destination("aside")
    stage.work(stage.subscription(here, attempts=3, dead_letters=aside), handler=fail_on_the_second)
    stage.work(stage.subscription(aside, "undertaker"), name="undertaker-service")
    stage.publish(here, 4)
    run = stage.sim.run()
    assert [row for row in rows_of(run, "mine") if row[0] == "src-1"] == [
        ("src-1", 1, "failed"), ("src-1", 2, "failed"), ("src-1", 3, "dead_lettered"),
    ]  # fmt: skip
    assert done_by(run, "mine") == ["src-0", "src-2", "src-3"]
    assert rows_of(run, "undertaker") == [("src-1", 1, "done")]


# ------------------------------------------------------------------------------------------------ order


@promise(Capability.ORDER)
def test_one_taker_sees_the_messages_of_each_publisher_in_their_order(stage):
    here = stage.destination()
    stage.work(stage.subscription(here), service_s=0.9)
    stage.publish(here, 20, every_s=1.0, name="a")
    stage.publish(here, 20, every_s=0.7, name="b")
    done = done_by(stage.sim.run(), "mine")
    for publisher in ("a", "b"):
        assert [event for event in done if event.startswith(publisher)] == ids(20, publisher)


# ------------------------------------------------------------------------------------------------ routing


@promise(Capability.ROUTING)
def test_the_broker_routes_on_by_a_rule_and_each_queue_gets_one_copy(stage):
    first, second = stage.destination("first"), stage.destination("second")
    stage.adapter.link(first, second)
    stage.adapter.link(second, first)
    stage.work(stage.subscription(first, "near"), name="near-service")
    stage.work(stage.subscription(second, "far"), name="far-service")
    stage.publish(first, 5)
    run = stage.sim.run()
    assert done_by(run, "near") == done_by(run, "far") == ids(5)
    assert len(run.messages()) == 10


# ------------------------------------------------------------------------------------------------ logs


@promise(Capability.PARTITIONED_LOG)
def test_messages_of_one_key_are_worked_on_in_order_however_many_takers_there_are(stage):
    here = stage.destination()
    stage.work(stage.subscription(here), nodes=3, service_s=2.5)
    arrivals = load.Constant(rate_per_s=1.0).first(30)
    Source("src", load=arrivals, to=here, event=lambda occasion: Event(type="x", subject=f"k{occasion.number % 5}"))
    table = stage.sim.run().messages().sort_values("started_s", kind="stable")
    assert len(table) == 30
    assert table["consumer"].nunique() > 1
    for _, rows in table.groupby("subject"):
        assert rows["published_s"].is_monotonic_increasing
        assert (rows["started_s"].iloc[1:].to_numpy() >= rows["finished_s"].iloc[:-1].to_numpy()).all()
        assert rows["partition"].nunique() == 1


@promise(Capability.REPLAY)
def test_what_was_read_can_be_read_again(stage):
    here = stage.destination()
    mine = stage.subscription(here)
    stage.work(mine)
    stage.publish(here, 4)
    stage.sim.at(50.0, lambda: stage.adapter.read_again(mine))
    run = stage.sim.run(until_s=100.0)
    assert rows_of(run, "mine") == [(event, attempt, "done") for event in ids(4) for attempt in (1, 2)]


@promise(Capability.TRANSACTIONS)
@pytest.mark.parametrize(("end", "seen"), [("commit", ["sender-0", "sender-1"]), ("abort", [])])
def test_what_a_transaction_publishes_becomes_visible_together_or_not_at_all(stage, end, seen):
    here = stage.destination()
    stage.work(stage.subscription(here))
    stage.sim.env.process(stage.adapter.transaction(stage.broker, here, at_s=(1.0, 2.0), end_s=5.0, end=end))
    run = stage.sim.run(until_s=50.0)
    assert done_by(run, "mine") == seen
    assert (run.deliveries.started_s[run.deliveries.outcome == 0] >= 5.0).all()


# ------------------------------------------------------------------------------------------------ what is declared


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_each_declared_capability_has_its_part_of_the_suite(adapter):
    assert adapter.capabilities <= PROMISED
    assert Stage(adapter).broker.capabilities == adapter.capabilities


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_what_a_broker_lacks_is_refused_before_the_run(adapter):
    broker = Stage(adapter).broker
    require(broker, adapter.capabilities, "a modest scenario")
    lacking = sorted(set(Capability) - adapter.capabilities, key=lambda capability: capability.name)
    with pytest.raises(CapabilityError) as caught:
        require(broker, [*adapter.capabilities, *lacking], "the shop")
    error = caught.value
    assert (error.field, error.value, error.at_s) == ("broker", broker.name, None)
    assert str(error).startswith(f"the shop needs what {broker.name} cannot do: ")
    for capability in Capability:
        assert (f"({capability.value})" in str(error)) == (capability in lacking)
    assert "choose a broker that can" in error.remedy
