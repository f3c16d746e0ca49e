"""Links: what is lost, doubled, held back and overtaken; each disturbance leaves the others alone.

Statistical tests use fixed seeds; each has a false-alarm rate of 1e-5.
"""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats

from edasim.errors import ConfigurationError, EdasimError
from edasim.kernel import times
from edasim.network import Link, Order, Partition

FALSE_ALARM = 1e-5
LATENCY = times.Exponential(mean_s=0.05)
HALF_SECOND = times.Constant(value_s=0.5)
EVERY_RATIO = {"loss_ratio": 0.1, "duplicate_ratio": 0.05, "held_ratio": 0.2, "held_for": HALF_SECOND}
SENT_S = [k / 100 for k in range(5_000)]


def delays(link, sent_s=SENT_S, seed=1):
    transfer = link.transfers(np.random.default_rng(seed))
    return [transfer(at_s) for at_s in sent_s]


def arrivals(link, sent_s=SENT_S, seed=1):
    sent = delays(link, sent_s, seed)
    return [[at_s + delay_s for delay_s in copies] for at_s, copies in zip(sent_s, sent, strict=True)]


def within_chance(successes, trials, ratio):
    """Whether a count is inside the central binomial interval at the file's false-alarm rate."""
    return stats.binomtest(successes, trials, ratio).pvalue > FALSE_ALARM


class TestDecide:
    LINK = Link(latency=LATENCY, **EVERY_RATIO, partitions=[Partition(from_s=10.0, until_s=20.0)])

    def decide(self, sent_s=1.0, loss=0.9, duplicate=0.9, held=0.9):
        return self.LINK.decide(
            sent_s, loss=loss, duplicate=duplicate, held=held, latency_s=0.1, copy_latency_s=0.3, held_for_s=0.5
        )

    def test_an_ordinary_message_takes_its_latency(self):
        assert self.decide() == (0.1,)

    def test_a_draw_below_the_ratio_is_a_loss_and_one_at_the_ratio_is_not(self):
        assert self.decide(loss=0.0999) == ()
        assert self.decide(loss=0.1) == (0.1,)

    def test_a_doubled_message_arrives_twice_each_copy_in_its_own_time(self):
        assert self.decide(duplicate=0.0) == (0.1, 0.3)

    def test_a_message_held_back_takes_longer_and_its_copy_does_not(self):
        assert self.decide(held=0.0) == (0.6,)
        assert self.decide(held=0.0, duplicate=0.0) == (0.6, 0.3)

    def test_loss_comes_before_everything_else(self):
        assert self.decide(loss=0.0, duplicate=0.0, held=0.0) == ()

    @pytest.mark.parametrize(("sent_s", "lost"), [(9.999, False), (10.0, True), (19.999, True), (20.0, False)])
    def test_a_partition_cuts_from_its_start_up_to_not_including_its_end(self, sent_s, lost):
        assert self.decide(sent_s=sent_s) == (() if lost else (0.1,))


def test_the_default_link_takes_no_time_and_loses_nothing():
    assert set(delays(Link())) == {(0.0,)}
    assert Link().mean_latency_s == 0.0


def test_latencies_are_those_of_the_distribution():
    drawn = [delay_s for (delay_s,) in delays(Link(latency=LATENCY))]
    assert all(type(delay_s) is float for delay_s in drawn)
    assert stats.kstest(drawn, stats.expon(scale=0.05).cdf).pvalue > FALSE_ALARM


def test_shares_of_lost_doubled_and_held_messages_are_those_asked_for():
    sent = delays(Link(latency=times.Constant(value_s=0.1), **EVERY_RATIO))
    arrived = [copies for copies in sent if copies]
    assert within_chance(len(sent) - len(arrived), len(sent), 0.1)
    assert within_chance(sum(len(copies) == 2 for copies in arrived), len(arrived), 0.05)
    assert within_chance(sum(copies[0] == 0.6 for copies in arrived), len(arrived), 0.2)


