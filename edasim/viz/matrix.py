"""A matrix of verdicts: a row per case, a column per variant, in each cell a mark of the palette and words.

For crash points, mutants and promises: what happened in which case. Every cell has its words, so nothing is told by
colour alone. Left out: more than words in a cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .. import checks
from . import palette
from .picture import Picture
from .svg import document, fit, label, line, rect

ROW, HEAD, FIRST, COLUMN = 34.0, 56.0, 310.0, 190.0

Cell = tuple[str, str]
"""A role of the palette, and the words of the cell."""


def matrix_svg(
    title: str, columns: Sequence[str], rows: Mapping[str, Sequence[Cell]], corner: str = "", first: float = FIRST
) -> Picture:
    """A table of cells, each (role, words); `corner` names the rows, which get `first` pixels for their names.

    Its text tells every row in a sentence.

    Raises `ConfigurationError` for a row that does not have a cell for each column, `UnknownNameError` for a role that
    is none.
    """
    for name, cells in rows.items():
        if len(cells) != len(columns):
            raise checks.refuse(f"rows[{name!r}]", cells, f"give {len(columns)} cells")
    if not rows or not columns:
        raise checks.refuse("rows", rows, "give at least one row and one column")
    width = first + COLUMN * len(columns) + 12
    height = HEAD + ROW * len(rows) + 10
    parts = [label(12, HEAD - 12, corner, size=12, fill=palette.QUIET), *_heads(columns, first)]
    for number, (name, cells) in enumerate(rows.items()):
        parts += _row(name, cells, HEAD + ROW * number, width, first)
    counts = {
        column: Counter(cells[number][1].partition(",")[0] for cells in rows.values())
        for number, column in enumerate(columns)
    }
    total = [
        f"{column}: {', '.join(f'{words} {n}' for words, n in found.items())}." for column, found in counts.items()
    ]
    told = [
        f"{name}: {'; '.join(f'{column}: {words}' for column, (_, words) in zip(columns, cells, strict=True))}."
        for name, cells in rows.items()
    ]
    return Picture(svg=document(width, height, parts, title), alt=title, text="\n".join([f"{title}.", *total, *told]))


def _heads(columns: Sequence[str], first: float) -> list[str]:
    """The names of the columns, in two lines where a comma allows."""
    parts = []
    for number, column in enumerate(columns):
        x = first + COLUMN * number + 10
        upper, comma, second = column.partition(", ")
        y = HEAD - (26 if comma else 12)
        parts.append(label(x, y, upper + comma.strip(), size=12.5, more=' font-weight="600"'))
        parts.append(label(x, HEAD - 11, second, size=12.5, more=' font-weight="600"') if second else "")
    return parts


def _row(name: str, cells: Sequence[Cell], top: float, width: float, first: float) -> list[str]:
    parts = [
        line(f"M12,{top:g}H{width - 12:g}", stroke=palette.LINE),
        label(12, top + ROW / 2 + 4, fit(name, first - 16, size=12.5), size=12.5),
    ]
    for number, (role, words) in enumerate(cells):
        x = first + COLUMN * number
        parts += [
            rect(
                x + 2,
                top + 3,
                COLUMN - 4,
                ROW - 6,
                fill=palette.role(role).colour,
                round_by=5,
                more=' fill-opacity=".16"',
            ),
            palette.mark(role, 7, x=x + 18, y=top + ROW / 2),
            label(x + 34, top + ROW / 2 + 4, fit(words, COLUMN - 40), size=12),
        ]
    return parts
