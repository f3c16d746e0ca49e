"""The stores of a run over time agree with the stores themselves, at every instant that can be checked by hand."""

import numpy as np
import pytest

from edasim import failures
from edasim.errors import ConfigurationError, StateError, UnknownNameError
from edasim.scenarios import Registration, SingleQueue
from edasim.scenarios.registration import bus, clockwork, owed, stores
from edasim.scenarios.registration.stores import level_of

CRASH = failures.Crash(node="mail", at_s=1.035, down_s=1.0)


def held(run: object, at_s: float) -> dict[str, tuple[str, ...]]:
    return {store.name: store.held(at_s) for store in stores(run)}


def test_what_each_store_holds_while_the_mail_service_is_down() -> None:
    run = clockwork(faults=[CRASH]).run()
    assert held(run, 1.5) == {
        "bus": ("mail.welcome.requested of u-0 for mail",),
        "user database": ("row of u-0",),
        "mail folder": ("welcome-u-0.eml",),
        "mailboxes": (),
    }
    assert held(run, 0.5) == dict.fromkeys(held(run, 0.5), ())
    assert held(run, 2.2)["mailboxes"] == ("welcome-u-0",)


def test_a_bus_that_was_told_at_once_holds_nothing() -> None:
    run = clockwork(faults=[CRASH], acknowledge="on_delivery").run()
    assert held(run, 1.5)["bus"] == ()
    assert held(run, 9.0)["mailboxes"] == ()
    assert owed(run, "mail_arrived").until_s.tolist() == [np.inf]


def test_the_bus_of_one_service() -> None:
    run = clockwork().run()
    assert bus(run, "user-management").items == ("user.registration.accepted of u-0 for user-management",)
    assert bus(run, "user-management").level()[0] == pytest.approx([1.02, 1.03])


@pytest.mark.parametrize("seed", range(5))
def test_the_ends_agree_with_the_stores_themselves(seed: int) -> None:
    faults = [failures.Crash(node="mail", at_s=2.0, down_s=1.0)]
    run = Registration(users=60, spam_ratio=0.3, faults=faults).run(seed=seed)
    levels = {store.name: len(store.held(run.ended_s + 1.0)) for store in stores(run)}
    kept = run.kept
    assert levels == {
        "bus": 0,
        "user database": kept["users"].count() + len(kept["users"].query("select 1 from rejections")),
        "mail folder": len(kept["mails"].ids()),
        "mailboxes": kept["provider"].mailboxes.total(),
    }


def test_a_run_that_is_cut_off_leaves_messages_in_the_bus() -> None:
    run = Registration(users_per_s=100.0).run(seed=1, until_s=5.0)
    left = sum(line.waiting for line in run.summary().lines)
    assert left > 0
    assert len(stores(run)[0].held(5.0)) == left


def test_levels_count_spans() -> None:
    times_s, levels = level_of(np.array([1.0, 1.0, 2.0]), np.array([2.0, np.inf, 3.0]))
    assert (times_s.tolist(), levels.tolist()) == ([1.0, 2.0, 3.0], [2.0, 2.0, 1.0])


def test_who_is_owed_a_row_waits_while_user_management_is_down() -> None:
    run = clockwork(faults=[failures.Crash(node="user-management", at_s=1.025, down_s=1.0)]).run()
    debt = owed(run, "user_written")
    assert (debt.items, debt.from_s.tolist(), debt.until_s) == (("u-0",), [1.02], pytest.approx([2.035]))
    with pytest.raises(UnknownNameError, match="mail_arrived"):
        owed(run, "mail_arrive")


def test_other_runs_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="not of Registration"):
        stores(SingleQueue(messages=3).run())
    with pytest.raises(StateError, match="rows"):
        stores(Registration(users=3).run(log="metrics"))
