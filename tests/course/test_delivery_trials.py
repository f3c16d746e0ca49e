"""Chapter 06's trials: what they say to typical answers, and that the right ones pass in other words too."""

import contextlib

import pytest

import edasim as eda
from edasim.course.chapters import ch06
from edasim.course.delivery_trials import producer_trial, records_kept, tries_stored, window_trial
from edasim.scenarios.delivery import Delivery


def noted_first(message, store):
    if not store.is_noted(message):
        store.note(message)
        store.effect(message)


def effect_first(message, store):
    if not store.is_noted(message):
        store.effect(message)
        store.note(message)


def effect_first_in_one_transaction(message, store):
    if not store.is_noted(message):
        with store.transaction():
            store.effect(message)
            store.note(message)


def note_after_the_transaction(message, store):
    if not store.is_noted(message):
        with store.transaction():
            store.effect(message)
        store.note(message)


def deaf_to_the_power_cut(message, store):
    if not store.is_noted(message):
        with contextlib.suppress(BaseException):
            store.effect(message)
        store.note(message)


def without_a_look(message, store):
    with store.transaction():
        store.effect(message)
        store.note(message)


def from_memory(known=frozenset()):
    known = set(known)

    def handle(message, store):
        if message not in known:
            store.effect(message)
            known.add(message)

    return handle


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (noted_first, "the note says “done”"),
        (effect_first, "after the cut nobody knows"),
        (from_memory(), "Idempotent means ignoring duplicates in memory"),
        (note_after_the_transaction, "after the cut nobody knows"),
        (deaf_to_the_power_cut, "after the cut nobody knows"),
        (without_a_look, "It does not ask is_noted"),
        (from_memory(range(10_000)), "still knows those of an earlier try"),
        (lambda message, store: store.effect(message), "It notes nothing"),
        (lambda message, store: store.note(message), "It never calls effect"),
    ],
)
def test_each_careless_consumer_is_told_why(handle, said):
    verdict = ch06.CONSUMER.judge(handle)
    assert not verdict.passed
    assert said in verdict.mistake


def test_the_order_inside_a_transaction_does_not_matter():
    assert ch06.CONSUMER.judge(effect_first_in_one_transaction).passed


@pytest.mark.rule("NAT-07")
def test_the_window_begins_with_the_first_storing():
    assert [tries_stored([30.0, 60.0, 120.0], window_s) for window_s in (60.0, 120.0, 210.0, 211.0)] == [3, 2, 2, 1]


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (sum, "exactly as the window closes"),
        (lambda waits_s: 120.0, "default two minutes"),
        (max, "so the waits add up"),
        (lambda waits_s: 1.0, "When is that, seen from the first?"),
        (lambda waits_s: 7 * 86_400.0, "not by fear"),
        (lambda waits_s: None, "without `return` it is None"),
    ],
)
def test_each_window_that_is_wrong_is_told_why(window, said):
    assert said in window_trial(window, 5).mistake


@pytest.mark.rule("KAF-26", "KAF-28")
@pytest.mark.parametrize(
    ("settings", "unanswered", "unreplicated"),
    [({}, 1, 1), ({"idempotence": False}, 2, 1), ({"acks": "1"}, 1, 0), ({"min_in_sync": 2}, 1, 1)],
)
def test_what_becomes_of_a_record_whose_leader_dies(settings, unanswered, unreplicated):
    kafka = eda.Kafka(**settings)
    assert records_kept(kafka, 1.5, cut_off=True, dies_after_s=4.0) == unanswered
    assert records_kept(kafka, 1.5, cut_off=False, dies_after_s=0.1) == unreplicated
    assert producer_trial(kafka, 1).passed is (unanswered == unreplicated == 1)


def test_the_numbers_of_the_chapter():
    assert pytest.approx(95.0) == ch06.BY_HAND
    assert pytest.approx(101.488, abs=0.001) == ch06.EXACT
    assert pytest.approx(709.705, abs=0.001) == ch06.LARGE_EXACT
    assert ch06.DUPLICATES.answers.judge(round(ch06.EXACT)).passed
    assert Delivery(batch=1).expected().repeated == 0.0
