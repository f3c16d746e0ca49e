"""Runs in files: what comes back is equal, at every level of log; other files are refused."""

import sqlite3
from pathlib import Path

import pytest

from edasim import MemoryBus, Service, Simulation, Source, failures, load, times
from edasim.errors import ConfigurationError
from edasim.events import Event
from edasim.kernel import Run
from edasim.scenarios import Registration
from edasim.sourcing import EventStore, Fold, History, StoreError, about_run, open_run, redecide, save_run


def registration(log: str) -> Run:
    crashes = failures.RandomCrashes(node="mail", mtbf_s=2.0, mttr_s=0.4, until_s=20.0)
    return Registration(users_per_s=5.0, faults=[crashes]).run(seed=3, until_s=30.0, log=log, one_in=3)


def by_hand() -> Run:
    """A run with what is rare: nested facts, one event published twice, one identity with two contents, open rows."""
    sim = Simulation(seed=2)
    topic = MemoryBus().start(sim).topic("things")
    Source("plain", load=load.Constant(rate_per_s=2.0), to=topic)
    Service("slow", of=topic.subscribe("slow"), service_time=times.Constant(value_s=2.0))
    topic.subscribe("nobody")
    same = Event(type="told", id="t-1", source="/s", data={"list": [1, {"a": None}], "text": "ä"})
    for at_s, event in [
        (0.1, same),
        (0.2, same),
        (0.3, same.replace(data=7)),
        (0.4, Event(type="bytes", data=b"\x00")),
    ]:
        sim.at(at_s, lambda event=event: topic.publish(event, publisher="hand") and None)  # type: ignore[misc]
    sim.at(0.5, lambda: sim.log.fact(0.5, "noted", "me", parts=[1, 2], inner={"x": None}, share=0.1))
    return sim.run(until_s=6.3)


RUNS = {
    "full": lambda: registration("full"),
    "sampled": lambda: registration("sampled"),
    "metrics": lambda: registration("metrics"),
    "by hand": by_hand,
    "empty": lambda: Simulation().run(until_s=1.0),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_comes_back_equal(kind: str, tmp_path: Path) -> None:
    run, path = RUNS[kind](), tmp_path / "run.edasim"
    assert save_run(run, path) == run.fingerprint()
    back = open_run(path)
    assert (back.fingerprint(), str(back.summary())) == (run.fingerprint(), str(run.summary()))
    assert (back.seed, back.until_s, back.ended_s, back.fact_list) == (
        run.seed,
        run.until_s,
        run.ended_s,
        run.fact_list,
    )
    assert (back.lanes, back.publishers, back.kept_rows) == (run.lanes, run.publishers, run.kept_rows)
    if kind != "metrics":
        assert back.messages().equals(run.messages())
        assert back.facts().equals(run.facts())
        assert back.events() == run.events()
    save_run(back, tmp_path / "again")
    assert open_run(tmp_path / "again").fingerprint() == run.fingerprint()


def test_a_file_tells_of_its_run_and_makes_its_scenario_anew(tmp_path: Path) -> None:
    run, path = registration("full"), tmp_path / "run"
    save_run(run, path)
    about = about_run(path)
    assert (about["seed"], about["ended_s"], about["log"], about["fingerprint"]) == (3, 30.0, "full", run.fingerprint())
    assert about["scenario"]["users_per_s"] == 5.0
    assert open_run(path, scenario=Registration.from_dict).scenario == run.scenario
    assert open_run(path).scenario == about["scenario"]


def test_a_saved_run_is_a_history_like_any_other(tmp_path: Path) -> None:
    run, path = registration("full"), tmp_path / "run"
    save_run(run, path)
    with EventStore(path) as store:
        accepted = Fold(name="accepted", initial=0, types=("user.registration.accepted",), apply=lambda n, _: n + 1)
        rows = run.messages()
        published = rows[(rows["type"] == "user.registration.accepted") & (rows["published_s"] <= 10.0)]
        assert History(store, accepted).at_time(10.0) == published["event_id"].nunique() > 0
        assert store.verify() is None
        assert store.query("select count(*) from run_deliveries")[0][0] == len(rows)
        changed = redecide(open_run(path).events(), {"user.registration.requested": lambda event, context: None})
        assert {decision.now for decision in changed} == {()}


@pytest.mark.parametrize("seed", range(3))
def test_replaying_a_runs_log_gives_its_final_state(seed: int, tmp_path: Path) -> None:
    """The accepted and rejected users of the log are those in the database, crashes and redeliveries or not."""
    crashes = tuple(
        failures.RandomCrashes(node=name, mtbf_s=2.0, mttr_s=0.4, until_s=12.0)
        for name in ("user-management", "behaviour-analytics")
    )
    run = Registration(users_per_s=5.0, users=40, spam_ratio=0.3, faults=crashes).run(seed=seed)
    save_run(run, tmp_path / "run")
    users = Fold(
        name="users",
        initial={},
        types=("user.registration.accepted", "user.registration.rejected"),
        apply=lambda state, one: {**state, one.subject: one.type.rpartition(".")[2]},
    )
    with EventStore(tmp_path / "run", access="read") as store:
        state = History(store, users).now()
    in_database = dict.fromkeys(run.kept["users"].table("users")["user_id"], "accepted")
    in_database |= dict.fromkeys(run.kept["users"].table("rejections")["user_id"], "rejected")
    assert state == in_database
    assert len(state) == 40


def test_a_saved_run_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "run"
    save_run(by_hand(), path)
    with pytest.raises(ConfigurationError, match="exists already"):
        save_run(by_hand(), path)
    assert open_run(path).fingerprint() == by_hand().fingerprint()


def test_a_run_that_no_file_can_hold_leaves_no_file(tmp_path: Path) -> None:
    sim = Simulation()
    sim.log.fact(0.0, "noted", "me", thing=object())
    (tmp_path / "run-of-last-week").write_text("kept")
    with pytest.raises(ConfigurationError, match="a fact of kind 'noted'"):
        save_run(sim.run(until_s=1.0), tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run-of-last-week"]


def test_files_without_a_run_and_of_a_newer_format_are_refused(tmp_path: Path) -> None:
    EventStore(tmp_path / "store").close()
    with pytest.raises(StoreError, match="holds no run"):
        open_run(tmp_path / "store")
    save_run(by_hand(), tmp_path / "run")
    with sqlite3.connect(tmp_path / "run") as connection:
        connection.execute("update run_about set value = '3' where name = 'format'")
    connection.close()
    for read in (open_run, about_run):
        with pytest.raises(StoreError, match="format 3, and this version reads up to 2"):
            read(tmp_path / "run")


@pytest.mark.parametrize(
    "damage",
    [
        "delete from run_about where name = 'log'",
        "update run_about set value = '{' where name = 'seed'",
        "update run_about set value = '\"loud\"' where name = 'log'",
        "update run_deliveries set endpoint = 99",
        "update run_deliveries set finished_s = finished_s + 0.001",
        "update run_facts set time_s = time_s + 1",
        "update run_messages set position = 99999",
        "update run_facts set detail = 'x'",
        "drop table run_lanes",
        "insert into run_stores values ('x', 'edasim.nowhere:Nothing', '7')",
        "insert into run_stores values ('x', 'edasim.kernel:Run', '7')",
    ],
)
def test_a_damaged_run_is_refused_plainly(damage: str, tmp_path: Path) -> None:
    save_run(by_hand(), tmp_path / "run")
    with sqlite3.connect(tmp_path / "run") as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(StoreError, match=r"cannot be read|does not give"):
        open_run(tmp_path / "run")
