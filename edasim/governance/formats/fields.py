"""Reading an object field by field, so that each field ends as a note: understood, ignored with a reason, or
unknown.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ... import checks
from ...errors import ConfigurationError
from .report import UNKNOWN, Note

T = TypeVar("T")


class Notes:
    """The notes of one file, in the order of reading."""

    def __init__(self) -> None:
        self.understood: list[Note] = []
        self.ignored: list[Note] = []


class Fields:
    """An object of a document, with its path; `spelling` brings names that mean the same into one form."""

    def __init__(self, value: Any, path: str, notes: Notes, spelling: Callable[[str], str] = str) -> None:
        if not isinstance(value, dict):
            raise checks.refuse(path or "document", value, "give an object with named fields")
        self.path, self.notes, self._spelling = path, notes, spelling
        self._values: dict[str, tuple[str, Any]] = {}
        for name, content in value.items():
            spelt = spelling(str(name))
            if spelt in self._values:
                raise checks.refuse(self.at(str(name)), content, f"{self._values[spelt][0]} says the same: give one")
            self._values[spelt] = (self.at(str(name)), content)
        self._asked: dict[str, str] = {}

    @classmethod
    def merged(
        cls, values: Mapping[str, tuple[str, Any]], path: str, notes: Notes, spelling: Callable[[str], str]
    ) -> Fields:
        """An object whose fields come from several places: each in its one form, with its path and its value."""
        fields = cls({}, path, notes, spelling)
        fields._values = dict(values)
        return fields

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def __contains__(self, name: str) -> bool:
        return self._spelling(name) in self._values

    def raw(self, name: str) -> Any:
        """The value of a field without a note, None if there is none."""
        spelt = self._spelling(name)
        self._asked[spelt] = name
        return self._values.get(spelt, (name, None))[1]

    def path_of(self, name: str) -> str:
        """The path of a field as it is written, or as it would be."""
        return self._values.get(self._spelling(name), (self.at(name), None))[0]

    def take(self, name: str, parse: Callable[[str, Any], T], says: str) -> T | None:
        """The value of a field, parsed and noted as understood; None if it is not there or null."""
        value = self.raw(name)
        if value is None:
            return None
        path = self.path_of(name)
        parsed = parse(path, value)
        self.notes.understood.append(Note(path, value, says))
        return parsed

    def section(self, name: str) -> Fields | None:
        """An object inside this one, None if it is not there."""
        value = self.raw(name)
        return None if value is None else Fields(value, self.path_of(name), self.notes, self._spelling)

    def objects(self, name: str) -> Iterator[Fields]:
        """The objects of a list inside this one; an object in its place stands for a list of one, as in Protobuf."""
        value = self.raw(name)
        if value is None:
            return
        path = self.path_of(name)
        if isinstance(value, dict):
            value = [value]
        if not isinstance(value, list):
            raise checks.refuse(path, value, "give a list")
        for number, each in enumerate(value):
            yield Fields(each, f"{path}[{number}]", self.notes, self._spelling)

    def names(self) -> list[tuple[str, str]]:
        """The fields in their one form, and their paths."""
        return [(spelt, path) for spelt, (path, _) in self._values.items()]

    def ignore(self, name: str, why: str) -> None:
        """Notes a field, if it is there, as ignored."""
        if name in self:
            value, path = self.raw(name), self.path_of(name)
            self.notes.ignored.append(Note(path, value, why))

    def moot(self, name: str, why: str) -> None:
        """Notes a field that was understood, if it is there, as one without effect after all."""
        if name in self:
            value, path = self.raw(name), self.path_of(name)
            self.notes.understood = [note for note in self.notes.understood if note.path != path]
            self.notes.ignored.append(Note(path, value, f"without effect: {why}"))

    def partly(self, name: str, why: str) -> None:
        """Notes a field that was understood also as one that is not kept to the letter."""
        self.notes.ignored.append(Note(self.path_of(name), self.raw(name), why))

    def finish(self, others: Mapping[str, str]) -> None:
        """Notes all that nobody asked for: with its reason, or as unknown, with the nearest name that is known."""
        reasons = {self._spelling(name): (name, why) for name, why in others.items()}
        known = self._asked | {spelt: name for spelt, (name, _) in reasons.items()}
        for spelt, (path, value) in self._values.items():
            if spelt in self._asked:
                continue
            if spelt in reasons:
                why = reasons[spelt][1]
            else:
                near = difflib.get_close_matches(spelt, known, n=1)
                why = f"{UNKNOWN}; did you mean {known[near[0]]!r}?" if near else UNKNOWN
            self.notes.ignored.append(Note(path, value, why))


def document_path(position: int) -> str:
    """The path of a file's nth document, counted from 0: empty for the first."""
    return "" if position == 0 else f"document {position + 1}"


def made(path: str, kind: Callable[..., T], **fields: Any) -> T:
    """A policy from the fields that are not None; an error of its own names the path in the file as well."""
    try:
        return kind(**{name: value for name, value in fields.items() if value is not None})
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{path}: {error.problem}", field=path, value=error.value, remedy=error.remedy
        ) from None


def whole(path: str, value: Any) -> int:
    """A whole number, which may be written as a text."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,30}", value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise checks.refuse(path, value, "give a whole number")
    return value


def number(path: str, value: Any) -> float:
    """A finite number, which may be written as a text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise checks.refuse(path, value, "give a number") from None
    return checks.number(path, value, low=-1e300, open_low=False, what="a finite number")


def percent(path: str, value: Any) -> float:
    """A share from a percentage, of which eight decimals count."""
    return round(checks.check_ratio(path, number(path, value) / 100.0), 10)


def yes_or_no(path: str, value: Any) -> bool:
    """A boolean, which may be written as a text."""
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise checks.refuse(path, value, "give true or false")
    return value
