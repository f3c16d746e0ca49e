"""What load does: a generator that omits what it caused, a restart that everybody notices, queues without a bound."""

import math

import numpy as np
import pytest
from calling import asked

import edasim as eda
from edasim.governance import Backoff, ControlledDelay, Retry
from edasim.services.calls import Client, Protections, Server

EVERY_S, SERVICE_S, STALLS_S, LASTS_S = 0.1, 0.001, 100.0, 200.0


def stalled_server():
    """A server of a millisecond per call, whose 1,000th call takes 100 seconds."""
    sim = eda.Simulation(seed=1)
    services_s = [SERVICE_S] * 999 + [STALLS_S] + [SERVICE_S] * 3000
    server = Server("api", sim=sim, service_time=eda.times.Trace(values_s=services_s))
    return sim, Client("generator", of=server)


def responses_s(run):
    """From asking to the answer, in seconds."""
    rows = run.messages()
    rows = rows[(rows.group == "requests") & (rows.outcome == "done")]
    return np.sort((rows.finished_s - rows.published_s).to_numpy())


@pytest.mark.rule("RP-06")
def test_a_generator_that_waits_for_answers_hides_the_wait_that_it_caused():
    """One request every 100 ms is meant, for 200 s; from 100 s on the server hangs for 100 s.

    An open generator asks on time. A closed one asks again 99 ms after an answer, and counts from its asking. The third
    waits too, and counts from when it meant to ask, as wrk2 does.
    """
    sim, client = stalled_server()
    eda.Source("open", load=eda.load.Constant(rate_per_s=1 / EVERY_S).until(LASTS_S), to=client)
    on_time_s = responses_s(sim.run(until_s=400.0))

    sim, client = stalled_server()
    think = eda.times.Constant(value_s=EVERY_S - SERVICE_S)
    eda.Source("closed", load=eda.load.Closed(users=1, think_time=think), to=client)
    omitting_s = responses_s(sim.run(until_s=LASTS_S))

    sim, client = stalled_server()
    intended_s = []

    def generator():
        for number in range(1, len(on_time_s) + 1):
            meant_s = number * EVERY_S
            yield sim.env.timeout(max(0.0, meant_s - sim.env.now))
            yield client.call()
            intended_s.append(sim.env.now - meant_s)

    sim.env.process(generator())
    sim.run(until_s=400.0)

    assert (len(on_time_s), len(intended_s), len(omitting_s)) == (1999, 1999, 1000)  # half of the plan is omitted
    assert np.quantile(omitting_s, 0.998) == pytest.approx(SERVICE_S, abs=1e-9)
    assert max(omitting_s) == pytest.approx(STALLS_S)
    assert np.quantile(on_time_s, 0.75) == pytest.approx(STALLS_S / 2, rel=0.02)
    assert np.sort(intended_s) == pytest.approx(on_time_s)


def comeback(jitter, seed):
    """200 clients ask a server that is down; instants at which they asked again, and when the last had its answer."""
    sim = eda.Simulation(seed=seed)
    server = Server("api", sim=sim, service_time=eda.times.Constant(value_s=0.002))
    backoff = Backoff(first_wait_s=1.0, factor=2.0, cap_s=8.0, jitter=jitter)
    client = Client("devices", of=server, protections=Protections(retry=Retry(attempts=12, backoff=backoff)))
    eda.Source("devices", load=eda.load.Trace(times_s=[1.0] * 200), to=client)
    sim.at(0.5, server.instances["api/0"].crash)
    sim.at(3.5, server.instances["api/0"].restart)
    rows = sim.run(until_s=120.0).messages()
    tries, requests = rows[rows.group == "devices"], rows[rows.group == "requests"]
    assert set(requests.outcome) == {"done"}
    return tries[tries.attempt > 1].enqueued_s.to_numpy(), requests.finished_s.max()


@pytest.mark.rule("RP-07")
def test_jitter_flattens_the_storm_after_a_restart():
    """Without jitter all 200 come again in one instant. With full jitter each spreads over at least its last second.

    The first retries are uniform over a second: more than 50 of 200 in one of the tenths happens with a chance below
    1e-8 (binomial), later ones are wider. Three seeds.
    """
    instants_s, last_s = comeback("none", seed=0)
    assert sorted(set(instants_s)) == [2.0, 4.0]
    assert last_s == pytest.approx(4.0 + 200 * 0.002)
    for seed in range(3):
        instants_s, _ = comeback("full", seed)
        peak = np.histogram(instants_s, bins=np.arange(1.0, 40.0, 0.1))[0].max()
        assert 20 <= peak <= 50


def waits_s(slower, **bound):
    """The waits of calls that a server began, at twice the load that it bears, when all is `slower` times as slow."""
    per_s = 200.0 / slower
    instants_s = [number / per_s for number in range(1, int(20 * per_s))]
    sim, _, _ = asked(instants_s, services_s=0.01 * slower, **bound)
    rows = sim.run(until_s=60.0).messages()
    begun = rows[(rows.group == "shop") & rows.started_s.notna()]
    return (begun.started_s - begun.enqueued_s).to_numpy()


@pytest.mark.rule("RP-08")
def test_a_queue_turns_overload_into_latency_and_only_a_bound_in_time_bounds_it():
    """Twice the load for 20 s: an endless queue makes the last wait 20 s.

    A bound of 50 calls is half a second on a fast server and five on a slow one; a bound of half a second is one.
    """
    assert max(waits_s(1)) == pytest.approx(20.0, rel=0.01)
    by_length, by_time = {"room": 50}, {"shedding": ControlledDelay(short_s=0.5, long_s=0.5, newest_first=False)}
    assert max(waits_s(1, **by_length)) == pytest.approx(0.5, rel=0.02)
    assert max(waits_s(10, **by_length)) == pytest.approx(5.0, rel=0.02)
    assert 0.4 < max(waits_s(1, **by_time)) <= 0.5 + 1e-9
    assert 0.4 < max(waits_s(10, **by_time)) <= 0.5 + 1e-9
    served = len(waits_s(1, **by_time))
    assert math.isclose(served, len(waits_s(1, **by_length)), rel_tol=0.05)  # as busy as before
