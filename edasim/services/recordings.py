"""Reading recorded instants from a CSV file, with errors that name the file, the row and the value.

Left out: other formats, and recordings that do not fit into memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING

import numpy as np

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..kernel.streams import Numbers

if TYPE_CHECKING:
    import pandas as pd


def check_rising(field: str, shown: Sequence[object], instants_s: Sequence[float] | Numbers, remedy: str) -> None:
    """A `ConfigurationError` that shows the first instant which is earlier than the one before it."""
    falls = np.flatnonzero(np.diff(np.asarray(instants_s)) < 0.0)
    if falls.size:
        index = int(falls[0]) + 1
        problem = f"{field}[{index}] is {shown[index]!r}, earlier than {shown[index - 1]!r} before it"
        raise ConfigurationError(problem, field=f"{field}[{index}]", value=shown[index], remedy=remedy)


def read_times_s(path: str | PathLike[str], column: str) -> Numbers:
    """The instants in one column of a CSV file as seconds since the first; errors count rows from 0."""
    field = f"column {column!r} of {fspath(path)}"
    cells = _read_column(path, column, field)
    if cells.empty:
        raise ConfigurationError(f"{field} has no rows", field=field, value=0, remedy="give at least one arrival")
    seconds = _seconds_since_first(cells)
    shown = cells.tolist()
    bad = np.flatnonzero(~np.isfinite(seconds))
    if bad.size:
        index = int(bad[0])
        raise checks.refuse(f"{field}[{index}]", shown[index], "give seconds or ISO 8601 timestamps in every row")
    check_rising(field, shown, seconds, "sort the file by this column")
    return seconds


def _read_column(path: str | PathLike[str], column: str, field: str) -> pd.Series:
    import pandas as pd  # heavy: only those who read a file pay for it

    try:
        known = pd.read_csv(path, nrows=0).columns
        if column not in known:
            raise UnknownNameError(f"column of {fspath(path)}", column, map(str, known))
        return pd.read_csv(path, usecols=[column])[column]
    except (OSError, EOFError, ValueError, zlib.error) as error:
        remedy = "give the path of a CSV file with a line of column names, plain or compressed"
        raise ConfigurationError(f"{field} cannot be read: {error}", field="path", value=path, remedy=remedy) from error


def _seconds_since_first(cells: pd.Series) -> Numbers:
    """Seconds since the first cell, by numbers if any cell is one, else by timestamps; NaN for any other cell."""
    import pandas as pd

    numbers = pd.to_numeric(cells.astype("string") if cells.dtype.kind not in "iuf" else cells, errors="coerce")
    if numbers.notna().any():
        return np.asarray((numbers - numbers.iloc[0]).to_numpy(dtype=np.float64, na_value=np.nan))
    stamps = pd.to_datetime(cells.astype("string"), errors="coerce", format="ISO8601", utc=True)
    return np.asarray((stamps - stamps.iloc[0]).dt.total_seconds(), dtype=np.float64)
