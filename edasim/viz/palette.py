"""One palette for every picture: what a colour means, and the mark that says the same without colour.

Colours: the eight of Okabe and Ito, "Color Universal Design" (2008), chosen to be told apart with each common form of
colour blindness. Contrast: relative luminance and contrast ratio as in WCAG 2.2 (definitions; criteria 1.4.1, 1.4.3,
1.4.11). Every role has a colour, a shape, a letter and words, so that nothing is told by colour alone; marks have a
dark edge, because some of the eight colours are too light to be seen on white. Left out: dark themes, pictures bring
their own white ground.
"""

from __future__ import annotations

import enum
import math

from .. import checks
from ..errors import UnknownNameError

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"

GROUND = "#FFFFFF"
PANEL = "#F6F8FA"
LINE = "#C9D1D9"
INK = "#1B1F24"
QUIET = "#57606A"
PALE = "#E4E8EC"
SLATE = "#6E7781"


class Shape(enum.Enum):
    """The outline of a mark."""

    CIRCLE = "circle"
    DIAMOND = "diamond"
    SQUARE = "square"
    TRIANGLE = "triangle"
    DROP = "drop"
    CROSS = "cross"
    CHECK = "check"
    RING = "ring"
    ENVELOPE = "envelope"
    STAR = "star"
    BAR = "bar"
    PENTAGON = "pentagon"
    HEXAGON = "hexagon"


class Pattern(enum.Enum):
    """What fills an area, so that two areas differ without colour."""

    SOLID = "solid"
    STRIPES = "stripes"
    DOTS = "dots"
    CROSSED = "crossed"
    EMPTY = "empty"


@checks.configuration
class Role:
    """A meaning that pictures show: `words` for people, and colour, shape, letter and pattern that stand for it."""

    name: str = checks.text()
    words: str = checks.text()
    colour: str = checks.text()
    shape: Shape = checks.word(Shape)
    letter: str = checks.text()
    pattern: Pattern = checks.word(Pattern, default=Pattern.SOLID)

    @property
    def ink(self) -> str:
        """The colour for text on this role's colour: black or white, whichever has more contrast."""
        return max((BLACK, GROUND), key=lambda ink: contrast(ink, self.colour))


def _role(name: str, words: str, colour: str, shape: Shape, letter: str, pattern: Pattern = Pattern.SOLID) -> Role:
    return Role(name=name, words=words, colour=colour, shape=shape, letter=letter, pattern=pattern)


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        _role("message", "on its way", BLUE, Shape.CIRCLE, "M"),
        _role("waiting", "waits", ORANGE, Shape.DIAMOND, "W", Pattern.STRIPES),
        _role("busy", "in service", SKY, Shape.SQUARE, "B"),
        _role("idle", "idle", PALE, Shape.HEXAGON, "I", Pattern.EMPTY),
        _role("down", "down", BLACK, Shape.BAR, "X", Pattern.CROSSED),
        _role("done", "done", GREEN, Shape.CHECK, "D"),
        _role("failed", "failed", VERMILLION, Shape.CROSS, "F", Pattern.CROSSED),
        _role("lost", "lost", VERMILLION, Shape.DROP, "L", Pattern.CROSSED),
        _role("crashed", "crashed", BLACK, Shape.STAR, "C", Pattern.CROSSED),
        _role("duplicated", "handed out again", PURPLE, Shape.RING, "2", Pattern.DOTS),
        _role("dead_lettered", "dead letter", SLATE, Shape.TRIANGLE, "T", Pattern.DOTS),
        _role("expired", "expired", YELLOW, Shape.PENTAGON, "E", Pattern.DOTS),
        _role("mail", "mail", YELLOW, Shape.ENVELOPE, "P"),
    )
}
"""Every role by name; `role(name)` looks one up and knows near misses."""

OUTCOME_ROLES: dict[str, str] = {
    "done": "done",
    "failed": "failed",
    "requeued": "duplicated",
    "expired": "expired",
    "dropped": "lost",
    "dead_lettered": "dead_lettered",
    "crashed": "crashed",
    "in_flight": "busy",
    "queued": "waiting",
    "filtered": "idle",
}
"""The role that stands for each outcome of a delivery."""

