"""The oracle: every verdict with its timeline, against a slow reference, and promises that cannot be checked."""

import pickle
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim import Event, MemoryBus, RabbitMQ, Service, Simulation, Source, failures, load, times
from edasim.errors import ConfigurationError, EdasimError, StateError, UnknownNameError
from edasim.failures import (
    Crash,
    RandomCrashes,
    at_least_once,
    at_most_once,
    at_the_end,
    check,
    conserves,
    eventually,
    exactly_once,
    no,
    order_by,
)


def shop(
    *faults, handler=None, at_s=(0.0, 1.0, 2.0), took_s=(0.5,), nodes=1, until_s=None, event="sold", seed=1, **service
):
    """A run of one source and one service, `work`, on a bus in memory."""
    sim = Simulation(seed=seed)
    topic = MemoryBus().start(sim).topic("sales")
    Source("shop", load=load.Trace(times_s=tuple(at_s)), event=event, to=topic)
    took = times.Trace(values_s=tuple(took_s)) if len(took_s) > 1 else times.Constant(value_s=took_s[0])
    Service("work", of=topic.subscribe("work"), service_time=took, nodes=nodes, handler=handler, **service)
    failures.install(sim, faults, until_s)
    return sim.run(until_s=until_s)


def keyed(occasion):
    return Event(
        type="sold", subject=f"k-{occasion.number % 2}", data={"key": occasion.number % 2, "n": occasion.number}
    )


def told(finding):
    return [(moment.time_s, moment.who, moment.text) for moment in finding.timeline]


# ------------------------------------------------------------------------------------------------ verdicts


@pytest.mark.rule("RP-10")
def test_lost_is_what_was_acknowledged_on_delivery_and_died_with_its_node():
    run = shop(Crash(node="work", at_s=1.2, down_s=1.0), acknowledge="on_delivery")
    (found,) = check(run, [at_least_once(to="work")])
    assert (found.verdict.value, found.event_ids, found.at_s) == ("lost", ("shop-1",), 1.2)
    assert told(found) == [
        (1.0, "shop", "publishes sold shop-1"),
        (1.0, "work/0", "takes it"),
        (1.2, "work", "fault: work crashes at 1.2 s and is back after 1 s"),
        (1.2, "work/0", "it is dropped, and nobody has it any more"),
        (run.ended_s, "work", "nobody has it, nobody did it"),
    ]
    assert found.fault.detail["fault"] == "Crash"


def test_a_crash_between_the_work_and_the_acknowledgement_duplicates_the_work():
    def handler(_event, context):
        context.fact("charged")
        yield context.pause(0.3)

    run = shop(Crash(node="work", at_s=1.6, down_s=1.0), handler=handler)
    assert check(run, [at_least_once(to="work", effect="charged"), exactly_once(to="work")]) == []
    (found,) = check(run, [exactly_once(to="work", effect="charged")])
    assert (found.verdict.value, found.key) == ("duplicated", "shop-1")
    assert [text for _, _, text in told(found)] == [
        "publishes sold shop-1",
        "takes it",
        "charged",
        "fault: work crashes at 1.6 s and is back after 1 s",
        "fails while it works on it, so it goes back to the broker",
        "takes it again (attempt 2)",
        "charged",
        "is done and acknowledges",
    ]


def test_two_nodes_overtake_each_other_within_a_key():
    run = shop(nodes=2, at_s=(0.0, 0.1, 0.2), took_s=(1.0, 0.1, 0.2), event=keyed)
    (found,) = check(run, [order_by("key", at="work")])
    assert found.event_ids == ("shop-0", "shop-2")
    assert told(found)[-2:] == [
        (pytest.approx(0.4), "work/1", "is done and acknowledges"),
        (1.0, "work/0", "is done and acknowledges"),
    ]
    assert found.fault is None
    assert "no fault was at work" in str(found)


