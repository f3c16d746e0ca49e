import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.events import NO_DATA, Event, EventError, from_json, from_json_batch, to_json, to_json_batch

DATA = Path(__file__).parents[2] / "data" / "events"
CASES = [json.loads(line) for line in (DATA / "cloudevents_cases.jsonl").read_text("utf-8").splitlines()]
START = '{"specversion":"1.0","id":"A-1","source":"/users","type":"user.registered"'

words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
free_names = st.from_regex(r"x[a-z0-9]{0,5}", fullmatch=True)
extension_values = st.booleans() | st.integers(-(2**31), 2**31 - 1) | words | st.just("")
typed_data = st.one_of(
    st.tuples(st.none(), st.just(NO_DATA) | json_values | st.binary()),
    st.tuples(st.sampled_from(["application/json", "a/b+json"]), json_values | st.binary()),
    st.tuples(st.just("text/xml"), st.just(NO_DATA) | texts | st.binary()),
)


@st.composite
def events(draw):
    datacontenttype, data = draw(typed_data)
    return Event(
        type=draw(words),
        id=draw(words),
        source=draw(st.sampled_from(["/users", "urn:a:b", "mail", "https://example.org/a?b#c"])),
        subject=draw(st.none() | words),
        time=draw(st.none() | st.datetimes(timezones=st.just(UTC))),
        datacontenttype=datacontenttype,
        dataschema=draw(st.none() | st.just("urn:schema:1")),
        data=data,
        extensions=draw(st.dictionaries(free_names, extension_values, max_size=3)),
        cause_id=draw(st.none() | words),
        trace_id=draw(st.none() | words),
    )


def document(**members):
    return json.dumps({"specversion": "1.0", "id": "A-1", "source": "/users", "type": "user.registered", **members})


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case['verdict']}" for number, case in enumerate(CASES, 1)])
def test_every_case_gets_its_verdict(case):
    """CE-01 to CE-04."""
    text = json.dumps(case["document"])
    if case["verdict"].startswith("valid"):
        assert json.loads(to_json(from_json(text))) == case["document"]
    else:
        with pytest.raises(EventError) as refused:
            from_json(text)
        assert refused.value.field
        assert refused.value.remedy


def test_the_cases_hold_both_verdicts():
    assert len(CASES) == 34
    assert [case["verdict"].startswith("valid") for case in CASES].count(True) == 12


@given(events())
def test_an_event_survives_the_round_trip(event):
    """CE-04."""
    text = to_json(event)
    again = from_json(text)
    assert again == event
    assert again.has_data == event.has_data
    assert to_json(again) == text
    assert from_json(text.encode()) == event


@pytest.mark.long
@given(st.lists(events(), max_size=4))
def test_a_batch_survives_the_round_trip(batch):
    assert from_json_batch(to_json_batch(batch)) == tuple(batch)


def test_the_text_is_compact_and_in_a_fixed_order():
    """CV-06."""
    event = Event(
        data={"name": "中文"},
        extensions={"b": True, "a": 5},
        type="user.accepted",
        cause_id="A-1",
        trace_id="A-0",
        time="2026-11-23T10:00:00Z",
        source="/crm",
        id="B-1",
    )
    assert to_json(event) == (
        '{"specversion":"1.0","id":"B-1","source":"/crm","type":"user.accepted","time":"2026-11-23T10:00:00Z",'
        '"causationid":"A-1","correlationid":"A-0","a":5,"b":true,"data":{"name":"中文"}}'
    )


def test_an_empty_batch_is_an_empty_array():
    """CE-04."""
    assert to_json_batch([]) == "[]"
    assert from_json_batch("[]") == ()


def test_a_null_attribute_is_absent_and_a_null_data_is_data():
    """CE-04: json-format.md, sections 2.2 and 3.1.1."""
    event = from_json(document(subject=None, time=None, ext=None, data_base64=None, data=None))
    assert event == Event(type="user.registered", source="/users", id="A-1", data=None)
    with pytest.raises(EventError, match="id of the event is missing"):
        from_json(document(id=None))


def test_bytes_are_written_as_base64():
    """CE-04, CE-03."""
    event = Event(type="t", source="/s", id="1", data=b"\x00\xff", extensions={"key": b"\x01"})
    assert json.loads(to_json(event))["data_base64"] == "AP8="
    assert from_json(to_json(event)).data == b"\x00\xff"
    assert from_json(to_json(event)).extensions == {"key": "AQ=="}


@pytest.mark.parametrize("encoded", ["AQ", "A Q==", "AQ==\n", "AQ=A", "é", 7, ["AQ=="]])
def test_what_is_no_base64_is_refused(encoded):
    with pytest.raises(EventError, match="data_base64 of the event is"):
        from_json(document(data_base64=encoded))


def test_data_and_data_base64_exclude_each_other_even_if_data_is_null():
    with pytest.raises(EventError, match="give either data or data_base64"):
        from_json(document(data=None, data_base64="AQ=="))


