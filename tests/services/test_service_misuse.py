"""Handlers, nodes and distributions that cannot work are refused, and say so."""

import pytest
import simpy

from edasim.brokers import MemoryBus
from edasim.errors import ConfigurationError, EdasimError, HandlerError, StateError
from edasim.kernel import Simulation
from edasim.services import Service, Source, load


def system(**settings):
    sim = Simulation()
    topic = MemoryBus().start(sim).topic("t")
    Service("srv", of=topic.subscribe(), **settings)
    Source("src", load=load.Constant(rate_per_s=1.0).first(2), to=topic)
    return sim


@pytest.mark.parametrize("handler", [lambda event: None, lambda: None, lambda event, context, more: None, 5])
def test_a_handler_that_cannot_be_called_with_event_and_context_is_refused(handler):
    with pytest.raises(ConfigurationError, match=r"Service\.handler is .*; give a function of \(event, context\)"):
        system(handler=handler)


def test_a_function_that_does_not_tell_its_signature_is_taken_at_its_word():
    taken = Service("taken", of=MemoryBus().start(Simulation()).topic("t").subscribe(), handler=max)
    assert taken.handler is max


def test_a_set_of_nodes_is_refused_since_its_order_differs_between_processes():
    with pytest.raises(ConfigurationError, match=r"Service\.nodes"):
        system(nodes={"a", "b"})


def test_an_event_of_another_environment_would_never_come():
    def handler(event, context):
        yield simpy.Environment().timeout(1.0)

    with pytest.raises(HandlerError, match="yielded"):
        system(handler=handler).run()


def test_a_fact_may_have_particulars_of_any_name():
    run = system(handler=lambda event, context: context.fact("x", subject="s", kind="k", time_s=1)).run()
    assert [fact.detail["subject"] for fact in run.fact_list] == ["s", "s"]


@pytest.mark.parametrize("drawn", [[], ["a"], [None], [-1.0]])
def test_draws_of_your_own_that_are_no_times_are_named(drawn):
    class Own:
        mean_s = scv = 1.0

        def draws(self, rng):
            return iter(drawn).__next__

        def describe(self):
            return "own"

    with pytest.raises(StateError, match=r"Service\.service_time drew"):
        system(service_time=Own()).run()


@pytest.mark.parametrize("attributes", [{"subject": 5}, {"event": "a\nb"}])
def test_a_source_refuses_at_once_what_no_event_can_hold(attributes):
    topic = MemoryBus().start(Simulation()).topic("t")
    with pytest.raises(EdasimError, match=r"subject|type"):
        Source("src", load=load.Constant(rate_per_s=1.0), to=topic, **attributes)