def test_what_is_late_what_is_stuck_and_what_cannot_be_judged_yet():
    late = check(shop(took_s=(1.5,)), [at_least_once(to="work", within_s=2.0)])
    assert [(each.verdict.value, each.event_ids[0], each.what[-18:]) for each in late] == [
        ("late", "shop-2", "done after 2.500 s")
    ]
    gone = [Crash(node="work", at_s=1.2)]
    assert check(shop(*gone), [at_least_once(to="work")]).counts() == {"stuck": 2}
    assert check(shop(*gone, until_s=9.0), [at_least_once(to="work")]) == []
    assert check(shop(*gone, until_s=9.0), [at_least_once(to="work", within_s=7.5)]).counts() == {"stuck": 1}


def test_order_is_that_of_publishing_or_of_a_number_and_repeated_effects_count():
    def handler(event, context):
        context.fact("applied")
        yield context.pause(2.0 if event.data["n"] == 0 else 0.1)

    def numbered(occasion):
        return Event(type="sold", data={"key": "a", "n": occasion.number, "version": -occasion.number})

    calm = shop(handler=handler, event=numbered)
    assert check(calm, [order_by("key", at="work"), order_by("key", at="work", effect="applied")]) == []
    backwards = check(calm, [order_by("key", at="work", sequence="version")])
    assert [each.event_ids for each in backwards] == [("shop-1", "shop-0"), ("shop-2", "shop-0")]
    crashed = shop(Crash(node="work/0", at_s=1.05, down_s=3.0), handler=handler, event=numbered, nodes=2, took_s=(0.1,))
    again = check(crashed, [order_by("key", at="work", effect="applied")])[0]
    assert (again.verdict.value, again.event_ids) == ("out of order", ("shop-0", "shop-1"))
    assert check(shop(at_s=(5.0,), until_s=1.0), [order_by("key", at="work")]) == []


def test_a_message_that_is_delivered_twice_is_done_twice():
    doubled = failures.DuplicateMessages(sender="shop", at_s=0.5, for_s=1.0)
    (found,) = check(shop(doubled), [exactly_once(to="work")])
    assert (found.verdict.value, found.key, found.at_s) == ("duplicated", "shop-1", 2.0)
    assert repr(found) == "<Finding duplicated: sold shop-1 to work: done 2 times>"
    assert check(shop(doubled), [at_most_once(to="work", type="sold")]).counts() == {"duplicated": 1}
    assert check(shop(doubled), [at_most_once(to="work", type="bought")]) == []


def test_what_is_lost_before_the_broker_is_lost_to_those_who_would_have_received_it():
    from edasim import scenarios

    lossy = failures.LoseMessages(sender="behaviour-analytics", ratio=1.0)
    run = scenarios.Registration(users=4, spam_ratio=0.0, faults=[lossy]).run(seed=1)
    promises = [at_least_once(to=service) for service in ("user-management", "mail", "behaviour-analytics")]
    assert [check(run, [promise]).counts() for promise in promises] == [{"lost": 4}, {"lost": 4}, {}]
    assert {each.what for each in check(run, [promises[1]])} == {
        f"mail.welcome.requested of u-{number} to mail: lost" for number in range(4)
    }


def test_what_nobody_planned_is_read_off_the_facts_of_what_broke():
    sim = Simulation(seed=1)
    topic = MemoryBus().start(sim).topic("sales")
    Source("shop", load=load.Trace(times_s=(0.0, 1.0, 2.0)), to=topic)
    took = times.Constant(value_s=0.5)
    Service("work", of=topic.subscribe("work"), service_time=took, acknowledge="on_delivery")
    sim.at(1.2, sim.node("work/0").crash)
    sim.at(1.6, sim.node("work/0").restart)
    (found,) = check(sim.run(), [at_least_once(to="work")])
    assert (found.fault.kind, found.fault.time_s) == ("node_crashed", 1.2)
    assert "it began with: node crashed: work/0 at 1.2 s" in str(found)


def test_invented_is_work_that_nobody_asked_for():
    stranger = shop(handler=lambda event, context: context.fact("charged", key=event.data["n"] + 7), event=keyed)
    assert check(stranger, [at_most_once(to="work", effect="charged", by="key")]).counts() == {"invented": 3}