def test_mean_latency_counts_what_is_held_back():
    link = Link(latency=LATENCY, held_ratio=0.2, held_for=HALF_SECOND)
    assert link.mean_latency_s == pytest.approx(0.15)
    drawn = np.array([copies[0] for copies in delays(link)])
    half_width = stats.norm.isf(FALSE_ALARM / 2) * drawn.std(ddof=1) / math.sqrt(len(drawn))
    assert abs(drawn.mean() - 0.15) <= half_width < 0.1 * 0.15


def test_certain_loss_and_certain_doubling():
    assert set(delays(Link(loss_ratio=1.0))) == {()}
    assert set(delays(Link(duplicate_ratio=1.0))) == {(0.0, 0.0)}


def test_everything_sent_during_a_partition_is_lost_and_nothing_else():
    cuts = [Partition(from_s=1.0, until_s=2.0), Partition(from_s=30.0, until_s=30.5)]
    sent = delays(Link(latency=LATENCY, partitions=cuts))
    lost = [at_s for at_s, copies in zip(SENT_S, sent, strict=True) if not copies]
    assert lost == [at_s for at_s in SENT_S if 1.0 <= at_s < 2.0 or 30.0 <= at_s < 30.5]


@pytest.mark.parametrize(
    "disturbance",
    [
        {"loss_ratio": 0.3},
        {"duplicate_ratio": 0.3},
        {"held_ratio": 0.3, "held_for": times.Exponential(mean_s=1.0)},
        {"partitions": [Partition(from_s=1.0, until_s=2.0)]},
    ],
    ids=lambda disturbance: next(iter(disturbance)),
)
def test_a_disturbance_leaves_every_other_message_as_it_was(disturbance):
    """Common random numbers, message by message."""
    calm, disturbed = delays(Link(latency=LATENCY)), delays(Link(latency=LATENCY, **disturbance))
    same = sum(after[:1] == before for before, after in zip(calm, disturbed, strict=True))
    assert same >= 0.6 * len(calm)
    for before, after in zip(calm, disturbed, strict=True):
        assert not after or after[0] >= before[0]


def test_what_is_lost_does_not_depend_on_what_is_doubled():
    some_lost = [not copies for copies in delays(Link(latency=LATENCY, loss_ratio=0.1))]
    assert [not copies for copies in delays(Link(latency=LATENCY, **EVERY_RATIO))] == some_lost


def test_the_same_generator_gives_the_same_delays():
    link = Link(latency=LATENCY, **EVERY_RATIO, order="kept")
    assert delays(link) == delays(link)
    assert delays(link) != delays(link, seed=2)


class TestOrder:
    def test_messages_overtake_each_other_when_order_is_free(self):
        first_copies = [copies[0] for copies in arrivals(Link(latency=LATENCY))]
        assert first_copies != sorted(first_copies)

    def test_a_message_waits_for_those_before_it_when_order_is_kept(self):
        latencies = times.Trace(values_s=[1.0, 0.25, 0.5, 0.25])
        link = Link(latency=latencies, order=Order.KEPT)
        assert arrivals(link, [0.0, 0.25, 0.5, 2.0]) == [[1.0], [1.0], [1.0], [2.25]]

    def test_nothing_overtakes_a_copy_either(self):
        latencies = times.Trace(
            values_s=[1.0, 0.25], at_end="repeat"
        )  # the first copy's draws; the second's are the same
        link = Link(latency=latencies, duplicate_ratio=1.0, held_ratio=1.0, held_for=HALF_SECOND, order="kept")
        assert arrivals(link, [0.0, 0.25, 3.0]) == [[1.5, 1.0], [1.5, 1.5], [4.5, 4.0]]

    def test_waiting_for_order_survives_the_rounding_of_a_subtraction(self):
        """3.43 - 0.76 is 2.67 in floats, and 0.76 + 2.67 is below 3.43."""
        link = Link(latency=times.Trace(values_s=[3.43, 1.0]), order="kept")
        assert 0.76 + (3.43 - 0.76) < 3.43
        assert arrivals(link, [0.0, 0.76]) == [[3.43], [math.nextafter(3.43, 4.0)]]

    def test_a_lost_message_holds_nobody_up(self):
        link = Link(
            latency=times.Trace(values_s=[5.0, 0.25]), partitions=[Partition(from_s=0.0, until_s=0.1)], order="kept"
        )
        assert arrivals(link, [0.0, 0.25]) == [[], [0.5]]

    @given(some.lists(some.floats(0.0, 1e6), min_size=1, max_size=30), some.integers(0, 1_000))
    def test_kept_order_holds_in_floats_to_the_last_bit(self, sent_s, seed):
        link = Link(latency=times.LogNormal(mean_s=1.0, scv=10.0), **EVERY_RATIO, order="kept")
        latest_s = 0.0
        for copies in arrivals(link, sorted(sent_s), seed):
            assert all(arrival_s >= latest_s for arrival_s in copies)
            latest_s = max([latest_s, *copies])

    @given(some.lists(some.floats(0.0, 1e6), min_size=1, max_size=30), some.integers(0, 1_000))
    def test_keeping_order_never_makes_a_message_earlier(self, sent_s, seed):
        sent_s.sort()
        free = delays(Link(latency=LATENCY, **EVERY_RATIO), sent_s, seed)
        kept = delays(Link(latency=LATENCY, **EVERY_RATIO, order="kept"), sent_s, seed)
        for before, after in zip(free, kept, strict=True):
            assert len(before) == len(after)
            assert all(early <= late for early, late in zip(before, after, strict=True))


