"""The bug zoo: bugs that people really write, each as a mutant beside its correct twin, for the oracle to tell apart.

`SPECIES` has them all, `species(name)` one of them; each is a frozen record that says in a sentence what it gets wrong,
which field of which scenario the bug is, and what the oracle says about it. Modules go by theme. The faults come from
`failures`, one floor below; the oracle there knows nothing of the zoo and finds the mutants by their promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UnknownNameError
from . import acknowledging, order, overload, publishing, remembering, storage, timing, writing
from .record import Hunt, Species

if TYPE_CHECKING:
    import pandas

THEMES: dict[str, tuple[Species, ...]] = {
    "acknowledging": acknowledging.SPECIES,
    "order": order.SPECIES,
    "publishing": publishing.SPECIES,
    "remembering": remembering.SPECIES,
    "writing": writing.SPECIES,
    "storage": storage.SPECIES,
    "timing": timing.SPECIES,
    "overload": overload.SPECIES,
}
"""The species by theme, which is the name of their module."""

SPECIES: tuple[Species, ...] = tuple(each for theme in THEMES.values() for each in theme)
"""All species."""


def species(name: str) -> Species:
    """The species of that name; `UnknownNameError` if there is none.

    >>> species("no idempotence").difference
    "knows: 'nothing' instead of 'a note, in one transaction with the charge'"
    """
    for each in SPECIES:
        if each.name == name:
            return each
    raise UnknownNameError("species", name, [each.name for each in SPECIES])


def table() -> pandas.DataFrame:
    """A row per species: `species`, `theme`, `what` it gets wrong, the `difference`, `verdict`, `breaks`, `rule`."""
    import pandas as pd

    rows = [
        {
            "species": each.name,
            "theme": theme,
            "what": each.what,
            "difference": each.difference,
            "verdict": each.verdict.value,
            "breaks": each.breaks,
            "needs a fault": each.needs_fault,
            "rule": each.rule,
        }
        for theme, kept in THEMES.items()
        for each in kept
    ]
    return pd.DataFrame(rows)


__all__ = ["SPECIES", "THEMES", "Hunt", "Species", "species", "table"]
