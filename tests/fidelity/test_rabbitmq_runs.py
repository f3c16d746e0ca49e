"""Recorded runs of RabbitMQ 3.10.8 with several consumers, a killed consumer and a burst, simulated message by message.

Arrivals and service times are the recorded ones. The time from one end to the next start (acknowledgement, dispatch,
wake-up) is calibrated on the first half of each run. One run each was measured, so no statistics are compared that the
arrivals and services do not fix: each message's wait is compared with its own measured wait.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edasim import Event, RabbitMQ, Service, Simulation, Source, load
from edasim.brokers import calibrate
from edasim.kernel import Run
from edasim.kernel.runlog import DONE, running_number

MEASURED = Path(__file__).parents[2] / "data" / "measured"


@dataclass(frozen=True)
class Replay:
    """One recorded run (a row per message: its last delivery) and its simulation."""

    measured: pd.DataFrame
    run: Run
    handover_s: float

    @property
    def measured_s(self) -> pd.Series:
        return self.measured["started_s"] - self.measured["published_s"]

    @property
    def waits_s(self) -> pd.Series:
        """Simulated waits from publishing to the start of the last delivery, by sequence."""
        rows = self.run.deliveries
        done = rows.outcome == DONE
        sequences = self.measured.index.to_numpy()[[running_number(number) for number in rows.number[done].tolist()]]
        return pd.Series(rows.started_s[done] - rows.published_s[done], index=sequences).sort_index()

    @property
    def median_error_s(self) -> float:
        return float((self.waits_s - self.measured_s).abs().median())


def recorded(name: str) -> pd.DataFrame:
    table = pd.read_csv(MEASURED / f"rabbitmq_{name}.csv.gz")
    return table.sort_values("started_s").drop_duplicates("sequence", keep="last").set_index("sequence").sort_index()


def calibrated_s(measured: pd.DataFrame) -> float:
    """The hand-over of the first half of the run."""
    rows = measured.sort_values("started_s")
    return calibrate(rows.head(len(rows) // 2)).handover_s


def replay(name: str, prefetch: int, *, handover_s: float | None = None, kill_s: float | None = None) -> Replay:
    measured = recorded(name)
    handover_s = calibrated_s(measured) if handover_s is None else handover_s
    services_s = (measured["finished_s"] - measured["started_s"]).tolist()
    sim = Simulation(seed=1)
    queue = RabbitMQ().start(sim).declare_queue("measured")

    def work(event: Event, context: Any) -> Any:
        yield context.pause(services_s[event.data])

    consumers = [str(consumer) for consumer in dict.fromkeys(measured["consumer"])]  # in the order of registration
    subscription = queue.consume(prefetch=prefetch)
    Service("workers", of=subscription, nodes=consumers, handover_s=handover_s, handler=work)
    arrivals = load.Trace(times_s=measured["published_s"].tolist())
    Source("publisher", load=arrivals, to=queue, event=lambda occasion: Event(type="measured", data=occasion.number))
    if kill_s is not None:
        sim.at(kill_s, sim.node("0").crash)
    return Replay(measured, sim.run(), handover_s)


@pytest.mark.rule("RMQ-10")
@pytest.mark.parametrize(
    ("prefetch", "mean_ms", "p95_ms"), [(1, 20.5, 99), (20, 89.0, 365)], ids=["prefetch 1", "prefetch 20"]
)
def test_four_consumers_wait_as_measured_whether_they_share_or_hoard(
    prefetch: int, mean_ms: float, p95_ms: float, told_waits: Callable[..., None]
):
    """6,000 messages, load 0.72, squared coefficient of variation of the services 4."""
    told = replay(f"4consumers_prefetch{prefetch}_a", prefetch)
    without = replay(f"4consumers_prefetch{prefetch}_a", prefetch, handover_s=0.0)
    told_waits(f"rabbitmq_4consumers_prefetch{prefetch}_a", told.measured_s, told.waits_s)
    assert 1000 * told.measured_s.mean() == pytest.approx(mean_ms, abs=0.1)
    assert 1000 * told.waits_s.mean() == pytest.approx(mean_ms, rel=0.03)
    assert 1000 * told.waits_s.quantile(0.95) == pytest.approx(p95_ms, rel=0.03)
    assert told.median_error_s < 0.0005
    assert np.corrcoef(told.waits_s, told.measured_s)[0, 1] > 0.999
    assert without.median_error_s > 2 * told.median_error_s


@pytest.mark.rule("RMQ-10")
def test_the_same_arrivals_and_services_wait_four_times_as_long_with_a_prefetch_of_20():
    shared, hoarded = (replay("4consumers_prefetch1_a", prefetch, handover_s=0.0005) for prefetch in (1, 20))
    assert 3.5 < hoarded.waits_s.mean() / shared.waits_s.mean() < 5.5


def after_the_kill(starts: pd.DataFrame, kill_s: float) -> tuple[list[int], list[int], list[int]]:
    """What began after the kill: what the other consumer had in hand, what came back, what was new, in that order."""
    later = starts[starts["started_s"] > kill_s].sort_values("started_s")
    again = np.flatnonzero(later["redelivered"].to_numpy() == 1)
    first, last = int(again[0]), int(again[-1])
    sequences = later.index.tolist()
    return sequences[:first], sequences[first : last + 1], sequences[last + 1 :]


@pytest.mark.rule("RMQ-13")
def test_what_a_killed_consumer_held_comes_back_at_once_in_its_order_before_the_new(told_waits: Callable[..., None]):
    told = replay("kill_prefetch10_a", 10, kill_s=12.0)
    told_waits("rabbitmq_kill_prefetch10_a", told.measured_s, told.waits_s)
    assert told.median_error_s < 0.03 * told.measured_s.mean()
    assert told.waits_s.mean() == pytest.approx(told.measured_s.mean(), rel=0.03)
    rows = told.run.deliveries
    done = rows.outcome == DONE
    sequences = told.measured.index.to_numpy()[[running_number(number) for number in rows.number[done].tolist()]]
    simulated = pd.DataFrame(
        {"started_s": rows.started_s[done], "redelivered": (rows.attempt[done] > 1).astype(int)}, index=sequences
    )
    for starts in (told.measured[told.measured["consumer"] == 1], simulated[simulated["started_s"] > 12.0]):
        in_hand, again, new = after_the_kill(starts, 12.0)
        assert len(again) == 10, "all that the prefetch of 10 had sent to the killed consumer, and nothing else"
        assert again == sorted(again)
        assert 8 <= len(in_hand) <= 10
        assert in_hand == sorted(in_hand)
        assert max(in_hand) < min(new)
        assert max(again) < min(new)
        assert new == sorted(new)


def waiting(published_s: pd.Series, started_s: pd.Series, at_s: np.ndarray) -> np.ndarray:
    """How many messages are published and not started, at each of these instants."""
    return np.searchsorted(np.sort(published_s), at_s) - np.searchsorted(np.sort(started_s), at_s)


def test_the_backlog_of_a_burst_rises_and_falls_as_measured(told_waits: Callable[..., None]):
    told = replay("burst_a", 1)
    told_waits("rabbitmq_burst_a", told.measured_s, told.waits_s)
    assert told.median_error_s < 0.01
    at_s = np.arange(0.0, 60.0, 0.5)
    measured = waiting(told.measured["published_s"], told.measured["started_s"], at_s)
    started_s = told.measured["published_s"] + told.waits_s
    simulated = waiting(told.measured["published_s"], started_s, at_s)
    assert measured.max() > 600
    assert np.abs(simulated - measured).max() <= 3