def test_a_key_owes_one_piece_of_work_however_many_messages_ask():
    run = shop(handler=lambda event, context: context.fact("charged", key=event.data["key"]), event=keyed)
    found = check(run, [exactly_once(to="work", effect="charged", by="key")])
    assert [(each.verdict.value, each.key, each.event_ids) for each in found] == [
        ("duplicated", 0, ("shop-0", "shop-2"))
    ]


def test_dead_letters_are_lost_and_say_so():
    def handler(_event, _context):
        raise RuntimeError("poison")

    found = check(shop(handler=handler, at_s=(0.0,)), [at_least_once(to="work")])
    assert found[0].timeline[-1].text == "put aside as a dead letter, never done"
    assert len(found[0].timeline) == 2 * 5 + 2


@pytest.mark.rule("RP-03")
def test_a_poison_message_without_a_bound_holds_up_all_that_is_behind_it():
    def run(max_attempts):
        sim = Simulation(seed=1)
        topic = MemoryBus().start(sim).topic("sales")
        Source("shop", load=load.Trace(times_s=(0.0, 1.0, 2.0)), to=topic)

        def handler(event, _context):
            if event.id == "shop-1":
                raise RuntimeError("poison")

        one_s = times.Constant(value_s=1.0)
        Service("work", of=topic.subscribe("work", max_attempts=max_attempts), service_time=one_s, handler=handler)
        return sim.run(until_s=60.0)

    promise = at_least_once(to="work", within_s=20.0)
    assert [(each.verdict.value, each.key) for each in check(run(10_000), [promise])] == [
        ("stuck", "shop-1"),
        ("stuck", "shop-2"),
    ]
    assert [(each.verdict.value, each.key) for each in check(run(5), [promise])] == [("lost", "shop-1")]
    looping = check(run(10_000), [promise])[0].timeline
    assert len(looping) < 40
    assert "… 47 more attempts like these …" in [moment.text for moment in looping]


def test_rules_on_facts_find_what_breaks_them():
    def handler(event, context):
        number = event.data["n"]
        context.fact("reserved", n=number, amount=2)
        yield context.pause(0.1 if number else 5.0)
        if number != 1:
            context.fact("sold", n=number, amount=2 if number else 1)

    run = shop(handler=handler, event=keyed, nodes=3, at_s=(0.0, 1.0, 2.0), until_s=30.0)

    def found(promise):
        return [(each.verdict.value, each.key) for each in check(run, [promise])]

    assert found(no(lambda row: row.amount < 2, "half a sale", of="sold")) == [("violated", "shop-0")]
    assert found(no(lambda row: row.attempt > 1, "a repetition")) == []
    assert found(no(lambda row: row.consumer == "work/1", "on node 1")) == [("violated", "shop-1")]
    assert found(eventually("sold", after="reserved", by="n", within_s=1.0)) == [("stuck", 1), ("late", 0)]
    assert found(eventually("sold", after="reserved", within_s=6.0)) == [("stuck", "shop-1")]
    assert found(eventually("sold", within_s=1.0)) == [("late", None)]
    assert found(eventually("refunded", within_s=1.0)) == [("stuck", None)]
    assert found(conserves("amount", plus="reserved", minus="sold", by="n")) == [("violated", 1), ("violated", 0)]
    assert found(conserves("amount", plus="reserved", minus="sold", total=3.0)) == []
    assert found(at_the_end(lambda run: run.ended_s < 30.0, "it is early")) == [("violated", None)]


def test_findings_are_a_list_a_table_and_text_and_go_to_another_process():
    run = shop(Crash(node="work", at_s=1.2, down_s=1.0), acknowledge="on_delivery")
    found = check(run, [at_least_once(to="work")])
    assert found.table().to_dict("records") == [
        {
            "verdict": "lost",
            "what": "sold shop-1 to work: lost",
            "at_s": 1.2,
            "promise": "at least once to work",
            "fault": "work crashes at 1.2 s and is back after 1 s",
        }
    ]
    assert str(found).startswith("1 lost\n\nlost: sold shop-1 to work: lost\n  promise: at least once to work")
    assert found[0].table().shape == (5, 3)
    (copy,) = pickle.loads(pickle.dumps(found))
    assert (copy.timeline, copy.fault) == (found[0].timeline, found[0].fault)
    assert str(failures.Findings()) == "every promise was kept"


