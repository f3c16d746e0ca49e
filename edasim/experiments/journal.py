"""The journal: a file to which each run is appended when it is done, so that none is made twice.

An experiment that names a journal first looks there. One that was killed continues where it was; another one that
shares runs with it (same scenario, seed, end, level of log, metrics and version) reuses them. A line is written in one
piece and carries a checksum; a last line that a killed process left unfinished is dropped. Failed runs are not
written: they are tried again. Left out: several experiments that write to one journal at the same time.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import ConfigurationError
from .files import path_of
from .identity import house_version, identity_of_scenario
from .tasks import Outcome, Plan, Task

HEADER = b'{"edasim journal": 1}\n'


class Journal:
    """A journal that is open; used with `with`. A file that is not one, or is damaged, is refused and left as it is."""

    def __init__(self, path: str | Path, plan: Plan, identities: Iterable[str]) -> None:
        self.path = path_of("journal", path)
        self.plan = plan
        self.identities = tuple(identities)
        self._known: dict[str, tuple[dict[str, float], str]] = {}
        self._keys: dict[int, str] = {}
        whole = self._read()
        try:
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise self._refused(
                f"cannot be written ({error.strerror})", "name a file in a folder that exists"
            ) from error
        self._file.truncate(whole)
        if whole == 0:
            self._file.write(HEADER)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._file.close()

    def find(self, task: Task) -> Outcome | None:
        """The outcome of a run that was made before, if all its metrics were measured."""
        values, fingerprint = self._known.get(self._key(task), ({}, ""))
        if any(identity not in values for identity in self.identities):
            return None
        return Outcome(tuple(values[identity] for identity in self.identities), fingerprint)

    def add(self, task: Task, outcome: Outcome) -> None:
        """Appends a run that succeeded."""
        if outcome.error is None:
            values = dict(zip(self.identities, outcome.values, strict=True))
            entry = {"run": self._key(task), "seed": task.seed, "values": values, "fingerprint": outcome.fingerprint}
            self._file.write(_line(entry))

    def _key(self, task: Task) -> str:
        """What a run is, in 32 hexadecimal digits; the scenario's part is made once per point."""
        if task.point not in self._keys:
            self._keys[task.point] = json.dumps(identity_of_scenario(task.scenario), sort_keys=True, default=repr)
        parts = [self._keys[task.point], task.seed, self.plan.until_s, self.plan.log, house_version()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def _read(self) -> int:
        """Takes in all whole lines; returns where they end."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._refused(f"cannot be read ({error.strerror})", "name a file") from error
        whole = content.rfind(b"\n") + 1
        if not whole and HEADER.startswith(content):
            return 0
        if not content.startswith(HEADER):
            raise self._refused("is not a journal of edasim", "name another file; this one was left as it is")
        for number, line in enumerate(content[len(HEADER) : whole].splitlines(), start=2):
            self._take(number, line)
        return whole

    def _take(self, number: int, line: bytes) -> None:
        try:
            entry: dict[str, Any] = json.loads(line)
            intact = _line(entry) == line + b"\n"
            values, _ = self._known.setdefault(entry["run"], ({}, entry["fingerprint"]))
            values.update(entry["values"])
        except (ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            remedy = "take that line out, and its run is made again; the file was left as it is"
            raise self._refused(f"is damaged in line {number}", remedy)

    def _refused(self, what: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(
            f"journal {str(self.path)!r} {what}", field="journal", value=str(self.path), remedy=remedy
        )


def _line(entry: dict[str, Any]) -> bytes:
    bare = {name: value for name, value in entry.items() if name != "check"}
    check = f"{zlib.crc32(json.dumps(bare, sort_keys=True).encode()):08x}"
    return json.dumps({**bare, "check": check}).encode() + b"\n"
