"""Chaos experiments: a steady state is claimed, faults are injected, and intervals say whether the claim holds.

An experiment is frozen: a scenario, what its steady state is, the faults, how often it is run, and when a run is to be
given up. Each run with faults has a twin without, with the same seed, so that what the faults did is a paired
difference (SO-04). A claim holds if the whole interval of its mean lies inside its bounds, is broken if the whole
interval lies outside, and is undecided otherwise; if the twins without faults do not hold it, there is no steady state
and nothing can be said. Intervals of several claims hold together (Bonferroni).

Follows Principles of Chaos Engineering (hypothesis about steady state, real-world events, minimal blast radius) and
the control and experiment clusters of Netflix's ChAP. Left out: looking at the result while it grows.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import TYPE_CHECKING, Any

from .. import checks
from ..errors import ConfigurationError
from ..failures import Fault, check_faults, require_checkable, require_possible
from ..kernel import Run, Simulation
from ..theory import Interval, PairedInterval, bonferroni_level, mean_interval
from .compare import compare
from .metrics import Measure, measured
from .results import Replications

if TYPE_CHECKING:
    import pandas


ABORTED = "given up"
"""The metric that says whether a run was given up, and what it is noted as among what a run keeps."""


def check_measure(field: str, value: Any) -> Measure:
    """A metric's name, or a function of a run; for `checks.checked`."""
    if isinstance(value, str) or callable(value):
        return value  # type: ignore[no-any-return]
    raise checks.refuse(field, value, 'give a name such as "mail.mean_wait_s", or a function of a run')


def _bound(field: str, value: Any) -> float:
    return checks.number(field, value, low=-math.inf, open_low=True, what="a finite number")


@checks.configuration
class SteadyState:
    """A claim: `metric` (a name or a function of a run) is at most `most` and at least `least`, on average."""

    name: str = checks.text()
    metric: Measure = checks.checked(check_measure)
    most: float | None = checks.optional(_bound, default=None)
    least: float | None = checks.optional(_bound, default=None)

    def check(self) -> None:
        """There is a bound, and room between two."""
        if self.most is None and self.least is None:
            problem = "a steady state needs a bound"
            raise ConfigurationError(problem, field="SteadyState.most", remedy="give most or least")
        if self.most is not None and self.least is not None and self.most < self.least:
            raise checks.refuse("SteadyState.most", self.most, f"give at least {self.least:g}")

    def judge(self, found: Interval) -> ChaosVerdict:
        """What an interval says about the claim."""
        low = -math.inf if self.least is None else self.least
        high = math.inf if self.most is None else self.most
        if low <= found.low and found.high <= high:
            return ChaosVerdict.HOLDS
        if found.high < low or found.low > high:
            return ChaosVerdict.BROKEN
        return ChaosVerdict.UNDECIDED

    def describe(self) -> str:
        """In plain words."""
        bounds = [f"at least {self.least:g}"] if self.least is not None else []
        bounds += [f"at most {self.most:g}"] if self.most is not None else []
        return f"{self.name} is {' and '.join(bounds)}"


class ChaosVerdict(enum.Enum):
    """What an experiment says about a claim, from the worst to the best."""

    NO_STEADY_STATE = "no steady state"
    ABORTED = "aborted"
    BROKEN = "broken"
    UNDECIDED = "undecided"
    HOLDS = "holds"


def check_steady(field: str, value: Any) -> tuple[SteadyState, ...]:
    """One claim or several, each of its own name; for `checks.checked`."""
    claims = (value,) if isinstance(value, SteadyState) else value
    if not isinstance(claims, list | tuple) or not claims or not all(isinstance(c, SteadyState) for c in claims):
        raise checks.refuse(field, value, "give SteadyState(name=…, metric=…, most=…), or a list of them")
    names = [claim.name for claim in claims]
    if len(set(names)) < len(names) or ABORTED in names:
        raise checks.refuse(field, names, f"give each claim a name of its own, other than {ABORTED!r}")
    return tuple(claims)


@checks.configuration
class Abort:
    """A run is given up as soon as `metric`, looked at every `every_s` simulated seconds, is more than `above`."""

    metric: Measure = checks.checked(check_measure)
    above: float = checks.checked(_bound)
    every_s: float = checks.positive(default=1.0)


