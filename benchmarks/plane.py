"""The workloads as an edasim user writes them: a bus, a source, a service, and a SimPy process that breaks a node."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import edasim as eda
from edasim.kernel.runlog import DONE

from .workloads import REPAIR_S, Kept, Workload, ticker

if TYPE_CHECKING:
    import simpy


def simulate(workload: Workload, messages: int, sim: eda.Simulation, load: Any, service_time: Any, up: Any) -> eda.Run:
    """Runs a workload until its last message is done; all times are described in edasim's way."""
    work = eda.MemoryBus().start(sim).topic("work").subscribe()
    eda.Service("server", of=work, service_time=service_time, concurrency=workload.servers)
    eda.Source("source", load=load.first(messages), to=work.topic)
    if workload.has_ticker:
        sim.env.process(ticker(sim.env, messages, 1.0 / workload.arrival_per_s))
    if workload.breaks_down:
        sim.env.process(_breakdowns(sim, workload.horizon_s(messages), up))
    return sim.run()


def _breakdowns(sim: eda.Simulation, horizon_s: float, up: Any) -> Generator[simpy.Event, Any, None]:
    draw = up.draws(sim.streams.generator("breakdowns"))
    node = sim.node("server/0")
    while sim.env.now < horizon_s:
        yield sim.env.timeout(draw())
        node.crash()
        yield sim.env.timeout(REPAIR_S)
        node.restart()


def kept(workload: Workload, run: eda.Run) -> Kept:
    """What the log tells; without rows, the mean stands for the times of all messages."""
    line = run.summary()["server"]
    crashes = [fact for fact in run.fact_list if fact.kind == "node_crashed"]
    restarts = [fact for fact in run.fact_list if fact.kind == "node_restarted"]
    down_s = sum(back.time_s - gone.time_s for gone, back in zip(crashes, restarts, strict=True))
    mean_s = line.mean_wait_s if workload.measured == "wait" else line.mean_response_s
    return Kept(
        times_s=_times_s(workload, run) or [mean_s],
        deliveries=line.done + line.crashed,
        interruptions=sum(fact.detail["in_work"] for fact in crashes),
        up_s=restarts[-1].time_s - down_s if restarts else 0.0,
        down_s=down_s,
    )


def _times_s(workload: Workload, run: eda.Run) -> list[float]:
    rows = run.deliveries
    if workload.measured == "wait":
        return [float(wait_s) for wait_s in rows.waits_s]
    done = rows.outcome == DONE
    return [float(response_s) for response_s in rows.finished_s[done] - rows.published_s[done]]
