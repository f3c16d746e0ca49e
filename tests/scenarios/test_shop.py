"""The order service: what dual writes lose and double at every single write, and outbox and inbox do not (ES-07)."""

from collections import Counter
from pathlib import Path

import pytest

from edasim import failures, load
from edasim.errors import ConfigurationError
from edasim.events import seconds_since_epoch
from edasim.scenarios import SingleQueue, sourced
from edasim.scenarios.sourced import Fate, Receiving, Writing
from edasim.sourcing import EventStore, ProjectionError

APPEND, PUBLISH, OUTBOX, BOTH = sourced.order_variants()
SURVIVED, LOST, DUPLICATED, NONE = *(fate.value for fate in Fate), "–"


def crashes(*nodes: str) -> tuple[failures.RandomCrashes, ...]:
    return tuple(failures.RandomCrashes(node=node, mtbf_s=1.0, mttr_s=0.2, until_s=20.0) for node in nodes)


def busy(**changes: object) -> sourced.Shop:
    return sourced.Shop(arrivals=load.Poisson(rate_per_s=8.0).until(20.0), lasts_s=40.0).but(**changes)


@pytest.mark.rule("ES-07")
def test_es07_a_crash_at_every_write_of_one_order() -> None:
    """Every gap between two steps of every service: the repaired variant has no cell that is lost or duplicated."""
    assert sourced.crash_writes().rows() == {
        "orders: take | append": [SURVIVED, NONE, NONE, NONE],
        "orders: append | publish": [LOST, NONE, NONE, NONE],
        "orders: publish | acknowledge": [SURVIVED, NONE, NONE, NONE],
        "orders: take | publish": [NONE, SURVIVED, NONE, NONE],
        "orders: publish | append": [NONE, DUPLICATED, NONE, NONE],
        "orders: append | acknowledge": [NONE, SURVIVED, NONE, NONE],
        "orders: take | append + message": [NONE, NONE, SURVIVED, SURVIVED],
        "orders: append + message | acknowledge": [NONE, NONE, SURVIVED, SURVIVED],
        "warehouse: take | pack": [SURVIVED] * 4,
        "warehouse: pack | acknowledge": [DUPLICATED] * 3 + [SURVIVED],
        "relay: take | publish": [NONE, NONE, SURVIVED, SURVIVED],
        "relay: publish | mark": [NONE, NONE, DUPLICATED, SURVIVED],
        "relay: mark | acknowledge": [NONE, NONE, SURVIVED, SURVIVED],
    }


def test_it_counts_prints_and_is_a_table() -> None:
    found = sourced.crash_writes()
    assert {name: [found.count(name, fate) for fate in Fate] for name in found.fates} == {
        APPEND: [3, 1, 1], PUBLISH: [3, 0, 2], OUTBOX: [5, 0, 2], BOTH: [7, 0, 0],
    }  # fmt: skip
    assert list(found.table().columns) == ["dies after | before", APPEND, PUBLISH, OUTBOX, BOTH]
    assert " ".join(str(found).splitlines()[2].split()) == "orders: append | publish lost – – –"
    gap = next(iter(found.fates[APPEND]))
    assert (gap.service, round(gap.at_s, 6)) == ("orders", 1.005)
    with pytest.raises(ConfigurationError, match="fate"):
        found.count(APPEND, "saved")


def test_being_down_longer_changes_no_fate() -> None:
    assert sourced.crash_writes(down_s=0.05).rows() == sourced.crash_writes(down_s=3.0).rows()


def test_the_story_of_a_lost_order() -> None:
    """Stored at 1.010 s; the service dies at 1.015 s, comes back at 2.015 s, finds the order, and tells nobody."""
    crash = failures.Crash(node="orders", at_s=1.015, down_s=1.0)
    run = sourced.one_order(writing=Writing.APPEND_FIRST, faults=[crash]).run()
    told = [
        (round(fact.time_s, 3), fact.subject, fact.detail.get("what", fact.kind))
        for fact in run.fact_list
        if fact.kind in {"wrote", "node_crashed", "node_restarted"}
    ]
    assert told == [
        (1.01, "orders", "append"),
        (1.015, "orders/0", "node_crashed"),
        (2.015, "orders/0", "node_restarted"),
    ]
    assert sourced.books(run) == (1, 1, 0)


@pytest.mark.rule("ES-07")
@pytest.mark.parametrize("seed", range(2))
def test_es07_under_random_crashes_outbox_and_inbox_neither_lose_nor_double(seed: int) -> None:
    run = busy(faults=crashes("orders", "relay", "warehouse")).run(seed=seed)
    asked, lost, doubled = sourced.books(run)
    assert (asked > 100, lost, doubled) == (True, 0, 0)
    assert run.kept["effects"].counts() == dict.fromkeys(run.kept["store"].streams(), 1)
    assert run.kept["store"].verify() is None


@pytest.mark.parametrize(
    ("writing", "loses", "doubles"), [(Writing.APPEND_FIRST, True, True), (Writing.PUBLISH_FIRST, False, True)]
)
def test_under_random_crashes_dual_writes_lose_or_double(writing: Writing, loses: bool, doubles: bool) -> None:
    run = busy(writing=writing, receiving=Receiving.PLAIN, faults=crashes("orders", "warehouse")).run(seed=1)
    _, lost, doubled = sourced.books(run)
    assert (lost > 0, doubled > 0) == (loses, doubles)


