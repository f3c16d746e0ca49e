"""Chapter 12's trials: what they say to typical answers, and that the chapter's numbers are what is measured."""

import dataclasses

import pytest

from edasim import experiments, failures
from edasim.course.chapters import ch12
from edasim.course.resilience_trials import BUGS, hunted, planned_shop, repaired_bugs, reserved, unnamed_bugs
from edasim.course.resilience_words import Named
from edasim.failures import crash_points
from edasim.scenarios import zoo
from edasim.scenarios.order_shop import parcel_ratio
from edasim.scenarios.registration import Care, clockwork

ONE_MAIL = failures.exactly_once(to="mail", type="mail.welcome.requested", effect="mail_arrived", by="user_id")


def inbox(order_id, shelf, publish):
    if not shelf.is_noted(order_id):
        with shelf.transaction():
            shelf.reserve(order_id)
            shelf.note(order_id)
        publish(reserved(order_id))


def publishing_first(order_id, shelf, publish):
    if not shelf.is_noted(order_id):
        publish(reserved(order_id))
        with shelf.transaction():
            shelf.reserve(order_id)
            shelf.note(order_id)


def three_writes(order_id, shelf, _publish):
    if not shelf.is_noted(order_id):
        shelf.reserve(order_id)
        shelf.outbox(reserved(order_id))
        shelf.note(order_id)


def from_memory(known):
    def handle(order_id, shelf, _publish):
        if order_id not in known:
            known.add(order_id)
            with shelf.transaction():
                shelf.reserve(order_id)
                shelf.outbox(reserved(order_id))

    return handle


def never_asking(order_id, shelf, publish):
    shelf.reserve(order_id)
    publish(reserved(order_id))


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (inbox, "nobody told the courier"),
        (publishing_first, "before it has written anything"),
        (three_writes, "Write both in one step"),
        (never_asking, "does not ask whether the order is noted"),
        (lambda *_: None, "Reserve, and tell the courier"),
    ],
)
def test_each_careless_stock_is_told_why(handle, said):
    verdict = ch12.CONSUMER.judge(handle)
    assert not verdict.passed
    assert said in verdict.mistake


def nested(order_id, shelf, _publish):
    with shelf.transaction(), shelf.transaction():
        shelf.reserve(order_id)


def misspelled(order_id, shelf, _publish):
    shelf.book(order_id)


def without_publish(order_id, shelf):
    shelf.reserve(order_id)


def pausing(order_id, shelf, _publish):
    yield 0.1
    shelf.reserve(order_id)


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (nested, "a transaction is open already"),
        (misspelled, "AttributeError: 'Shelf' object has no attribute 'book'"),
        (without_publish, "takes 2 positional arguments but 3 were given"),
        (pausing, "it has a `yield`"),
    ],
)
def test_a_stock_that_fails_by_itself_is_told_what_it_raised(handle, said):
    verdict = ch12.CONSUMER.judge(handle)
    assert not verdict.passed
    assert said in verdict.message


def test_a_memory_that_a_crash_would_empty_is_named():
    verdict = ch12.CONSUMER.judge(from_memory(set()))
    assert not verdict.passed
    assert "Idempotent means ignoring duplicates in memory" in verdict.mistake


IN_TIME = failures.eventually("parcel_booked", after="order.placed", by="order_id", within_s=60)
NOT_TWICE = failures.at_most_once(to="courier", effect="parcel_booked", by="order_id")


@pytest.mark.parametrize(
    ("promises", "said"),
    [
        ([failures.at_least_once(to="courier")], "owed to nobody"),
        ([failures.exactly_once(to="courier", effect="parcel_booked", by="order_id", within_s=60)], "owed to nobody"),
        ([IN_TIME], "Say by what two messages are about one order"),
        ([IN_TIME, failures.exactly_once(to="courier")], "Say by what two messages"),
        ([NOT_TWICE, failures.eventually("parcel_booked", after="order.placed", by="order_id", within_s=600)],
         "Eventually is no promise"),
        ([NOT_TWICE, failures.eventually("parcel_booked", after="order.placed", by="order_id", within_s=30)],
         "Yours allows less"),
        ([NOT_TWICE, failures.eventually("parcel_boked", after="order.placed", by="order_id", within_s=60)],
         "is it spelled as in the task"),
        ([NOT_TWICE, failures.eventually("parcel_booked", after="order.reserved", by="order_id", within_s=60)],
         "owed to nobody"),
        ([IN_TIME, failures.at_most_once(to="courier", by="order_id")], "Promise the effect, not the delivery"),
        ([IN_TIME, failures.no(lambda _row: True, "a parcel", of="parcel_booked")], "asks for more than one parcel"),
    ],
)  # fmt: skip
def test_each_careless_promise_is_told_why(promises, said):
    verdict = ch12.PROMISE.judge(promises)
    assert not verdict.passed
    assert said in verdict.mistake


