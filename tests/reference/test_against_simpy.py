"""Small models in plain SimPy, a process per customer, that must agree with the plane.

They are written as SimPy's own examples are, and share nothing with edasim but the numbers that both are fed.
"""

import numpy as np
import pytest
import simpy

from edasim import Event, MemoryBus, Service, Simulation, Source, load, times

CLOSE_S = 1e-9


def fed_numbers(seed, customers=2000, load_ratio=0.85, servers=1):
    """Arrival instants and service times in seconds, the same for both models."""
    rng = np.random.default_rng(seed)
    arrivals_s = np.cumsum(rng.exponential(1.0 / (load_ratio * servers), customers))
    return arrivals_s.tolist(), rng.exponential(1.0, 2 * customers).tolist()


def clockwork_numbers(customers=400):
    """Multiples of an eighth, so that arrivals and ends fall on one instant again and again."""
    rng = np.random.default_rng(1)
    arrivals_s = np.cumsum(rng.integers(0, 5, customers)) / 8
    return arrivals_s.tolist(), (rng.integers(1, 4, 2 * customers) / 8).tolist()


def queue_in_edasim(arrivals_s, services_s, outages=(), **settings):
    """A source, one subscription, one service; its columns."""
    sim = Simulation()
    topic = MemoryBus().start(sim).topic("t")
    bound = {"capacity": settings.pop("capacity")} if "capacity" in settings else {}
    service_time = times.Trace(values_s=services_s)
    Service("server", of=topic.subscribe(**bound), service_time=service_time, **settings)
    Source("customers", load=load.Trace(times_s=arrivals_s), to=topic)
    for down_s, up_s in outages:
        sim.at(down_s, sim.node("server/0").crash)
        sim.at(up_s, sim.node("server/0").restart)
    return sim.run()


def queue_in_simpy(arrivals_s, services_s, servers=1, places=None):
    """Waits in seconds by customer; NaN for who found all places in the queue taken."""
    env = simpy.Environment()
    desk = simpy.Resource(env, capacity=servers)
    services = iter(services_s)
    waits_s = [float("nan")] * len(arrivals_s)

    def customer(number):
        arrived_s = env.now
        if places is not None and desk.count == servers and len(desk.queue) >= places:
            return
        with desk.request() as turn:
            yield turn
            waits_s[number] = env.now - arrived_s
            yield env.timeout(next(services))

    def arrive():
        for number, arrival_s in enumerate(arrivals_s):
            yield env.timeout(arrival_s - env.now)
            env.process(customer(number))

    env.process(arrive())
    env.run()
    return np.array(waits_s)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("servers", [1, 3])
def test_one_queue_and_its_servers(servers, seed):
    arrivals_s, services_s = fed_numbers(seed, servers=servers)
    expected_s = queue_in_simpy(arrivals_s, services_s, servers)
    assert expected_s.max() > 5.0
    for settings in ({"nodes": servers}, {"concurrency": servers}):
        waits_s = queue_in_edasim(arrivals_s, services_s, **settings).deliveries.waits_s
        np.testing.assert_allclose(waits_s, expected_s, rtol=0.0, atol=CLOSE_S)


@pytest.mark.parametrize("servers", [1, 3])
def test_one_queue_with_many_things_at_one_instant(servers):
    arrivals_s, services_s = clockwork_numbers()
    expected_s = queue_in_simpy(arrivals_s, services_s, servers)
    assert queue_in_edasim(arrivals_s, services_s, nodes=servers).deliveries.waits_s.tolist() == expected_s.tolist()


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize(("servers", "places"), [(1, 1), (1, 4), (2, 3)])
def test_a_bounded_queue_loses_the_same_customers(seed, servers, places):
    """Without ties: who is lost of two that come at one instant depends on what a program plans first."""
    arrivals_s, services_s = fed_numbers(seed, load_ratio=1.2, servers=servers)
    expected_s = queue_in_simpy(arrivals_s, services_s, servers, places)
    run = queue_in_edasim(arrivals_s, services_s, nodes=servers, capacity=places)
    lost = np.isnan(expected_s)
    assert 0 < lost.sum() < len(lost) / 2
    assert run.messages()["outcome"].eq("dropped").tolist() == lost.tolist()
    np.testing.assert_allclose(run.deliveries.waits_s, expected_s, rtol=0.0, atol=CLOSE_S)


