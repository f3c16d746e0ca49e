"""The brokers of a cluster: which are up, which can follow, and when the controller notices.

Follows apache/kafka 3.9 in KRaft mode: the controller fences a broker that it has not heard of for
`broker.session.timeout.ms` (9 s). Left out: controllers that fail, racks, orderly shutdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ... import checks
from ...errors import StateError
from ...kernel import Simulation
from .configuration import Kafka
from .replication import Replicas


class Cluster:
    """The brokers, numbered from 0."""

    def __init__(self, sim: Simulation, settings: Kafka, replicas: Callable[[], Iterator[Replicas]]) -> None:
        self.sim = sim
        self.settings = settings
        self.unacknowledged: dict[int, None] = {}
        self._replicas = replicas
        self._down: dict[int, float] = {}
        self._cut_off: set[int] = set()

    @property
    def well(self) -> bool:
        """Whether all brokers are up and follow."""
        return not self._down and not self._cut_off

    def is_up(self, broker: int) -> bool:
        """Whether a broker is up."""
        return broker not in self._down

    def follows(self, broker: int) -> bool:
        """Whether a broker is up and can fetch from leaders."""
        return broker not in self._down and broker not in self._cut_off

    def crash(self, broker: int) -> None:
        """A broker fails now; the controller notices after its session timeout."""
        now_s = self._checked(broker)
        if broker in self._down:
            raise self._refused(broker, "down")
        self._down[broker] = now_s
        self.sim.log.fact(now_s, "broker_crashed", f"broker {broker}")
        for replicas in self._of(broker):
            replicas.broker_down(now_s, broker)
        self.sim.env.at(now_s + self.settings.broker_session_timeout_s, self._notice, (broker, now_s))

    def restart(self, broker: int) -> None:
        """A broker is back, with what it had on disk."""
        now_s = self._checked(broker)
        if self._down.pop(broker, None) is None:
            raise self._refused(broker, "up")
        self.sim.log.fact(now_s, "broker_restarted", f"broker {broker}")
        for replicas in self._of(broker):
            replicas.broker_back(now_s, broker)

    def cut_off(self, broker: int) -> None:
        """A broker stays up, but can fetch from no leader."""
        now_s = self._checked(broker)
        self._cut_off.add(broker)
        self.sim.log.fact(now_s, "broker_cut_off", f"broker {broker}")
        for replicas in self._of(broker):
            replicas.follower_cut_off(now_s, broker)

    def reconnect(self, broker: int) -> None:
        """A broker that was cut off can fetch again."""
        now_s = self._checked(broker)
        self._cut_off.discard(broker)
        self.sim.log.fact(now_s, "broker_reconnected", f"broker {broker}")
        for replicas in self._of(broker):
            replicas.broker_back(now_s, broker)

    def _notice(self, now_s: float, crash: tuple[int, float]) -> None:
        broker, crashed_s = crash
        if self._down.get(broker) == crashed_s:
            self.sim.log.fact(now_s, "broker_fenced", f"broker {broker}")
            for replicas in self._of(broker):
                replicas.broker_fenced(now_s, broker)

    def _of(self, broker: int) -> list[Replicas]:
        return [replicas for replicas in self._replicas() if broker in replicas.brokers]

    def _checked(self, broker: int) -> float:
        checks.check_whole(0, self.settings.brokers - 1)("broker", broker)
        return float(self.sim.env.now)

    def _refused(self, broker: int, how: str) -> StateError:
        return StateError(
            f"broker {broker} is {how} already",
            field="broker",
            value=broker,
            remedy="crash what is up, restart what is down",
            at_s=float(self.sim.env.now),
        )
