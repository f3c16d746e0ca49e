"""The rules of chapter 03 name the learner's mistake: in a pattern, an assignment, an order, a selector, a key."""

import pytest

from edasim.brokers.kafka import assign
from edasim.course.broker_trials import (
    MEMBERS,
    PARTITIONS,
    AssignmentRule,
    PatternRule,
    ReadingRule,
    SelectorRule,
    by,
    keys_trial,
    orders_run,
    overtaken,
    read_after_nack,
)
from edasim.course.chapters import ch03
from edasim.errors import EdasimError

RIGHT = by("range")


@pytest.mark.parametrize(
    ("pattern", "said", "idea"),
    [
        ("user.mail.*", "does not take 'user.mail'", "exactly one word"),
        ("user.mail.>", "does not take 'user.mail'", "“>” is NATS"),
        ("user.mail#", "does not take 'user.mail'", "inside a word they are ordinary letters"),
        ("user.#", "also takes 'user.row.written'", "too wide"),
        ("*.mail.#", "also takes 'order.mail.sent'", "too wide"),
        ("mail.#", "does not take 'user.mail'", "too wide"),
        ("order.#.nothing", "does not take 'user.mail'", None),
        ("user.mail", "does not take 'user.mail.sent'", "Without a wildcard"),
        ("user/mail/#", "does not take 'user.mail'", "MQTT"),
        (" user.mail.#", "does not take 'user.mail'", "A blank"),
    ],
)
def test_a_wrong_pattern_is_told_by_a_key_and_an_idea(pattern, said, idea):
    verdict = PatternRule().judge(pattern)
    assert not verdict.passed
    assert said in verdict.message
    assert (verdict.mistake or "") == "" if idea is None else idea in verdict.mistake


@pytest.mark.parametrize(
    ("changes", "said", "idea"),
    [
        (by("roundrobin"), "ann gets mails-0, mails-3, orders-2", "round robin"),
        ({"cem": ["mails-3", "orders-3", "orders-1"]}, "orders-1 has two readers", "one reader at most"),
        ({"ann": ["mails-0", "mails-1", "orders-0"]}, "Nobody reads orders-1", "needs a reader"),
        (
            {"ann": ["mails-0", "mails-1", "orders-0"], "ben": ["mails-2", "orders-2", "orders-1"]},
            "ann gets mails-0, mails-1, orders-0",
            "It is fair, and range is not",
        ),
        (
            {"ann": ["mails-2", "orders-2"], "ben": ["mails-0", "mails-1", "orders-0", "orders-1"]},
            "ann gets mails-2, orders-2",
            "runs of neighbours",
        ),
    ],
)
def test_a_wrong_assignment_is_told_by_a_partition_and_an_idea(changes, said, idea):
    verdict = AssignmentRule().judge(RIGHT | changes)
    assert not verdict.passed
    assert said in verdict.message
    assert idea in verdict.mistake


def test_the_order_of_partitions_in_a_list_does_not_matter():
    assert AssignmentRule().judge({member: given[::-1] for member, given in RIGHT.items()}).passed


def test_an_assignment_may_be_given_as_the_assignor_gives_it():
    assert AssignmentRule().judge(assign("range", {member: list(PARTITIONS) for member in MEMBERS}, PARTITIONS)).passed


@pytest.mark.parametrize("answer", [{"ann": []}, RIGHT | {"ann": ["mails-9"]}, RIGHT | {"ann": 5}, [1, 2]])
def test_what_is_no_assignment_is_refused(answer):
    with pytest.raises(EdasimError):
        AssignmentRule().judge(answer)


@pytest.mark.rule("RMQ-11", "RMQ-12")
def test_the_two_queues_read_as_was_measured():
    assert read_after_nack("classic") == (2, 5, 6, 7, 8, 9)
    assert read_after_nack("quorum") == (5, 6, 7, 8, 9, 2)


