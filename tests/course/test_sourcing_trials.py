"""What chapter 08 says to typical answers: each mistake is named, and the right answer passes in other words too."""

import time

import pytest

from edasim.course import chapters
from edasim.course.chapters import ch08
from edasim.course.sourcing_trials import audit_trial, projection_trial, tampered_trial, upcaster_trial

SEED = 5
SUMS = "select actor, sum(json_extract(data, '$.eur')) as e from events where reason = 'goodwill' group by actor"


def per_day(of=lambda event: event.type == "money.paid_out", day=lambda event: event.time[:10]):
    def apply(state, event):
        return {**state, day(event): state.get(day(event), 0) + event.data["eur"]} if of(event) else state

    return apply


@pytest.mark.parametrize(
    ("answer", "idea"),
    [
        (per_day(of=lambda event: event.type == "withdrawal.asked"), "A wish is no payment"),
        (per_day(day=lambda event: "2026-01-01"), "take the day from the event's own time"),
        (per_day(day=lambda event: str(time.perf_counter_ns())), "It asks a clock"),
        (per_day(of=lambda event: True), "let every other event pass"),
        (per_day(of=lambda event: event.type == "money.paid_in"), "Take each payment once"),
        (lambda state, event: 7, "return a dictionary"),
    ],
)
def test_each_projection_that_is_wrong_is_told_why(answer, idea):
    verdict = projection_trial(answer, SEED)
    assert not verdict.passed
    assert idea in f"{verdict.message} {verdict.mistake}"


def test_a_projection_may_change_the_state_it_was_given():
    def apply(state, event):
        if event.type == "money.paid_out":
            day = event.time.split("T")[0]
            state[day] = state.get(day, 0) + event.data["eur"]
        return state

    assert projection_trial(apply, SEED).passed


@pytest.mark.parametrize(
    ("lift", "idea"),
    [
        (lambda data: {"cents": 100 * data["eur"], "currency": "EUR"}, "keep them"),
        (lambda data: {**data, "cents": 100 * data["eur"], "currency": "EUR"}, "The old field is still there"),
        (lambda data: {"cents": data.pop("eur"), **data, "currency": "EUR"}, "a euro has 100 cents"),
        (lambda data: {"cents": 100.0 * data.pop("eur"), **data, "currency": "EUR"}, "counted, not measured"),
        (lambda data: {"cents": 100 * data.pop("eur"), **data}, "the fields cents and currency"),
        (lambda data: None, "keep them"),
    ],
)
def test_each_upcaster_that_is_wrong_is_told_why(lift, idea):
    verdict = upcaster_trial(lift, SEED)
    assert not verdict.passed
    assert idea in verdict.mistake


@pytest.mark.parametrize(
    ("sql", "idea"),
    [
        ("select actor, count(*) from events where reason = 'goodwill' group by actor order by 2 desc", "instead of"),
        (f"{SUMS} order by e", "Order by the sum"),
        ("select actor from events", "One row for each actor"),
        (7, "give the SQL as a text"),
        ("select nobody from events", "The view `events` has"),
        ("drop table batches", "changes nothing"),
    ],
)  # fmt: skip
def test_each_audit_that_is_wrong_is_told_why(sql, idea):
    verdict = audit_trial(sql, SEED)
    assert not verdict.passed
    assert idea in f"{verdict.message} {verdict.mistake}"


@pytest.mark.parametrize(
    ("find", "idea"),
    [
        (lambda store: max(store.read(), key=lambda each: each.event.data["eur"]).position, "odd is no proof"),
        (lambda store: 0 if store.verify() is None else store.verify().first_position, "gives None"),
        (lambda store: None, "The hashes tell"),
    ],
)
def test_each_search_that_is_wrong_is_told_why(find, idea):
    verdict = tampered_trial(find, SEED)
    assert not verdict.passed
    assert idea in verdict.mistake


@pytest.mark.parametrize(
    ("trial", "exercise"),
    [(projection_trial, ch08.PROJECTION), (upcaster_trial, ch08.UPCASTER), (tampered_trial, ch08.TAMPERED)],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_solution_holds_for_any_week(trial, exercise, seed):
    assert trial(exercise.solution.answer(), seed).passed


def test_the_numbers_of_the_chapter():
    assert pytest.approx(499.5) == ch08.FOLDED
    assert pytest.approx(75.0) == ch08.STALE_PERCENT
    assert len(chapters.chapter("08").predictions) == 3
