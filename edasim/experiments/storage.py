"""Results in files: a tidy table of all runs, with what made them, that any tool can read and edasim can load again.

A Parquet file holds a row per run and, in its metadata, scenarios, seeds, version and fingerprint; a CSV file holds the
same in a first line that begins with `# edasim`. Files are written beside their place and moved there when complete. On
loading, rows are held against the fingerprint. Left out: functions as metrics are stored by name, not by code.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import zlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import checks, scenarios
from ..errors import ConfigurationError, EdasimError
from .compare import Comparison
from .fields import cell, value_at
from .files import path_of
from .identity import told
from .results import Failure, Provenance, Replications, fingerprint_of, with_provenance
from .sweep import Sweep

if TYPE_CHECKING:
    import pandas

FORMAT = 1
FIRST = "# edasim "
SUFFIXES = (".parquet", ".csv", ".csv.gz")
Result = Replications | Sweep | Comparison


def save(
    path: str | Path,
    kind: str,
    results: Sequence[Replications],
    provenance: Provenance,
    *,
    base: Any = None,
    fields: Sequence[str] = (),
) -> Path:
    """Writes results of an experiment of that kind; returns the path."""
    place = path_of("path", path)
    suffix = _suffix(place)
    about = {
        "format": FORMAT,
        "kind": kind,
        "metrics": list(results[0].values),
        "fields": list(fields),
        "scenarios": [_changes(result.scenario, base, fields) for result in results],
        "base": None if base is None else told(base),
        "failures": [[dataclasses.asdict(failure) for failure in result.failures] for result in results],
        "provenance": dataclasses.asdict(provenance),
        "fingerprint": fingerprint_of(results),
    }
    table = _table(results, fields)
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        _write(table, json.dumps(about, default=repr), beside, suffix)
        beside.replace(place)
    except OSError as error:
        problem = f"{str(place)!r} cannot be written ({error.strerror or error})"
        raise ConfigurationError(problem, field="path", value=str(place), remedy="name a folder that exists") from error
    finally:
        beside.unlink(missing_ok=True)
    return place


def load(path: str | Path) -> Result:
    """Reads what `save` wrote, as the same kind of result; scenarios become scenarios again where their class is known.

    Raises:
        ConfigurationError: no such file, not a results file of edasim, or one whose rows are not those that were saved.
    """
    place = path_of("path", path)
    try:
        about, table = _read(place, _suffix(place))
        results = _results(about, table)
    except FileNotFoundError as error:
        raise _refused(place, "does not exist", "give the path of a file that `save` wrote") from error
    except EdasimError:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, AttributeError, zlib.error) as error:
        raise _refused(place, f"is damaged ({type(error).__name__}: {error})", "save the result again") from error
    if fingerprint_of(results) != about["fingerprint"]:
        raise _refused(place, "is damaged: its rows are not those that were saved", "save the result again")
    if about["kind"] == "sweep":
        return Sweep(_scenario(about["base"]), tuple(about["fields"]), results, results[0].provenance)
    return Comparison(*results) if about["kind"] == "comparison" else results[0]


def _table(results: Sequence[Replications], fields: Sequence[str]) -> pandas.DataFrame:
    import pandas as pd

    frames = []
    for point, result in enumerate(results):
        frame = result.runs()
        frame.insert(0, "point", point)
        for i, name in enumerate(fields, start=1):
            frame.insert(i, name, [cell(value_at(result.scenario, name))] * len(frame))
        frames.append(frame)
    table = pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
    mixed = [name for name in fields if len({type(each) for each in table[name]}) > 1]
    return table.astype(dict.fromkeys(mixed, "str"))


def _write(table: pandas.DataFrame, about: str, path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        table.attrs["edasim"] = about
        table.to_parquet(path, index=False)
        return
    import gzip

    text = f"{FIRST}{about}\n{table.to_csv(index=False, lineterminator=chr(10))}".encode()
    path.write_bytes(gzip.compress(text, mtime=0) if suffix == ".csv.gz" else text)


def _read(path: Path, suffix: str) -> tuple[dict[str, Any], pandas.DataFrame]:
    import pandas as pd

    if suffix == ".parquet":
        path.stat()
        table = pd.read_parquet(path)
        first = table.attrs.get("edasim")
        if first is None:
            raise _refused(path, "is not a results file of edasim", "give the path of a file that `save` wrote")
    else:
        import gzip
        import io

        content = path.read_bytes()
        text = (gzip.decompress(content) if suffix == ".csv.gz" else content).decode()
        line, _, rows = text.partition("\n")
        if not line.startswith(FIRST):
            raise _refused(path, "is not a results file of edasim", "give the path of a file that `save` wrote")
        first = line.removeprefix(FIRST)
        table = pd.read_csv(io.StringIO(rows), dtype="str", keep_default_na=False)
    about: dict[str, Any] = json.loads(first)
    if about["format"] != FORMAT:
        remedy = f"this version of edasim reads format {FORMAT}"
        raise _refused(path, f"has format {about['format']!r}", remedy)
    return about, table


def _results(about: dict[str, Any], table: pandas.DataFrame) -> tuple[Replications, ...]:
    made = about["provenance"]
    provenance = Provenance(**{**made, "notices": tuple(made["notices"])})
    results = []
    for point, (changes, failures) in enumerate(zip(about["scenarios"], about["failures"], strict=True)):
        rows = table[table["point"].astype("int") == point]
        one = Replications(
            scenario=_scenario(_changed(about["base"], changes)),
            seeds=tuple(int(seed) for seed in rows["seed"]),
            values={name: tuple(_number(value) for value in rows[name]) for name in about["metrics"]},
            fingerprints=tuple(rows["fingerprint"]),
            failures=tuple(Failure(**failure) for failure in failures),
        )
        results.append(with_provenance(one, provenance))
    return tuple(results)


def _number(value: Any) -> float:
    """A number as a file holds it: in CSV a text that Python reads back to the last bit, empty for NaN."""
    return math.nan if value == "" else float(value)


def _changes(scenario: Any, base: Any, fields: Sequence[str]) -> dict[str, Any]:
    """The whole scenario, or what differs from the base: the swept fields' plain values."""
    plain = told(scenario)
    if "repr" in plain:
        return {**plain, **{name: cell(value_at(scenario, name)) for name in fields}}
    if base is None:
        return plain
    return {name: value_at(plain, name) for name in fields}


