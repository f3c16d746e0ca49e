"""What a run keeps beside its log, in the file of the run: stores, databases, mails, counts.

A kept object that can be written says so by two methods: `saved()` tells it in plain values (texts, numbers, lists,
dictionaries, bytes), and the class method `restored(told)` makes it anew. Plain values are kept as they are; a `View`
comes back as a `KeptView`, since its projection is code, and code is in no file. What has no plain form (a running
broker, a wiring) is named in the file with its class, and is not there when the run is opened.

Left out: classes of other programs. Only those of this package are made anew by their names in a file; others come
back as what they told.
"""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from .views import Parked, View

OWN = "edasim."


class KeptView:
    """What a view answered when its run was saved."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = dict(told)
        self.name: str = told["name"]
        self.position: int = told["position"]
        self.lag: int = told["lag"]

    def state(self, key: str = "") -> Any:
        """The state of a key, or the initial one."""
        found = self._told["states"].get(key, self._told["initial"])
        return json.loads(json.dumps(found))

    def states(self) -> Iterator[tuple[str, Any]]:
        """All keys with their states, in order of the keys."""
        return ((key, self.state(key)) for key in self._told["states"])

    def parked(self) -> list[Parked]:
        """The events that could not be taken, in order."""
        return [Parked(*each) for each in self._told["parked"]]

    def saved(self) -> dict[str, Any]:
        """As plain values."""
        return dict(self._told)

    @classmethod
    def restored(cls, told: dict[str, Any]) -> KeptView:
        """What `saved` told."""
        return cls(told)

    @classmethod
    def of(cls, view: View) -> KeptView:
        """What a view answers now."""
        return cls(
            {
                "name": view.projection.name,
                "initial": view.projection.initial,
                "position": view.position,
                "lag": view.lag,
                "states": dict(view.states()),
                "parked": [list(each) for each in view.parked()],
            }
        )


def told_of(thing: Any) -> tuple[str, str | None]:
    """The class of a kept thing ("" for plain values), and what to write of it; None if it has no plain form."""
    kept = KeptView.of(thing) if isinstance(thing, View) else thing
    kind = f"{type(kept).__module__}:{type(kept).__qualname__}"
    if hasattr(kept, "saved") and hasattr(type(kept), "restored"):
        return kind, _text_of(kept.saved())
    try:
        text = _text_of(kept)
    except (TypeError, ValueError, RecursionError):
        return kind, None
    return ("", text) if _value_of(text) == kept else (kind, None)


def made_of(kind: str, text: str) -> Any:
    """The kept thing that `told_of` told."""
    told = _value_of(text)
    module, _, name = kind.partition(":")
    if not module.startswith(OWN):
        return told
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found.restored(told)


def _text_of(value: Any) -> str:
    return json.dumps(value, default=_bytes_as_text, allow_nan=False)


def _bytes_as_text(value: Any) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"base64 of bytes": base64.b64encode(value).decode("ascii")}
    raise TypeError(f"{type(value).__name__} has no plain form")


def _value_of(text: str) -> Any:
    return json.loads(text, object_hook=_text_as_bytes)


def _text_as_bytes(told: dict[str, Any]) -> Any:
    return base64.b64decode(told["base64 of bytes"]) if set(told) == {"base64 of bytes"} else told