def test_data_that_is_not_json_is_a_text():
    """CE-04: json-format.md, sections 3.1.1 and 3.1.2."""
    event = Event(type="t", source="/s", id="1", datacontenttype="text/xml", data={"a": 1})
    for attempt in (lambda: to_json(event), lambda: from_json(document(datacontenttype="text/xml", data={"a": 1}))):
        with pytest.raises(EventError, match=r"data of the event is .* 'text/xml' is not JSON"):
            attempt()


@pytest.mark.parametrize(("missing", "given"), [("id", {"source": "/s"}), ("source", {"id": "1"}), ("id", {})])
def test_an_incomplete_event_is_not_written(missing, given):
    with pytest.raises(EventError, match=f"{missing} of the event 't' is missing") as refused:
        to_json(Event(type="t", **given))
    assert refused.value.field == missing
    with pytest.raises(EventError, match=rf"event 0 of the batch .*{missing} of the event 't' is missing"):
        to_json_batch([Event(type="t", **given)])


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (math.nan, "data"),
        ({"a": [1, math.inf]}, "data.a[1]"),
        ({"a": {"b": "\ud800"}}, "data.a.b"),
        ({"\udc00": 1}, "data: a name"),
        ({"a": {1: "x"}}, "data.a: a name"),
        ([{"x": {1, 2}}], "data[0].x"),
        ((1, datetime(2026, 11, 23, tzinfo=UTC)), "data[1]"),
        ({"b": b"x"}, "data.b"),
    ],
)
def test_data_without_a_json_form_is_refused_with_its_place(data, place):
    """CV-02, CV-04."""
    with pytest.raises(EventError) as refused:
        to_json(Event(type="t", source="/s", id="1", data=data))
    assert refused.value.field == place
    assert refused.value.remedy


def test_only_events_are_written():
    with pytest.raises(EventError, match="give an Event"):
        to_json({"type": "t"})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (START + ',"id":"A-2"}', "the name 'id' occurs more than once"),
        (START + ',"data":{"a":1,"b":{"c":1,"c":2}}}', "the name 'c' occurs more than once"),
        (START + ',"data":NaN}', "JSON has no NaN"),
        (START + ',"data":[-Infinity]}', "JSON has no NaN"),
        (START + ',"data":1e400}', "64-bit float"),
        (START + ',"data":"\\ud800"}', "lone surrogate"),
        (START + ',"data":{"\\udfff":1}}', "lone surrogate"),
        (START + ',"data":"\ud800"}', "lone surrogate"),
        (START, "is no JSON"),
        (START + "} x", "is no JSON"),
        ("", "is no JSON"),
        ("{'id': 1}", "is no JSON"),
        (START + ',"data":' + "9" * 5000 + "}", "is no JSON"),
        (b"\xff{}", "is not UTF-8"),
        (START + ',"data":' + "[" * 101 + "]" * 101 + "}", "deeper than 100 levels"),
        (START + ',"data":' + "[" * 110 + '"\\ud83d\\ude00"' + "]" * 110 + "}", "at most 100 levels"),
        ("[" * 100_000, "nested too deep"),
        ("null", "give a JSON object"),
        ('"text"', "give a JSON object"),
        (None, "give a JSON text"),
    ],
)
def test_hostile_documents_are_refused(text, problem):
    """CV-04, CV-05."""
    with pytest.raises(EventError, match=problem):
        from_json(text)


def test_escaped_pairs_of_surrogates_are_ordinary_characters():
    assert from_json(START + ',"data":"\\ud83d\\ude00"}').data == "😀"


def test_numbers_keep_their_digits():
    """CV-04: whole numbers beyond 2^53 lose none."""
    text = START + ',"data":[9007199254740993,1.0,1,-0.0]}'
    assert to_json(from_json(text)) == text


def test_a_batch_says_which_event_is_wrong():
    good = json.loads(document())
    with pytest.raises(EventError, match=r"event 1 of the batch .*: id of the event is missing") as refused:
        from_json_batch(json.dumps([good, {**good, "id": None}]))
    assert refused.value.field == "id"
    with pytest.raises(EventError, match=r"event 1 of the batch .*: the document is \[\]; give one JSON object"):
        from_json_batch(json.dumps([good, []]))
    with pytest.raises(EventError, match="from_json reads a single one"):
        from_json_batch(document())


def test_the_registration_sample_is_a_closed_story():
    batch = from_json_batch((DATA / "registration.json").read_bytes())
    by_id = {event.id: event for event in batch}
    assert len(by_id) == 6
    for event in batch:
        cause = by_id[event.cause_id] if event.cause_id else None
        assert event.trace_id == (cause.trace_id if cause else event.id)
    assert [event.id for event in batch if event.trace_id == "R-1"] == ["R-1", "B-1", "D-1", "M-1"]


def test_the_samples_hold_every_kind_of_data():
    text = (DATA / "kinds_of_data.json").read_text("utf-8")
    batch = from_json_batch(text)
    assert [type(event.data).__mro__[-2] for event in batch] == [dict, type(None), type(None), str, str, bytes]
    assert [event.has_data for event in batch] == [True, False, True, True, True, True]
    assert json.loads(to_json_batch(batch)) == json.loads(text)
