"""Small pieces of SVG: escaped text, short numbers, and a root element that says in words what it shows.

Ids inside a picture start with a stamp made from the picture's own content, so that two pictures on one page do not
take each other's definitions, and the same content always gives the same bytes. Follows: SVG 2, and WAI-ARIA for the
root's role and label. Left out: everything that a drawing library does beyond that.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from . import palette

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

STAMP = "\ue000"
"""Stands for the stamp in ids while a picture is put together; `escape` removes it from text."""

FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif"

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: object) -> str:
    """`text` as it may stand in SVG and HTML, in an element or in a quoted attribute."""
    return html.escape(_NOT_IN_XML.sub("", str(text)).replace(STAMP, ""), quote=True)


def short(value: float) -> str:
    """A length in pixels with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def say(value: float) -> str:
    """A number for people: three significant digits, without exponent from a thousandth to a million.

    >>> say(0.41234), say(1234.5), say(3.0)
    ('0.412', '1,234', '3')
    """
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 0.001:
        return f"{value:.3g}"
    digits = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def label(
    x: float,
    y: float,
    text: object,
    *,
    size: float = 12.0,
    anchor: str = "start",
    fill: str = palette.INK,
    more: str = "",
) -> str:
    """A `<text>` element at (x, y); `anchor` is start, middle or end; `more` are further attributes."""
    return (
        f'<text x="{short(x)}" y="{short(y)}" font-size="{size:g}" text-anchor="{anchor}" fill="{fill}"{more}>'
        f"{escape(text)}</text>"
    )


def rect(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str,
    stroke: str = "none",
    round_by: float = 0.0,
    more: str = "",
    inside: str = "",
) -> str:
    """A `<rect>` with its corner at (x, y); `more` are further attributes, `inside` is its content."""
    return (
        f'<rect x="{short(x)}" y="{short(y)}" width="{short(width)}" height="{short(height)}" rx="{short(round_by)}" '
        f'fill="{fill}" stroke="{stroke}"{more}>{inside}</rect>'
    )


def line(d: str, *, stroke: str = palette.INK, width: float = 1.0, dash: str = "", more: str = "") -> str:
    """A `<path>` that is drawn as a line, dashed if `dash` says so."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{d}" fill="none" stroke="{stroke}" stroke-width="{width:g}"{dashes}{more}/>'


def area(d: str, *, fill: str, stroke: str = "none", more: str = "") -> str:
    """A `<path>` that is filled."""
    return f'<path d="{d}" fill="{fill}" stroke="{stroke}"{more}/>'


def fit(text: str, width: float, *, size: float = 12.0) -> str:
    """`text`, cut with an ellipsis if it is wider than `width` pixels at this font size (estimated)."""
    room = max(2, int(width / (0.56 * size)))
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


def polyline(xs: ArrayLike, ys: ArrayLike) -> str:
    """The `d` of a path through points, in pixels."""
    points = zip(np.asarray(xs).tolist(), np.asarray(ys).tolist(), strict=True)
    return "M" + "L".join(map("%.1f,%.1f".__mod__, points))  # a third faster than f-strings


def stamped(markup: str) -> str:
    """`markup` with every id's stand-in replaced by a stamp of its content."""
    stamp = "e" + hashlib.sha256(markup.encode()).hexdigest()[:8]
    return markup.replace(STAMP, stamp)


def document(width: float, height: float, parts: Iterable[str], alt: str) -> str:
    """A whole `<svg>` of this size in pixels, which scales down with the page and is read out as `alt`."""
    return stamped(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {short(width)} {short(height)}" role="img" '
        f'aria-label="{escape(alt)}" font-family="{FONT}" '
        f'style="display:block;width:100%;max-width:{short(width)}px;height:auto">'
        f'<rect width="100%" height="100%" rx="6" fill="{palette.GROUND}"/>{"".join(parts)}</svg>'
    )
