"""Topic patterns and headers bindings: examples, laws, and what is refused."""

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.rabbitmq import BindingInvalidError, ShortStringError, headers_match, topic_matches

WORDS = st.sampled_from(["a", "b", "", "A"])
KEYS = st.lists(WORDS, max_size=6).map(".".join)
PATTERNS = st.lists(st.one_of(WORDS, st.sampled_from("*#")), max_size=6).map(".".join)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["", "1", "t"]), st.floats(-1, 1))
TABLES = st.dictionaries(st.sampled_from(["a", "b", "x-p", "x-match-not"]), VALUES)


@pytest.mark.rule("RMQ-01")
@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("#", "", True),
        ("*", "", False),
        ("*", "a", True),
        ("a.#", "a", True),
        ("a.#", "a..b", True),
        ("#.b", "b", True),
        ("a.*.c", "a..c", True),
        ("a.*.c", "a.c", False),
        ("A", "a", False),
        ("a*", "ab", False),
        ("a.#.#.b", "a.b", True),
        ("*.#", "a.b.c", True),
        ("a", "*", False),
    ],
)
def test_topic_patterns(pattern: str, key: str, matches: bool):
    assert topic_matches(pattern, key) is matches


@pytest.mark.rule("RMQ-01")
@given(pattern=PATTERNS, key=KEYS)
def test_a_pattern_is_a_regular_expression_over_words(pattern: str, key: str):
    parts = {"*": r"<[^<>]*>", "#": r"(?:<[^<>]*>)*"}
    expression = "".join(parts.get(word, re.escape(f"<{word}>")) for word in (pattern.split(".") if pattern else []))
    words = "".join(f"<{word}>" for word in (key.split(".") if key else []))
    assert topic_matches(pattern, key) is (re.fullmatch(expression, words) is not None)


@pytest.mark.rule("RMQ-01")
@given(pattern=st.text(max_size=60), key=st.text(max_size=60))
def test_no_text_is_refused_for_its_form(pattern: str, key: str):
    assert topic_matches(pattern, key) in (True, False)
    assert topic_matches("#", key)


@pytest.mark.parametrize("text", [None, 5, b"a", "é" * 128])
def test_what_is_no_short_string_is_refused(text: object):
    with pytest.raises(ShortStringError, match=r"routing_key is .*; give a text of at most 255 bytes"):
        topic_matches("#", text)
    with pytest.raises(ShortStringError, match="pattern is"):
        topic_matches(text, "a")


@pytest.mark.rule("RMQ-02")
@pytest.mark.parametrize(
    ("arguments", "headers", "matches"),
    [
        ({}, {}, True),
        ({"x-match": "any"}, {"a": 1}, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"x-match": "any", "a": 1, "b": 2}, {"a": 1}, True),
        ({"x-match": "all", "x-p": 1}, {}, True),
        ({"x-match": "all-with-x", "x-p": 1}, {}, False),
        ({"x-match": "any-with-x", "x-p": 1}, {"x-p": 1}, True),
        ({"a": None}, {"a": "anything"}, True),
        ({"a": None}, {}, False),
        ({"a": 1}, {"a": None}, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": True}, True),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": [1, "t"]}, {"a": [1, "t"]}, True),
        ({"a": [1]}, {"a": [1.0]}, False),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": {"k": 1}}, {"a": {"k": 1}}, True),
        ({"a": {"k": 1}}, {"a": {"l": 1}}, False),
        ({"a": {"k": 1}}, {"a": {"k": 2}}, False),
        ({"a": [1]}, {"a": "1"}, False),
    ],
)
def test_headers_bindings(arguments: dict[str, object], headers: dict[str, object], matches: bool):
    assert headers_match(arguments, headers) is matches


@pytest.mark.rule("RMQ-02")
@given(arguments=TABLES.filter(bool), headers=TABLES)
def test_all_implies_any_and_more_headers_take_nothing_away(arguments: dict[str, object], headers: dict[str, object]):
    every, some = ({**arguments, "x-match": f"{mode}-with-x"} for mode in ("all", "any"))
    assert headers_match(some, headers) or not headers_match(every, headers)
    assert headers_match(every, {**headers, "z": 1}) is headers_match(every, headers)


@pytest.mark.parametrize("mode", ["none", "ALL", 1, None, ["all"]])
def test_a_wrong_x_match_is_refused(mode: object):
    with pytest.raises(
        BindingInvalidError, match=r"invalid x-match .*; expected all, any, all-with-x or any-with-x"
    ) as caught:
        headers_match({"x-match": mode}, {})
    assert pickle.loads(pickle.dumps(caught.value)).value == mode


def test_arguments_are_a_table():
    with pytest.raises(BindingInvalidError, match="give a dictionary"):
        headers_match([("a", 1)], {})
