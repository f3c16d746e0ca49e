"""Scenarios that are refused leave nothing behind; faults that overlap; stores that are taken away."""

import shutil

import pytest

from edasim.brokers import MemoryBus
from edasim.errors import ConfigurationError, EdasimError, StateError, UnknownNameError
from edasim.events import Event
from edasim.failures import Crash, RandomCrashes
from edasim.kernel import Simulation, times
from edasim.scenarios import Registration, SingleQueue
from edasim.scenarios.registration import audit
from edasim.scenarios.story import story
from edasim.services import Service, Source, load
from edasim.services.user_database import UserDatabase


@pytest.mark.parametrize("wrong", [{}, {"users": 3, "faults": [Crash(node="postbox", at_s=1.0, down_s=1.0)]}])
def test_a_refused_run_leaves_no_database_in_the_way_of_the_next(tmp_path, wrong):
    database = str(tmp_path / "users.db")
    with pytest.raises(EdasimError):
        Registration(database=database, **wrong).run()
    assert Registration(database=database, users=3, spam_ratio=0.0).run().kept["users"].count() == 3


@pytest.mark.parametrize("name", ["nowhere/users.db", "nul\0l"])
def test_a_database_that_cannot_be_made_is_refused(tmp_path, name):
    with pytest.raises(ConfigurationError, match="database is"):
        UserDatabase(tmp_path / name)


def test_a_mail_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="folder is"):
        Registration(users=1, mail_folder=str(tmp_path / "file")).run()


def test_a_mail_folder_or_database_that_is_taken_away_ends_the_run():
    for take in (lambda kept: shutil.rmtree(kept["mails"].folder), lambda kept: kept["users"].close()):
        sim = Simulation(seed=1)
        kept = Registration(users_per_s=5.0, users=20, opens_ratio=0.0).build(sim)
        sim.at(1.0, lambda take=take, kept=kept: take(kept))
        with pytest.raises(StateError, match=r"cannot be written|failed"):
            sim.run()


def outages(*faults, until_s=100.0):
    sim = Simulation()
    Service("mail", of=MemoryBus().start(sim).topic("t").subscribe())
    for fault in faults:
        fault.install(sim)
    return [(fact.time_s, fact.kind) for fact in sim.run(until_s=until_s).fact_list if fact.kind != "fault"]


def test_where_outages_overlap_the_last_to_end_brings_the_node_back():
    longer, shorter = Crash(node="mail", at_s=1.0, down_s=10.0), Crash(node="mail/0", at_s=2.0, down_s=1.0)
    for faults in ((longer, shorter), (shorter, longer)):
        assert outages(*faults) == [(1.0, "node_crashed"), (11.0, "node_restarted")]


def test_random_crashes_of_a_long_plan_cost_only_what_the_run_lives_to_see():
    facts = outages(RandomCrashes(node="mail", mtbf_s=1.0, mttr_s=1.0, until_s=1e12), until_s=20.0)
    assert [kind for _, kind in facts[:4]] == ["node_crashed", "node_restarted"] * 2


def test_a_class_is_no_fault_and_no_broker():
    with pytest.raises(ConfigurationError, match="faults"):
        Registration(faults=[Crash])
    with pytest.raises(ConfigurationError, match="broker"):
        Registration(broker=MemoryBus)


def test_an_audit_of_part_of_the_log_is_refused():
    with pytest.raises(StateError, match="all rows"):
        audit(Registration(users=30).run(log="sampled", one_in=10))


def test_a_closed_load_has_no_last_message():
    closed = load.Closed(users=2, think_time=times.Constant(value_s=1.0))
    with pytest.raises(ConfigurationError, match=r"SingleQueue\.messages"):
        SingleQueue(arrivals=closed, messages=5)


@pytest.mark.parametrize("told", [[], None, {"scenario": "SingleQueue", "arrivals": {"kind": "times.np"}}])
def test_a_dictionary_that_tells_of_no_scenario_is_refused(told):
    with pytest.raises((ConfigurationError, UnknownNameError)):
        SingleQueue.from_dict(told)


def test_the_story_of_an_event_that_names_itself_its_cause_has_an_end():
    sim = Simulation()
    bus = MemoryBus().start(sim)
    Service(
        "srv", of=bus.topic("a").subscribe(), to=bus.topic("b"), handler=lambda event, c: Event(type="on", id=event.id)
    )
    Source("src", load=load.Constant(rate_per_s=1.0).first(1), to=bus.topic("a"))
    assert len(story(sim.run(), "src-0").steps) == 4
