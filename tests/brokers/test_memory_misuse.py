"""What the memory bus and a topology refuse or put in order."""

import pytest

from edasim.brokers import MemoryBus, Topology
from edasim.errors import ConfigurationError, HandlerError
from edasim.events import Event
from edasim.kernel import Simulation
from edasim.services import Service, Source, load


def test_a_condition_that_fails_is_not_blamed_on_the_handler_that_published():
    sim = Simulation()
    bus = MemoryBus().start(sim)
    there = bus.topic("there")
    there.subscribe(where=lambda event: event.data["n"] > 1)
    Service("srv", of=bus.topic("here").subscribe(), handler=lambda e, c: Event(type="x"), to=there)
    Source("src", load=load.Constant(rate_per_s=1.0).first(1), to=bus.topic("here"))
    with pytest.raises(HandlerError, match=r"at 1\.0.* s of simulated time: the condition of a subscription failed"):
        sim.run()


def test_dead_letters_stay_in_their_simulation():
    here, elsewhere = (MemoryBus().start(Simulation()).topic("t") for _ in range(2))
    with pytest.raises(ConfigurationError, match="the same simulation"):
        here.subscribe(dead_letters=elsewhere)


def test_a_set_of_event_types_has_the_same_order_in_every_process():
    shop = Topology(name="shop", publishes={"till": {"sold", "paid", "back"}}, consumes={"stock": "sold"})
    assert shop.types == ("back", "paid", "sold")


@pytest.mark.parametrize("types", [5, b"sold", ["sold", 5]])
def test_event_types_are_texts(types):
    with pytest.raises(ConfigurationError, match="publishes"):
        Topology(name="shop", publishes={"till": types}, consumes={"stock": ["sold"]})