# ------------------------------------------------------------------------------------------------ against a reference


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32), acknowledge=st.sampled_from(["after_handling", "on_delivery"]))
def test_the_columns_say_what_a_count_of_the_rows_says(seed, acknowledge):
    def handler(_event, context):
        context.fact("charged")
        yield context.pause(0.3)

    crashes = RandomCrashes(node="work", mtbf_s=2.0, mttr_s=1.0, until_s=20.0)
    at_s = [0.37 * place for place in range(40)]
    run = shop(crashes, handler=handler, at_s=at_s, seed=seed, acknowledge=acknowledge, event=keyed, nodes=2)
    rows = run.messages()
    done = Counter(rows.event_id[rows.outcome == "done"])
    charged = Counter(fact.detail["event_id"] for fact in run.fact_list if fact.kind == "charged")
    everything = set(rows.event_id)
    by_delivery, by_effect = (check(run, [exactly_once(to="work", effect=effect)]) for effect in (None, "charged"))
    assert {each.key for each in by_delivery.of("lost")} == {event for event in everything if not done[event]}
    assert {each.key for each in by_effect.of("lost")} == {event for event in everything if not charged[event]}
    assert {each.key for each in by_effect.of("duplicated")} == {event for event in everything if charged[event] > 1}
    assert set(by_effect.counts()) <= {"lost", "duplicated"}
    ends = rows[rows.outcome == "done"].sort_values(["subject", "published_s"])
    late = set()
    for _, mine in ends.groupby("subject"):
        finished = list(zip(mine.event_id, mine.finished_s, strict=True))
        late |= {
            event
            for place, (event, end_s) in enumerate(finished)
            if any(other < end_s for _, other in finished[place:])
        }
    assert {each.event_ids[0] for each in check(run, [order_by("subject", at="work")])} == late
    for each in by_effect:
        assert each.timeline[0].time_s <= each.at_s


# ------------------------------------------------------------------------------------------------ misuse


@pytest.mark.parametrize(
    ("promise", "error", "says"),
    [
        (lambda: at_least_once(to="wrok"), UnknownNameError, "did you mean 'work'"),
        (lambda: at_least_once(to="work", within_s=50.0), ConfigurationError, "the run ends at 30 s"),
        (lambda: exactly_once(to="work", effect="x", by="user"), ConfigurationError, "no message to work has a field"),
        (lambda: order_by("user", at="work"), ConfigurationError, "can never be checked"),
        (lambda: order_by("key", at="work", sequence="name"), ConfigurationError, "not every message"),
        (lambda: no(lambda row: row.nothing > 1, "x", of="done_it"), ConfigurationError, "AttributeError"),
        (lambda: conserves("n", plus="done_it", minus="done_it"), ConfigurationError, "plus names it too"),
        (lambda: conserves("user", plus="done_it", minus="y"), ConfigurationError, "can never be added up"),
        (lambda: eventually("x", after="y", within_s=1.0), UnknownNameError, "kind of fact or type of event"),
        (lambda: eventually("done_it", after="sold", by="ky", within_s=1.0), ConfigurationError, "no sold has a field"),
        (lambda: eventually("x", within_s=31.0), ConfigurationError, "never be broken"),
        (lambda: no("x", "y"), ConfigurationError, "give a function"),
        (lambda: at_least_once(to="work", type=[]), ConfigurationError, "type"),
        (lambda: conserves("n", plus=None, minus="y"), ConfigurationError, "plus"),
    ],
)
def test_promises_that_nobody_can_check_are_refused_by_name(promise, error, says):
    run = shop(handler=lambda event, context: context.fact("done_it"), event=keyed, until_s=30.0)
    with pytest.raises(error, match=says):
        check(run, [promise()])