def test_a_link_is_equal_by_value_hashable_and_can_be_sent_away():
    link = Link(latency=LATENCY, **EVERY_RATIO, partitions=[Partition(from_s=1.0, until_s=2.0)])
    copy = pickle.loads(pickle.dumps(link))
    assert copy == link
    assert hash(copy) == hash(link)
    assert copy.partitions == (Partition(from_s=1.0, until_s=2.0),)


def test_a_link_says_what_it_does():
    link = Link(latency=LATENCY, **EVERY_RATIO, order="kept", partitions=[Partition(from_s=1.0, until_s=2.0)])
    assert link.describe() == (
        "latency: exponential with mean 0.05 s; 10.00% lost; 5.00% duplicated; 20.00% held back (always 0.5 s);"
        " cut from 1 s to 2 s; order kept"
    )
    assert Link().describe() == "latency: always 0 s"


@pytest.mark.parametrize(
    ("make", "given_fields", "message"),
    [
        (Link, {"latency": 0.05}, r"Link\.latency is 0.05; give a distribution of eda.times"),
        (Link, {"loss_ratio": 1.5}, r"Link\.loss_ratio is 1.5; give a share between 0 and 1"),
        (Link, {"duplicate_ratio": -0.1}, r"Link\.duplicate_ratio is -0.1"),
        (Link, {"held_ratio": math.nan}, r"Link\.held_ratio is nan"),
        (Link, {"held_ratio": 0.1}, r"Link\.held_for is .*give a time above 0 to hold messages back for"),
        (Link, {"order": "fifo"}, r"Link\.order is 'fifo'; give one of 'free', 'kept'"),
        (Link, {"partitions": Partition(from_s=1.0, until_s=2.0)}, r"Link\.partitions is Partition.*give a list"),
        (Link, {"partitions": [(1.0, 2.0)]}, r"Link\.partitions is \[\(1.0, 2.0\)\]"),
        (Link, {"los_ratio": 0.1}, r"no field of Link 'los_ratio'; did you mean 'loss_ratio'"),
        (Partition, {"from_s": 2.0, "until_s": 2.0}, r"Partition\.until_s is 2.0; give more than from_s, 2"),
        (Partition, {"from_s": -1.0, "until_s": 2.0}, r"Partition\.from_s is -1.0"),
    ],
)
def test_wrong_fields_are_refused_with_a_remedy(make, given_fields, message):
    with pytest.raises(EdasimError, match=message) as caught:
        make(**given_fields)
    assert isinstance(caught.value, ConfigurationError) or "no field" in message