SHAPE_PATHS: dict[Shape, str] = {
    Shape.CIRCLE: "M-1,0A1,1 0 1 1 1,0A1,1 0 1 1-1,0Z",
    Shape.DIAMOND: "M0-1.15L1.15,0L0,1.15L-1.15,0Z",
    Shape.SQUARE: "M-.92-.92H.92V.92H-.92Z",
    Shape.TRIANGLE: "M0,1.1L-1.1-.8H1.1Z",
    Shape.DROP: "M0-1.25L.8,0A.9,.9 0 1 1-.8,0Z",
    Shape.CROSS: "M-1.1-.6L-.6-1.1L0-.5L.6-1.1L1.1-.6L.5,0L1.1,.6L.6,1.1L0,.5L-.6,1.1L-1.1,.6L-.5,0Z",
    Shape.CHECK: "M-1.15,.05L-.7-.5L-.25,0L.75-1.05L1.2-.55L-.25,1Z",
    Shape.RING: "M-1.1,0A1.1,1.1 0 1 1 1.1,0A1.1,1.1 0 1 1-1.1,0ZM-.45,0A.45,.45 0 1 0 .45,0A.45,.45 0 1 0-.45,0Z",
    Shape.ENVELOPE: "M-1.2-.8H1.2V.8H-1.2ZM-1.2-.8L0,.15L1.2-.8",
    Shape.STAR: "M0-1.3L.35-.5L1.2-.6L.65,.1L1,.95L.2,.6L-.5,1.2L-.45,.35L-1.3,.1L-.55-.3L-.75-1.1L-.2-.6Z",
    Shape.BAR: "M-1.1-.4H1.1V.4H-1.1Z",
    Shape.PENTAGON: "M0-1.15L1.1-.35L.68,.95H-.68L-1.1-.35Z",
    Shape.HEXAGON: "M-1,0L-.5-.9H.5L1,0L.5,.9H-.5Z",
}
"""The path of each shape about the origin, with radius 1."""


def role(name: str) -> Role:
    """The role of this name; `UnknownNameError` tells the nearest one."""
    try:
        return ROLES[name]
    except KeyError:
        raise UnknownNameError("role of the palette", name, ROLES) from None


def outcome_role(outcome: str) -> Role:
    """The role that stands for an outcome of a delivery, such as `dead_lettered`."""
    try:
        return ROLES[OUTCOME_ROLES[outcome]]
    except KeyError:
        raise UnknownNameError("outcome", outcome, OUTCOME_ROLES) from None


def luminance(colour: str) -> float:
    """The relative luminance of `#RRGGBB`, from 0 (black) to 1 (white), as WCAG 2.2 defines it."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21; text needs 4.5, marks need 3 (WCAG 2.2).

    >>> round(contrast("#000000", "#FFFFFF"), 3)
    21.0
    """
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mark(name: str, radius: float, *, x: float = 0.0, y: float = 0.0) -> str:
    """SVG of a role's mark at (x, y) with this radius in pixels, with a dark edge."""
    kind = role(name)
    where = f"translate({x:g},{y:g}) " if x or y else ""
    return (
        f'<path transform="{where}scale({radius:g})" d="{SHAPE_PATHS[kind.shape]}" fill="{kind.colour}" '
        f'stroke="{INK}" stroke-width="{_edge(radius)}" fill-rule="evenodd"/>'
    )


def _edge(radius: float) -> str:
    """Width of a mark's edge in its own units, so that it is about one pixel wide on the screen."""
    return f"{1.0 / max(radius, 1.0):.3g}"


def pattern(name: str, ident: str) -> str:
    """SVG `<pattern>` with this id that fills an area for a role; refer to it as `url(#ident)`."""
    kind = role(name)
    strokes = {
        Pattern.SOLID: "",
        Pattern.EMPTY: "",
        Pattern.STRIPES: f'<path d="M-1,7L7-1M-1,1L1-1M5,7L7,5" stroke="{INK}" stroke-opacity=".35"/>',
        Pattern.DOTS: f'<circle cx="3" cy="3" r="1.1" fill="{INK}" fill-opacity=".45"/>',
        Pattern.CROSSED: f'<path d="M0,0L6,6M6,0L0,6" stroke="{_opposite(kind)}" stroke-opacity=".6"/>',
    }[kind.pattern]
    return (
        f'<pattern id="{ident}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect width="6" height="6" fill="{kind.colour}"/>{strokes}</pattern>'
    )


def _opposite(kind: Role) -> str:
    return GROUND if math.isclose(luminance(kind.colour), 0.0, abs_tol=0.05) else INK