def breakdowns_in_simpy(arrivals_s, services_s, outages):
    """One server that breaks down: (customer, start, end, whether it was served), in order of customers and attempts.

    Who is thrown out keeps the first place in the queue, since priorities are the customers' numbers.
    """
    env = simpy.Environment()
    desk = simpy.PreemptiveResource(env, capacity=1)
    services = iter(services_s)
    told = []

    def customer(number):
        served = False
        while not served:
            with desk.request(priority=number, preempt=False) as turn:
                yield turn
                started_s = env.now
                try:
                    yield env.timeout(next(services))
                    served = True
                except simpy.Interrupt:
                    pass
                told.append((number, started_s, env.now, served))

    def arrive():
        for number, arrival_s in enumerate(arrivals_s):
            yield env.timeout(arrival_s - env.now)
            env.process(customer(number))

    def break_down():
        for down_s, up_s in outages:
            yield env.timeout(down_s - env.now)
            with desk.request(priority=-1, preempt=True) as repair:
                yield repair
                yield env.timeout(up_s - env.now)

    env.process(arrive())
    env.process(break_down())
    env.run()
    return sorted(told)


@pytest.mark.parametrize("seed", [5, 6])
def test_a_crash_brings_the_message_back_to_the_head_of_the_queue(seed):
    arrivals_s, services_s = fed_numbers(seed, customers=500, load_ratio=0.7)
    outages = [(40.0 * k + 10.0, 40.0 * k + 13.0) for k in range(15)]
    expected = breakdowns_in_simpy(arrivals_s, services_s, outages)
    run = queue_in_edasim(arrivals_s, services_s, outages)
    rows = run.deliveries
    again = sum(not served for *_, served in expected)
    assert again > 5
    assert rows.number.tolist() == [number for number, *_ in expected]
    assert run.messages()["outcome"].eq("done").tolist() == [served for *_, served in expected]
    for column, told in [(rows.started_s, 1), (rows.finished_s, 2)]:
        np.testing.assert_allclose(column, [each[told] for each in expected], rtol=0.0, atol=CLOSE_S)
    assert rows.attempt.sum() == len(arrivals_s) + sum(attempt for attempt in rows.attempt if attempt > 1)


def tandem_in_simpy(arrivals_s, first_s, second_s):
    """Two desks, one after the other: the instant at which each customer leaves."""
    env = simpy.Environment()
    desks = [simpy.Resource(env), simpy.Resource(env)]
    services = [iter(first_s), iter(second_s)]
    left_s = [0.0] * len(arrivals_s)

    def customer(number):
        for desk, service in zip(desks, services, strict=True):
            with desk.request() as turn:
                yield turn
                yield env.timeout(next(service))
        left_s[number] = env.now

    def arrive():
        for number, arrival_s in enumerate(arrivals_s):
            yield env.timeout(arrival_s - env.now)
            env.process(customer(number))

    env.process(arrive())
    env.run()
    return left_s


def test_two_services_in_a_row():
    arrivals_s, services_s = fed_numbers(7, customers=1000)
    first_s, second_s = services_s[:1000], services_s[1000:]
    sim = Simulation()
    bus = MemoryBus().start(sim)
    front, back = bus.topic("front"), bus.topic("back")
    to_back = {"handler": lambda event, context: Event(type="half done"), "to": back}
    Service("first", of=front.subscribe(), service_time=times.Trace(values_s=first_s), **to_back)
    Service("second", of=back.subscribe(), service_time=times.Trace(values_s=second_s))
    Source("customers", load=load.Trace(times_s=arrivals_s), to=front)
    table = sim.run().messages()
    left_s = table.loc[table["group"] == "back", "finished_s"]
    np.testing.assert_allclose(left_s, tandem_in_simpy(arrivals_s, first_s, second_s), rtol=0.0, atol=CLOSE_S)
