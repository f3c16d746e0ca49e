"""The controls of a lab: at most four, each with its unit, a sensible range and one question.

A control is a frozen description that checks values and builds its ipywidgets control. Sliders move by keyboard
(arrow keys, Page Up and Down) and report while they move. Left out: text fields and check boxes; what cannot be a
slider or a choice of words does not belong into a lab.
"""

from __future__ import annotations

import itertools
import math
import numbers
from decimal import Decimal
from typing import Any, Protocol

from .. import checks
from ..errors import ConfigurationError

MOST_CONTROLS = 4
WIDE = {"description_width": "initial"}


class Control(Protocol):
    """What a lab lets the learner change."""

    @property
    def name(self) -> str:
        """The parameter's name."""
        ...

    @property
    def default(self) -> Any:
        """The value at the start."""
        ...

    @property
    def question(self) -> str:
        """The one question that this control is for."""
        ...

    def kept(self, value: Any) -> Any:
        """The value, checked; raises `ConfigurationError` that names the control."""
        ...

    def in_words(self, value: Any) -> str:
        """The control and a value with its unit, for a sentence."""
        ...

    def widget(self) -> Any:
        """A new ipywidgets control."""
        ...


def check_name(field: str, value: Any) -> str:
    """A parameter's name: a Python identifier other than those that `draw` has for itself."""
    if not isinstance(value, str) or not value.isidentifier() or value in {"seed", "pinned"}:
        raise checks.refuse(field, value, "give a Python identifier other than 'seed' and 'pinned'")
    return value