CLASSIC, QUORUM = [2, 5, 6, 7, 8, 9], [5, 6, 7, 8, 9, 2]


@pytest.mark.parametrize(
    ("classic", "quorum", "wrong", "idea"),
    [
        (QUORUM, CLASSIC, "classic", "other way round"),
        (CLASSIC, CLASSIC, "quorum", "both the same rule"),
        (QUORUM, QUORUM, "classic", "both the same rule"),
        ([2, 3, 4, 5], QUORUM, "classic", "still held"),
        (CLASSIC, [5, 6, 7, 8, 9], "quorum", "not gone"),
        ([9, 8, 2], QUORUM, "classic", "reads on to the end"),
        ([9, 8, 7, 6, 5, 2], QUORUM, "classic", None),
    ],
)
def test_a_wrong_order_is_told_by_its_queue_and_an_idea(classic, quorum, wrong, idea):
    verdict = ReadingRule().judge((classic, quorum))
    assert not verdict.passed
    assert verdict.message.startswith(f"The {wrong} queue does not read")
    assert verdict.mistake is None if idea is None else idea in verdict.mistake


@pytest.mark.parametrize("answer", [(1, 2), ("256789", "567892"), CLASSIC, ({*CLASSIC}, QUORUM)])
def test_what_is_no_pair_of_lists_is_refused(answer):
    with pytest.raises(EdasimError, match="give two lists"):
        ReadingRule().judge(answer)


@pytest.mark.parametrize(
    ("text", "said", "idea"),
    [
        ("NOT region = 'eu'", "does not take a mail with the properties {'region': 'us'", "use brackets"),
        ("region <> 'eu'", "does not take a mail with the properties {'size': 3}", "so is its NOT"),
        ("NOT (region = 'eu')", "does not take a mail with the properties {'size': 3}", "so is its NOT"),
        ("region IS NULL", "does not take a mail with the properties {'region': 'us'", "should come in"),
        ("region IS NULL OR region IS NOT NULL", "takes a mail with the properties {'region': 'eu'", "should stay out"),
    ],
)
def test_a_wrong_selector_is_told_by_a_mail_and_an_idea(text, said, idea):
    verdict = SelectorRule().judge(text)
    assert not verdict.passed
    assert said in verdict.message
    assert idea in verdict.mistake


def test_a_selector_that_the_broker_refuses_is_feedback():
    verdict = ch03.SELECTOR.judge("region = NULL OR region <> 'eu'")
    assert not verdict.passed
    assert "write IS NULL" in verdict.message


@pytest.mark.rule("KAF-03")
@pytest.mark.parametrize(
    ("key", "said", "idea"),
    [
        (lambda event: event.data["step"], "In ", "only for balance"),
        (lambda event: event.data["country"], "one partition holds", "few values"),
        (lambda _event: "all", "one partition holds 100 %", "few values"),
        (lambda _event: None, "Some events have no key", "no order is promised"),
    ],
)
def test_a_wrong_key_is_told_by_what_it_does(key, said, idea):
    verdict = keys_trial(key, seed=7)
    assert not verdict.passed
    assert verdict.message.startswith((said, "The order is kept, but " + said))
    assert idea in verdict.mistake


@pytest.mark.parametrize("field", ["order", "customer"])
def test_keys_that_keep_the_order_of_an_order_pass(field):
    assert keys_trial(lambda event: event.data[field], seed=7).passed


def test_a_key_that_is_no_text_is_feedback():
    verdict = ch03.KEYS.judge(lambda _event: 7)
    assert "return a text, or None" in verdict.message


def test_one_reader_for_all_keeps_every_order():
    assert overtaken(orders_run(lambda _event: "all", seed=3)) == 0


def test_numbers_in_the_words_are_the_brokers_defaults():
    assert (ch03.SESSION_S, ch03.ACK_WAIT_S) == (45.0, 30.0)
    assert "waits for heartbeats, 45 s" in ch03.WHO_COMES_BACK.because
