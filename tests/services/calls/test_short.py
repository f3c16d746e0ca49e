"""The short way of an attempt and the usual one agree: on any system the same attempts, times and states."""

import random

import pytest
from calling import asked, at_once, story
from hypothesis import given
from hypothesis import strategies as some

import edasim as eda
from edasim.governance import Backoff, CircuitBreaker, Retry, TokenBucket
from edasim.governance.retry import Jitter
from edasim.services.calls import Client, Protections, Server

UNTIL_S = 12.0
QUARTERS = [quarter / 4 for quarter in range(1, 33)]


class Late:
    """A destination that hands messages on a quarter of a second after they were published."""

    def __init__(self, to: Client) -> None:
        self.to, self.sim = to, to.sim

    def route(self, now_s: float, message: tuple) -> None:
        self.sim.env.at(now_s + 0.25, self.to.route, message)


TROUBLES = ["crash", "restart", "slow", "weather", "call"]


def system(draw: random.Random) -> dict:
    """A random system on a grid of quarters of a second, so that much happens at one instant."""
    breaker = CircuitBreaker(
        window=draw.choice(["count", "count", "time"]),
        window_size=draw.randint(1, 6),
        minimum_calls=draw.randint(1, 6),
        failure_rate_ratio=draw.choice([0.2, 0.5, 1.0]),
        slow_call_rate_ratio=draw.choice([0.5, 1.0]),
        slow_call_s=draw.choice([0.5, 60.0]),
        open_s=draw.choice([0.25, 1.0, 1.5]),
        automatic=draw.random() < 0.5,
        half_open_s=draw.choice([None, 0.75]),
        permitted_half_open_calls=draw.randint(1, 3),
    )
    retry = Retry(
        attempts=draw.choice([1, 2, 4, 20]),
        retry_on=draw.sample(["error", "overloaded", "not permitted", "unreachable"], draw.randint(1, 4)),
        backoff=Backoff(first_wait_s=draw.choice([0.0, 0.25]), cap_s=2.0, jitter=draw.choice(list(Jitter))),
    )
    return {
        "limiter": draw.choice([None, TokenBucket(rate_per_s=draw.choice([1.0, 3.0]), burst=draw.choice([1.0, 3.5]))]),
        "breaker": draw.choice([None, breaker, breaker]),
        "retry": draw.choice([None, retry, retry, retry]),
        "instants_s": [sorted(draw.choices(QUARTERS, k=draw.randint(1, 40))) for _ in range(2)],
        "services_s": [draw.choice([0.0, 0.25, 0.5, 1.0]) for _ in range(400)],
        "workers": draw.randint(1, 3),
        "room": draw.choice([None, 0, 1, 4]),
        "error_ratio": draw.choice([0.0, 0.3, 1.0]),
        "troubles": [(draw.choice(QUARTERS), draw.choice(TROUBLES)) for _ in range(8)],
        "users": draw.choice([0, 0, 3]),
    }


def told(system: dict, *, log: str, short: bool) -> tuple:
    """All that can be seen of a run on the short way, or on the usual one."""
    sim = eda.Simulation(seed=5, log=log)
    services = eda.times.Trace(values_s=system["services_s"], at_end="repeat")
    given = {name: system[name] for name in ("workers", "room", "error_ratio")}
    server = Server("api", sim=sim, service_time=services, **given)
    given = {name: system[name] for name in ("limiter", "breaker", "retry")}
    client = Client("shop", of=server, protections=Protections(**given))
    if not short:
        client.route = client.begin
    for to, instants_s in zip([client, Late(client)], system["instants_s"], strict=True):
        eda.Source(type(to).__name__, load=eda.load.Trace(times_s=instants_s), to=to)
    if system["users"]:
        think = eda.times.Constant(value_s=0.75)
        others = Client("kiosk", of=server, protections=Protections(**given))
        if not short:
            others._short = None
        eda.Source("kiosk users", load=eda.load.Closed(users=system["users"], think_time=think), to=others)
    instance = server.instances["api/0"]
    acts = {
        "crash": instance.crash,
        "restart": instance.restart,
        "slow": lambda: instance.slow(2.0),
        "call": client.call,
        "weather": lambda: setattr(server, "error_ratio", 0.9),
    }
    for at_s, trouble in system["troubles"]:
        sim.at(at_s, acts[trouble])
    seen = [sim.run(until_s=until_s).fingerprint() for until_s in (UNTIL_S / 2, UNTIL_S)]
    bucket, circuit = client.limiter, client.breaker
    left = None if bucket is None else (bucket.tokens, bucket.refused)
    counts = None if circuit is None else (circuit.state, circuit.calls, circuit.refused, circuit.failure_rate_ratio)
    return *seen, left, counts


def test_the_end_of_work_that_a_crash_broke_off_means_nothing_though_other_work_ends_then():
    retry = at_once(2, wait_s=0.25)
    sim, _, server = asked([0.0, 0.5], services_s=[1.0, 0.25, 0.5], retry=retry, workers=2)
    instance = server.instances["api/0"]
    sim.at(0.25, instance.crash)
    sim.at(0.25, instance.restart)
    assert story(sim.run()) == [
        ("users-0", 1, "api/0", 0.0, 0.25, "crashed"),
        ("users-1", 1, "api/0", 0.5, 0.75, "done"),
        ("users-0", 2, "api/0", 0.5, 1.0, "done"),
    ]


@pytest.mark.parametrize("log", ["full", "metrics"])
def test_a_second_attempt_at_the_instant_of_the_first_counts_as_one(log):
    sim = eda.Simulation(seed=1, log=log)
    server = Server("api", sim=sim, service_time=eda.times.Constant(value_s=0.5))
    client = Client("shop", of=server, protections=Protections(retry=at_once(2)))
    eda.Source("users", load=eda.load.Trace(times_s=[0.0, 1.0]), to=client)
    sim.at(0.75, server.instances["api/0"].crash)
    sim.at(0.75, lambda: sim.at(1.0, server.instances["api/0"].restart))  # after the arrival, before the next attempt
    run = sim.run()
    tried = run.metrics.by_endpoint[run.endpoints.index((0, "api/0"))]
    assert (tried.outcomes[0], tried.outcomes[1], tried.redelivered) == (2, 1, 1)


@pytest.mark.parametrize("log", ["full", "metrics"])
def test_a_hundred_systems_run_the_same_on_both_ways(log):
    for seed in range(100):
        each = system(random.Random(seed))
        assert told(each, log=log, short=True) == told(each, log=log, short=False), seed


@given(some.randoms(use_true_random=False), some.sampled_from(["full", "metrics"]))
def test_any_system_runs_the_same_on_both_ways(draw, log):
    each = system(draw)
    assert told(each, log=log, short=True) == told(each, log=log, short=False)
