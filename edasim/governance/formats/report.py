"""What came of a file: the policies, and a note for each field, understood or ignored."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...errors import UnknownNameError
from ..balancing import Balancing
from ..breaker import CircuitBreaker
from ..budget import ShareOfActive
from ..concurrency import Bulkhead
from ..deadlines import Timeout
from ..health import Probe, Probes
from ..limiter import PermitsPerPeriod
from ..outliers import OutlierDetection
from ..retry import Retry

Policy: TypeAlias = (
    Balancing
    | Bulkhead
    | CircuitBreaker
    | OutlierDetection
    | PermitsPerPeriod
    | Probe
    | Probes
    | Retry
    | ShareOfActive
    | Timeout
)
"""What files can be made into."""


class Format(enum.Enum):
    """The formats that are read."""

    RESILIENCE4J = "Resilience4j"
    ENVOY = "Envoy"
    KUBERNETES = "Kubernetes"


@dataclass(frozen=True, slots=True)
class Note:
    """A field of a file: its path, its value, and what it became or why it was ignored."""

    path: str
    value: Any
    says: str

    def __str__(self) -> str:
        return f"{self.path}: {self.says}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The policies of a file by the name of whom they govern, then by kind, and the notes on its fields.

    Names are those of Resilience4j's instances, Envoy's clusters, and Kubernetes' workloads with their containers
    ("mail/app"). Kinds are words such as "circuit breaker", "retry" or "probes".
    """

    source: str
    format: Format
    policies: Mapping[str, Mapping[str, Policy]]
    understood: tuple[Note, ...]
    ignored: tuple[Note, ...]

    @property
    def unknown(self) -> tuple[Note, ...]:
        """The ignored fields and kinds of resources that nobody knows: perhaps misspelt."""
        return tuple(note for note in self.ignored if note.says.startswith((UNKNOWN, UNKNOWN_KIND)))

    def policy(self, name: str, kind: str) -> Policy:
        """The policy of this kind for this name; `UnknownNameError` tells which there are."""
        if name not in self.policies:
            raise UnknownNameError("governed service", name, self.policies)
        if kind not in self.policies[name]:
            raise UnknownNameError(f"policy of {name!r}", kind, self.policies[name])
        return self.policies[name][kind]

    def describe(self) -> str:
        """In plain words: what was found, what was ignored and why."""
        counts = f"{len(self.policies)} governed, {len(self.understood)} fields understood"
        lines = [f"{self.source}: {self.format.value}, {counts}"]
        lines += [f"  {name}: {', '.join(kinds)}" for name, kinds in self.policies.items()]
        if self.ignored:
            lines.append(f"ignored: {len(self.ignored)}")
            lines += [f"  {note}" for note in self.ignored]
        return "\n".join(lines)


UNKNOWN, UNKNOWN_KIND = "unknown field", "unknown kind"
"""How a note on a field, or on a kind of resource, that nobody knows begins."""
