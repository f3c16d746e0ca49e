"""A taker that serves itself from an open queue does what one does that asks for each message."""

import pytest

import edasim as eda
from edasim.kernel import Run


def busy_day(log: str, way: str, load: object, *, trouble: bool) -> Run:
    """A bounded queue, two nodes with two slots each, and, if wished, crashes, a pause and slow hours."""
    sim = eda.Simulation(seed=11, log=log)
    work = eda.MemoryBus().start(sim).topic("work").subscribe(capacity=6, overflow="drop_oldest")
    if way == "asks":
        work.open_queue = None  # type: ignore[assignment]
    eda.Service("shop", of=work, service_time=eda.times.Exponential(mean_s=1.0), nodes=2, concurrency=2)
    eda.Source("users", load=load, to=work.topic)  # type: ignore[arg-type]
    first, second = sim.node("shop/0"), sim.node("shop/1")
    if trouble:
        for at_s, act in [
            (10.0, first.crash), (12.0, first.restart), (20.0, second.pause), (23.0, second.resume),
            (30.0, second.crash), (30.0, first.crash), (31.0, second.restart), (32.0, first.restart),
            (40.0, lambda: first.slow(3.0)), (50.0, lambda: first.slow(1.0)),
        ]:  # fmt: skip
            sim.at(at_s, act)
    return sim.run(until_s=80.0)


LOADS = {
    "open": eda.load.Poisson(rate_per_s=4.2),
    "closed": eda.load.Closed(users=9, think_time=eda.times.Exponential(mean_s=0.5)),
}


@pytest.mark.parametrize("trouble", [False, True])
@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_both_ways_give_the_same_run(load, trouble):
    one, other = (busy_day("metrics", way, load, trouble=trouble) for way in ("serves itself", "asks"))
    assert one.fingerprint() == other.fingerprint()
    full = busy_day("full", "asks", load, trouble=trouble)
    assert one.ended_s == full.ended_s == 80.0
    for mine, theirs in zip(one.summary().lines, full.summary().lines, strict=True):
        assert (mine.done, mine.lost, mine.crashed, mine.waiting) == (
            theirs.done, theirs.lost, theirs.crashed, theirs.waiting,
        )  # fmt: skip
        assert mine.mean_wait_s == pytest.approx(theirs.mean_wait_s)
    assert one.open_rows.tobytes() == full.open_rows.tobytes()
    assert bool(sum(line.crashed for line in one.summary().lines)) is trouble
