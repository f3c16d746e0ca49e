"""What calls leave in the log: the same numbers with and without rows, and the end of attempts that nobody can take."""

import pytest
from calling import ALL, asked, ends, story

import edasim as eda
from edasim.governance import Backoff, Bulkhead, CircuitBreaker, LeakyBucket, Retry, RoundRobin, TokenBucket
from edasim.services.calls import Client, Protections, Server

JITTERED = Retry(attempts=4, backoff=Backoff(first_wait_s=0.05, cap_s=1.0), retry_on=ALL)


def counted(log, **protections):
    """What the running statistics of a client under load say, by lane and consumer; `log` is the log's level."""
    sim = eda.Simulation(seed=3, log=log)
    service_time = eda.times.Exponential(mean_s=0.05)
    server = Server("api", sim=sim, service_time=service_time, workers=2, room=5, error_ratio=0.2)
    client = Client("shop", of=server, protections=Protections(timeout_s=0.4, retry=JITTERED, **protections))
    eda.Source("users", load=eda.load.Poisson(rate_per_s=40.0), to=client)
    run = sim.run(until_s=60.0)
    return {
        (run.lanes[run.endpoints[index][0]].group, run.endpoints[index][1]): (
            *found.outcomes.tolist(),
            found.redelivered,
            *(found.waits.n, found.responses.n),
            *(pytest.approx(each, rel=1e-9) for each in (found.waits.total_s, found.responses.total_s, found.busy_s)),
            pytest.approx(found.vain_waits_s, rel=1e-9),
        )
        for index, found in run.metrics.by_endpoint.items()
    }


@pytest.mark.parametrize(
    ("protections", "refuses"),
    [
        ({"limiter": TokenBucket(rate_per_s=25.0, burst=5.0)}, "rate limiter"),
        ({"limiter": LeakyBucket(rate_per_s=25.0, capacity=3)}, "rate limiter"),
        ({"breaker": CircuitBreaker(window_size=20, minimum_calls=10, open_s=0.5)}, "circuit breaker"),
        ({"concurrency": Bulkhead(limit=4, longest_wait_s=0.1)}, "concurrency limit"),
    ],
    ids=["tokens", "turns", "breaker", "bulkhead"],
)
def test_metrics_only_counts_what_the_rows_say(protections, refuses):
    full = counted("full", **protections)
    assert counted("metrics", **protections) == full
    assert full["shop", refuses][1] > 50  # failed
    assert {("requests", "answered"), ("requests", "given up"), ("shop", "api/0")} < set(full)


def test_nobody_is_left_when_the_line_moves():
    bulkhead, breaker = Bulkhead(limit=1, longest_wait_s=100.0), CircuitBreaker(window_size=2, minimum_calls=2)
    balancing = RoundRobin(panic_ratio=0.0)
    given = {"instances": 2, "concurrency": bulkhead, "breaker": breaker, "balancing": balancing}
    sim, client, _ = asked([0.0, 0.5], services_s=3.0, **given)
    sim.at(1.0, lambda: client.balancer.update([]))
    run = sim.run(until_s=10.0)
    assert story(run) == [
        ("users-0", 1, "api/0", 0.0, 3.0, "done"),
        ("users-1", 1, "no endpoint", 3.0, 3.0, "failed"),
    ]
    assert ends(run)["users-1"] == ("given up", 3.0)
    assert (client.concurrency.active, client.breaker.calls) == (0, 1)
