"""`Simulation`: one clock, one message plane, one run log, and named streams of random numbers.

A simulation is built by what registers with it (brokers, sources, services, your own SimPy processes) and then run. Its
`env` is an ordinary `simpy.Environment`, and `env.run` may be called as well. Left out: real time; for that, SimPy's
own `rt` module shows how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from .plane import PlaneEnvironment
from .run import Run
from .runlog import LogLevel, RunLog
from .streams import Streams

OpenRows = Callable[[float], Iterable[bytes]]
"""Called at the end of a run: the rows of what is still queued or in flight, packed."""


def _call(_now_s: float, act: Callable[[], object]) -> None:
    act()


class Simulation:
    """One experiment's world: a clock that starts at 0 s, and a log of what happens in it.

    `seed` is a whole number of at least 0. `log` is "full" (rows of all deliveries, up to `max_rows`), "sampled" (all
    rows of one causal tree in `one_in`) or "metrics" (running statistics only, bounded memory).

    >>> sim = Simulation(seed=7)
    >>> sim.env.now
    0.0
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        log: str | LogLevel = LogLevel.FULL,
        max_rows: int = 5_000_000,
        one_in: int = 100,
    ) -> None:
        self.seed = checks.check_whole(0)("Simulation.seed", seed)
        self.log = RunLog(
            checks.check_word(LogLevel)("Simulation.log", log),
            checks.check_whole(1)("Simulation.max_rows", max_rows),
            checks.check_whole(1)("Simulation.one_in", one_in),
        )
        self.env = PlaneEnvironment()
        self.env.chore = self.log.empty_buffers
        self.env.prepare = self._start
        self.log.catch_up = self.env.catch_up
        self.streams = Streams(self.seed)
        self.nodes: dict[str, Any] = {}
        self.parts: dict[str, Any] = {}
        """What faults can act on beside nodes, by name: brokers, links, stores, servers."""
        self.on_step: Callable[[Any, str, str], bool] | None = None
        """Called with the node, the kind and the name of each step of a handler; True if it has crashed the node."""
        self.endless: list[str] = []
        self._starts: list[Callable[[], None]] = []
        self._open_rows: list[OpenRows] = []

    def on_start(self, start: Callable[[], None]) -> None:
        """Registers what is to be done when the next run begins, before any event; at once if one is under way."""
        if self.env.running:
            start()
        else:
            self._starts.append(start)

    def on_end(self, open_rows: OpenRows) -> None:
        """Registers who knows of messages that are still queued or in flight when a run ends."""
        self._open_rows.append(open_rows)

    def at(self, time_s: float, act: Callable[[], object]) -> None:
        """Calls `act()` at `time_s` of simulated time, which must not lie in the past; what it returns is ignored."""
        time_s = checks.check_non_negative("time_s", time_s)
        if not callable(act):
            raise checks.refuse("act", act, "give a function without arguments")
        if time_s < self.env.now:
            raise self._too_early("time_s", time_s)
        self.env.at(time_s, _call, act)

    def node(self, name: str) -> Any:
        """The node of that name, such as "mail/0"."""
        if name not in self.nodes:
            raise UnknownNameError("node", name, self.nodes)
        return self.nodes[name]

    def run(
        self, *, until_s: float | None = None, scenario: object = None, kept: Mapping[str, Any] | None = None
    ) -> Run:
        """Runs up to, not including, `until_s` (absolute simulated seconds), and returns the log as a `Run`.

        Without `until_s` it runs until nothing is left to happen; that is refused while a source never ends. It may be
        called again to go on. `scenario` and `kept` (stores and the like, by name) are attached to the run.
        """
        if until_s is not None:
            until_s = checks.check_positive("until_s", until_s)
            if until_s <= self.env.now:
                raise self._too_early("until_s", until_s)
        elif self.endless:
            raise ConfigurationError(
                "until_s is missing",
                field="until_s",
                remedy=f"say when the run ends: {', '.join(self.endless)} would publish for ever",
            )
        self.env.run(until=until_s)
        now_s = float(self.env.now)
        return Run(
            log=self.log,
            open_rows=[row for open_rows in self._open_rows for row in open_rows(now_s)],
            seed=self.seed,
            until_s=until_s,
            ended_s=now_s,
            scenario=scenario,
            kept=kept,
        )

    def _start(self) -> None:
        while self._starts:
            self._starts.pop(0)()

    def _too_early(self, field: str, time_s: float) -> ConfigurationError:
        now_s = float(self.env.now)
        return ConfigurationError(
            f"{field} is {time_s!r}", field=field, value=time_s, remedy=f"it is {now_s:g} s already", at_s=now_s
        )
