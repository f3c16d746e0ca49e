"""A lab as a widget: controls, a live picture with its text, pin, ten seeds, how many runs, and errors in words.

Follows the rules for widgets under Jupyter's kernel subshells: callbacks only read values, hand a request to the
runner and assign finished values to widgets; no printing, no global plotting state. The picture's element carries
`data-generation`, the number of the request that it shows, and `data-state` ("ready", "error"), by which a browser
test can time a slider. Only this module and `resilience_view.py` import ipywidgets at their top. Left out: layouts for
phones.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as widgets

from ..errors import EdasimError
from ..viz import Picture
from . import runner
from .controls import WIDE
from .lab import UNHURRIED, Lab, Values
from .panels import pinned_line

STYLE = """<style>
.edasim-lab-picture { transition: opacity .1s; min-height: 3em }
.edasim-lab-computing { opacity: .55 }
@media (prefers-reduced-motion: reduce) { .edasim-lab-picture { transition: none } }
</style>"""


CONTROL = "edasim-lab-control"
NOTHING = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
GIVE_NAME = (
    f"(function give(image, tries) {{ const box = image.closest('.{CONTROL}'), "
    "handle = box && box.querySelector('[role=slider]'); "
    "if (handle) handle.setAttribute('aria-label', image.dataset.name); "
    "else if (tries) setTimeout(give, 100, image, tries - 1); })(this, 100)"
)
"""Waits, at most ten seconds, until the slider is on the page."""


@dataclass(frozen=True)
class Pinned:
    """A model that is kept to compare with, and the values that it came from, as they are and in words."""

    model: Any
    values: Values
    words: str


class More(enum.Enum):
    """What is asked for below the picture."""

    NOTHING = "nothing"
    TEN_SEEDS = "ten seeds"
    RUN_COUNT = "how many runs"


@dataclass(frozen=True)
class Request:
    """What the learner asks for: a picture for these values, and what the buttons add."""

    values: Values
    seed: int
    pinned: Pinned | None
    more: More


@dataclass(frozen=True)
class View:
    """What a request came to."""

    model: Any
    picture: Picture
    repeats: Picture | None


class LabBox(widgets.VBox):  # type: ignore[misc]
    """The widget of a lab. Its parts can be driven from Python: `fields[name].value = …`, `pin.click()`.

    `wait(timeout_s)` returns when the picture shows the latest request.
    """

    def __init__(self, lab: Lab, start: Callable[[runner.Task], object] = runner.in_thread) -> None:
        self.lab = lab
        self.fields = {control.name: control.widget() for control in lab.controls}
        self.seed = widgets.BoundedIntText(
            value=lab.first_seed,
            min=0,
            max=2**31 - 1,
            description="seed",
            tooltip="The luck of the draw: another seed, another run of the same system",
            style=WIDE,
            layout=widgets.Layout(width="9em"),
        )
        self.pin = button("Pin", "Keeps a grey copy of this picture to compare with")
        self.ten_seeds = button("Ten seeds", "Repeats the run with ten seeds and shows the spread")
        self.run_count = button(
            "How many runs?", "Repeats the run until the interval is narrow, and shows how it narrows"
        )
        self.status = widgets.HTML()
        self.picture = widgets.HTML()
        self.picture.add_class("edasim-lab-picture")
        self.spread = widgets.HTML()
        self.pinned: Pinned | None = None
        self.shown: tuple[Request, View] | None = None
        self.runner = runner.LatestRunner(self._compute, self._show, computing=self._announce, start=start)
        title = widgets.HTML(STYLE + heading(lab.title))
        super().__init__([title, self._controls(), self.status, self.picture, self.spread])
        self._show_first()
        for field in (*self.fields.values(), self.seed):
            field.observe(lambda _: self._ask(More.NOTHING), names="value")
        self.pin.on_click(lambda _: self._toggle_pin())
        self.ten_seeds.on_click(lambda _: self._ask(More.TEN_SEEDS))
        self.run_count.on_click(lambda _: self._ask(More.RUN_COUNT))

    def wait(self, timeout_s: float = 30.0) -> bool:
        """True when everything that was asked for is shown; False if that takes longer."""
        return self.runner.wait(timeout_s)

    def _controls(self) -> Any:
        """Each control with its question under it, then seed and buttons."""
        asked = [self._asked(self.fields[control.name], control.question) for control in self.lab.controls]
        last = [self.seed, self.pin]
        if self.lab.metrics:
            last.append(self.ten_seeds)
        if self.lab.wanted_ratio is not None:
            last.append(self.run_count)
        wrap = widgets.Layout(flex_flow="row wrap")
        return widgets.VBox([widgets.Box(asked, layout=wrap), widgets.Box(last, layout=wrap)])

    def _asked(self, field: Any, words: str) -> Any:
        """A control with its question; a slider also learns its name."""
        named = "" if isinstance(field, widgets.Dropdown) else naming(field.description)
        box = widgets.VBox([field, widgets.HTML(question(words) + named)])
        box.add_class(CONTROL)
        return box

    def _request(self, more: More) -> Request:
        values = {name: field.value for name, field in self.fields.items()}
        return Request(values, self.seed.value, self.pinned, more)

    def _ask(self, more: More) -> None:
        self.runner.submit(self._request(more))

    def _compute(self, request: Request, ticket: runner.Ticket) -> View:
        values = self.lab.values(request.values)
        model = self.lab.simulate(values, request.seed)
        behind = None if request.pinned is None else request.pinned.model
        picture = self.lab.picture(model, behind)
        return View(model, picture, self._more(request, values, ticket))

    def _more(self, request: Request, values: Values, ticket: runner.Ticket) -> Picture | None:
        """What stands below the picture: the spread over ten seeds, or how many runs it takes."""
        if request.more is More.TEN_SEEDS:
            before = None if request.pinned is None else request.pinned.values
            return self.lab.repeated(values, before, request.seed, ticket)
        if request.more is More.RUN_COUNT:
            return self.lab.counted(self.lab.narrowing(values, request.seed, ticket), values)
        return None

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
        request, view = outcome.request, outcome.result
        if view is None:
            self.picture.value = marked(outcome.generation, "error", in_red(outcome.error))
            self.spread.value = self.status.value = ""
        else:
            self.shown = (request, view)
            self.picture.value = marked(outcome.generation, "ready", view.picture.to_html())
            self.spread.value = "" if view.repeats is None else view.repeats.to_html()
            self.status.value = said(pinned_line(request.pinned.words) if request.pinned else "")
        self.picture.remove_class("edasim-lab-computing")

    def _announce(self, _generation: int) -> None:
        self.picture.add_class("edasim-lab-computing")
        self.status.value = said("computing …")

    def _toggle_pin(self) -> None:
        """Pins what is shown, or lets go of what was pinned."""
        if self.pinned is not None:
            self.pinned = None
            self.pin.description = "Pin"
        elif self.shown is not None:
            request, view = self.shown
            words = self.lab.in_words(request.values, request.seed)
            self.pinned = Pinned(view.model, self.lab.values(request.values), words)
            self.pin.description = "Unpin"
        self._ask(More.NOTHING)


def button(name: str, purpose: str) -> Any:
    """A button with a name and a tooltip."""
    return widgets.Button(description=name, tooltip=purpose, layout=widgets.Layout(width="auto"))


def heading(title: str) -> str:
    """The lab's title."""
    return f'<p style="font-size:1.15em;margin:.3em 0"><strong>{escape(title)}</strong></p>'


