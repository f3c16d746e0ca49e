import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest

from edasim.errors import StateError, UnknownNameError
from edasim.events import NO_DATA, Event, EventError


def registered(**more):
    return Event(**{"type": "user.registered", "source": "/users", "id": "A-1", "data": {"name": "Ada"}, **more})


def test_an_event_has_the_attributes_it_was_given():
    event = registered(
        subject="user/42",
        time="2026-11-23T10:00:00Z",
        datacontenttype="application/json",
        dataschema="https://example.org/user.json",
        extensions={"partitionkey": "42"},
    )
    assert event.attributes() == {
        "specversion": "1.0",
        "id": "A-1",
        "source": "/users",
        "type": "user.registered",
        "subject": "user/42",
        "time": "2026-11-23T10:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": "https://example.org/user.json",
        "partitionkey": "42",
    }
    assert event.data == {"name": "Ada"}


def test_no_data_and_null_data_are_two_things():
    absent, null = registered(data=NO_DATA), registered(data=None)
    assert (absent.data, absent.has_data) == (None, False)
    assert (null.data, null.has_data) == (None, True)
    assert absent != null


@pytest.mark.parametrize("name", ["type", "data", "cause_id", "trace_id", "unheard_of"])
def test_nothing_can_be_set_or_deleted(name):
    event = registered()
    with pytest.raises(StateError, match=f"{name} of an event cannot be set"):
        setattr(event, name, "x")
    with pytest.raises(StateError, match=f"{name} of an event cannot be deleted"):
        delattr(event, name)
    assert event == registered()


def test_equal_by_value_and_hashed_alike():
    event = registered(extensions={"b": 1, "a": "x"})
    same = registered(extensions={"a": "x", "b": 1})
    assert event == same
    assert hash(event) == hash(same)
    assert len({event, same, registered()}) == 2
    assert event != "A-1"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "A-2"},
        {"source": "/other"},
        {"type": "user.accepted"},
        {"subject": "user/1"},
        {"time": "2026-11-23T10:00:00Z"},
        {"data": {"name": "Bob"}},
        {"data": NO_DATA},
        {"cause_id": "A-0"},
        {"trace_id": "A-0"},
        {"datacontenttype": "text/json"},
        {"dataschema": "urn:schema"},
        {"extensions": {"flag": True}},
    ],
)
def test_a_change_of_anything_makes_another_event(change):
    assert registered().replace(**change) != registered()
    assert registered().replace(**change) == registered(**change)


def test_identity_is_source_and_id_alone():
    """CE-01: a consumer may take events with the same source and id for duplicates."""
    again = registered(data={"name": "ADA"}, time="2026-11-23T10:00:00Z")
    assert again != registered()
    assert again.identity == registered().identity == ("/users", "A-1")
    assert registered(source="/crm").identity != registered().identity


def test_replace_knows_its_attributes():
    with pytest.raises(UnknownNameError, match="did you mean 'subject'"):
        registered().replace(subjekt="user/42")


def test_a_first_event_is_its_own_trace_and_a_following_one_inherits_it():
    first = registered()
    second = first.follow(type="user.accepted", source="/analytics", id="B-1", data={"score": 0.1})
    third = second.follow(type="mail.sent", source="/mail", id="C-1")
    assert (first.cause_id, first.trace_id) == (None, "A-1")
    assert (second.cause_id, second.trace_id) == ("A-1", "A-1")
    assert (third.cause_id, third.trace_id) == ("B-1", "A-1")


def test_cause_and_trace_are_the_attributes_of_the_correlation_extension():
    second = registered().follow(type="user.accepted", source="/analytics", id="B-1")
    assert second.attributes()["causationid"] == "A-1"
    assert second.attributes()["correlationid"] == "A-1"
    given = Event(type="t", extensions={"causationid": "A-1", "correlationid": "A-0", "flag": True})
    assert (given.cause_id, given.trace_id, given.extensions) == ("A-1", "A-0", {"flag": True})
    with pytest.raises(EventError, match="cause_id of the event is 'A-1'; give it once"):
        Event(type="t", cause_id="A-1", extensions={"causationid": "A-2"})


