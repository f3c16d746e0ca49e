"""W5: requests under a limiter, a circuit breaker, a bounded server and retries, written twice.

Both versions draw their own numbers. No theory tells the means, so they are held to each other: attempts, refusals by
cause, answers and response times have to agree over the rounds. The SimPy version has a process per request and its own
limiter and breaker, each a few lines as its user would write them; it shares no code with edasim's.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import simpy

import edasim as eda
from edasim.governance.breaker import CircuitBreaker
from edasim.governance.limiter import TokenBucket
from edasim.governance.retry import Backoff, Retry
from edasim.kernel.runlog import DONE, FAILED
from edasim.services.calls import Client, Protections, Server

from .workloads import Kept, Workload

if TYPE_CHECKING:
    from edasim.kernel.metrics import EndpointMetrics

TOKENS_PER_S, BURST = 250.0, 50
WINDOW, ENOUGH_CALLS, OPENS_AT, OPEN_S, TRIALS = 100, 20, 0.5, 1.0, 10
WORKERS, ROOM, SERVICE_S = 8, 64, 0.03
CALM_S, STORM_S, CALM_ERRORS, STORM_ERRORS = 20.0, 10.0, 0.01, 0.8
ATTEMPTS, FIRST_WAIT_S, CAP_S = 4, 0.05, 1.0
Process = Generator[simpy.Event, Any, None]


class Bucket:
    """Tokens that come at a constant rate; a call takes one."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env, self.tokens, self.filled_s = env, float(BURST), 0.0

    def take(self) -> bool:
        since_s, self.filled_s = self.env.now - self.filled_s, self.env.now
        self.tokens = min(BURST, self.tokens + TOKENS_PER_S * since_s)
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class Breaker:
    """Closed, open, half open; judges the last calls, or, half open, the first ten that end."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env, self.open_until_s, self.trials = env, 0.0, 0
        self.enter("closed", WINDOW)

    def enter(self, state: str, window: int) -> None:
        self.state, self.failures, self.failed = state, deque[bool](maxlen=window), 0

    def allows(self) -> bool:
        if self.state == "closed":
            return True
        if self.state == "open" and self.env.now > self.open_until_s:
            self.trials = TRIALS
            self.enter("half open", TRIALS)
        if self.state == "half open" and self.trials:
            self.trials -= 1
            return True
        return False

    def hear(self, failed: bool) -> None:
        if len(self.failures) == self.failures.maxlen:
            self.failed -= self.failures[0]
        self.failures.append(failed)
        self.failed += failed
        enough = TRIALS if self.state == "half open" else ENOUGH_CALLS
        if self.state == "open" or len(self.failures) < enough:
            return
        if self.failed / len(self.failures) >= OPENS_AT:
            self.open_until_s = self.env.now + OPEN_S
            self.enter("open", WINDOW)
        elif self.state == "half open":
            self.enter("closed", WINDOW)


def error_ratio(now_s: float) -> float:
    """Calm and storm take turns."""
    return CALM_ERRORS if now_s % (CALM_S + STORM_S) < CALM_S else STORM_ERRORS


def simulate_simpy(workload: Workload, messages: int, rng: random.Random) -> Kept:
    """A process per request."""
    env = simpy.Environment()
    workers, bucket, breaker = simpy.Resource(env, capacity=WORKERS), Bucket(env), Breaker(env)
    counts: Counter[str] = Counter()
    times_s: list[float] = []

    def call() -> Generator[simpy.Event, Any, bool]:
        counts["attempts"] += 1
        if not bucket.take():
            counts["rate limiter"] += 1
            return False
        if not breaker.allows():
            counts["circuit breaker"] += 1
            return False
        if len(workers.queue) >= ROOM:
            counts["overloaded"] += 1
            breaker.hear(failed=True)
            return False
        with workers.request() as turn:
            yield turn
            yield env.timeout(rng.expovariate(1.0 / SERVICE_S))
        failed = rng.random() < error_ratio(env.now)
        counts["errors"] += failed
        breaker.hear(failed)
        return not failed

    def request() -> Process:
        asked_s = env.now
        for failed in range(ATTEMPTS):
            if failed:
                yield env.timeout(rng.uniform(0.0, min(CAP_S, FIRST_WAIT_S * 2.0 ** (failed - 1))))
            if (yield from call()):
                times_s.append(env.now - asked_s)
                return
        counts["given up"] += 1

    def source() -> Process:
        for _ in range(messages):
            yield env.timeout(rng.expovariate(workload.arrival_per_s))
            env.process(request())

    env.process(source())
    env.run()
    return Kept(times_s=times_s, deliveries=len(times_s) + counts["given up"], counts=dict(counts))


def protections() -> Protections:
    """The same policies in edasim's words."""
    return Protections(
        limiter=TokenBucket(rate_per_s=TOKENS_PER_S, burst=BURST),
        breaker=CircuitBreaker(
            window_size=WINDOW,
            minimum_calls=ENOUGH_CALLS,
            failure_rate_ratio=OPENS_AT,
            open_s=OPEN_S,
            permitted_half_open_calls=TRIALS,
        ),
        retry=Retry(
            attempts=ATTEMPTS,
            backoff=Backoff(first_wait_s=FIRST_WAIT_S, cap_s=CAP_S),
            retry_on=["error", "overloaded", "not permitted"],
        ),
    )