def test_the_log_must_be_whole_and_something_must_be_promised():
    sim = Simulation(seed=1, log="metrics")
    topic = MemoryBus().start(sim).topic("sales")
    Source("shop", load=load.Trace(times_s=(0.0,)), to=topic)
    Service("work", of=topic.subscribe("work"))
    run = sim.run()
    with pytest.raises(StateError, match="some rows"):
        check(run, [at_least_once(to="work")])
    with pytest.raises(ConfigurationError, match="no promise"):
        check(shop())
    with pytest.raises(EdasimError, match="list of promises"):
        check(shop(), ["at least once"])
    with pytest.raises(ConfigurationError, match="give a run"):
        check(sim, [at_least_once(to="work")])


def test_a_scenario_with_a_promise_that_its_run_is_too_short_for_does_not_run():
    from edasim.scenarios import Registration

    class Hasty(Registration):
        @property
        def promises(self):
            return (at_least_once(to="mail", type="mail.welcome.requested", within_s=60.0),)

    class Wrong(Registration):
        @property
        def promises(self):
            return (at_least_once(to="mail", type="user.registration.accepted"),)

    with pytest.raises(ConfigurationError, match="the run ends at 5 s"):
        Hasty(users=1).run(until_s=5.0)
    with pytest.raises(ConfigurationError, match="mail never receives"):
        Wrong(users=1).run()


# ------------------------------------------------------------------------------------------------ suspects and trails


def test_the_fault_that_broke_an_attempt_off_is_named_before_one_that_was_at_work_already():
    slow = failures.Slow(node="work", factor=2.0, at_s=0.5, for_s=2.0)
    run = shop(slow, Crash(node="work/0", at_s=1.2, down_s=1.0), acknowledge="on_delivery")
    (found,) = check(run, [at_least_once(to="work")])
    assert (found.event_ids, found.fault.detail["fault"]) == (("shop-1",), "Crash")


def test_a_fault_of_a_link_is_no_suspect_for_what_was_published_before_it_or_after():
    late = failures.DelayMessages(sender="shop", by=times.Constant(value_s=0.1), at_s=1.5, for_s=0.2)
    found = check(shop(late, took_s=(1.5,)), [at_least_once(to="work", within_s=2.0)])
    assert [(each.event_ids, each.fault) for each in found] == [(("shop-2",), None)]
    in_time = failures.DelayMessages(sender="shop", by=times.Constant(value_s=0.1), at_s=1.5, for_s=0.6)
    (found,) = check(shop(in_time, took_s=(1.5,)), [at_least_once(to="work", within_s=2.0)])
    assert found.fault.detail["fault"] == "DelayMessages"


def chain(*faults, **service):
    """An order is taken, and sent on to be packed; the packer needs half a second."""
    sim = Simulation(seed=1)
    bus = MemoryBus().start(sim)
    sales, packing = bus.topic("sales"), bus.topic("packing")

    def sell(event, context):
        context.fact("sold", order=event.id)
        return Event(type="pack", data={"order": event.id})

    def pack(event, context):
        context.fact("packed", order=event.data["order"])

    Service("till", of=sales.subscribe("till"), handler=sell, to=packing)
    half_s = times.Constant(value_s=0.5)
    Service("packer", of=packing.subscribe("packer"), handler=pack, service_time=half_s, **service)
    Source("shop", load=load.Trace(times_s=(0.0, 1.0)), event="order", to=sales)
    failures.install(sim, faults)
    return sim.run()