@pytest.mark.parametrize("writing", Writing)
def test_without_a_crash_all_of_them_work(writing: Writing) -> None:
    """Which is why nobody finds out in the demonstration."""
    asked, lost, doubled = sourced.books(busy(writing=writing, receiving=Receiving.PLAIN).run(seed=2))
    assert (asked > 100, lost, doubled) == (True, 0, 0)


def test_it_is_data_and_repeats_itself() -> None:
    shop = busy(writing=Writing.PUBLISH_FIRST, faults=crashes("orders"))
    assert sourced.Shop.from_dict(shop.to_dict()) == shop
    assert shop.but(lasts_s=5.0).run(seed=1).fingerprint() == shop.but(lasts_s=5.0).run(seed=1).fingerprint()


def test_other_runs_and_stories_that_never_begin_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="give a run of a Shop"):
        sourced.books(SingleQueue(messages=5).run())
    with pytest.raises(ConfigurationError, match="nothing was written"):
        sourced.crash_writes({"too late": sourced.one_order(lasts_s=0.5)})


# ---------------------------------------------------------------- user management


def test_a_crash_at_every_write_of_one_member() -> None:
    """The decider finds its own answer and tells it again; the inbox makes the second telling harmless.

    Of the mails sent twice, two come from telling again (joined, left), two from the mail service's own crash.
    """
    found = sourced.crash_writes(sourced.member_variants(), seed=3)
    assert {name: [found.count(name, fate) for fate in Fate] for name in found.fates} == {
        "decider": [7, 0, 4], "decider and inbox": [11, 0, 0],
    }  # fmt: skip
    rows = found.rows()
    assert len(rows) == 11
    assert rows["members: append | destroy key"] == rows["members: destroy key | publish"] == [SURVIVED, SURVIVED]
    assert rows["members: take | append (2)"] == [SURVIVED, SURVIVED]
    assert rows["mail: send | acknowledge (2)"] == [DUPLICATED, SURVIVED]


def test_wherever_a_crash_comes_whoever_has_left_has_no_key() -> None:
    gaps = sourced.crash_writes(sourced.member_variants(), seed=3).fates["decider"]
    for gap in gaps:
        crash = failures.Crash(node=gap.service, at_s=gap.at_s, down_s=1.0)
        store = sourced.one_member(faults=[crash]).run(seed=3).kept["store"]
        kinds = [one.event.type for one in store.read()]
        assert kinds == ["member.joined", "member.left", "subject.erased"]
        assert store.query("select * from subjects") == []


@pytest.mark.rule("ES-08")
@pytest.mark.parametrize("seed", range(2))
def test_es08_whoever_has_left_is_forgotten_and_mailed_once_wherever_crashes_come(seed: int) -> None:
    people = sourced.Members(
        arrivals=load.Poisson(rate_per_s=8.0).until(20.0), people=30, leave_ratio=0.2, lasts_s=40.0
    )
    run = people.but(faults=crashes("members", "mail")).run(seed=seed)
    store, view, mails = run.kept["store"], run.kept["view"], run.kept["effects"]
    told = Counter(one.event.subject for one in store.read(types=("member.joined", "member.left")))
    assert mails.counts() == told
    view.catch_up()
    states = dict(view.states())
    left = {name for name, state in states.items() if not state["is_member"]}
    keys = {subject for (subject,) in store.query("select subject from subjects")}
    assert left
    assert keys == set(states) - left
    assert sum(sourced.members_by_city(view).values()) == len(states) - len(left)
    image = store.saved()["image"]
    for name in states:
        number = name.removeprefix("m-")
        assert (f".{number}@example.org".encode() in image) == (name not in left)
    assert store.verify() is None


def test_decisions_depend_on_the_state_and_shares_leave_room() -> None:
    run = sourced.Members(people=5, lasts_s=20.0).run(seed=1)
    kinds = Counter(one.event.type for one in run.kept["store"].read())
    assert set(kinds) == {"member.joined", "member.moved", "member.left", "member.refused", "subject.erased"}
    assert kinds["member.left"] <= kinds["member.joined"]
    assert sourced.Members.from_dict(sourced.Members(people=5).to_dict()) == sourced.Members(people=5)
    with pytest.raises(ConfigurationError, match="leave_ratio"):
        sourced.Members(join_ratio=0.8, leave_ratio=0.3)


def test_es08_raw_bytes_hold_a_key_until_it_is_destroyed_and_never_a_name(tmp_path: Path) -> None:
    people = sourced.joined("Ada Byron", "Ben Okoye")
    filed = EventStore(tmp_path / "h", personal=sourced.members.PERSONAL)
    for one in people.read():
        filed.append(one.stream, [one.event])
    for store in (people, filed):
        secrets = b"Ada Byron", store.query("select key from subjects where subject = 'm-0'")[0][0]
        assert sourced.raw_bytes_hold(store, *secrets, b"member.moved") == [False, True, True]
        store.erase("m-0")
        assert sourced.raw_bytes_hold(store, *secrets, b"member.moved") == [False, False, True]
        assert [one.event.data["city"] for one in store.read(stream="m-0")] == ["Kyiv", "Lyon"]


def test_a_view_of_last_visits_is_a_fold_or_is_not_by_what_tells_the_time() -> None:
    week = sourced.week(100, 10)
    of_event = sourced.last_seen_view(lambda event: seconds_since_epoch(event.time))
    assert of_event.check_pure(week) == seconds_since_epoch(week[-1].time)
    ticks = iter(range(1000))
    with pytest.raises(ProjectionError, match="no function of its events"):
        sourced.last_seen_view(lambda _: float(next(ticks))).check_pure(week)
