"""A lab: a question that a learner explores with a few controls and a live picture.

A `Lab` is a frozen description. Called, it builds the widget; `draw(**values)` gives the same picture without one,
for readers without a kernel and for tests; `ten_seeds(**values)` gives the numbers behind the button of that name,
`draw_ten_seeds(**values)` their picture, with the paired interval if something is pinned; `run_count(**values)` and
`draw_run_count(**values)` say how many runs it takes. Left out: what is simulated and how it is drawn; that is each
lab's own (`edasim/labs/<name>_lab.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..experiments import Precision, next_goal, precision
from ..viz import Picture, run_count_svg
from .controls import Control, check_controls
from .runner import Ticket
from .spread import SEEDS, Compared, Metric, Spread, check_function, one_by_one, under_each_other

Values = Mapping[str, Any]
"""A value for every control, by name."""

UNHURRIED = Ticket(stale=lambda: False)
MOST_RUNS = 400
check_seed = checks.check_whole(0)


def check_metrics(field: str, value: Any) -> tuple[Metric, ...]:
    """A tuple of metrics."""
    if not isinstance(value, tuple | list) or not all(isinstance(entry, Metric) for entry in value):
        raise checks.refuse(field, value, "give metrics")
    return tuple(value)


@checks.configuration
class Lab:
    """A title, at most four controls, a simulation, a picture of its model, and numbers to repeat with ten seeds.

    `simulate(values, seed)` returns a model of the lab's own; it is pure. `picture(model, pinned)` draws it; `pinned`
    is an earlier model to show in grey behind it, or None. `repeats(spreads)` draws the numbers of ten seeds, one
    spread for each metric. With `wanted_ratio` the lab also says how many runs give the first metric's mean to that
    share of it (0.1: ± 10 %).
    """

    title: str = checks.text()
    controls: tuple[Control, ...] = checks.checked(check_controls)
    simulate: Callable[[Values, int], Any] = checks.checked(check_function)
    picture: Callable[[Any, Any], Picture] = checks.checked(check_function)
    metrics: tuple[Metric, ...] = checks.checked(check_metrics)
    repeats: Callable[[tuple[Spread, ...]], Picture] = checks.checked(check_function, default=one_by_one)
    first_seed: int = checks.at_least(0, default=1)
    wanted_ratio: float | None = checks.optional(checks.check_ratio, default=None)

    def values(self, given: Values) -> dict[str, Any]:
        """A checked value for every control; those that are not given have their defaults.

        Raises `UnknownNameError` or `ConfigurationError` that names the control.
        """
        names = [control.name for control in self.controls]
        for name in given:
            if name not in names:
                raise UnknownNameError(f"control of “{self.title}”", name, names)
        return {control.name: control.kept(given.get(control.name, control.default)) for control in self.controls}

    def in_words(self, values: Values, seed: int) -> str:
        """The values with their units, and the seed, for a sentence."""
        said = [control.in_words(values[control.name]) for control in self.controls]
        return ", ".join([*said, f"seed {seed}"])

    def draw(self, *, seed: int | None = None, pinned: Values | None = None, **values: Any) -> Picture:
        """The picture that the lab shows for these values; `pinned` are the values of the grey one behind it, if any.

        The static twin of the widget: needs no kernel and no ipywidgets.
        """
        seed = check_seed("seed", self.first_seed if seed is None else seed)
        model = self.simulate(self.values(values), seed)
        behind = None if pinned is None else self.simulate(self.values(pinned), seed)
        return self.picture(model, behind)

    def ten_seeds(self, *, seed: int | None = None, **values: Any) -> tuple[Spread, ...]:
        """The lab's numbers for ten seeds, from `seed` on: one spread for each metric."""
        seed = check_seed("seed", self.first_seed if seed is None else seed)
        return self.spreads(self.values(values), seed, UNHURRIED)

    def draw_ten_seeds(self, *, seed: int | None = None, pinned: Values | None = None, **values: Any) -> Picture:
        """The picture that the button "Ten seeds" adds, for these values: the static twin of the button.

        With `pinned` values it also shows the difference to them, seed by seed, and its interval.
        """
        seed = check_seed("seed", self.first_seed if seed is None else seed)
        before = None if pinned is None else self.values(pinned)
        return self.repeated(self.values(values), before, seed, UNHURRIED)

    def repeated(self, values: Values, pinned: Values | None, seed: int, ticket: Ticket) -> Picture:
        """As `draw_ten_seeds`, for values that are checked already."""
        spreads = self.spreads(values, seed, ticket)
        drawn = self.repeats(spreads)
        if pinned is None:
            return drawn
        before = self.spreads(pinned, seed, ticket)
        pairs = [Compared(now=now, pinned=then).to_picture() for now, then in zip(spreads, before, strict=True)]
        return under_each_other([drawn, *pairs])

    def run_count(self, *, seed: int | None = None, **values: Any) -> Precision:
        """How the interval of the first metric narrows with the runs, made with seeds from `seed` on until it suffices.

        The rule is that of `experiments.until_precise`, with at most 400 runs. `ConfigurationError` if the lab has no
        `wanted_ratio`.
        """
        seed = check_seed("seed", self.first_seed if seed is None else seed)
        return self.narrowing(self.values(values), seed, UNHURRIED)

    def draw_run_count(self, *, seed: int | None = None, **values: Any) -> Picture:
        """The picture that the button "How many runs?" adds, for these values."""
        return self.counted(self.run_count(seed=seed, **values), self.values(values))

    def counted(self, found: Precision, values: Values) -> Picture:
        """The picture of how the interval narrowed; its text also says whether theory's value is inside."""
        metric = self.metrics[0]
        drawn = run_count_svg(found, metric.label, metric.unit)
        truth = None if metric.truth is None else metric.truth(values)
        if truth is None:
            return drawn
        where = "inside" if truth in found.intervals[-1] else "outside"
        said = f"Theory says {truth:.3g} {metric.unit} for the long run, {where} the interval."
        said += " More runs do not mend what every run does alike, such as a cold start."
        return dataclasses.replace(drawn, text=f"{drawn.text}\n{said}")

    def narrowing(self, values: Values, seed: int, ticket: Ticket) -> Precision:
        """As `run_count`, for values that are checked already; gives up between two runs if it is no longer wanted."""
        if self.wanted_ratio is None or not self.metrics:
            problem = f"“{self.title}” does not say how many runs it takes"
            raise ConfigurationError(problem, field="wanted_ratio", remedy="use a lab that has a wanted_ratio")
        measured: list[float] = []
        goal = next_goal([measured], self.wanted_ratio, made=0, most=MOST_RUNS)
        while goal is not None:
            while len(measured) < goal:
                ticket.check()
                measured.append(float(self.metrics[0].measure(self.simulate(values, seed + len(measured)))))
            goal = next_goal([measured], self.wanted_ratio, made=goal, most=MOST_RUNS)
        return precision(measured, self.wanted_ratio)

    def spreads(self, values: Values, seed: int, ticket: Ticket) -> tuple[Spread, ...]:
        """As `ten_seeds`, for values that are checked already; gives up between two seeds if it is no longer wanted."""
        seeds = tuple(range(seed, seed + SEEDS))
        rows = []
        for each in seeds:
            ticket.check()
            model = self.simulate(values, each)
            rows.append([float(metric.measure(model)) for metric in self.metrics])
        return tuple(
            Spread(
                label=metric.label,
                unit=metric.unit,
                seeds=seeds,
                values=tuple(row[index] for row in rows),
                truth=None if metric.truth is None else metric.truth(values),
            )
            for index, metric in enumerate(self.metrics)
        )

    def __call__(self) -> Any:
        """The lab as a widget (a `VBox`), to be shown in a notebook."""
        from .view import LabBox

        return LabBox(self)
