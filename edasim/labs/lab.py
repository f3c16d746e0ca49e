"""A lab: a question that a learner explores with a few controls and a live picture.

A `Lab` is a frozen description. Called, it builds the widget; `draw(**values)` gives the same picture without one,
for readers without a kernel and for tests; `ten_seeds(**values)` gives the numbers behind the button of that name,
`draw_ten_seeds(**values)` their picture. Left out: what is simulated and how it is drawn; that is each lab's own
(`edasim/labs/<name>_lab.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import checks
from ..errors import UnknownNameError
from ..viz import Picture
from .controls import Control, check_controls
from .runner import Ticket
from .spread import SEEDS, Metric, Spread, check_function, one_by_one

Values = Mapping[str, Any]
"""A value for every control, by name."""

UNHURRIED = Ticket(stale=lambda: False)
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
    spread for each metric.
    """

    title: str = checks.text()
    controls: tuple[Control, ...] = checks.checked(check_controls)
    simulate: Callable[[Values, int], Any] = checks.checked(check_function)
    picture: Callable[[Any, Any], Picture] = checks.checked(check_function)
    metrics: tuple[Metric, ...] = checks.checked(check_metrics)
    repeats: Callable[[tuple[Spread, ...]], Picture] = checks.checked(check_function, default=one_by_one)
    first_seed: int = checks.at_least(0, default=1)

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

    def draw_ten_seeds(self, *, seed: int | None = None, **values: Any) -> Picture:
        """The picture that the button "Ten seeds" adds, for these values: the static twin of the button."""
        return self.repeats(self.ten_seeds(seed=seed, **values))

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
