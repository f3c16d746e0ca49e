import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.events import Event, EventError, rfc3339, seconds_since_epoch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1969-12-31T23:59:59.5Z", -0.5),
        ("2000-03-01T00:00:00z", 951_868_800.0),
        ("2026-11-23t10:00:00+08:00", 1_795_399_200.0),
        ("2026-11-23T10:00:00.123456789-00:30", 1_795_429_800.123456789),
        ("2016-12-31T23:59:60Z", 1_483_228_800.0),
        ("2017-01-01T07:59:60+08:00", 1_483_228_800.0),
        ("0000-02-29T00:00:00Z", -62_162_121_600.0),
        ("9999-12-31T23:59:60Z", 253_402_300_800.0),
    ],
)
def test_timestamps_are_read_to_the_second(timestamp, seconds):
    """CE-02: `time` follows RFC 3339, leap seconds and the year 0 included."""
    assert seconds_since_epoch(timestamp) == seconds
    assert Event(type="t", time=timestamp).time == timestamp


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "yesterday",
        "2026-11-23",
        "2026-11-23T10:00:00",
        "2026-11-23T10:00Z",
        "2026-11-23 10:00:00Z",
        "2026-11-23T10:00:00.Z",
        "2026-11-23T10:00:00+0800",
        "2026-11-23T10:00:00+24:00",
        "2026-11-23T10:00:00+08:60",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:60:00Z",
        "2026-11-23T10:00:61Z",
        "2026-11-23T10:00:60Z",
        "2026-11-23T23:59:60Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "0100-02-29T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "26-01-01T00:00:00Z",
        "２０２６-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        None,
        0,
    ],
)
def test_what_is_no_timestamp_is_refused(wrong):
    with pytest.raises(EventError, match=r"time of the event is .*; give an RFC 3339 text"):
        seconds_since_epoch(wrong)


@given(st.datetimes(timezones=st.just(UTC)))
def test_agrees_with_the_calendar_of_python(moment):
    seconds = (moment - EPOCH) / timedelta(seconds=1)
    assert math.isclose(seconds_since_epoch(moment.isoformat()), seconds, abs_tol=1e-4)


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_microseconds_survive_the_round_trip(microseconds):
    written = rfc3339(microseconds / 1e6)
    assert datetime.fromisoformat(written) == EPOCH + timedelta(microseconds=microseconds)
    assert seconds_since_epoch(written) == pytest.approx(microseconds / 1e6, abs=1e-7)


@pytest.mark.parametrize(
    ("seconds", "timestamp"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (-0.25, "1969-12-31T23:59:59.75Z"),
        (1e-7, "1970-01-01T00:00:00Z"),
        (86_399.9999999, "1970-01-02T00:00:00Z"),
    ],
)
def test_simulated_seconds_become_short_timestamps(seconds, timestamp):
    assert rfc3339(seconds) == timestamp


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1e15, 1e15])
def test_seconds_outside_the_calendar_are_refused(seconds):
    with pytest.raises(EventError, match="time of the event is"):
        rfc3339(seconds)
