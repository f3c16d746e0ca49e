"""Destination patterns: examples, laws, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.activemq import InvalidDestinationError, destination_matches

NAMES = st.lists(st.sampled_from(["a", "b", "A", ""]), min_size=1, max_size=5).map(".".join).filter(str.strip)
PATTERNS = st.lists(st.sampled_from(["a", "b", "*", ">"]), min_size=1, max_size=5).map(".".join)


@pytest.mark.rule("AMQ-08")
def test_below_includes_the_place_itself_and_hides_what_follows():
    assert destination_matches("a.>", "a")
    assert destination_matches("a.>.c", "a.b")
    assert destination_matches(">.a", "b")
    assert not destination_matches("a.b.>", "a")
    assert not destination_matches("a.*", "a")


@pytest.mark.rule("AMQ-08")
@given(pattern=PATTERNS, name=NAMES)
def test_a_name_matches_itself_and_what_stands_behind_the_first_below_is_nothing(pattern: str, name: str):
    assert destination_matches(name, name)
    assert destination_matches(">", name)
    assert destination_matches(f"{name}.>", f"{name}.more")
    until = pattern[: pattern.index(">") + 1] if ">" in pattern else pattern
    assert destination_matches(pattern, name) is destination_matches(until, name)


@pytest.mark.parametrize("name", ["", "  ", None, 5])
def test_an_empty_name_is_refused(name: object):
    with pytest.raises(InvalidDestinationError, match=r"pattern is .*; give a text with at least one name"):
        destination_matches(name, "a")
    with pytest.raises(InvalidDestinationError, match="destination is"):
        destination_matches("a", name)


def test_blanks_around_a_name_do_not_count():
    assert destination_matches(" a.b ", "a.b")
