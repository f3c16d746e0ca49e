"""What a learner has done so far, in one small file of the notebook's folder.

`.edasim-progress.json` holds committed predictions, how many hints were shown, and which exercises passed. It is
written to a temporary file first and then put in place, so that a reader sees the old or the new state and never half
of one. A file that cannot be read is left as it is and named in the error. Left out: locking. Two notebooks of a
folder that write in the same instant keep the later one's state.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import StateError

FILE_NAME = ".edasim-progress.json"
FORMAT = 1


def no_entries() -> Mapping[str, Any]:
    """An empty mapping that nobody can change."""
    return MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Record:
    """Predictions by id (each a mapping with `answer`), hints shown by exercise, and the exercises that passed."""

    predictions: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=no_entries)
    hints: Mapping[str, int] = dataclasses.field(default_factory=no_entries)
    passed: frozenset[str] = frozenset()

    def with_prediction(self, name: str, entry: Mapping[str, Any]) -> Record:
        """The record with one more committed prediction."""
        return dataclasses.replace(self, predictions={**self.predictions, name: entry})

    def with_hint(self, name: str, shown: int) -> Record:
        """The record after `shown` hints of an exercise."""
        return dataclasses.replace(self, hints={**self.hints, name: shown})

    def with_passed(self, name: str) -> Record:
        """The record with one more exercise passed."""
        return dataclasses.replace(self, passed=self.passed | {name})

    def without_chapter(self, number: str) -> Record:
        """The record as if the chapter had not been opened."""
        begin = f"{number}."
        return Record(
            predictions={name: entry for name, entry in self.predictions.items() if not name.startswith(begin)},
            hints={name: shown for name, shown in self.hints.items() if not name.startswith(begin)},
            passed=frozenset(name for name in self.passed if not name.startswith(begin)),
        )

    def to_json(self) -> str:
        """The record as the file holds it, in a fixed order."""
        state = {
            "format": FORMAT,
            "predictions": {name: dict(entry) for name, entry in self.predictions.items()},
            "hints": dict(self.hints),
            "passed": sorted(self.passed),
        }
        return json.dumps(state, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def load(folder: Path) -> Record:
    """The record of a folder, empty if there is none.

    Raises `StateError` that names the file if it cannot be read as a record; the file is not touched.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Record()
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    try:
        return parsed(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unreadable(path, error) from error


def parsed(state: Any) -> Record:
    """The record in a decoded file; any other shape is an error of Python's own, which `load` explains."""
    if state["format"] != FORMAT:
        raise ValueError(f"format {state['format']!r} is not {FORMAT}")
    hints = {str(name): int(shown) for name, shown in state["hints"].items()}
    predictions = {str(name): dict(entry) for name, entry in state["predictions"].items()}
    if not all("answer" in entry for entry in predictions.values()) or not isinstance(state["passed"], list):
        raise ValueError("a prediction without an answer, or no list of passed exercises")
    return Record(predictions=predictions, hints=hints, passed=frozenset(str(name) for name in state["passed"]))


def unreadable(path: Path, error: Exception) -> StateError:
    """The error for a progress file that is no record; raise what this returns."""
    return StateError(
        f"the progress file {path.name} cannot be read ({type(error).__name__}: {error})",
        field=FILE_NAME,
        value=str(path),
        remedy="rename or delete it to start anew; edasim has not changed it",
    )


def update(folder: Path, change: Callable[[Record], Record]) -> Record:
    """Reads the folder's record, changes it, and puts the new one in place in one step; returns it.

    Raises `StateError` if the folder cannot be written; the old record is then still whole.
    """
    before = load(folder)
    after = change(before)
    if after == before:
        return after
    try:
        write(folder / FILE_NAME, after.to_json())
    except OSError as error:
        raise StateError(
            f"the progress file cannot be written ({type(error).__name__}: {error})",
            field=FILE_NAME,
            value=str(folder),
            remedy="open the notebook from a folder in which you may write",
        ) from error
    return after


def write(path: Path, text: str) -> None:
    """Writes beside `path`, then replaces it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