def plan(**changes):
    return dataclasses.replace(ch12.PLAN.solution.answer(), **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"abort": None}, "Who ends it"),
        ({"faults": [failures.Crash(node="stock", at_s=4.0, down_s=1.0)]}, "stock crashes at 4 s"),
        ({"steady": [experiments.SteadyState(name="x", metric=parcel_ratio, least=1.5)]}, "Measure it first"),
        ({"abort": experiments.Abort(metric=parcel_ratio, above=0.5)}, "gives up runs of a shop that recovers"),
    ],
)
def test_each_plan_without_a_rule_or_a_steady_state_is_told_why(changes, said):
    verdict = ch12.PLAN.judge(plan(**changes))
    assert not verdict.passed
    assert said in verdict.mistake


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steady": [experiments.SteadyState(name="x", metric=parcel_ratio, least=0.0)]}, "claims nothing about"),
        ({"abort": experiments.Abort(metric=parcel_ratio, above=2.0)}, "its metric does not see them"),
        ({"faults": [failures.Crash(node="courier", at_s=2.0, down_s=9.0)],
          "abort": experiments.Abort(metric=lambda run: 1 - parcel_ratio(run), above=0.95)}, "closer to the calm shop"),
    ],
)  # fmt: skip
def test_each_careless_plan_is_told_why(changes, said):
    verdict = ch12.PLAN.judge(plan(**changes))
    assert not verdict.passed
    assert said in verdict.mistake


def test_a_plan_is_an_experiment():
    assert "no experiment" in ch12.PLAN.judge("a plan").message
    assert planned_shop().safety.value == "inbox and outbox"


class TestBugs:
    def test_each_finding_is_one_of_its_species_and_none_tells_its_name(self):
        for name, finding in zip(BUGS, unnamed_bugs(), strict=True):
            assert finding.verdict is zoo.species(name).verdict
            assert str(hunted(name).finding) == str(finding)
            assert name not in str(finding)

    def test_their_twins_survive_the_same_faults(self):
        assert [list(found) for found in repaired_bugs()] == [[], [], []]

    def test_what_is_offered_has_the_right_ones_and_no_order_that_tells_them(self):
        assert set(BUGS) < set(ch12.CHOICES)
        assert [ch12.CHOICES.index(name) for name in BUGS] != sorted(ch12.CHOICES.index(name) for name in BUGS)

    def test_letters_and_names_are_both_understood_and_the_first_wrong_one_is_explained(self):
        letters = ["abcdef"[ch12.CHOICES.index(name)] for name in BUGS]
        assert ch12.BUG_NAMES.judge(letters).passed
        assert ch12.BUG_NAMES.judge([letters[0], BUGS[1], letters[2].upper()]).passed
        wrong = ch12.BUG_NAMES.judge([letters[0], letters[0], letters[0]])
        assert wrong.message == f"Finding B is not “{BUGS[0]}”."
        assert wrong.mistake == ch12.IN_B

    def test_another_answer_is_refused(self):
        for answer in ("abc", ["a", "b"], ["a", "b", "z"]):
            assert not ch12.BUG_NAMES.judge(answer).passed
        rule = Named(right=("x",), choices=("x", "y"), ideas=("why",))
        assert rule.judge(["b"]).mistake == "why"


def test_a_report_in_other_words_is_understood_and_the_opposite_is_spoken_of():
    told = (
        "It crashes after the commit, before it tells the courier. On redelivery the inbox finds the order known. "
        "Until last week the work was done once more: two parcels. Store the event atomically with the note."
    )
    assert ch12.REPORT.judge(told).passed
    assert "inbox alone loses" in ch12.REPORT.judge(f"{told} An outbox is not needed.").message


class TestNumbersOfChapter12:
    def test_the_shares_of_the_first_prediction_are_measured(self):
        matrix = crash_points(Care.ACKNOWLEDGE_FIRST.of(clockwork()), promises=[ONE_MAIL])
        assert len(matrix.cells) == ch12.CRASH_POINTS
        assert (matrix.count("lost"), matrix.count("duplicated")) == (ch12.LOSING, ch12.REPEATING)
        twice = [cell.points[0].node for cell in matrix.cells if cell.outcome.value == "duplicated"]
        assert set(twice) == {"behaviour-analytics/0"}

    def test_the_arithmetic_of_the_second_prediction(self):
        assert pytest.approx(8.64) == ch12.BOTH_DOWN_S
        assert pytest.approx(30.30, abs=0.005) == ch12.SWITCHING_S
        assert pytest.approx(0.99955, abs=0.000005) == 1 - ch12.AWAY_S / ch12.DAY_S

    def test_two_of_three_brokers(self):
        assert pytest.approx(0.999702) == ch12.WRITABLE
        assert ch12.KAFKA.judge("99.97 %").passed
