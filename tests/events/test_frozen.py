import array
import copy
import pickle
from collections import OrderedDict, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.errors import StateError
from edasim.events import Event, EventError
from edasim.events.frozen import MAX_DEPTH, FrozenDict, FrozenList, freeze

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def containers(value):
    if isinstance(value, dict | list):
        yield value
        for held in value.values() if isinstance(value, dict) else value:
            yield from containers(held)


@given(json_values)
def test_frozen_data_equals_the_plain_one_and_no_container_of_it_is_shared_or_open(value):
    frozen = freeze(value)
    assert frozen == value
    assert all(isinstance(held, FrozenDict | FrozenList) for held in containers(frozen))
    assert not {id(held) for held in containers(frozen)} & {id(held) for held in containers(value)}
    assert freeze(frozen) is frozen


def test_the_maker_of_an_event_cannot_change_it_afterwards():
    data = {"items": [1], "user": {"name": "Ada"}}
    event = Event(type="t", data=data)
    data["items"].append(2)
    data["user"]["name"] = "Bob"
    data["more"] = 1
    assert event.data == {"items": [1], "user": {"name": "Ada"}}


def test_one_dictionary_used_for_many_events_makes_many_facts():
    data = {"n": 0}
    events = []
    for n in range(3):
        data["n"] = n
        events.append(Event(type="t", data=data))
    assert [event.data["n"] for event in events] == [0, 1, 2]


DICT_CHANGES = [
    lambda d: d.__setitem__("a", 2),
    lambda d: d.__delitem__("a"),
    lambda d: d.__ior__({"b": 1}),
    lambda d: d.clear(),
    lambda d: d.pop("a"),
    lambda d: d.popitem(),
    lambda d: d.setdefault("b", 1),
    lambda d: d.update(b=1),
]
LIST_CHANGES = [
    lambda e: e.__setitem__(0, 2),
    lambda e: e.__delitem__(0),
    lambda e: e.__iadd__([1]),
    lambda e: e.__imul__(2),
    lambda e: e.append(1),
    lambda e: e.clear(),
    lambda e: e.extend([1]),
    lambda e: e.insert(0, 1),
    lambda e: e.pop(),
    lambda e: e.remove(1),
    lambda e: e.reverse(),
    lambda e: e.sort(),
]


@pytest.mark.parametrize(
    ("plain", "change"), [({"a": 1}, c) for c in DICT_CHANGES] + [([1, 3, 2], c) for c in LIST_CHANGES]
)
def test_every_way_to_change_frozen_data_is_refused(plain, change):
    changed = copy.copy(plain)
    change(changed)
    assert changed != plain or changed == sorted(plain)  # it is a change, or sorts what is sorted
    frozen = freeze(plain)
    with pytest.raises(StateError, match="the data of an event cannot be changed"):
        change(frozen)
    assert frozen == plain


def test_a_copy_can_be_changed():
    event = Event(type="t", data={"n": 1})
    changed = event.data.copy()
    changed["n"] = 2
    assert {**event.data, "m": 3} == {"n": 1, "m": 3} == event.data | {"m": 3}
    assert (changed, event.data) == ({"n": 2}, {"n": 1})


def test_frozen_data_survives_pickle_and_copy_frozen():
    frozen = freeze({"a": [1, {"b": 2}]})
    for twin in (pickle.loads(pickle.dumps(frozen)), copy.deepcopy(frozen)):
        assert twin == frozen
        assert all(isinstance(held, FrozenDict | FrozenList) for held in containers(twin))


def test_containers_that_json_does_not_know_are_frozen_as_well():
    point = namedtuple("point", "x y")(1, 2)
    assert freeze((1, [2])) == (1, [2])
    assert isinstance(freeze((1, [2]))[1], FrozenList)
    assert isinstance(freeze({1, 2}), frozenset)
    assert freeze(bytearray(b"ab")) == b"ab" == freeze(memoryview(b"ab"))
    assert isinstance(freeze(OrderedDict(a=1)), FrozenDict)
    assert freeze(point) is point


def test_other_objects_are_kept_as_they_are():
    numbers = array.array("d", [1.0])
    assert Event(type="t", data={"numbers": numbers}).data["numbers"] is numbers


def nested(levels):
    data = []
    for _ in range(levels - 1):
        data = [data]
    return data


def test_depth_is_bounded_and_a_circle_is_found():
    assert Event(type="t", data=nested(MAX_DEPTH)).data == nested(MAX_DEPTH)
    with pytest.raises(EventError, match="deeper than 100 levels"):
        Event(type="t", data=nested(MAX_DEPTH + 1))
    circle = {}
    circle["self"] = circle
    with pytest.raises(EventError, match="or contains itself"):
        Event(type="t", data=circle)