def question(words: str) -> str:
    """A control's question, in small type."""
    return f'<p style="font-size:.9em;line-height:1.3;margin:0 .5em .4em;max-width:24em">{escape(words)}</p>'


def naming(name: str) -> str:
    """Nothing to see: gives the slider beside it an accessible name.

    ipywidgets (8.1) shows a slider's description but does not tie it to the handle, so a screen reader would say
    "slider" and nothing else. Where a page forbids such scripts the slider works as before.
    """
    return f'<img alt="" hidden src="{NOTHING}" data-name="{escape(name)}" onload="{escape(GIVE_NAME)}">'


def said(words: str) -> str:
    """A line of status that a screen reader announces."""
    return f'<div role="status" aria-live="polite" style="min-height:1.4em">{escape(words)}</div>'


def marked(generation: int, state: str, content: str) -> str:
    """Content with the number of its request and its state."""
    return f'<div class="edasim-lab" data-generation="{generation}" data-state="{state}">{content}</div>'


def in_red(error: Exception | None) -> str:
    """An error in words: the field at fault, what is wrong and what would be right."""
    field = f"{error.field}: " if isinstance(error, EdasimError) and error.field else ""
    kind = "" if isinstance(error, EdasimError) else f"{type(error).__name__}: "
    return f'<p role="alert"><strong>✗ The lab cannot show this.</strong> {escape(f"{field}{kind}{error}")}</p>'
