"""Topologies: who publishes and who consumes what, in the words of the story."""

import pytest

from edasim.brokers import Topology
from edasim.errors import ConfigurationError

SHOP = Topology(
    name="shop",
    publishes={"till": ["sold", "opened"], "stock": "empty"},
    consumes={"stock": ["sold"], "boss": ["sold", "empty"]},
)


def test_a_topology_tells_who_consumes_what():
    assert SHOP.types == ("sold", "opened", "empty")
    assert [SHOP.consumers_of(kind) for kind in SHOP.types] == [("stock", "boss"), (), ("boss",)]


def test_a_topology_describes_itself_line_by_line():
    assert SHOP.describe().splitlines() == [
        "till --sold--> stock and boss",
        "till --opened--> nobody",
        "stock --empty--> boss",
    ]


@pytest.mark.parametrize(
    ("wrong", "field", "remedy"),
    [
        ({"publishes": {}}, "Topology.publishes", "a dictionary from service names to event types"),
        ({"publishes": ["sold"]}, "Topology.publishes", "a dictionary from service names to event types"),
        ({"consumes": {"": ["sold"]}}, "Topology.consumes", "a text that is not empty"),
        ({"consumes": {"stock": ["sold", ""]}}, "Topology.consumes['stock']", "a text that is not empty"),
        ({"consumes": {"stock": ["lost"]}}, "Topology.consumes", "published are: sold"),
    ],
)
def test_a_wrong_wish_is_named(wrong, field, remedy):
    right = {"name": "shop", "publishes": {"till": ["sold"]}, "consumes": {"stock": ["sold"]}}
    with pytest.raises(ConfigurationError) as caught:
        Topology(**(right | wrong))
    assert caught.value.field == field
    assert remedy in caught.value.remedy
