"""Small systems of clients and servers for the tests."""

from typing import Any

import edasim as eda
from edasim.governance import Backoff, Retry
from edasim.services.calls import Client, Protections, Server

ALL = ["error", "timeout", "unreachable", "overloaded", "not permitted"]


def at_once(attempts: int, *, retry_on: list[str] = ALL[:4], wait_s: float = 0.0) -> Retry:
    """So many attempts, `wait_s` apart."""
    return Retry(attempts=attempts, retry_on=retry_on, backoff=Backoff(first_wait_s=wait_s, factor=1.0, jitter="none"))


def asked(instants_s: list[float], *, services_s: list[float] | float, run_s: float = 100.0, **given: Any) -> Any:
    """A client asks at these instants; the simulation, the client and the server before the run."""
    sim = eda.Simulation(seed=1)
    known = {
        name: given.pop(name)
        for name in ("instances", "workers", "room", "order", "stale", "shedding")
        if name in given
    }
    service_time = (
        eda.times.Trace(values_s=services_s) if isinstance(services_s, list) else eda.times.Constant(value_s=services_s)
    )
    server = Server("api", sim=sim, service_time=service_time, **known)
    client = Client("shop", of=server, protections=Protections(**given))
    eda.Source("users", load=eda.load.Trace(times_s=instants_s), to=client)
    return sim, client, server


def story(run: Any) -> list[tuple[str, int, str, float, float, str]]:
    """Who, which attempt, where, from when, until when, how it ended; in the order of ending."""
    rows = run.messages().sort_values(["finished_s", "published_s", "attempt"], kind="stable")
    return [
        (row.event_id, row.attempt, row.consumer, row.enqueued_s, row.finished_s, row.outcome)
        for row in rows.itertuples()
        if row.group == "shop"
    ]


def ends(run: Any) -> dict[str, tuple[str, float]]:
    """How each request ended, and when."""
    rows = run.messages()
    rows = rows[rows.group == "requests"]
    return {row.event_id: (row.consumer, row.finished_s) for row in rows.itertuples()}
