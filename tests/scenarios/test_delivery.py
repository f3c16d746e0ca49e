"""A consumer that crashes: stories of one crash, the exact means, every crash point, and the relay."""

import math
from collections import Counter

import pytest

from edasim import failures
from edasim.errors import ConfigurationError, EdasimError, StateError
from edasim.failures import check, crash_points
from edasim.scenarios import delivery
from edasim.scenarios.delivery import Dedup, Delivery, Ledger, Place, Relay, books, relay_books
from edasim.theory import mean_interval

CRASH = failures.Crash(node="consumer", at_s=0.435, down_s=0.05)
SMALL = Delivery(messages=60, batch=20, crash_every=None, faults=[CRASH])


def test_a_crash_after_a_batch_was_committed_repeats_what_was_booked_since():
    """Messages of 10 ms from 0.1 s on: at 0.435 s number 33 is in work; 0 to 19 are committed, 20 to 32 are booked."""
    kept = books(SMALL.run())
    (dip,) = kept.dips
    assert (kept.lost, kept.repeated, kept.crashes) == (0, 13, 1)
    assert (dip.fell_at, dip.went_on_at, dip.repeated, dip.lost) == (33, 20, 13, 0)
    assert (dip.at_s, dip.back_s) == pytest.approx((0.435, 0.485))
    assert kept.ended_s == pytest.approx(0.1 + 0.6 + 0.005 + 0.05 + 0.13)
    assert str(kept) == "60 messages, 1 crash: 0 lost, 13 done once more"


def test_the_same_crash_loses_what_was_acknowledged_and_not_booked():
    kept = books(SMALL.but(acknowledge="before").run())
    (dip,) = kept.dips
    assert (kept.lost, kept.repeated) == (7, 0)
    assert (dip.fell_at, dip.went_on_at, dip.lost) == (33, 40, 7)


@pytest.mark.parametrize("dedup", Dedup)
def test_without_a_crash_each_message_counts_once(dedup):
    kept = books(Delivery(messages=45, batch=20, dedup=dedup, crash_every=None).run())
    assert (kept.lost, kept.repeated, kept.crashes) == (0, 0, 0)
    assert [message for message, _ in kept.effects] == list(range(45))


def test_a_memory_catches_what_a_producer_sent_twice_and_nothing_of_its_own_crash():
    def repeated(**fields):
        return books(Delivery(messages=300, **fields).run(seed=2)).repeated

    assert repeated(crash_every=None, sent_twice_ratio=0.2) > 30
    assert repeated(crash_every=None, sent_twice_ratio=0.2, dedup="memory") == 0
    assert repeated(crash_every=50, dedup="memory") == repeated(crash_every=50) > 20


@pytest.mark.parametrize(
    ("fields", "lost", "repeated", "crashes"),
    [
        ({}, 0.0, 101.488, 11.070),
        ({"batch": 1}, 0.0, 0.0, 10.050),
        ({"batch": 100}, 0.0, 709.705, 17.183),
        ({"acknowledge": "before"}, 98.178, 0.0, 9.063),
        ({"dedup": "disk, effect first"}, 0.0, 2.002, 12.072),
        ({"dedup": "disk, note first"}, 1.998, 0.0, 12.048),
        ({"dedup": "same transaction"}, 0.0, 0.0, 12.072),
        ({"dedup": "effect with a key"}, 0.0, 0.0, 11.070),
        ({"crash_every": None}, 0.0, 0.0, 0.0),
    ],
)
def test_the_exact_means(fields, lost, repeated, crashes):
    """Computed independently, by following the probability of each state of a batch from attempt to attempt."""
    found = Delivery(**fields).expected()
    assert (found.lost, found.repeated, found.crashes) == pytest.approx((lost, repeated, crashes), abs=0.0006)


def test_the_means_of_a_batch_are_those_of_its_chain_of_states():
    """The expected completed attempts from each state of a batch, solved backwards as linear equations."""
    q, batch = math.exp(-0.02), 7
    # x[j] completed attempts still to come with j done: x[j] = q (1 + x[j+1]) + (1 - q) x[0], x[batch] = 0
    slope, intercept = [0.0], [0.0]  # x[j] = intercept + slope * x[0], from j = batch down to 0
    for _ in range(batch):
        slope.append(q * slope[-1] + (1 - q))
        intercept.append(q * (1 + intercept[-1]))
    completed = intercept[-1] / (1 - slope[-1])
    found = Delivery(messages=batch, batch=batch, crash_every=50).expected()
    assert found.repeated == pytest.approx(completed - batch)


@pytest.mark.long
@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({}, "repeated"),
        ({"acknowledge": "before"}, "lost"),
        ({"dedup": "disk, effect first", "crash_every": 10}, "repeated"),
        ({"dedup": "disk, note first", "crash_every": 10}, "lost"),
        ({"batch": 30, "crash_every": 40}, "repeated"),
    ],
)
def test_runs_have_the_exact_means(fields, what):
    """99.9 % intervals of 40 runs, five fixed comparisons each of an effect and of crashes: false alarm 1 in 100."""
    case = Delivery(**{"messages": 120, "crash_every": 50, **fields})
    found = [books(case.run(seed=seed)) for seed in range(40)]
    mean = case.expected()
    assert getattr(mean, what) in mean_interval([getattr(each, what) for each in found], level=0.999)
    assert mean.crashes in mean_interval([each.crashes for each in found], level=0.999)
    other = {"lost": "repeated", "repeated": "lost"}[what]
    assert getattr(mean, other) == max(getattr(each, other) for each in found) == 0