def simulate_edasim(workload: Workload, messages: int, seed: int, log: str) -> eda.Run:
    """A client with protections, and a server whose errors a SimPy process turns up and down."""
    sim = eda.Simulation(seed=seed, log=log)
    service_time = eda.times.Exponential(mean_s=SERVICE_S)
    server = Server("api", sim=sim, service_time=service_time, workers=WORKERS, room=ROOM, error_ratio=CALM_ERRORS)
    client = Client("shop", of=server, protections=protections())
    eda.Source("users", load=eda.load.Poisson(rate_per_s=workload.arrival_per_s).first(messages), to=client)

    def weather() -> Process:
        while sim.env.now < workload.horizon_s(messages):
            yield sim.env.timeout(CALM_S)
            server.error_ratio = STORM_ERRORS
            yield sim.env.timeout(STORM_S)
            server.error_ratio = CALM_ERRORS

    sim.env.process(weather())
    return sim.run()


def kept(_workload: Workload, run: eda.Run) -> Kept:
    """What the log tells; without rows, the mean stands for the response times of all answered requests."""
    found: dict[tuple[str, str], EndpointMetrics] = {
        (run.lanes[lane].group, consumer): run.metrics.by_endpoint[index]
        for index, (lane, consumer) in enumerate(run.endpoints)
        if index in run.metrics.by_endpoint
    }
    asked = {consumer: metrics for (group, consumer), metrics in found.items() if group == "shop"}
    tried, worked = {name: int(metrics.outcomes.sum()) for name, metrics in asked.items()}, asked["api/0"]
    counts = {
        "attempts": sum(tried.values()),
        "rate limiter": tried.get("rate limiter", 0),
        "circuit breaker": tried.get("circuit breaker", 0),
        "overloaded": tried["api/0"] - worked.waits.n,
        "errors": worked.waits.n - int(worked.outcomes[DONE]),
    }
    answered, given_up = found["requests", "answered"], found.get(("requests", "given up"))
    counts["given up"] = int(given_up.outcomes[FAILED]) if given_up else 0
    rows = run.deliveries
    lane = next(place for place, lane in enumerate(run.lanes) if lane.group == "requests")
    rows = rows.rows((rows.lane == lane) & (rows.outcome == DONE))
    times_s = [float(response_s) for response_s in rows.finished_s - rows.published_s]
    done = int(answered.outcomes[DONE])
    return Kept(times_s=times_s or [answered.responses.mean_s], deliveries=done + counts["given up"], counts=counts)
