import csv
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.errors import ConfigurationError
from edasim.events import (
    EventError,
    TraceContext,
    TraceParent,
    format_tracestate,
    parse_traceparent,
    parse_tracestate,
    received,
    with_member,
)

CASES = Path(__file__).parents[2] / "data" / "events" / "traceparent_cases.csv"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01"

with CASES.open(encoding="utf-8", newline="") as file:
    ROWS = [(row["value"], row["verdict"]) for row in csv.DictReader(file)]

LETTERS = string.ascii_lowercase + string.digits
VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in ",=")

keys = st.builds(str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + "_-*/@", max_size=5))
values = st.builds(str.__add__, st.text(" " + VISIBLE, max_size=5), st.sampled_from(VISIBLE))
states = st.dictionaries(keys, values, max_size=32).map(lambda members: tuple(members.items()))


@pytest.mark.parametrize(("value", "verdict"), ROWS, ids=[f"{n}-{verdict}" for n, (_, verdict) in enumerate(ROWS, 2)])
def test_every_case_gets_its_verdict(value, verdict):
    """TR-01."""
    if verdict.startswith("valid"):
        parent = parse_traceparent(value)
        assert (parent.trace_id, parent.parent_id) == (TRACE, PARENT)
        assert parent.sampled == ("-00" not in value[-3:])
        assert received(value) == TraceContext(parent, ())
    else:
        with pytest.raises(EventError) as refused:
            parse_traceparent(value)
        assert (refused.value.field, refused.value.value) == ("traceparent", value)
        assert refused.value.remedy
        assert received(value, "rojo=1") is None


def test_the_cases_hold_both_verdicts():
    assert [verdict[:5] for _, verdict in ROWS].count("valid") == 7
    assert len(ROWS) == 25


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_a_header_survives_the_round_trip(trace, parent, sampled):
    made = TraceParent(trace_id=f"{trace:032x}", parent_id=f"{parent:016x}", sampled=sampled)
    assert parse_traceparent(str(made)) == made
    assert len(str(made)) == 55


def test_what_is_sent_on_is_of_version_00_and_has_no_unknown_flag():
    """TR-01."""
    later = parse_traceparent(f"cc-{TRACE}-{PARENT}-ff-more")
    assert str(later.child("b7ad6b7169203331")) == f"00-{TRACE}-b7ad6b7169203331-01"
    assert str(parse_traceparent(f"00-{TRACE}-{PARENT}-fe")) == f"00-{TRACE}-{PARENT}-00"


@pytest.mark.parametrize(
    "wrong",
    [{"trace_id": "0" * 32}, {"trace_id": TRACE.upper()}, {"parent_id": PARENT[1:]}, {"parent_id": 7}, {"sampled": 1}],
)
def test_a_wrong_part_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=f"TraceParent.{next(iter(wrong))} is"):
        TraceParent(**{"trace_id": TRACE, "parent_id": PARENT, "sampled": True, **wrong})


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("", ()),
        ("rojo=00f067aa0ba902b7", (("rojo", "00f067aa0ba902b7"),)),
        ("foo=1 \t , \t bar=2,,\t", (("foo", "1"), ("bar", "2"))),
        ("foo= 1", (("foo", " 1"),)),
        ("1a_-*/@b@=~!", (("1a_-*/@b@", "~!"),)),
        (",".join(f"k{n}=1" for n in range(32)), tuple((f"k{n}", "1") for n in range(32))),
        ("k" * 256 + "=" + "v" * 256, (("k" * 256, "v" * 256),)),
    ],
)
def test_tracestate_is_read_in_order(value, members):
    """TR-02."""
    assert parse_tracestate(value) == members
    assert received(HEADER, value) == TraceContext(parse_traceparent(HEADER), members)


@pytest.mark.parametrize(
    "value",
    [
        "foo",
        "foo=",
        "=1",
        "FOO=1",
        "foo =1",
        "foo.bar=1",
        "@foo=1",
        "foo=1=2",
        "foo=é",
        "foo=1,foo=2",
        "k" * 257 + "=1",
        "foo=" + "v" * 257,
        ",".join(f"k{n}=1" for n in range(33)),
    ],
)
def test_a_malformed_tracestate_is_dropped_whole_and_leaves_the_traceparent(value):
    """TR-02."""
    with pytest.raises(EventError, match="tracestate"):
        parse_tracestate(value)
    assert received(HEADER, value) == TraceContext(parse_traceparent(HEADER), ())


def test_without_a_traceparent_the_tracestate_is_not_passed_on():
    """TR-01."""
    assert received(None, "rojo=1") is None


@given(states)
def test_tracestate_survives_the_round_trip(members):
    assert parse_tracestate(format_tracestate(members)) == members


@given(states, keys, values)
def test_a_changed_member_comes_first_and_the_others_keep_their_order(members, key, value):
    """TR-02."""
    changed = with_member(members, key, value)
    others = [member for member in members if member[0] != key]
    assert changed[0] == (key, value)
    assert list(changed[1:]) == others[:31]


@pytest.mark.parametrize(("key", "value"), [("Rojo", "1"), ("rojo", ""), ("rojo", "a,b"), ("rojo", "a ")])
def test_a_wrong_member_is_refused(key, value):
    with pytest.raises(EventError, match=r"tracestate (key|value) is"):
        with_member((), key, value)
