"""Where a lab puts its pictures: beside each other, and a pinned one in grey below, with its caption.

The one home of what labs have in common in their pictures. Left out: what the pictures show; that is each lab's own.
"""

from __future__ import annotations

from html import escape

from ..viz import Picture

ROW, GREY = "display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start", "filter:grayscale(1);opacity:.7"


def panel(content: str, share: int) -> str:
    """Content with its share of the row, on a row of its own where there is little room."""
    return f'<div style="flex:{share} 1 {100 * share}px;max-width:{160 * share}px">{content}</div>'


def row(*panels: str) -> str:
    """Panels beside each other."""
    return f'<div style="{ROW}">{"".join(panels)}</div>'


def pinned_line(words: str, more: str = "") -> str:
    """The sentence for what is pinned, for the text of a picture; `words` say what the controls said."""
    return f"Pinned, in grey: {words.rstrip('.')}. {more}".rstrip()


def pinned_below(words: str, before: Picture) -> tuple[str, str]:
    """A pinned picture in grey with its caption, as HTML, and the same as text."""
    caption = pinned_line(words)
    drawn = f'<p style="margin:.6em 0 .2em">{escape(caption)}</p><div style="{GREY}">{before.svg or before.html}</div>'
    return drawn, f"{caption} {before.text}"
