"""Selectors: precedence, three values, Java's arithmetic, refusals. The verdicts are those of ActiveMQ 5.17.2."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.activemq import Client, InvalidSelectorError, MessageFormatError, Selector, selector
from edasim.errors import ConfigurationError

MESSAGE = {"color": "red", "size": "10", "n": 3, "d": 2.5, "b": True, "s": "abc", "big": 2**63 - 1, "huge": 2**80}

PIECES = ["NOT", "AND", "OR", "LIKE", "IN", "BETWEEN", "IS", "NULL", "n", "color", "1", "2.5", "'a'", *"=<>()+-*/"]

BOTH = {
    # precedence
    "n + 1 = 4 AND d = 2.5 OR n = 5": True,
    "n = 5 OR n = 3 AND d = 1.0": False,
    "(n = 3 OR n = 5) AND d = 2.5": True,
    "NOT color": True,
    "NOT (n = 5)": True,
    "NOT b = FALSE": True,
    "NOT NOT b": True,
    "n + 2 * 3 = 9": True,
    "1 = 1 = TRUE": True,
    "n - 1 - 1 = 1": True,
    "n > 2 AND n < 4 AND n >= 3 AND n <= 3": True,
    "color LIKE 'r%' = TRUE": True,
    "b IS NULL IS NULL": False,
    # three values
    "missing = 1": False,
    "missing <> 1": False,
    "NOT (missing = 1)": False,
    "1 <> missing": True,
    "missing > 1": False,
    "1 > missing": False,
    "missing = missing": True,
    "missing IS NULL": True,
    "n IS NOT NULL": True,
    "NULL IS NULL": True,
    "NULL": False,
    "missing = 1 OR b": True,
    "b OR missing = 1": True,
    "NOT (missing = 1 OR n = 5)": False,
    "NOT (missing = 1 AND n = 5)": True,
    "NOT (missing = 1 AND n = 3)": False,
    "missing IN ('a')": False,
    "NOT (n = 3 AND b)": False,
    "NOT (n = 3 OR n = 5)": False,
    "NOT (n = 4 OR n = 5)": True,
    "missing NOT IN ('a')": False,
    "missing LIKE '%'": False,
    "missing + 1 = 1": False,
    "1 + missing = 1": False,
    "-missing = 1": False,
    "missing BETWEEN 1 AND 2": False,
    "missing": False,
    "b": True,
    "n": False,
    "color": False,
    # texts
    "color IN ('blue', 'red')": True,
    "color NOT IN ('blue')": True,
    "n IN ('3')": False,
    "n NOT IN ('4')": False,
    "color LIKE 'r_d'": True,
    "color NOT LIKE 'R%'": True,
    "n LIKE '3'": False,
    "color LIKE 'r!_d' ESCAPE '!'": False,
    "color > s": True,
    "color = 'red' -- so\n": True,
    "color /* so */ = 'red'": True,
    "s + 1 = 'abc1'": True,
    "s + TRUE = 'abctrue'": True,
    "s + d = 'abc2.5'": True,
    "s + 1e20 = 'abc1.0E20'": True,
    "s + -1.5e-7 = 'abc-1.5E-7'": True,
    "s + 100000.0 = 'abc100000.0'": True,
    "s + 1.0/0 = 'abcInfinity'": True,
    "s + -1.0/0 = 'abc-Infinity'": True,
    "s + 0.0/0 = 'abcNaN'": True,
    "s + 0.0 = 'abc0.0'": True,
    # numbers
    "n = 3.0": True,
    "n = 0x3": True,
    "n = 03": True,
    "n = 3L": True,
    "n = 3.": True,
    "d = 25e-1": True,
    "n > .5": True,
    "n / 2 = 1.5": True,
    "n % 2 = 1": True,
    "n * 2 = 6": True,
    "n - 4 = -1": True,
    "n + d = 5.5": True,
    "d - 0.5 = 2": True,
    "d * 2 = 5": True,
    "- -n = 3": True,
    "+n = 3": True,
    "-d = -2.5": True,
    "-color IS NULL": True,
    "2147483647 + 1 < 0": True,
    "2147483648 + 1 > 0": True,
    "big + 1 < 0": True,
    "-9223372036854775808 < n": True,
    "n / 0 > 1": True,
    "-n / 0 < 1": True,
    "0/0 = 0/0": True,
    "n % 0 = 0": False,
    "n % 0 = 0/0": True,
    "(1.0/0) % 2 = 0/0": True,
    "n % (1.0/0) = 3": True,
    "0.0 = -0.0": False,
    "n = 99999999999999999999": False,
    "99999999999999999999 = 99999999999999999999": True,
    "99999999999999999999 = 1.5": False,
    "n = 18446744073709551619": True,
    "-99999999999999999999 < 99999999999999999999": True,
    "huge = 1": False,
    "n BETWEEN 1 AND 5": True,
    "n NOT BETWEEN 1 AND 5": False,
    "n BETWEEN 4 AND 5": False,
    # kinds that do not compare
    "b = 1": False,
    "1 = b": False,
    "1 = 'a'": False,
    "color <> 5": True,
    "b > 1": False,
    "b = TRUE": True,
    "b <> FALSE": True,
    # what the broker throws at
    "s - 1 = 1": False,
    "n - s = 1": False,
    "b * 2 = 2": False,
    "NOT (s - 1 = 1)": False,
    "missing = 1 AND s - 1 = 1 OR b": True,
    "s - 1 = 1 OR b": False,
}


@pytest.mark.rule("AMQ-07")
@pytest.mark.parametrize("client", Client)
@pytest.mark.parametrize(("text", "matches"), BOTH.items())
def test_verdicts_that_all_clients_share(text: str, matches: bool, client: Client):
    assert selector(text, client).matches(MESSAGE) is matches


@pytest.mark.rule("AMQ-07")
@pytest.mark.parametrize(
    ("text", "over_stomp", "over_openwire"),
    [
        ("size = 10", True, False),
        ("10 = size", True, False),
        ("size > 9", True, False),
        ("size < 9.5", False, False),
        ("size = 10.0", True, False),
        ("n = '3'", True, False),
        ("n = '3.5'", False, False),
        ("d = '2.5'", True, False),
        ("d = '2_5'", False, False),
        ("d = 'x'", False, False),
        ("n = '99999999999'", False, False),
        ("big = '9223372036854775807'", True, False),
        ("huge = '5'", False, False),
        ("'true' = b", True, False),
        ("s = TRUE", False, False),
        ("b = 'true'", False, False),
        ("NOT (b = 'x')", False, True),
        ("size + 1 = 101", True, False),
        ("color = 5", False, False),
        ("big = '99999999999999999999999'", False, False),
    ],
)
def test_over_stomp_a_text_is_read_as_what_it_stands_beside(text: str, over_stomp: bool, over_openwire: bool):
    assert selector(text).matches(MESSAGE) is over_stomp
    assert selector(text, Client.OPENWIRE).matches(MESSAGE) is over_openwire
    assert selector(f"convert_string_expressions:{text}", Client.OPENWIRE).matches(MESSAGE) is over_stomp


@pytest.mark.rule("AMQ-07")
def test_like_escapes_only_its_own_signs():
    assert selector("p LIKE '10!%' ESCAPE '!'").matches({"p": "10%"})
    assert not selector("p LIKE '10!%' ESCAPE '!'").matches({"p": "100"})
    assert selector("p LIKE 'a!!b' ESCAPE '!'").matches({"p": "a!b"})
    assert selector("p LIKE 'a!b' ESCAPE '!'").matches({"p": "a!b"})
    assert selector("p LIKE '[.%' ").matches({"p": "[.\nso"})


@pytest.mark.rule("AMQ-07")
@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("color = ", 8, "a property, a number"),
        ("", 0, "a property, a number"),
        ("color == 'red'", 7, "a property, a number"),
        ("color = 'red", 8, "a closing quote"),
        ('color = "red"', 8, "single quotes"),
        ("n != 3", 2, "<> for unequal"),
        ("color = 'red' blah", 14, "an operator"),
        ("color = 'red')", 13, "an operator"),
        ("(n = 3", 6, ")"),
        ("a.b = 1", 1, "a name"),
        ("color LIKE 5", 11, "a text in single quotes"),
        ("color LIKE 'a' ESCAPE 'bb'", 22, "one letter"),
        ("color IN ()", 10, "a text"),
        ("color IN 'a'", 9, "("),
        ("color IN ('a' 'b')", 14, "','"),
        ("5 IN ('a')", 0, "a property before IN"),
        ("size BETWEEN 5", 14, "AND"),
        ("n > 'a'", 4, "a number or a property beside >"),
        ("TRUE > n", 0, "a number or a property"),
        ("3+5", 0, "a condition"),
        ("b AND 3+5", 6, "a condition"),
        ("NOT 5", 4, "a condition"),
        ("color = NULL", 8, "IS NULL"),
        ("NULL <> color", 0, "IS NULL"),
        ("TRUE = 1", 7, "TRUE, FALSE or a property"),
        ("n IS 5", 5, "NULL"),
        ("n IS NOT 5", 9, "NULL"),
        ("n NOT 5", 2, "an operator"),
        ("n NOT", 2, "an operator"),
        ("XPATH 'a'", 0, "a property, a number"),
        ("n = 08", 5, "an operator"),
        ("n = 0xffffffffffffffff", 4, "at most 64 bits"),
        ("n = 07777777777777777777777", 4, "at most 64 bits"),
        (None, 0, "a text such as"),
        (5, 0, "a text such as"),
    ],
)
def test_malformed_selectors_are_refused_with_the_place_and_what_was_expected(
    text: object, position: int, expected: str
):
    with pytest.raises(InvalidSelectorError) as caught:
        selector(text)
    refusal = caught.value
    assert refusal.position == position
    assert expected in refusal.expected
    assert refusal.value == text
    assert "expected" in str(refusal)


@pytest.mark.parametrize(
    "text", ["(" * 1000 + "b" + ")" * 1000, "n" + " + 1" * 1000 + " = 5", "-" * 999 + "n = 1", "NOT " * 500 + "b"]
)
def test_too_deep_is_refused(text: str):
    with pytest.raises(InvalidSelectorError, match=r"at most 40|a shorter one"):
        selector(text)


def test_a_long_list_of_conditions_is_no_depth():
    assert selector(" OR ".join(f"n = {number}" for number in range(2000))).matches({"n": 1999})


@pytest.mark.rule("AMQ-07")
@given(text=st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join)))
def test_whatever_comes_is_answered_or_refused(text: str):
    try:
        made = selector(text)
    except InvalidSelectorError as error:
        refusal = error
    else:
        assert made.matches({"n": 1, "color": "a"}) in (True, False)
        assert made.matches({}) in (True, False)
        return
    assert 0 <= refusal.position <= len(text)
    assert refusal.remedy


@pytest.mark.rule("AMQ-07")
@given(n=st.one_of(st.none(), st.integers(-5, 5)), low=st.integers(-5, 5), high=st.integers(-5, 5))
def test_between_is_a_pair_of_comparisons(n: int | None, low: int, high: int):
    message = {} if n is None else {"n": n}
    assert selector(f"n BETWEEN {low} AND {high}").matches(message) is (n is not None and low <= n <= high)
    assert selector(f"NOT (n BETWEEN {low} AND {high})").matches(message) is (n is not None and not low <= n <= high)


@given(text=st.text(max_size=20))
def test_a_quoted_text_is_itself(text: str):
    quoted = text.replace("'", "''")
    assert selector(f"p = '{quoted}'").matches({"p": text})
    assert selector(f"p IN ('{quoted}')").matches({"p": text})


def test_a_property_is_of_a_kind_that_messages_have():
    with pytest.raises(MessageFormatError, match=r"property 'n' is .*; give a text, a number or a truth value"):
        selector("n = 1").matches({"n": [1]})


def test_a_selector_says_what_it_is_and_the_client_is_one_of_two():
    assert selector("b") == selector("b")
    assert repr(selector("b")) == "Selector(text='b', client=<Client.STOMP: 'stomp'>)"
    assert isinstance(pickle.loads(pickle.dumps(selector("b LIKE 'a'"))), Selector)
    with pytest.raises(ConfigurationError, match="give one of 'stomp', 'openwire'"):
        selector("b", "mqtt")


def test_the_refusal_survives_a_pickle_and_notes_the_time():
    with pytest.raises(InvalidSelectorError) as caught:
        selector("n =")
    for copied in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert (copied.position, str(copied)) == (3, str(caught.value))
    caught.value.happened_at(1.5)
    caught.value.happened_at(2.5)
    assert str(caught.value).startswith("at 1.500000 s")
