"""The official Python SDK (package `cloudevents`) as a referee of the JSON form.

edasim itself does without it: the SDK makes up an id and a time that are missing, takes a null for no data, and does
not check URIs, media types and integers.
"""

import json
from datetime import UTC, datetime

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from edasim.events import NO_DATA, Event, from_json, to_json

printable = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
json_objects = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.booleans() | printable
)


@st.composite
def events(draw):
    """Events within what the SDK tells apart: it fills in a time of its own, and takes a null for no data."""
    datacontenttype, data = draw(
        st.tuples(
            st.sampled_from([None, "application/json", "text/json"]), st.just(NO_DATA) | json_objects | st.binary()
        )
        | st.tuples(st.just("text/xml"), printable | st.binary())
    )
    return Event(
        type=draw(printable),
        id=draw(printable),
        source=draw(st.sampled_from(["/users", "urn:a:b"])),
        subject=draw(st.none() | printable),
        time=draw(st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1))),  # noqa: DTZ001
        datacontenttype=datacontenttype,
        dataschema=draw(st.none() | st.just("urn:schema:1")),
        data=data,
        extensions=draw(
            st.dictionaries(st.sampled_from(["flag", "key", "n1"]), st.booleans() | st.integers(-9, 9) | printable)
        ),
        cause_id=draw(st.none() | printable),
        trace_id=draw(st.none() | printable),
    )


@given(events())
def test_the_sdk_reads_what_we_write(event):
    read = JSONFormat().read(None, to_json(event))
    assert isinstance(read, CloudEvent)
    assert {**read.get_attributes(), "time": event.time} == event.attributes()
    assert read.get_time() == datetime.fromisoformat(event.time)
    assert read.get_data() == event.data


@given(events())
def test_we_read_what_the_sdk_writes(event):
    attributes = {**event.attributes(), "time": datetime.fromisoformat(event.time)}
    written = JSONFormat().write(CloudEvent(attributes, event.data))
    read = from_json(written)
    assert read == event
    assert json.loads(to_json(read)) == json.loads(written)


@pytest.mark.parametrize("missing", ["id", "source", "type"])
def test_both_refuse_a_document_without_a_required_attribute(missing):
    """CE-01, but for `id`, which the SDK makes up."""
    members = {"specversion": "1.0", "id": "A-1", "source": "/users", "type": "t", "time": "2026-11-23T10:00:00Z"}
    del members[missing]
    with pytest.raises(ValueError, match=f"{missing} of the event is missing"):
        from_json(json.dumps(members))
    if missing == "id":
        assert JSONFormat().read(None, json.dumps(members)).get_id()
    else:
        with pytest.raises(Exception, match=missing):
            JSONFormat().read(None, json.dumps(members))
