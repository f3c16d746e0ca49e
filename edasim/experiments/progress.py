"""Progress on anything that takes over two seconds: a line in a terminal, a bar in a notebook, nothing before.

Left out: estimates of the time that is left, which would mislead where runs differ.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

QUIET_S = 2.0


class Progress:
    """Counts work that is done; used with `with`. Says nothing in the first two seconds."""

    def __init__(self, what: str, total: int) -> None:
        self.what = what
        self.total = total
        self._since = time.monotonic()
        self._display: Any = None
        self._spoke = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._spoke and self._display is None:
            print(file=sys.stderr)

    def done(self, count: int) -> None:
        """So many are done."""
        if time.monotonic() - self._since < QUIET_S:
            return
        self._spoke = True
        if in_notebook():
            self._show(count)
        elif sys.stderr.isatty():
            print(f"\r{count} of {self.total} {self.what}", end="", file=sys.stderr, flush=True)

    def _show(self, count: int) -> None:
        from IPython.display import HTML, display

        bar = HTML(f'<progress value="{count}" max="{self.total}" aria-label="{self.what}"></progress> {count} of {self.total} {self.what}')
        if self._display is None:
            self._display = display(bar, display_id=True)
        else:
            self._display.update(bar)


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
