"""The registration case: its story, its books under crashes, its stores, and its bad input."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import edasim as eda
from edasim import failures, network, scenarios, times
from edasim.errors import CapabilityError, ConfigurationError, EdasimError, UnknownNameError
from edasim.kernel import Run
from edasim.scenarios import Registration, Story

SERVICES = ("user-management", "behaviour-analytics", "mail")
CLOCKWORK = {
    "spam_ratio": 0.0,
    "analytics_time": times.Constant(value_s=0.02),
    "database_time": times.Constant(value_s=0.01),
    "mail_link": network.Link(latency=times.Constant(value_s=0.1)),
    "opening": times.Constant(value_s=5.0),
    "opens_ratio": 1.0,
    "users": 1,
}
CONNECTING = {**CLOCKWORK, "connecting_s": 0.05}


def crashes(until_s: float = 12.0) -> tuple[failures.Fault, ...]:
    return tuple(failures.RandomCrashes(node=name, mtbf_s=2.0, mttr_s=0.4, until_s=until_s) for name in SERVICES)


def after_sign_up(told: Story) -> list[tuple[float, str]]:
    begin_s = told.steps[0].time_s
    return [(round(step.time_s - begin_s, 6), step.text) for step in told.steps]


def test_one_user_signs_up_and_sees_the_mail() -> None:
    run = Registration(**CLOCKWORK).run(seed=1)
    assert after_sign_up(scenarios.story(run, "u-0")) == [
        (0.0, "user-management publishes user.registration.requested to behaviour-analytics"),
        (0.0, "behaviour-analytics/0 takes user.registration.requested, 0 ms after it was queued"),
        (0.02, "behaviour-analytics: registration checked (accepted yes, reasons none)"),
        (0.02, "behaviour-analytics/0 is done with user.registration.requested"),
        (0.02, "behaviour-analytics publishes user.registration.accepted to user-management"),
        (0.02, "behaviour-analytics publishes mail.welcome.requested to mail"),
        (0.02, "user-management/0 takes user.registration.accepted, 0 ms after it was queued"),
        (0.02, "mail/0 takes mail.welcome.requested, 0 ms after it was queued"),
        (0.025, "mail: mail cached (mail id welcome-u-0, new yes)"),
        (0.025, "mail: mail sent (mail id welcome-u-0, try 1)"),
        (0.03, "user-management: user written (new yes)"),
        (0.03, "user-management/0 is done with user.registration.accepted"),
        (0.125, "mail: mail arrived (mail id welcome-u-0)"),
        (0.225, "mail/0 is done with mail.welcome.requested"),
        (5.125, "readers publishes mail.confirmation.opened to mail"),
        (5.125, "mail/0 takes mail.confirmation.opened, 0 ms after it was queued"),
        (5.13, "mail: mail shown (mail id welcome-u-0, characters 193, user exists yes)"),
        (5.13, "mail/0 is done with mail.confirmation.opened"),
        (5.13, "mail publishes mail.confirmation.shown to readers"),
        (5.13, "readers/0 takes mail.confirmation.shown, 0 ms after it was queued"),
        (5.13, "readers/0 is done with mail.confirmation.shown"),
    ]


def test_a_crash_between_caching_and_sending_sends_the_cached_mail_later() -> None:
    asked_s = Registration(**CONNECTING).run(seed=1).deliveries.published_s[0]
    crash = failures.Crash(node="mail", at_s=asked_s + 0.05, down_s=1.0)
    run = Registration(**CONNECTING, faults=[crash]).run(seed=1)
    mail = [(at_s, text) for at_s, text in after_sign_up(scenarios.story(run, "u-0")) if text.startswith("mail")][:8]
    assert mail == [
        (0.02, "mail/0 takes mail.welcome.requested, 0 ms after it was queued"),
        (0.025, "mail: mail cached (mail id welcome-u-0, new yes)"),
        (0.05, "mail/0: mail.welcome.requested crashed"),
        (1.05, "mail/0 takes mail.welcome.requested again (attempt 2), 1000 ms after it was queued"),
        (1.055, "mail: mail cached (mail id welcome-u-0, new no)"),
        (1.105, "mail: mail sent (mail id welcome-u-0, try 1)"),
        (1.205, "mail: mail arrived (mail id welcome-u-0)"),
        (1.305, "mail/0 is done with mail.welcome.requested"),
    ]


def test_acknowledging_first_loses_that_mail() -> None:
    asked_s = Registration(**CONNECTING).run(seed=1).deliveries.published_s[0]
    crash = failures.Crash(node="mail", at_s=asked_s + 0.05, down_s=1.0)
    run = Registration(**CONNECTING, faults=[crash], acknowledge="on_delivery").run(seed=1)
    books = scenarios.audit(run)
    assert (books.rows, books.cached, books.mailed, books.without_mail) == (1, 1, 0, 1)
    assert "mail/0: mail.welcome.requested dropped, it was acknowledged before mail/0 crashed" in str(
        scenarios.story(run, "u-0")
    )


@pytest.mark.parametrize(("sender", "mails"), [("plain", [0.125, 1.155]), ("idempotent", [0.125])])
def test_a_mail_on_its_way_arrives_although_its_sender_dies(sender: str, mails: list[float]) -> None:
    asked_s = Registration(**CLOCKWORK).run(seed=1).deliveries.published_s[0]
    crash = failures.Crash(node="mail", at_s=asked_s + 0.05, down_s=1.0)
    run = Registration(**CLOCKWORK, faults=[crash], sender=sender).run(seed=1)
    arrived = [fact.time_s - asked_s for fact in run.fact_list if fact.kind == "mail_arrived"]
    assert arrived == pytest.approx(mails)
    assert run.kept["provider"].mailboxes == {"welcome-u-0": len(mails)}


def test_a_late_answer_makes_the_mail_service_send_again() -> None:
    run = Registration(**CLOCKWORK, answer_timeout_s=0.15).run(seed=1)
    begin_s = run.deliveries.published_s[0]
    told = [(round(fact.time_s - begin_s, 6), fact.kind) for fact in run.fact_list if fact.subject == "mail"][:6]
    assert told == [
        (0.025, "mail_cached"), (0.025, "mail_sent"), (0.125, "mail_arrived"), (0.175, "answer_late"),
        (0.175, "mail_sent"), (0.275, "mail_arrived"),
    ]  # fmt: skip


def test_arrivals_may_be_a_recording() -> None:
    run = Registration(arrivals=eda.load.Trace(times_s=(1.0, 1.5, 4.0)), users=2).run(seed=1)
    told = [scenarios.story(run, user).steps[0].time_s for user in ("u-0", "u-1")]
    assert (told, scenarios.audit(run).requested) == ([1.0, 1.5], 2)
    told = Registration(arrivals=eda.load.Trace(times_s=(1.0, 1.5)))
    assert Registration.from_dict(told.to_dict()) == told


@pytest.mark.long
@pytest.mark.parametrize("block", range(4))
def test_200_seeds_of_crashes_lose_nothing(block: int) -> None:
    mailed_twice = 0
    for seed in range(50 * block, 50 * block + 50):
        run = Registration(users_per_s=10.0, users=60, faults=crashes()).run(seed=seed)
        books = scenarios.audit(run)
        assert books.requested == 60
        assert books.accepted + books.rejected == 60
        assert (books.undecided, books.without_row, books.without_mail, books.shown_uncached) == (0, 0, 0, 0), seed
        assert books.rows == books.cached == books.mailed == books.accepted
        twice = {mail_id for mail_id, n in run.kept["provider"].mailboxes.items() if n > 1}
        assert twice <= sent_again(run), "a duplicate without a crash and without a lost answer"
        mailed_twice += len(twice)
    assert mailed_twice > 0, "at-least-once should have shown a duplicate in 50 runs"


def sent_again(run: Run) -> set[str]:
    """Mails that at-least-once allows to arrive twice: redelivered after a crash, or sent again without an answer."""
    return {
        fact.detail["mail_id"]
        for fact in run.fact_list
        if fact.kind in ("answer_lost", "answer_late") or (fact.kind == "mail_cached" and not fact.detail["new"])
    }


@pytest.mark.long
def test_an_idempotent_sender_mails_nobody_twice() -> None:
    for seed in range(50):
        run = Registration(users_per_s=10.0, users=60, faults=crashes(), sender="idempotent").run(seed=seed)
        books = scenarios.audit(run)
        assert (books.without_mail, books.mailed_twice) == (0, 0)


def test_acknowledging_first_loses_mails_under_crashes_and_the_books_say_how_many() -> None:
    lost = 0
    for seed in range(30):
        run = Registration(users_per_s=10.0, users=60, faults=crashes(), acknowledge="on_delivery").run(seed=seed)
        books = scenarios.audit(run)
        assert books.without_row == 0
        assert books.without_mail <= run.summary()["mail"].lost
        lost += books.without_mail
    assert lost > 0


def test_rejected_registrations_are_visible_with_their_reasons() -> None:
    run = Registration(users=300, spam_ratio=0.5).run(seed=3)
    rejections = run.kept["users"].table("rejections")
    assert 100 < len(rejections) < 200
    assert set(rejections["reasons"]) == {"disposable address", "link in the name", "name of digits"}
    assert (run.messages()["type"] == scenarios.registration.REJECTED).sum() == len(rejections)
    assert scenarios.audit(run).mailed == 300 - len(rejections)


def test_stores_on_disk_hold_what_the_run_did(tmp_path: Path) -> None:
    database, folder = tmp_path / "users.sqlite", tmp_path / "mails"
    run = Registration(users=20, spam_ratio=0.0, database=str(database), mail_folder=str(folder)).run(seed=1)
    run.kept["users"].close()
    with sqlite3.connect(database) as opened:
        assert opened.execute("select count(*), count(distinct user_id) from users").fetchone() == (20, 20)
        assert opened.execute("pragma integrity_check").fetchone() == ("ok",)
    opened.close()
    mails = sorted(folder.iterdir())
    assert len(mails) == 20
    assert all(mail.suffix == ".eml" and "Confirm your address" in mail.read_text() for mail in mails)


def test_stores_that_exist_are_not_touched(tmp_path: Path) -> None:
    database = tmp_path / "users.sqlite"
    database.write_text("precious")
    with pytest.raises(ConfigurationError, match="exists already"):
        Registration(database=str(database)).run(until_s=1.0)
    assert database.read_text() == "precious"
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "letter").write_text("precious")
    with pytest.raises(ConfigurationError, match="empty"):
        Registration(mail_folder=str(folder)).run(until_s=1.0)


def test_the_same_seed_gives_the_same_run_in_any_process() -> None:
    code = (
        "from edasim import scenarios; r = scenarios.Registration(users_per_s=20.0).run(seed=1, until_s=20.0); "
        "print(r.summary()); print(r.fingerprint())"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert told[0] == told[1]
    here = Registration(users_per_s=20.0).run(seed=1, until_s=20.0)
    assert told[0].split()[-1] == here.fingerprint()
    assert Registration(users_per_s=20.0).run(seed=2, until_s=20.0).fingerprint() != here.fingerprint()


def test_more_mail_nodes_leave_the_sign_ups_as_they_are() -> None:
    few, many = (Registration(mail_nodes=nodes, users=50).run(seed=5) for nodes in (1, 4))
    assert [event for event in few.events() if event.source == "user-management"] == [
        event for event in many.events() if event.source == "user-management"
    ]


def test_a_scenario_goes_to_a_dictionary_and_back() -> None:
    told = Registration(users=5, faults=crashes(), sender="idempotent")
    assert Registration.from_dict(told.to_dict()) == told
    assert "mail crashes every 2 s" in told.describe()
    with pytest.raises(ConfigurationError, match="SingleQueue"):
        Registration.from_dict(scenarios.SingleQueue().to_dict())
    with pytest.raises(UnknownNameError, match="kind"):
        Registration.from_dict({**told.to_dict(), "broker": {"kind": "brokers.Kafkaesque"}})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"users_per_s": -1.0}, "users_per_s"),
        ({"users_per_s": float("nan")}, "users_per_s"),
        ({"user_per_s": 1.0}, "user_per_s"),
        ({"users": 0}, "users"),
        ({"spam_ratio": 1.5}, "spam_ratio"),
        ({"mail_nodes": 0}, "mail_nodes"),
        ({"broker": "kafka"}, "broker"),
        ({"mail_link": 0.08}, "mail_link"),
        ({"sender": "careful"}, "sender"),
        ({"acknowledge": "sometimes"}, "acknowledge"),
        ({"analytics_time": 0.02}, "analytics_time"),
        ({"faults": ["crash"]}, "faults"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(fields: dict[str, object], field: str) -> None:
    with pytest.raises(EdasimError) as refused:
        Registration(**fields)
    assert field in str(refused.value)
    assert refused.value.remedy


def test_fields_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="users_per_s"):
        Registration(20.0)


def test_a_run_without_an_end_is_refused_before_it_begins() -> None:
    with pytest.raises(ConfigurationError, match="until_s"):
        Registration().run()


def test_an_unknown_node_is_refused_before_the_run() -> None:
    with pytest.raises(UnknownNameError, match="behaviour-analytics"):
        Registration(faults=[failures.Crash(node="behavior-analytics", at_s=1.0, down_s=1.0)]).run(until_s=5.0)


def test_a_broker_that_cannot_redeliver_is_refused_before_the_run() -> None:
    class Forgetful:
        def start(self, sim: object) -> object:
            return type("Running", (), {"name": "forgetful", "capabilities": frozenset(), "sim": sim})()

    with pytest.raises(CapabilityError, match="redelivery"):
        Registration(broker=Forgetful()).run(until_s=1.0)


def test_the_story_of_a_stranger_names_who_is_known() -> None:
    run = Registration(users=3).run(seed=1)
    with pytest.raises(UnknownNameError, match="u-2"):
        scenarios.story(run, "u-22")
    assert len(scenarios.story(run, "u-1").table()) == len(scenarios.story(run, "u-1").steps)