def test_a_draft_is_completed_by_its_publisher_and_keeps_what_it_has():
    draft = Event(type="user.accepted", data={"n": 1}, time="2026-11-23T10:00:00Z")
    assert not draft.is_complete
    assert draft.trace_id is None
    complete = draft.filled(id="B-1", source="/analytics", time="2027-01-01T00:00:00Z", cause_id="A-1", trace_id="A-0")
    assert complete == Event(
        type="user.accepted",
        id="B-1",
        source="/analytics",
        time="2026-11-23T10:00:00Z",
        cause_id="A-1",
        trace_id="A-0",
        data={"n": 1},
    )
    assert complete.is_complete
    assert complete.filled(id="X", source="/x", cause_id="X", trace_id="X") == complete
    assert registered().filled(time=datetime(2026, 11, 23, tzinfo=UTC)).time == "2026-11-23T00:00:00Z"
    assert not draft.is_complete


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("id", ""), ("id", 7), ("id", "a\n"), ("source", "mail service"), ("source", ""), ("source", 7)],
)
def test_filling_in_checks_as_making_does(attribute, value):
    for attempt in (
        lambda: Event(type="t", **{attribute: value}),
        lambda: Event(type="t").filled(**{attribute: value}),
    ):
        with pytest.raises(EventError) as refused:
            attempt()
        assert refused.value.field == attribute
        assert refused.value.value == value
        assert refused.value.remedy


def test_filling_in_checks_links_and_time():
    for attribute, value in (("cause_id", ""), ("trace_id", 7), ("time", "yesterday")):
        with pytest.raises(EventError, match=f"{attribute} of the event is {value!r}"):
            Event(type="t").filled(**{attribute: value})


def test_what_is_missing_is_named():
    with pytest.raises(EventError, match=r"id of the event 'user\.accepted' is missing"):
        Event(type="user.accepted").follow(type="mail.sent")
    with pytest.raises(EventError, match=r"source of the event 'user\.accepted' is missing") as refused:
        _ = Event(type="user.accepted", id="A-1").identity
    assert refused.value.field == "source"


def test_time_is_kept_as_text():
    assert registered(time=datetime(2026, 11, 23, 10, 0, 0, 120000, tzinfo=UTC)).time == "2026-11-23T10:00:00.120000Z"
    east = timezone(timedelta(hours=8))
    assert registered(time=datetime(2026, 11, 23, 10, tzinfo=east)).time == "2026-11-23T10:00:00+08:00"
    odd = timezone(timedelta(seconds=30))
    for wrong in (datetime(2026, 11, 23), datetime(2026, 11, 23, tzinfo=odd), 1.5, "2026-11-23"):  # noqa: DTZ001
        with pytest.raises(EventError, match="time of the event is"):
            registered(time=wrong)


def test_survives_pickle_and_copy():
    event = registered(extensions={"flag": True}, data={"items": [1, {"n": 2}]}).follow(type="t", data=[{"a": []}])
    for twin in (pickle.loads(pickle.dumps(event)), copy.copy(event), copy.deepcopy(event)):
        assert twin == event
        assert isinstance(twin, Event)
        with pytest.raises(StateError):
            twin.data.append(1)
        with pytest.raises(StateError):
            twin.data[0]["a"].append(1)


def test_repr_shows_what_is_set_and_stays_short():
    assert repr(registered()) == "Event(type='user.registered', id='A-1', source='/users', data={'name': 'Ada'})"
    assert repr(Event(type="t")) == "Event(type='t')"
    assert repr(Event(type="t", data=None)) == "Event(type='t', data=None)"
    assert repr(Event(type="t", trace_id="A-0", extensions={"flag": False})) == (
        "Event(type='t', trace_id='A-0', extensions={'flag': False})"
    )
    assert len(repr(registered(data={"text": "x" * 10_000}))) < 200