@checks.configuration
class ChaosExperiment:
    """Injects `faults` into a scenario (which has a field `faults`) and holds it to its steady state.

    `runs` pairs of runs of `until_s` simulated seconds each; intervals of all claims together have `level`.
    """

    scenario: Any = checks.kind(object, "a scenario with a field faults")
    steady: tuple[SteadyState, ...] = checks.checked(check_steady)
    faults: tuple[Fault, ...] = checks.checked(check_faults)
    until_s: float = checks.positive()
    runs: int = checks.at_least(2, default=20)
    level: float = checks.ratio(default=0.95)
    abort: Abort | None = checks.optional(checks.check_kind(Abort, "Abort(metric=…, above=…)"), default=None)

    def check(self) -> None:
        """The scenario can have faults, and some are given."""
        if not hasattr(self.scenario, "but") or not hasattr(self.scenario, "faults"):
            raise checks.refuse("ChaosExperiment.scenario", self.scenario, "give a scenario that has a field faults")
        if not self.faults:
            raise checks.refuse("ChaosExperiment.faults", self.faults, "give at least one fault")

    def run(self, seed: int = 0, workers: int | None = None) -> ChaosReport:
        """All runs, with and without the faults, and what they say; `workers` as for `replicate`."""
        control = Guarded(self.scenario, None)
        disturbed = self.scenario.but(faults=(*self.scenario.faults, *self.faults))
        metrics: dict[str, Measure] = {claim.name: claim.metric for claim in self.steady}
        if self.abort is not None:
            metrics[ABORTED] = _aborted
        pair = compare(
            Guarded(disturbed, self.abort),
            control,
            self.runs,
            metrics,
            seed=seed,
            until_s=self.until_s,
            log="full",
            workers=workers,
        )
        each = bonferroni_level(len(self.steady), self.level)
        aborted = int(sum(pair.a.of(ABORTED))) if self.abort is not None else 0
        lines = tuple(_line(claim, pair.a, pair.b, each, aborted) for claim in self.steady)
        return ChaosReport(self, lines, aborted, seed)

    def describe(self) -> str:
        """The experiment in plain words."""
        lines = [f"steady state: {'; '.join(claim.describe() for claim in self.steady)}"]
        lines += [f"fault: {fault.describe()}" for fault in self.faults]
        lines.append(f"{self.runs} pairs of runs of {self.until_s:g} s")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class ChaosLine:
    """One claim: its verdict, the intervals with and without faults, and of the difference that the faults made."""

    claim: SteadyState
    verdict: ChaosVerdict
    disturbed: Interval
    control: Interval
    difference: PairedInterval


@dataclasses.dataclass(frozen=True)
class ChaosReport:
    """What an experiment found; prints as a report."""

    experiment: ChaosExperiment
    lines: tuple[ChaosLine, ...]
    aborted: int
    seed: int

    @property
    def verdict(self) -> ChaosVerdict:
        """The worst of the verdicts of all claims."""
        order = list(ChaosVerdict)
        return min((line.verdict for line in self.lines), key=order.index)

    def table(self) -> pandas.DataFrame:
        """A row per claim: `claim`, `verdict`, means with limits, and the mean difference with limits."""
        import pandas as pd

        rows = [
            {
                "claim": line.claim.describe(),
                "verdict": line.verdict.value,
                "without faults": line.control.mean,
                "with faults": line.disturbed.mean,
                "low": line.disturbed.low,
                "high": line.disturbed.high,
                "difference": line.difference.mean,
                "difference low": line.difference.low,
                "difference high": line.difference.high,
            }
            for line in self.lines
        ]
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        told = [self.experiment.describe(), f"verdict: {self.verdict.value}"]
        told += [
            f"- {line.claim.describe()}: {line.verdict.value}; with faults {line.disturbed}, "
            f"without {line.control}, difference {line.difference}"
            for line in self.lines
        ]
        if self.aborted:
            told.append(f"{self.aborted} of {self.experiment.runs} runs were given up")
        return "\n".join(told)


@dataclasses.dataclass(frozen=True)
class Guarded:
    """A scenario that is looked at while it runs, and given up when a metric is too bad."""

    scenario: Any
    abort: Abort | None

    def run(self, seed: int = 0, until_s: float | None = None, *, log: str = "full") -> Run:
        """One run, up to its end or to where it is given up; then `kept["given up"]` is the instant in seconds."""
        if self.abort is None or until_s is None:
            made: Run = self.scenario.run(seed=seed, until_s=until_s, log=log)
            return made
        sim = Simulation(seed=seed, log=log)
        kept = self.scenario.build(sim)
        require_possible(sim, self.scenario.faults, until_s)
        require_checkable(sim, self.scenario.promises, until_s, getattr(self.scenario, "topology", None))
        number = 1
        while True:
            at_s = min(number * self.abort.every_s, until_s)
            run = sim.run(until_s=at_s, scenario=self.scenario, kept=kept)
            if at_s >= until_s:
                return run
            if measured(run, [self.abort.metric])[0] > self.abort.above:
                run.kept[ABORTED] = at_s
                return run
            number += 1

    def to_dict(self) -> dict[str, Any]:
        """The scenario and the rule, as far as they can be told."""
        return {"scenario": "Guarded", "of": repr(self.scenario), "abort": repr(self.abort)}


def _aborted(run: Run) -> float:
    return float(ABORTED in run.kept)


def _line(claim: SteadyState, a: Replications, b: Replications, level: float, aborted: int) -> ChaosLine:
    disturbed = mean_interval(a.of(claim.name), level)
    control = mean_interval(b.of(claim.name), level)
    if claim.judge(control) is not ChaosVerdict.HOLDS:
        verdict = ChaosVerdict.NO_STEADY_STATE
    elif aborted:
        verdict = ChaosVerdict.ABORTED
    else:
        verdict = claim.judge(disturbed)
    return ChaosLine(claim, verdict, disturbed, control, a.minus(b, claim.name, level))
