"""The parts without a simulation: overlap of patterns, and the ledger of a consumer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.nats import ConsumerSettings, subject_matches
from edasim.brokers.nats.ledger import Ledger
from edasim.brokers.nats.overlap import first_overlap, holds, overlap

TOKENS = st.sampled_from(["a", "b"])
SUBJECTS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.builds(
    lambda front, end: ".".join(front + end),
    st.lists(st.sampled_from(["a", "b", "*"]), min_size=0, max_size=3),
    st.sampled_from([["a"], ["*"], [">"]]),
)
ALL_SUBJECTS = [
    ".".join(f"{number:0{size}b}".translate({48: "a", 49: "b"})) for size in range(1, 6) for number in range(2**size)
]


@given(one=PATTERNS, other=PATTERNS)
def test_patterns_overlap_if_some_subject_matches_both(one, other):
    both = any(subject_matches(one, subject) and subject_matches(other, subject) for subject in ALL_SUBJECTS)
    assert overlap(one, other) == overlap(other, one) == both
    assert (first_overlap([one], [other]) == (one, other)) == both


@given(outer=PATTERNS, inner=PATTERNS)
def test_a_pattern_holds_another_if_it_matches_all_that_the_other_does(outer, inner):
    expected = all(subject_matches(outer, subject) for subject in ALL_SUBJECTS if subject_matches(inner, subject))
    assert holds(outer, inner) == (expected or outer == inner)


def ledger(**settings):
    return Ledger(ConsumerSettings(**settings))


@pytest.mark.rule("NAT-11")
def test_whose_wait_is_over_is_told_in_order_of_the_stream():
    mine = ledger(ack_wait_s=1.0)
    for sequence, at_s in ((3, 0.0), (1, 0.0), (2, 0.5)):
        mine.delivered(sequence, at_s)
    assert mine.next_deadline_s() == 1.0
    assert mine.expire(1.0) == ([1, 3], [])
    assert mine.next_deadline_s() == 1.5
    assert [mine.delivered_again(1.0)[0] for _ in range(2)] == [1, 3]
    assert mine.next_deadline_s() == 1.5
    assert mine.acknowledge(2) == [2]
    assert mine.acknowledge(2) == []
    assert mine.next_deadline_s() == 2.0


@pytest.mark.rule("NAT-13", "NAT-14")
def test_a_delay_counts_from_the_refusal_and_a_back_off_goes_on():
    """The server sets the clock back by the first wait, so a later back-off adds to the delay."""
    mine = ledger(backoff_s=[1.0, 5.0])
    mine.delivered(1, 0.0)
    assert mine.refuse(1, 0.5, 3.0)
    assert mine.next_deadline_s() == 3.5
    mine.expire(3.5)
    mine.delivered_again(3.5)
    assert mine.next_deadline_s() == 8.5
    assert mine.refuse(1, 4.0, 2.0)
    assert mine.next_deadline_s() == 10.0
    assert mine.refuse(9, 0.0, 0.0)


@pytest.mark.rule("NAT-17")
def test_acknowledging_all_settles_up_to_the_sequence():
    mine = ledger(ack_policy="all", max_ack_pending=3)
    for sequence in (1, 2, 4):
        mine.delivered(sequence, 0.0)
    assert mine.full
    assert mine.acknowledge(3) == [1, 2]
    assert not mine.full
    assert list(mine.pending) == [4]


def test_what_is_not_pending_cannot_be_extended_or_let_go():
    mine = ledger()
    mine.extend(1, 0.0)
    mine.let_go(1)
    assert mine.next_deadline_s() is None