@pytest.mark.parametrize("dedup", [Dedup.TRANSACTION, Dedup.KEY])
def test_the_repairs_hold_at_every_crash_point_and_in_every_run(dedup):
    points = crash_points(Delivery(messages=3, batch=3, crash_every=None, dedup=dedup), nodes=["consumer"])
    assert points.counts() == {"survived": 15 if dedup.on_disk else 12}
    for seed in range(5):
        kept = books(Delivery(messages=100, dedup=dedup, crash_every=10).run(seed=seed))
        assert kept.crashes > 0
        assert (kept.lost, kept.repeated) == (0, 0)


def test_each_way_of_two_writes_goes_wrong_between_them_and_a_memory_after_any_crash():
    two = Delivery(messages=2, batch=2, crash_every=None)
    points = crash_points({dedup.value: two.but(dedup=dedup) for dedup in Dedup}, nodes=["consumer"])
    by_row = {row: [points.cell(row, dedup.value) for dedup in Dedup] for row in points.rows}
    told = {row: [cell and cell.outcome.value for cell in cells] for row, cells in by_row.items()}
    kept, again, lost = "survived", "duplicated", "lost"
    assert told["consumer/0 after it has written booked"] == [again, again, again, kept, kept, kept]
    assert told["consumer/0 after it has written note"] == [None, None, kept, lost, kept, None]
    assert told["consumer/0 after it has received order.placed, number 2"] == [again, again, kept, kept, kept, kept]
    assert [points.count("duplicated", dedup.value) for dedup in Dedup] == [6, 6, 2, 0, 0, 0]
    assert [points.count("lost", dedup.value) for dedup in Dedup] == [0, 0, 0, 2, 0, 0]


@pytest.mark.parametrize("dedup", Dedup)
def test_what_is_told_is_what_the_ledger_holds(dedup):
    run = Delivery(messages=60, batch=5, dedup=dedup, crash_every=8).run(seed=2)
    told = [(fact.detail["message"], fact.time_s) for fact in run.fact_list if fact.kind == "booked"]
    assert told == run.kept["ledger"].effects()


def test_the_oracle_counts_what_the_books_count():
    run = Delivery(messages=200, batch=10, crash_every=20).run(seed=3)
    found, kept = check(run), books(run)
    assert found.count("lost") == kept.lost == 0
    assert found.count("duplicated") == len({message for message, times in repeated(run).items() if times > 1}) > 0
    assert Delivery(sent_twice_ratio=0.1).promises == ()


def repeated(run):
    return Counter(message for message, _ in run.kept["ledger"].effects())


def test_a_transaction_that_is_not_ended_leaves_nothing():
    ledger = Ledger()

    def dies():
        with ledger.transaction():
            ledger.note(1)
            ledger.effect(1, 0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dies()
    assert ledger.effects() == []
    assert not ledger.is_noted(1)


@pytest.mark.rule("KAF-29", "KAF-30")
def test_a_transactional_relay_writes_each_receipt_once_and_mails_twice():
    relay = Relay(messages=200, crash_every=40)
    with_it, without = (relay_books(relay.but(transactional=each).run(seed=3)) for each in (True, False))
    assert with_it.crashes == without.crashes > 1
    assert (with_it.without_receipt, with_it.without_mail, with_it.committed_again) == (0, 0, 0)
    assert with_it.seen_again == with_it.mailed_again == without.mailed_again > 0
    assert without.committed_again == without.mailed_again
    assert "mailed again" in str(with_it)


def test_scenarios_go_to_a_dictionary_and_back_and_the_same_seed_gives_the_same_run():
    for told in (SMALL, Delivery(dedup="memory", acknowledge=Place.BEFORE), Relay(transactional=False)):
        assert type(told).from_dict(told.to_dict()) == told
    assert Delivery(messages=50).run(seed=4).fingerprint() == Delivery(messages=50).run(seed=4).fingerprint()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"batch": 0}, "batch"),
        ({"acknowledge": "sometimes"}, "acknowledge"),
        ({"dedup": "redis"}, "dedup"),
        ({"crash_every": 0.0}, "crash_every"),
        ({"sent_twice_ratio": 2.0}, "sent_twice_ratio"),
    ],
)
def test_a_wrong_field_is_named(fields, field):
    with pytest.raises(EdasimError, match=field):
        Delivery(**fields)


def test_what_has_no_exact_mean_or_no_books_says_so():
    with pytest.raises(ConfigurationError, match="leave out faults"):
        SMALL.expected()
    with pytest.raises(ConfigurationError, match="not of Delivery"):
        books(Relay(messages=1, crash_every=None).run())
    with pytest.raises(ConfigurationError, match="not of Relay"):
        relay_books(Delivery(messages=1, crash_every=None).run())
    with pytest.raises(StateError, match="books"):
        books(Delivery(messages=10).run(log="metrics"))
    assert delivery.timing(Dedup.NONE, 0.01, 0.0).gap_s == 0.0