def check_number(field: str, value: Any) -> float:
    """A finite number; whole ones stay `int`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise checks.refuse(field, value, "give a finite number")
    return int(value) if isinstance(value, numbers.Integral) else float(value)


@checks.configuration
class Slider:
    """A number from `low` to `high` in steps; whole numbers only, if the ends, the step and the default are whole."""

    name: str = checks.checked(check_name)
    low: float = checks.checked(check_number)
    high: float = checks.checked(check_number)
    step: float = checks.positive()
    default: float = checks.checked(check_number)
    unit: str = checks.kind(str, "the unit as a text, empty for none")
    question: str = checks.text()
    label: str | None = checks.optional(checks.check_text, default=None)

    def check(self) -> None:
        """Ends in order, a step that fits, a default inside."""
        if not self.low < self.high:
            raise checks.refuse("Slider.low", self.low, f"give less than high = {self.high}")
        if self.step > self.high - self.low:
            raise checks.refuse("Slider.step", self.step, f"give at most {self.high - self.low}")
        self.kept(self.default)
        check_question("Slider.question", self.question)

    @property
    def whole(self) -> bool:
        """True if only whole numbers are allowed."""
        return all(isinstance(end, int) for end in (self.low, self.high, self.default)) and self.step.is_integer()

    def kept(self, value: Any) -> float:
        """The value if it is a number of the range; whole where the slider is."""
        kept = check_number(self.name, value)
        if not self.low <= kept <= self.high:
            remedy = f"give a number from {self.low:g} to {self.high:g} {self.unit}".rstrip()
            raise checks.refuse(self.name, value, remedy)
        if self.whole and not float(kept).is_integer():
            raise checks.refuse(self.name, value, "give a whole number")
        return int(kept) if self.whole else float(kept)

    def in_words(self, value: Any) -> str:
        """Such as "arrivals 40 per second"."""
        return f"{self.label or self.name.replace('_', ' ')} {value:g} {self.unit}".rstrip()

    def widget(self) -> Any:
        """A slider that reports while it moves, with its unit in the label."""
        import ipywidgets as widgets

        kind = widgets.IntSlider if self.whole else widgets.FloatSlider
        step = int(self.step) if self.whole else self.step
        named = self.label or self.name.replace("_", " ")
        decimals = 0 if self.whole else decimals_of(self.step)
        return kind(
            value=self.default,
            min=self.low,
            max=self.high,
            step=step,
            description=f"{named} ({self.unit})" if self.unit else named,
            tooltip=self.question,
            continuous_update=True,
            readout_format="d" if self.whole else f".{decimals}f",
            style=WIDE,
            layout=widgets.Layout(width="28em"),
        )


def decimals_of(step: float) -> int:
    """How many decimals it takes to show multiples of a step: 1 for 0.5, 2 for 0.25."""
    return max(0, -int(Decimal(str(step)).normalize().as_tuple().exponent))


def check_rising(field: str, value: Any) -> tuple[float, ...]:
    """Two or more finite numbers, each above the one before."""
    given = tuple(value) if isinstance(value, tuple | list) else ()
    kept = tuple(check_number(field, each) for each in given)
    if len(kept) < 2 or any(low >= high for low, high in itertools.pairwise(kept)):
        raise checks.refuse(field, value, "give two or more numbers in rising order")
    return kept


@checks.configuration
class Stops:
    """One of a few numbers in rising order: a slider for a range too wide for equal steps, such as 200 to 20,000."""

    name: str = checks.checked(check_name)
    stops: tuple[float, ...] = checks.checked(check_rising)
    default: float = checks.checked(check_number)
    unit: str = checks.kind(str, "the unit as a text, empty for none")
    question: str = checks.text()
    label: str | None = checks.optional(checks.check_text, default=None)

    def check(self) -> None:
        """The default is a stop."""
        self.kept(self.default)
        check_question("Stops.question", self.question)

    def kept(self, value: Any) -> float:
        """The value if it is one of the stops."""
        for stop in self.stops:
            if stop == value and not isinstance(value, bool):
                return stop
        raise checks.refuse(self.name, value, f"give one of {', '.join(f'{stop:g}' for stop in self.stops)}")

    def in_words(self, value: Any) -> str:
        """Such as "messages 1,000"."""
        return f"{self.label or self.name.replace('_', ' ')} {value:,} {self.unit}".rstrip()

    def widget(self) -> Any:
        """A slider from stop to stop that reports while it moves."""
        import ipywidgets as widgets

        named = self.label or self.name.replace("_", " ")
        return widgets.SelectionSlider(
            options=[(f"{stop:,}", stop) for stop in self.stops],
            value=self.default,
            description=f"{named} ({self.unit})" if self.unit else named,
            tooltip=self.question,
            continuous_update=True,
            style=WIDE,
            layout=widgets.Layout(width="28em"),
        )


def check_words(field: str, value: Any) -> tuple[str, ...]:
    """Two or more different texts."""
    texts = tuple(value) if isinstance(value, tuple | list) else ()
    different = len(set(texts)) == len(texts) > 1
    if not different or not all(isinstance(text, str) and text for text in texts):
        raise checks.refuse(field, value, "give two or more different texts")
    return texts


@checks.configuration
class Choice:
    """One of a few words."""

    name: str = checks.checked(check_name)
    options: tuple[str, ...] = checks.checked(check_words)
    default: str = checks.text()
    question: str = checks.text()
    label: str | None = checks.optional(checks.check_text, default=None)

    def check(self) -> None:
        """The default is an option."""
        self.kept(self.default)
        check_question("Choice.question", self.question)

    def kept(self, value: Any) -> str:
        """The value if it is one of the options."""
        for option in self.options:
            if option == value:
                return option
        raise checks.refuse(self.name, value, f"give one of {', '.join(map(repr, self.options))}")

    def in_words(self, value: Any) -> str:
        """Such as "broker memory"."""
        return f"{self.label or self.name.replace('_', ' ')} {value}"

    def widget(self) -> Any:
        """A drop-down list, which browsers and screen readers know."""
        import ipywidgets as widgets

        return widgets.Dropdown(
            options=self.options,
            value=self.default,
            description=self.label or self.name.replace("_", " "),
            tooltip=self.question,
            style=WIDE,
            layout=widgets.Layout(width="28em"),
        )


def check_question(field: str, value: str) -> None:
    """A control asks; its text ends with a question mark."""
    if not value.rstrip().endswith("?"):
        raise checks.refuse(field, value, "end it with a question mark")


def check_controls(field: str, value: Any) -> tuple[Control, ...]:
    """One to four controls with different names."""
    controls = tuple(value) if isinstance(value, tuple | list) else ()
    if not controls or not all(isinstance(control, Slider | Stops | Choice) for control in controls):
        raise checks.refuse(field, value, "give sliders and choices")
    if len(controls) > MOST_CONTROLS:
        raise ConfigurationError(
            f"{field} has {len(controls)} controls",
            field=field,
            value=[control.name for control in controls],
            remedy=f"give at most {MOST_CONTROLS}: with more, nobody sees which one did it",
        )
    names = [control.name for control in controls]
    if len(set(names)) != len(names):
        raise checks.refuse(field, names, "give each control a name of its own")
    return controls
