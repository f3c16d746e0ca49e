"""Paths and tables that a caller names: what is no path, and what is no table of numbers, is refused in words.

Left out: what results files and journals hold; that is the business of `storage` and `journal`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError, UnknownNameError


def path_of(field: str, value: Any) -> Path:
    """The path that a text or a path names."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise checks.refuse(field, value, "give the path of a file as a text or a pathlib.Path")
    return Path(value)


def columns_of(path: Path, names: Sequence[str]) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """These columns of numbers of a CSV file, plain or compressed; errors name file, column, row and value."""
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        remedy = f"give the path of a CSV file with the columns {', '.join(names)}, plain or compressed"
        problem = f"{str(path)!r} cannot be read ({type(error).__name__}: {error})"
        raise ConfigurationError(problem, field="path", value=str(path), remedy=remedy) from error
    return [_numbers(table, path.name, name) for name in names]


def _numbers(table: Any, file: str, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    import pandas as pd

    if name not in table:
        raise UnknownNameError(f"column in {file}", name, [str(column) for column in table.columns])
    numbers: np.ndarray[Any, np.dtype[np.float64]] = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        row = int(wrong[0])
        cell = table[name].tolist()[row]
        raise checks.refuse(f"{name}[{row}] of {file}", cell, "give a number of seconds in every row")
    return numbers
