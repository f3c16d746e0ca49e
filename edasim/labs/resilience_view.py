"""The resilience lab as a widget: what, against what, and your prediction; the story, every step, and a crowd.

Follows `view.py` in all that labs have in common: a runner that keeps only the latest request, finished values assigned
to widgets, `data-generation` and `data-state` on the picture. Another choice than that of a slider takes the prediction
back, so that each experiment begins with one; the sliders explore with the prediction at hand. Left out: a layout for
phones.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from ..viz import Picture
from . import runner
from .controls import WIDE, Choice
from .lab import UNHURRIED, Values
from .resilience_lab import PREDICT, Model, ResilienceLab, silent
from .view import CONTROL, STYLE, button, heading, in_red, marked, naming, question, said

if TYPE_CHECKING:
    from .controls import Control

CHOICES = ("system", "protection", "promise", "fault")
"""Whoever changes one of these has a new experiment, and predicts anew."""


class More(enum.Enum):
    """What is asked for below the story."""

    NOTHING = "nothing"
    MATRIX = "every step"
    CROWD = "a crowd"


@dataclass(frozen=True)
class Request:
    """What the learner asks for."""

    values: Values
    seed: int
    pinned: Model | None
    more: More


@dataclass(frozen=True)
class View:
    """What a request came to."""

    model: Model
    picture: Picture
    more: Picture | None


class ResilienceBox(widgets.VBox):  # type: ignore[misc]
    """The widget. Its parts can be driven from Python: `fields[name].value = …`, `every_step.click()`.

    `wait(timeout_s)` returns when the picture shows the latest request.
    """

    def __init__(self, lab: ResilienceLab, start: Callable[[runner.Task], object] = runner.in_thread) -> None:
        self.lab = lab
        self.fields = {control.name: control.widget() for control in lab.controls({})}
        self.seed = widgets.BoundedIntText(
            value=lab.first_seed, min=0, max=2**31 - 1, description="seed",
            tooltip="The luck of the draw, for the crowd and the zoo; the other stories have no chance in them",
            style=WIDE, layout=widgets.Layout(width="9em"),
        )  # fmt: skip
        self.pin = button("Pin", "Keeps a grey copy of this story to compare with")
        self.every_step = button("Every step", "Crashes at every step of the story, with each protection")
        self.crowd = button("A crowd", "Many such stories at once, with ten seeds: goodput, and how many are hit")
        self.status, self.picture, self.below = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.picture.add_class("edasim-lab-picture")
        self.score: list[bool] = []
        self.pinned: Model | None = None
        self.shown: Model | None = None
        self._following: int | None = None
        self.runner = runner.LatestRunner(self._compute, self._show, computing=self._announce, start=start)
        super().__init__([widgets.HTML(STYLE + heading(lab.title)), self._controls(), self.status, self.picture,
                          self.below])  # fmt: skip
        self._show_first()
        for name, field in self.fields.items():
            field.observe(lambda _, name=name: self._moved(name), names="value")
        self.seed.observe(lambda _: self._ask(More.NOTHING), names="value")
        self.pin.on_click(lambda _: self._toggle_pin())
        self.every_step.on_click(lambda _: self._ask(More.MATRIX))
        self.crowd.on_click(lambda _: self._ask(More.CROWD))

    def wait(self, timeout_s: float = 30.0) -> bool:
        """True when everything that was asked for is shown; False if that takes longer."""
        return self.runner.wait(timeout_s)

    def _controls(self) -> Any:
        """Three rows: the system and its promise, the fault, and the prediction with the buttons."""
        by_name = {control.name: control for control in self.lab.controls({})}
        wrap = widgets.Layout(flex_flow="row wrap")
        rows = [("1 · What", ("system", "protection", "promise")), ("2 · Against what", ("fault", "at_ms", "for_s"))]
        parts = []
        for title, names in rows:
            asked = [self._asked(by_name[name]) for name in names]
            parts += [widgets.HTML(f"<strong>{title}</strong>"), widgets.Box(asked, layout=wrap)]
        last = [self._asked(by_name["guess"]), self.seed, self.pin, self.every_step, self.crowd]
        parts += [widgets.HTML("<strong>3 · Your prediction</strong>"), widgets.Box(last, layout=wrap)]
        return widgets.VBox(parts)

    def _asked(self, control: Control) -> Any:
        """A control with its question; a slider also learns its name."""
        field = self.fields[control.name]
        named = "" if isinstance(control, Choice) else naming(field.description)
        box = widgets.VBox([field, widgets.HTML(question(control.question) + named)])
        box.add_class(CONTROL)
        return box

    def _moved(self, name: str) -> None:
        """One control has changed; others may have to follow (in this thread), and only one picture is asked for."""
        if self._following == threading.get_ident():
            return
        self._following = threading.get_ident()
        try:
            if name == "system":
                self._offer_what_it_has()
            if name in CHOICES:
                self.fields["guess"].value = PREDICT
        finally:
            self._following = None
        self._ask(More.NOTHING)

    def _offer_what_it_has(self) -> None:
        """The protections, promises and faults of the chosen system."""
        for control in self.lab.controls({"system": self.fields["system"].value}):
            if isinstance(control, Choice) and control.name in CHOICES[1:]:
                self.fields[control.name].options = control.options
                self.fields[control.name].value = control.default

    def _request(self, more: More) -> Request:
        values = {name: field.value for name, field in self.fields.items()}
        return Request(values, self.seed.value, self.pinned, more)

    def _ask(self, more: More) -> None:
        self.runner.submit(self._request(more))

    def _compute(self, request: Request, ticket: runner.Ticket) -> View:
        values = self.lab.values(request.values)
        model = self.lab.simulate(values, request.seed)
        return View(model, self.lab.picture(model, request.pinned), self._more(request, values, ticket))

    def _more(self, request: Request, values: Values, ticket: runner.Ticket) -> Picture | None:
        """What stands below the story: the matrix, or the crowd."""
        tell = silent if ticket is UNHURRIED else self._tell
        if request.more is More.MATRIX:
            return self.lab.matrix(values, request.seed, ticket, tell)
        if request.more is More.CROWD:
            return self.lab.crowded(values, request.seed, ticket, tell).to_picture()
        return None

    def _tell(self, done: int, of: int) -> None:
        """How far a long computation is; told in ten steps, since each of them goes to the page."""
        if done % max(1, of // 10) == 0:
            self.status.value = said(f"computing … {done} of {of}")

    def _show_first(self) -> None:
        """Computes the first picture at once, so that the widget never appears empty."""
        request = self._request(More.NOTHING)
        try:
            outcome = runner.Outcome(0, request, self._compute(request, UNHURRIED))
        except Exception as error:  # noqa: BLE001 (any error of the lab is shown in it)
            outcome = runner.Outcome(0, request, error=error)
        self._show(outcome)

    def _show(self, outcome: runner.Outcome[Request, View]) -> None:
        """Puts an outcome into the widgets; called by one thread at a time."""
        view = outcome.result
        if view is None:
            self.picture.value = marked(outcome.generation, "error", in_red(outcome.error))
            self.below.value = self.status.value = ""
        else:
            self._keep_score(view.model)
            self.shown = view.model
            self.picture.value = marked(outcome.generation, "ready", view.picture.to_html())
            self.below.value = "" if view.more is None else view.more.to_html()
            self.status.value = said(self._scored())
        self.picture.remove_class("edasim-lab-computing")

    def _keep_score(self, model: Model) -> None:
        """A prediction counts when it is first judged; later moves of the sliders explore."""
        was_open = self.shown is None or self.shown.outcome is None
        right = model.is_right
        if was_open and right is not None:
            self.score.append(right)

    def _scored(self) -> str:
        if not self.score:
            return ""
        return f"Your predictions so far: {sum(self.score)} of {len(self.score)} right."

    def _announce(self, _generation: int) -> None:
        self.picture.add_class("edasim-lab-computing")
        self.status.value = said("computing …")

    def _toggle_pin(self) -> None:
        """Pins what is shown, or lets go of what was pinned."""
        if self.pinned is not None:
            self.pinned = None
            self.pin.description = "Pin"
        elif self.shown is not None:
            self.pinned = self.shown
            self.pin.description = "Unpin"
        self._ask(More.NOTHING)
