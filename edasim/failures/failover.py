"""Switch-over in numbers: how long nobody served, if a standby takes over only some time after its leader has died.

One node serves, the others stand by. When the server dies, whoever is up after `failover_s` seconds takes over; if
nobody is up by then, whoever comes back first serves at once, since any lease is over. Read off the facts of crashes
and restarts of a run, so that an experiment can replicate it; for the lease itself see `standby`. Follows the
arithmetic of availability with a switch-over (RP-02). Left out: switching over too soon, and going back to the first
node when it is well again.
"""

from __future__ import annotations

from .. import checks
from ..kernel import Run

CRASHED, RESTARTED = "node_crashed", "node_restarted"


def served_ratio(run: Run, service: str, *, nodes: int, failover_s: float) -> float:
    """The share of a run in which one of the service's `nodes` served, if a standby needs `failover_s` to take over.

    Nodes are called "service/0" and so on; all are up at 0 s, and the first one serves.

    >>> from edasim.scenarios import Registration
    >>> served_ratio(Registration(users=5).run(seed=1), "mail", nodes=2, failover_s=30.0)
    1.0
    """
    failover_s = checks.check_non_negative("failover_s", failover_s)
    up = {f"{service}/{number}" for number in range(checks.check_whole(1)("nodes", nodes))}
    leader, since_s, served_s = f"{service}/0", 0.0, 0.0
    vacant_until_s: float | None = None
    for time_s, kind, node in [*_changes(run, service), (run.ended_s, "", "")]:
        if vacant_until_s is not None and up and time_s >= vacant_until_s:
            leader, since_s, vacant_until_s = min(up), vacant_until_s, None
        if kind == CRASHED:
            up.discard(node)
            if vacant_until_s is None and node == leader:
                served_s += time_s - since_s
                vacant_until_s = time_s + failover_s
        elif kind == RESTARTED:
            up.add(node)
            if vacant_until_s is not None and time_s >= vacant_until_s:
                leader, since_s, vacant_until_s = node, time_s, None
    if vacant_until_s is None:
        served_s += run.ended_s - since_s
    return served_s / run.ended_s if run.ended_s else 1.0


def _changes(run: Run, service: str) -> list[tuple[float, str, str]]:
    """Instants at which nodes of a service went down or came back, in order."""
    kinds = (CRASHED, RESTARTED)
    return [
        (fact.time_s, fact.kind, fact.subject)
        for fact in run.fact_list
        if fact.kind in kinds and fact.detail.get("service") == service
    ]


__all__ = ["served_ratio"]
