"""A picture and what it says: the same facts as SVG or HTML, as an alternative text, and as plain sentences.

Follows: WCAG 2.2, criteria 1.1.1 (text alternatives) and 1.3.1; Jupyter's rich display protocol. A reader without
pictures loses nothing: the text equivalent stands under every picture and is what a terminal prints.
"""

from __future__ import annotations

from pathlib import Path

from .. import checks
from ..errors import ConfigurationError
from .svg import escape


def _markup(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise checks.refuse(field, value, "give markup as a text")
    return value


@checks.configuration
class Picture:
    """A drawing with its text equivalent; displays itself in Jupyter and prints as its text.

    Either `svg` (one `<svg>` element) or `html` (any other markup) holds the drawing. `alt` names it in a sentence,
    `text` tells in words and numbers what it shows.
    """

    svg: str = checks.checked(_markup, default="")
    html: str = checks.checked(_markup, default="")
    alt: str = checks.text()
    text: str = checks.text()

    def check(self) -> None:
        """Refuses a picture that has no drawing or two."""
        if bool(self.svg) == bool(self.html):
            raise ConfigurationError(
                "Picture has no drawing or two of them", field="Picture.svg", value=self.svg, remedy="give svg or html"
            )

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"

    def to_html(self) -> str:
        """The drawing and its text equivalent as one HTML element, for `widgets.HTML` or a page of your own."""
        first, _, rest = self.text.partition("\n")
        if rest:
            lines = "".join(f"<p style='margin:.3em 0'>{escape(line)}</p>" for line in rest.split("\n") if line.strip())
            words = f"<details><summary>In words: {escape(first)}</summary>{lines}</details>"
        else:
            words = f"In words: {escape(first)}"
        return (
            f'<figure aria-label="{escape(self.alt)}" style="margin:0">{self.svg or self.html}'
            f'<figcaption style="font-size:.9em;margin:.4em 0 .8em">{words}</figcaption></figure>'
        )

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/plain": self.text}

    def save(self, path: str | Path) -> Path:
        """Writes the drawing as `.svg`, or drawing and text as an `.html` page; returns the path.

        Raises `ConfigurationError` for any other ending, and for `.svg` if the drawing is not SVG.
        """
        target = Path(path)
        if target.suffix == ".svg" and self.svg:
            content = self.svg
        elif target.suffix == ".html":
            content = (
                '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
                f"<title>{escape(self.alt)}</title></head><body>{self.to_html()}</body></html>\n"
            )
        else:
            raise checks.refuse("path", str(path), "end it in .html" if self.html else "end it in .svg or .html")
        target.write_text(content, encoding="utf-8")
        return target
