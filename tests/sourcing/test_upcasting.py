"""Old events in new shape (ES-06): chains, unknown versions, loops, losses, tolerant readers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.errors import ConfigurationError, EdasimError
from edasim.events import Event, EventError
from edasim.sourcing import EventStore, Upcaster, UpcastError, Upcasters, tolerant, version_of


def split_name(data: dict[str, object]) -> dict[str, object]:
    first, _, last = str(data.pop("name")).partition(" ")
    return {**data, "first": first, "last": last}


CHAIN = (
    Upcaster(type="user.registered", from_version=1, lift=split_name, replaces=("name",)),
    Upcaster(type="user.registered", from_version=2, lift=lambda data: {**data, "country": data.get("country", "??")}),
    Upcaster(type="user.signed_up", from_version=1, lift=lambda data: data, to_type="user.registered", to_version=1),
)
OLD = Event(type="user.registered", id="1", source="/u", data={"name": "Ada Lovelace", "unknown": 7})


@pytest.mark.rule("ES-06")
def test_old_events_are_lifted_while_they_are_read_and_stay_as_they_are(tmp_path: object) -> None:
    store = EventStore(upcasters=CHAIN)
    store.append("u", [OLD, OLD.replace(id="2", type="user.signed_up")])
    store.append(
        "u",
        [
            Event(
                type="user.registered",
                id="3",
                source="/u",
                data={"first": "A", "last": "B", "country": "GB"},
                extensions={"schemaversion": 3},
            )
        ],
    )
    lifted = [recorded.event for recorded in store.read(types="user.registered")]
    assert [version_of(event) for event in lifted] == [3, 3, 3]
    assert lifted[0].data == lifted[1].data == {"first": "Ada", "last": "Lovelace", "country": "??", "unknown": 7}
    assert lifted[2].data["country"] == "GB"
    assert store.query("select json_extract(data, '$.name') from events where position = 1") == [("Ada Lovelace",)]
    assert not store.append("u", [OLD, OLD.replace(id="2", type="user.signed_up")]).is_new
    assert store.verify() is None


@pytest.mark.rule("ES-06")
@given(st.integers(1, 6), st.integers(1, 6))
def test_a_chain_lifts_from_any_version_to_the_newest(newest: int, begin: int) -> None:
    begin = min(begin, newest)
    steps = [
        Upcaster(type="t", from_version=v, lift=lambda data, v=v: {**data, f"v{v + 1}": True}) for v in range(1, newest)
    ]
    lifted = Upcasters(steps).lift(Event(type="t", data={}, extensions={"schemaversion": begin}))
    assert (version_of(lifted), sorted(lifted.data)) == (newest, [f"v{v}" for v in range(begin + 1, newest + 1)])


@pytest.mark.rule("ES-06")
@pytest.mark.parametrize(("type_", "version", "newest"), [("user.registered", 4, 3), ("other", 2, 1)])
def test_a_version_that_nobody_knows_is_refused_with_its_place(type_: str, version: int, newest: int) -> None:
    store = EventStore(upcasters=CHAIN)
    store.append("u", [OLD, Event(type=type_, data={}, extensions={"schemaversion": version})])
    with pytest.raises(
        UpcastError, match=rf"at position 2 has version {version}, and this reader knows up to {newest}"
    ):
        list(store.read())
    assert store.at(1).event.data["first"] == "Ada"


@pytest.mark.parametrize("version", [0, -1, True, "two"])
def test_a_version_that_is_no_number_is_refused(version: object) -> None:
    with pytest.raises(UpcastError, match="schemaversion"):
        version_of(Event(type="t", id="1", extensions={"schemaversion": version}))  # type: ignore[dict-item]


def test_a_step_that_loses_data_is_refused_before_anybody_reads_it() -> None:
    store = EventStore(
        upcasters=[Upcaster(type="user.registered", lift=lambda data: {"first": data["name"]}, replaces=("name",))]
    )
    store.append("u", [OLD])
    with pytest.raises(UpcastError, match="loses unknown of the event '1'"):
        list(store.read())


def test_a_field_inside_another_that_is_lost_is_told_by_its_path() -> None:
    deep = {"address": {"city": "Lyon", "zip": "69001"}, "name": "Ada"}

    def forgetful(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "address": {"city": data["address"]["city"]}}

    for replaces in ((), ("address",), ("zip",)):
        store = EventStore(upcasters=[Upcaster(type="moved", lift=forgetful, replaces=replaces)])
        store.append("a", [Event(type="moved", data=deep)])
        with pytest.raises(UpcastError, match=r"loses address\.zip of"):
            list(store.read())
    knowing = EventStore(upcasters=[Upcaster(type="moved", lift=forgetful, replaces=("address.zip",))])
    knowing.append("a", [Event(type="moved", data=deep)])
    assert knowing.at(1).event.data["address"] == {"city": "Lyon"}


def test_a_step_that_returns_no_data_is_refused() -> None:
    with pytest.raises(UpcastError, match="returned None"):
        Upcasters([Upcaster(type="user.registered", lift=lambda data: None)]).lift(OLD)  # type: ignore[arg-type,return-value]


def keep(data: dict[str, object]) -> dict[str, object]:
    return data


@pytest.mark.parametrize(
    "steps",
    [
        [
            Upcaster(type="a", lift=keep, to_type="b", to_version=1),
            Upcaster(type="b", lift=keep, to_type="a", to_version=1),
        ],
        [Upcaster(type="a", from_version=2, lift=keep, to_version=1), Upcaster(type="a", from_version=1, lift=keep)],
        [Upcaster(type="a", lift=keep, to_type="a", to_version=1)],
        [Upcaster(type="a", lift=keep), Upcaster(type="a", lift=keep)],
    ],
)
def test_loops_and_double_steps_are_refused_at_construction(steps: list[Upcaster]) -> None:
    with pytest.raises(ConfigurationError, match=r"loop|leads to itself|two upcasters"):
        EventStore(upcasters=steps)


def test_wrong_steps_are_refused() -> None:
    for wrong in ({"type": ""}, {"from_version": 0}, {"lift": "split"}):
        with pytest.raises(EdasimError):
            Upcaster(**{"type": "t", "lift": keep, **wrong})  # type: ignore[arg-type]


def test_a_tolerant_reader_takes_what_it_knows() -> None:
    assert tolerant(OLD, "name", plan="free") == {"name": "Ada Lovelace", "plan": "free"}
    assert tolerant(Event(type="t"), plan="free") == {"plan": "free"}
    with pytest.raises(EventError, match="no field 'mail'"):
        tolerant(OLD, "mail")