def test_what_never_came_is_followed_to_where_its_trail_ends():
    dead = chain(
        Crash(node="till", at_s=0.1, down_s=0.2),
        Crash(node="packer", at_s=0.3, down_s=0.1),
        acknowledge="on_delivery",
    )
    (found,) = check(dead, [eventually("packed", after="sold", by="order", within_s=5.0)])
    assert found.what == "packed of order shop-0: it never came"
    assert told(found) == [
        (0.0, "shop", "publishes order shop-0"),
        (0.0, "till", "publishes pack till-0"),
        (0.0, "till/0", "takes it"),
        (0.0, "packer/0", "takes it"),
        (0.0, "till", "sold (order shop-0)"),
        (0.0, "till/0", "is done and acknowledges"),
        (0.3, "packer", "fault: packer crashes at 0.3 s and is back after 0.1 s"),
        (0.3, "packer/0", "it is dropped, and nobody has it any more"),
        (1.5, "the run", "packed of order shop-0 never came"),
    ]


def test_who_died_while_he_published_is_told_with_what_he_published():
    def handler(event, context):
        context.publish(Event(type="pack", data={"order": event.id}))
        yield context.pause(0.4)
        context.fact("sold", order=event.id, parcels=1)

    sim = Simulation(seed=1)
    bus = MemoryBus().start(sim)
    sales, packing = bus.topic("sales"), bus.topic("packing")
    once = {"handler": handler, "to": packing, "acknowledge": "on_delivery"}
    Service("till", of=sales.subscribe("till"), **once)
    Service(
        "packer",
        of=packing.subscribe("packer"),
        handler=lambda event, context: context.fact("packed", order=event.data["order"], parcels=1),
    )
    Source("shop", load=load.Trace(times_s=(0.0, 1.0)), event="order", to=sales)
    failures.install(sim, [Crash(node="till", at_s=1.1, down_s=0.2)])
    (found,) = check(sim.run(), [conserves("parcels", plus="packed", minus="sold", by="order")])
    assert found.what == "parcels of order shop-1: 1 instead of 0"
    assert "till/0: it is dropped, and nobody has it any more" in [f"{who}: {text}" for _, who, text in told(found)]
    assert found.fault.detail["words"] == "till crashes at 1.1 s and is back after 0.2 s"


def test_what_a_broker_that_is_down_drops_is_lost_to_who_receives_such_events():
    sim = Simulation(seed=1)
    broker = RabbitMQ().start(sim)
    exchange = broker.declare_exchange("sales", type="topic")
    for name, key in (("work", "sold"), ("other", "bought")):
        queue = broker.declare_queue(name)
        queue.bind(exchange, key)
        Service(name, of=queue.consume())
    Source("shop", load=load.Trace(times_s=(0.0, 1.0)), event="sold", to=exchange)
    Source("supplier", load=load.Trace(times_s=(0.0,)), event="bought", to=exchange)
    failures.install(sim, [failures.BrokerCrash(at_s=0.9, down_s=0.5)])
    run = sim.run()
    (found,) = check(run, [at_least_once(to="work")])
    assert (found.verdict.value, found.key, found.fault.detail["fault"]) == ("lost", "shop-1", "BrokerCrash")
    assert check(run, [at_least_once(to="other")]) == []


def test_copies_on_a_link_are_messages_of_their_own_to_a_broker_that_tells_them_by_identity():
    sim = Simulation(seed=1)
    queue = RabbitMQ().start(sim).declare_queue("work")
    Source("shop", load=load.Trace(times_s=(0.0,)), event="sold", to=queue)
    half_s = times.Constant(value_s=0.5)
    Service("work", of=queue.consume(prefetch=5), service_time=half_s)
    failures.install(sim, [failures.DuplicateMessages(sender="shop"), Crash(node="work", at_s=0.2, down_s=0.1)])
    run = sim.run()
    assert check(run, [at_most_once(to="work")]).counts() == {"duplicated": 1}
    assert Counter(run.messages().outcome) == {"requeued": 1, "crashed": 1, "done": 2}


def test_a_crash_forgets_what_handlers_keep_in_memory():
    def handler(event, context):
        seen = context.node.memory
        seen["messages"] = seen.get("messages", 0) + 1
        context.fact("counted", messages=seen["messages"])

    run = shop(Crash(node="work", at_s=1.7, down_s=0.1), handler=handler, took_s=(0.1,))
    assert [fact.detail["messages"] for fact in run.fact_list if fact.kind == "counted"] == [1, 2, 1]
