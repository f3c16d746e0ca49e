"""The form of a prediction in a live kernel: radio buttons, or a number with its unit, and a button that commits.

Made of plain ipywidgets controls, so it works by keyboard and in a screen reader; what happened is said in words
under the button. Once committed, the form is closed. This is the only module of the room that imports ipywidgets.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from ..errors import EdasimError
from .answers import in_words
from .exercises import Question
from .rules import Choices


def form(question: Question, kept: Any, keep: Callable[[Any], str]) -> Any:
    """A form (a `VBox`). `kept` is an earlier answer or None; `keep(answer)` commits and returns it in words."""
    field = field_for(question, kept)
    asked = widgets.HTML(f"<p><strong>Your prediction: {escape(question.question)}</strong></p>")
    button = widgets.Button(
        description="Keep my answer", tooltip="Commits your prediction before anything runs", layout=as_wide_as_needed()
    )
    status = widgets.HTML(value=said_so("Choose before you go on."))

    def close(words: str) -> None:
        field.disabled = True
        button.disabled = True
        status.value = said_so(f"✓ You said: {words}. Keep that in mind.")

    def commit(_: Any) -> None:
        if field.value in (None, ""):
            status.value = said_so("Nothing is chosen yet.")
            return
        try:
            words = keep(field.value)
        except EdasimError as error:
            status.value = said_so(f"Not kept: {error}.")
        else:
            close(words)

    button.on_click(commit)
    if kept is not None:
        close(in_words(question, kept))
    return widgets.VBox([asked, field, button, status])


def field_for(question: Question, kept: Any) -> Any:
    """Radio buttons of which none is chosen yet, or a field for a number that suggests none."""
    answers = question.answers
    if isinstance(answers, Choices):
        texts = [option.text for option in answers.options]
        return widgets.RadioButtons(options=texts, value=kept, layout=as_wide_as_needed(), tooltip=question.question)
    return widgets.Text(
        value="" if kept is None else f"{kept:g}",
        description=f"Number ({answers.unit}):" if answers.unit else "Number:",
        placeholder="your estimate",
        tooltip=question.question,
        style={"description_width": "initial"},
    )


def as_wide_as_needed() -> Any:
    """A layout that does not cut a text."""
    return widgets.Layout(width="max-content", max_width="100%")


def said_so(words: str) -> str:
    """A line of status that a screen reader announces."""
    return f'<div role="status" aria-live="polite">{escape(words)}</div>'
