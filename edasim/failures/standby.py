"""Standby and automatic switch-over: one node of a service leads, the others stand by, and a lease says who.

A lease is granted for `lease_s` and renewed every `renew_s`; who holds it takes messages, the others take none. When a
leader is not heard of until its lease is over, the next node that asks gets it, with a fencing token one higher, and
the broker closes the connection of the old leader. So a switch-over takes at most `lease_s` + `renew_s` (facts: RP-02,
RP-05, GV-01). An old leader that was paused or cut off does not know that it is replaced: what it was doing it goes on
with. Only the store can stop it, by the token: `FencedStore` refuses a token that is lower than one it has seen,
`PlainStore` believes everybody.

Follows leases as in Gray and Cheriton (1989) and fencing tokens as in Kleppmann, Designing Data-Intensive Applications,
chapter 8. Left out: how the lease service itself survives; a standby that cannot reach it.
"""

from __future__ import annotations

from typing import Any

from .. import checks
from ..errors import ConfigurationError
from ..kernel import Simulation
from ..services import Service
from ..services.node import Node


class Leadership:
    """The lease of one service, whose nodes ask for it; the first node leads from the start.

    `lease_s` must be longer than `renew_s`. Facts: `leader_elected` with the token, `lease_expired`,
    `leader_stepped_down`.
    """

    def __init__(self, service: Service, *, lease_s: float = 3.0, renew_s: float = 1.0) -> None:
        checks.check_kind(Service, "a Service")("service", service)
        self.lease_s = checks.check_positive("lease_s", lease_s)
        self.renew_s = checks.check_positive("renew_s", renew_s)
        if self.renew_s >= self.lease_s:
            raise checks.refuse("renew_s", renew_s, f"give less than lease_s, {self.lease_s:g}")
        if len(service.nodes) < 2:
            raise ConfigurationError(
                f"{service.name} has one node, so nobody stands by",
                field="service",
                value=service.name,
                remedy="give it at least two nodes",
            )
        self.service = service
        self.sim: Simulation = service.sim
        self.holder: Node | None = None
        self.until_s = 0.0
        self.tokens = 0
        self._believes: dict[str, tuple[int, float]] = {}
        for node in service.nodes:
            node.passive = True
        self.sim.on_start(self._begin)

    def token(self, node: Node) -> int:
        """The token of the lease that the node last held, whether it is still good or not; 0 if it never held one."""
        return self._believes.get(node.name, (0, 0.0))[0]

    def believes_to_lead(self, node: Node) -> bool:
        """Whether the node, by its own clock, thinks that its lease is still good."""
        _, until_s = self._believes.get(node.name, (0, float("-inf")))
        return node.clock_s(float(self.sim.env.now)) < until_s

    def _begin(self) -> None:
        now_s = float(self.sim.env.now)
        for node in self.service.nodes:
            self._ask(now_s, node)

    def _ask(self, now_s: float, node: Node) -> None:
        """A node renews its lease, or gets one that is over; and asks again later."""
        self.sim.env.watch(now_s + self.renew_s, self._ask, node)
        if not node.up or node.paused or (node.is_cut_off and not node.passive):
            return
        if self.holder is node and now_s < self.until_s:
            self._grant(now_s, node)
        elif self.holder is None or now_s >= self.until_s:
            self._replace(now_s, node)
        elif not node.passive:
            self._fact(now_s, "leader_stepped_down", node, token=self.token(node))
            node.stand_by()

    def _replace(self, now_s: float, node: Node) -> None:
        old = self.holder
        if old is not None:
            self._fact(now_s, "lease_expired", old, token=self.token(old))
            if old is not node:
                old.stand_by()
        self.tokens += 1
        self.holder = node
        self._grant(now_s, node)
        self._fact(now_s, "leader_elected", node, token=self.tokens)
        node.take_over()

    def _grant(self, now_s: float, node: Node) -> None:
        self.until_s = now_s + self.lease_s
        self._believes[node.name] = (self.tokens, node.clock_s(now_s) + self.lease_s)

    def _fact(self, now_s: float, kind: str, node: Node, **detail: Any) -> None:
        self.sim.log.fact(now_s, kind, node.name, service=self.service.name, **detail)


class PlainStore:
    """A store that takes every write, whoever comes: the last one wins. Each write is a fact `stored`."""

    def __init__(self, sim: Simulation, name: str) -> None:
        self.sim = sim
        self.name = checks.check_text("name", name)
        self.values: dict[str, Any] = {}
        self.highest_token = 0

    def write(self, key: str, value: Any, *, token: int) -> bool:
        """Stores a value under a key; True, since it is always taken."""
        stale = token < self.highest_token
        self.highest_token = max(self.highest_token, token)
        self.values[key] = value
        self.sim.log.fact(float(self.sim.env.now), "stored", self.name, key=key, value=value, token=token, stale=stale)
        return True


class FencedStore(PlainStore):
    """A store that refuses writes with a token lower than one that it has seen: a fact `write_refused`."""

    def write(self, key: str, value: Any, *, token: int) -> bool:
        """Stores a value under a key; False if the token is out of date."""
        if token < self.highest_token:
            self.sim.log.fact(float(self.sim.env.now), "write_refused", self.name, key=key, value=value, token=token)
            return False
        return super().write(key, value, token=token)