def _changed(base: dict[str, Any] | None, changes: dict[str, Any]) -> dict[str, Any]:
    if base is None or "repr" in changes:
        return changes
    whole = copy.deepcopy(base)
    for name, value in changes.items():
        *path, last = name.split(".")
        inner = whole
        for step in path:
            inner = inner[step]
        inner[last] = value
    return whole


def _scenario(plain: dict[str, Any]) -> Any:
    """The scenario that a dictionary tells of; the dictionary itself if its class is not known here."""
    known = _known_scenarios(scenarios.Scenario)
    make: Callable[[dict[str, Any]], Any] | None = known.get(str(plain.get("scenario")))
    return plain if make is None or "repr" in plain else make(plain)


def _known_scenarios(of: type[scenarios.Scenario]) -> dict[str, Callable[[dict[str, Any]], Any]]:
    found: dict[str, Callable[[dict[str, Any]], Any]] = {}
    for each in of.__subclasses__():
        found |= {each.__name__: each.from_dict, **_known_scenarios(each)}
    return found


def _suffix(path: Path) -> str:
    suffix = next((each for each in SUFFIXES if path.name.endswith(each)), None)
    if suffix is None:
        raise checks.refuse("path", str(path), f"give a name that ends with {', '.join(SUFFIXES)}")
    if suffix == ".parquet" and find_spec("pyarrow") is None:
        remedy = 'install it with pip install "edasim[parquet]", or save as .csv.gz'
        raise ConfigurationError("Parquet files need pyarrow", field="path", value=str(path), remedy=remedy)
    return suffix


def _refused(path: Path, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{str(path)!r} {what}", field="path", value=str(path), remedy=remedy)
