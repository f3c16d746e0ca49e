"""The registration case on JetStream with other settings than its defaults, under random crashes.

All brokers with their defaults, and what core NATS loses: `tests/scenarios/test_registration_on_brokers.py`.
"""

import pytest

from edasim import JetStream, Nats, failures, scenarios
from edasim.kernel import Run
from edasim.scenarios import Registration

SERVICES = ("user-management", "behaviour-analytics", "mail")


def crashes(until_s: float = 12.0) -> tuple[failures.Fault, ...]:
    return tuple(failures.RandomCrashes(node=name, mtbf_s=2.0, mttr_s=0.4, until_s=until_s) for name in SERVICES)


def sent_again(run: Run) -> set[str]:
    """Mails that at-least-once allows to arrive twice: redelivered after a crash, or sent again without an answer."""
    return {
        fact.detail["mail_id"]
        for fact in run.fact_list
        if fact.kind in ("answer_lost", "answer_late") or (fact.kind == "mail_cached" and not fact.detail["new"])
    }


@pytest.mark.long
@pytest.mark.rule("NAT-11")
@pytest.mark.parametrize("settings", [{"batch": 5}, {"ack_wait_s": 8.0, "max_ack_pending": 10}], ids=str)
def test_jetstream_loses_nothing_in_30_seeds_of_crashes(settings: dict[str, object]) -> None:
    mailed_twice = 0
    for seed in range(30):
        scenario = Registration(users_per_s=10.0, users=60, faults=crashes(), broker=JetStream(**settings))
        run = scenario.run(seed=seed)
        books = scenarios.audit(run)
        assert books.requested == books.accepted + books.rejected == 60
        assert (books.undecided, books.without_row, books.without_mail, books.shown_uncached) == (0, 0, 0, 0), seed
        assert books.rows == books.cached == books.mailed == books.accepted
        twice = {mail_id for mail_id, n in run.kept["provider"].mailboxes.items() if n > 1}
        assert twice <= sent_again(run)
        mailed_twice += len(twice)
    assert mailed_twice > 0


def test_an_ack_wait_shorter_than_the_work_mails_twice_without_a_crash() -> None:
    """The mail service waits for answers for up to five seconds; a broker with less patience has others do it again."""
    twice = {}
    for ack_wait_s in (0.05, 30.0):
        run = Registration(users_per_s=10.0, users=60, broker=JetStream(ack_wait_s=ack_wait_s)).run(seed=1)
        twice[ack_wait_s] = sum(fact.kind == "mail_cached" and not fact.detail["new"] for fact in run.fact_list)
    assert twice[0.05] > 10
    assert twice[30.0] == 0


def test_the_scenario_goes_to_a_dictionary_and_back() -> None:
    for broker in (JetStream(backoff_s=[1.0, 2.0], max_deliver=5), Nats(slow_consumer="cut_off")):
        told = Registration(users=5, broker=broker)
        assert Registration.from_dict(told.to_dict()) == told
