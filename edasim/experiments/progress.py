"""Progress on anything that takes over two seconds: a line in a terminal, a bar with a button in a notebook.

Nothing is shown before, and nothing where nobody watches. Work is stopped by Ctrl-C in a terminal and by interrupting
the kernel in a notebook; the button does that in JupyterLab, where a click on a widget would not be heard before the
cell is done. Left out: estimates of the time that is left, which would mislead where runs differ.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Protocol

QUIET_S = 2.0
STEP_S = 0.1
WIDGET = "application/vnd.jupyter.widget-view+json"
BUTTON = (
    '<button class="jupyter-button" data-commandlinker-command="notebook:interrupt-kernel"'
    ' title="stops here and keeps what is done">stop</button>'
)
"""JupyterLab itself runs the command that a clicked element names; elsewhere the button does nothing."""


class Screen(Protocol):
    """Where progress is shown."""

    def show(self, count: int, told: str) -> None:
        """Shows how far the work is."""

    def end(self, told: str) -> None:
        """Shows what is left to say, once."""


class Progress:
    """Counts work that is done; used with `with`."""

    def __init__(self, what: str, total: int, reused: int = 0, made: int = 0) -> None:
        """Of `total` pieces of work, `reused` were read from a journal and `made` were made before."""
        self.what = what
        self.total = total
        self.reused = reused
        self.count = reused + made
        self._since_s = time.monotonic()
        self._shown_s = 0.0
        self._screen: Screen | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._screen is not None:
            self._screen.end(self.told())

    def done(self, count: int = 1) -> None:
        """So many more are done."""
        self.count += count
        now_s = time.monotonic()
        if now_s - self._since_s < QUIET_S or now_s - self._shown_s < STEP_S:
            return
        self._shown_s = now_s
        if self._screen is None:
            self._screen = screen(self)
        self._screen.show(self.count, self.told())

    def told(self) -> str:
        """How far the work is, in words."""
        reused = f", {self.reused} of them read from the journal" if self.reused else ""
        return f"{self.count} of {self.total} {self.what}{reused}"


def screen(progress: Progress) -> Screen:
    """Where this progress is shown best."""
    if in_notebook():
        return Notebook(progress)
    return Terminal() if sys.stderr.isatty() else Nowhere()


class Nowhere:
    """Nobody watches."""

    def show(self, count: int, told: str) -> None:
        """Shows nothing."""

    def end(self, told: str) -> None:
        """Shows nothing."""


class Terminal:
    """One line that is written over."""

    def show(self, count: int, told: str) -> None:
        """Writes the line."""
        sys.stderr.write(f"\r\x1b[K{told} (Ctrl-C stops and keeps what is done)")
        sys.stderr.flush()

    def end(self, told: str) -> None:
        """Leaves the last state."""
        sys.stderr.write(f"\r\x1b[K{told}\n")
        sys.stderr.flush()


class Notebook:
    """A bar, a sentence and a button below the cell; the sentence stays.

    What is displayed is the widget alone, without a text of its own, so that it never differs from a stored output.
    """

    def __init__(self, progress: Progress) -> None:
        import ipywidgets
        from IPython.display import display

        self.bar: Any = ipywidgets.IntProgress(max=progress.total, description=progress.what)
        self.sentence: Any = ipywidgets.Label()
        self.button: Any = ipywidgets.HTML(BUTTON)
        box = ipywidgets.HBox([self.bar, self.sentence, self.button])
        display({WIDGET: {"version_major": 2, "version_minor": 0, "model_id": box.model_id}}, raw=True)  # type: ignore[no-untyped-call]

    def show(self, count: int, told: str) -> None:
        """Moves the bar."""
        self.bar.value = count
        self.sentence.value = told

    def end(self, told: str) -> None:
        """Takes bar and button away."""
        self.sentence.value = told
        for gone in (self.bar, self.button):
            gone.layout.display = "none"


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
