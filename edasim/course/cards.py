"""Cards: what the course says to a learner, as text and as HTML with the same words.

Nothing is told by colour alone: each tone has a sign and a word beside its colour. Colours are those of the house's
palette. The HTML takes the text colour of the page, so it can be read on dark and light themes, and needs no script.
"""

from __future__ import annotations

import abc
import dataclasses
import enum
from html import escape

from ..viz import palette


class Tone(enum.Enum):
    """What kind of thing a card says: its sign and its colour."""

    QUESTION = ("?", palette.SKY)
    RIGHT = ("✓", palette.GREEN)
    NOT_YET = ("✗", palette.BLUE)
    NOTE = ("•", palette.SLATE)

    @property
    def sign(self) -> str:
        """A sign that is told apart without colour."""
        return self.value[0]

    @property
    def colour(self) -> str:
        """The colour of the card's edge."""
        return self.value[1]


@dataclasses.dataclass(frozen=True)
class Fold:
    """Something that stays folded until the reader opens it; `code` is shown as it is written."""

    summary: str
    code: str
    words: str


@dataclasses.dataclass(frozen=True)
class Card:
    """A heading with its tone, paragraphs, an optional pair that belongs side by side, and an optional fold."""

    heading: str
    tone: Tone
    paragraphs: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    pair: tuple[str, str] | None = None
    fold: Fold | None = None

    def to_text(self) -> str:
        """The card for a terminal, a screen reader or a notebook without a kernel."""
        lines = [f"{self.tone.sign} {self.heading}", *(self.pair or ()), *self.paragraphs]
        lines += [f"  {item}" for item in self.items]
        if self.fold is not None:
            lines += [f"{self.fold.summary}:", "", self.fold.code.strip(), "", self.fold.words]
        return "\n".join(lines)

    def to_html(self) -> str:
        """The card as one HTML element; the fold is a `<details>` that starts closed."""
        parts = [f'<p style="margin:.2em 0"><strong>{self.tone.sign} {escape(self.heading)}</strong></p>']
        if self.pair is not None:
            cells = "".join(f'<div style="flex:1 1 12em">{escape(side)}</div>' for side in self.pair)
            parts.append(f'<div style="display:flex;flex-wrap:wrap;gap:1em;margin:.4em 0">{cells}</div>')
        parts += [f'<p style="margin:.4em 0">{escape(paragraph)}</p>' for paragraph in self.paragraphs]
        if self.items:
            entries = "".join(f'<li style="margin:.25em 0">{escape(item)}</li>' for item in self.items)
            parts.append(f'<ul style="margin:.4em 0;padding-left:1.4em;list-style:none">{entries}</ul>')
        if self.fold is not None:
            code = f'<pre style="white-space:pre-wrap">{escape(self.fold.code.strip())}</pre>'
            words = f"<p>{escape(self.fold.words)}</p>"
            parts.append(f"<details><summary>{escape(self.fold.summary)}</summary>{code}{words}</details>")
        style = f"border-left:.4em solid {self.tone.colour};padding:.4em .8em;margin:.4em 0;max-width:46em"
        return f'<div role="group" aria-label="{escape(self.heading)}" style="{style}">{"".join(parts)}</div>'


class Shown(abc.ABC):
    """What displays itself as its card: HTML in Jupyter, text everywhere else."""

    @abc.abstractmethod
    def card(self) -> Card:
        """The card to show."""

    def __str__(self) -> str:
        return self.card().to_text()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.card().to_html()
