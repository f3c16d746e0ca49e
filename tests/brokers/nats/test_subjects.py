"""Subjects: examples, laws, and what is refused."""

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.nats import (
    InvalidPublishSubjectError,
    InvalidSubjectError,
    check_pattern,
    check_publish_subject,
    subject_matches,
)

TOKENS = st.sampled_from(["a", "b", "A", "a*", ">>"])
SUBJECTS = st.lists(TOKENS, min_size=1, max_size=5).map(".".join)
FRONTS = st.lists(st.one_of(TOKENS, st.just("*")), min_size=1, max_size=4)
PATTERNS = st.builds(lambda front, end: ".".join(front + end), FRONTS, st.sampled_from([[], [">"]]))


@pytest.mark.rule("NAT-01")
@given(pattern=PATTERNS, subject=SUBJECTS)
def test_a_pattern_is_a_regular_expression_over_tokens(pattern: str, subject: str):
    parts = {"*": r"[^.]+", ">": r".+"}
    expression = r"\.".join(parts.get(token, re.escape(token)) for token in pattern.split("."))
    assert subject_matches(pattern, subject) is (re.fullmatch(expression, subject) is not None)


@pytest.mark.rule("NAT-01")
@given(pattern=st.text("ab*>. ", max_size=8), subject=st.text("ab*>. ", max_size=8))
def test_whatever_comes_is_answered_or_refused(pattern: str, subject: str):
    try:
        answer = subject_matches(pattern, subject)
    except (InvalidSubjectError, InvalidPublishSubjectError) as error:
        refusal = error
    else:
        assert answer in (True, False)
        assert check_pattern(pattern) == pattern
        return
    assert "token" in str(refusal) or "text" in str(refusal)


@pytest.mark.rule("NAT-01")
@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "at least one token"),
        (None, "at least one token"),
        ("a..b", "token 2 is empty"),
        ("a.", "token 2 is empty"),
        (".a", "token 1 is empty"),
        ("a.>.b", "token 2 is >, which can only be the last"),
        ("a. b", "token 2 has a blank"),
    ],
)
def test_illegal_patterns_are_refused(pattern: object, reason: str):
    with pytest.raises(InvalidSubjectError, match=reason) as caught:
        subject_matches(pattern, "a")
    assert pickle.loads(pickle.dumps(caught.value)).value == pattern


@pytest.mark.rule("NAT-01")
@pytest.mark.parametrize("subject", ["", "a b", "a\t", None, 5])
def test_what_the_protocol_cannot_carry_is_refused(subject: object):
    with pytest.raises(InvalidPublishSubjectError, match="give a text without blanks"):
        subject_matches(">", subject)


@pytest.mark.rule("NAT-01")
@pytest.mark.parametrize(
    ("subject", "reason"), [("a..b", "token 2 is empty"), ("a.*", "token 2 is a wildcard"), (">", "token 1")]
)
def test_a_pedantic_publisher_is_told(subject: str, reason: str):
    with pytest.raises(InvalidPublishSubjectError, match=reason):
        check_publish_subject(subject)


def test_a_literal_subject_passes():
    assert check_publish_subject("user.created") == "user.created"
