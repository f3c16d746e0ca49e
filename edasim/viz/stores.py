"""The stores of the registration case over time: what bus, database, mail folder and mailboxes hold, and when.

A projection of the run's log (`scenarios.registration.stores`). With an instant, a cursor stands there and each store
says what it holds then. Left out: what is inside a file or a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import checks
from ..errors import ConfigurationError
from ..scenarios.registration.stores import Store
from ..scenarios.registration.stores import stores as stores_of
from . import palette, strips
from .chart import Axis
from .picture import Picture
from .svg import document, fit, label, say
from .traffic import outages, traffic

if TYPE_CHECKING:
    from ..kernel import Run

LEFT, PLOT, RIGHT = 150.0, 470.0, 300.0
ROLES = {"bus": "waiting", "user database": "busy", "mail folder": "mail", "mailboxes": "done"}
MOST_NAMED = 3


def stores(run: Run, at_s: float | None = None, from_s: float = 0.0, until_s: float | None = None) -> Picture:
    """What each store holds between two simulated seconds (the whole run by default), with a cursor at `at_s`.

    Raises `ConfigurationError` for a run of another scenario, an empty window, or an instant outside of it.
    """
    shown = traffic(run, from_s=from_s, until_s=until_s)
    if at_s is not None and not shown.from_s <= at_s <= shown.until_s:
        raise ConfigurationError(
            f"at_s is {at_s!r}", field="at_s", value=at_s, remedy=f"give an instant {shown.window}"
        )
    held = stores_of(run)
    rows = [strips.Strip(store.name, *store.level(), role=ROLES[store.name]) for store in held]
    across = Axis(shown.from_s, shown.until_s, LEFT, LEFT + PLOT, "simulated time", "s")
    down = by_service(outages(run, shown))
    parts = strips.draw(rows, across, down)
    if at_s is not None:
        checks.check_non_negative("at_s", at_s)
        parts += [*strips.cursor(across, at_s, rows), *_contents(held, at_s)]
    width = LEFT + PLOT + (RIGHT if at_s is not None else 20.0)
    alt = f"Stores from {shown.window}" + ("" if at_s is None else f", and what each holds at {at_s:.3f} s")
    lines = [
        *(_sentence(store, at_s) for store in held if at_s is not None),
        *(f"{name} is down from {a:.3f} s to {b:.3f} s." for name, spans in down.items() for a, b in spans),
        *(_course(row, shown.from_s, shown.until_s) for row in rows),
    ]
    return Picture(
        svg=document(width, strips.height_of(rows), parts, alt), alt=alt, text="\n".join([f"{alt}.", *lines])
    )


def by_service(down: dict[str, list[tuple[float, float]]]) -> dict[str, list[tuple[float, float]]]:
    """Outages of nodes put together where all nodes of a service that went down were down at the same time."""
    spans: dict[str, set[tuple[float, float]]] = {}
    for node, times_s in down.items():
        spans.setdefault(node.rpartition("/")[0] or node, set()).update(times_s)
    return {service: sorted(times_s) for service, times_s in spans.items()}


def _named(items: tuple[str, ...]) -> list[str]:
    """The items' names; of many, how many more there are."""
    if len(items) <= MOST_NAMED:
        return list(items) or ["nothing"]
    return [*items[: MOST_NAMED - 1], f"and {len(items) - MOST_NAMED + 1:,} more"]


def _contents(held: tuple[Store, ...], at_s: float) -> list[str]:
    """Right of the strips: what each store holds at the cursor."""
    x = LEFT + PLOT + 16
    parts = [label(x, strips.TOP - 12, f"holds at {at_s:.3f} s:", size=11.5, fill=palette.QUIET)]
    for number, store in enumerate(held):
        top = strips.TOP + number * (strips.HEIGHT + strips.GAP)
        parts += [
            label(x, top + 12 + 15 * row, fit(words, RIGHT - 30, size=11.5), size=11.5)
            for row, words in enumerate(_named(store.held(at_s)))
        ]
    return parts


def _sentence(store: Store, at_s: float) -> str:
    items = store.held(at_s)
    count = "nothing" if not items else f"{len(items):,}: {', '.join(_named(items))}"
    return f"At {at_s:.3f} s, {store.name}: {count}."


def _course(row: strips.Strip, from_s: float, until_s: float) -> str:
    peak, end = row.peak(from_s, until_s), row.at(until_s)
    return f"{row.name}: at most {say(peak)} at once, {say(end)} at the end."
