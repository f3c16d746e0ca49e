"""An event stream with a cursor, and the state that it makes beside it, with what the last event changed.

Above, the whole store as a bar with the cursor and the snapshots; the stretch that is folded again is hatched. Left the
events around the cursor, those behind it pale, since they have not happened yet; right the state after the event at the
cursor, and what each changed field was before. Left out: events whose data does not fit into a line; it is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import checks
from ..sourcing import Difference, History, Recorded, differences
from . import palette
from .chart import HALO, Axis
from .picture import Picture
from .svg import STAMP, area, document, fit, label, line, rect, say, short

WIDTH, LEFT, RIGHT, ROW, TOP = 780.0, 16.0, 764.0, 24.0, 118.0
STATE_X, BAR_Y, BAR_HEIGHT = 440.0, 52.0, 16.0


@dataclass(frozen=True)
class Place:
    """Where the cursor stands: a `position` of `positions`, the time in words, and how the state was found.

    `snapshot` is the position of the snapshot that was used, 0 for none; `snapshots` are those that there are;
    `replayed` is how many events were folded.
    """

    position: int
    positions: int
    when: str
    snapshots: Sequence[int] = ()
    snapshot: int = 0
    replayed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.position <= self.positions:
            raise checks.refuse("Place.position", self.position, f"give 0 to {self.positions}")


def event_stream(
    title: str,
    place: Place,
    events: Sequence[Recorded],
    state: Mapping[str, Any],
    changes: Sequence[Difference],
    pinned: tuple[Place, Mapping[str, Any]] | None = None,
) -> Picture:
    """The `events` around the cursor (oldest first), the flat `state` after it, and the `changes` of the last event.

    `pinned` is another place with its state, to compare with: it has a grey cursor and a grey column.
    """
    changed = {each.path: each for each in changes}
    parts = [label(LEFT, 22, title, size=14, more=' font-weight="600"'), *_bar(place, pinned)]
    parts += _rows(place, events)
    parts += _state(place, state, changed, pinned)
    rows = max(len(events), len(state) + (3 if pinned else 1))
    alt = f"{title}: the state at event {place.position:,} of {place.positions:,}, {place.when}"
    text = _words(alt, place, events, state, changes, pinned)
    return Picture(svg=document(WIDTH, TOP + rows * ROW + 18, parts, alt), alt=alt, text=text)


def history_svg(history: History, position: int, *, title: str = "A stream and its state", around: int = 4) -> Picture:
    """The state of a `sourcing.History` after a position, with so many events on both sides of the cursor.

    Raises `ConfigurationError` for a position that the store has not reached.
    """
    store = history.store
    state = history.at(position)
    recorded = list(store.read(stream=history.stream, after=max(0, position - 1 - around), up_to=position + around))
    here = [each for each in recorded if each.position == position]
    before = _as_fields(history, history.at(max(0, position - 1)))
    folded = history.replayed + (1 if position else 0)
    when = f"after {here[0].event.type}" if here else "before the first event"
    begin = max(0, position - folded)
    place = Place(position=position, positions=store.position, when=when, snapshot=begin, replayed=folded)
    after = _as_fields(history, state)
    return event_stream(title, place, recorded, after, differences(before, after))


def _as_fields(history: History, state: Any) -> Mapping[str, Any]:
    return state if isinstance(state, Mapping) else {history.fold.name: state}


def _bar(place: Place, pinned: tuple[Place, Mapping[str, Any]] | None) -> list[str]:
    axis = Axis(0.0, float(max(1, place.positions)), LEFT, RIGHT, "position")
    here, begin = axis.px([place.position, place.snapshot]).tolist()
    bottom = BAR_Y + BAR_HEIGHT
    done = palette.role("busy").colour
    parts = [
        f"<defs>{palette.pattern('waiting', STAMP + 'again')}</defs>",
        rect(LEFT, BAR_Y, RIGHT - LEFT, BAR_HEIGHT, fill=palette.PANEL, stroke=palette.LINE),
        rect(LEFT, BAR_Y, here - LEFT, BAR_HEIGHT, fill=done, more=' fill-opacity=".45"'),
        rect(begin, BAR_Y, max(1.0, here - begin), BAR_HEIGHT, fill=f"url(#{STAMP}again)"),
    ]
    if place.snapshots:
        marks = "".join(f"M{short(x)},{short(BAR_Y - 5)}v5" for x in sorted(set(axis.px(place.snapshots).tolist())))
        parts.append(line(marks, stroke=palette.QUIET))
    if pinned is not None:
        x = float(axis.px([pinned[0].position])[0])
        parts.append(line(f"M{short(x)},{short(BAR_Y - 6)}V{short(bottom + 6)}", stroke=palette.SLATE, dash="3 2"))
    parts.append(line(f"M{short(here)},{short(BAR_Y - 8)}V{short(bottom + 4)}", width=2))
    parts.append(area(f"M{short(here - 5)},{short(BAR_Y - 13)}h10l-5,7Z", fill=palette.INK))
    anchor = "start" if here < WIDTH / 3 else "end" if here > 2 * WIDTH / 3 else "middle"
    said = f"event {place.position:,} of {place.positions:,} · {place.when} · {_found(place)}"
    parts.append(label(here, bottom + 20, said, size=12, anchor=anchor, more=HALO))
    return parts


def _found(place: Place) -> str:
    begin = f"from the snapshot at {place.snapshot:,}" if place.snapshot else "from the first event"
    return f"{place.replayed:,} folded {begin}"


def _rows(place: Place, events: Sequence[Recorded]) -> list[str]:
    parts = []
    for number, recorded in enumerate(events):
        y = TOP + number * ROW
        is_here, is_later = recorded.position == place.position, recorded.position > place.position
        if is_here:
            parts.append(rect(LEFT, y, STATE_X - LEFT - 24, ROW, fill=palette.PALE, stroke=palette.INK, round_by=3))
        ink = palette.QUIET if is_later else palette.INK
        weight = ' font-weight="600"' if is_here else ""
        parts.append(label(LEFT + 52, y + 16, f"{recorded.position:,}", size=12, anchor="end", fill=ink, more=weight))
        parts.append(label(LEFT + 64, y + 16, recorded.event.type, size=12, fill=ink, more=weight))
        data = fit(_data(recorded), STATE_X - LEFT - 250, size=12)
        parts.append(label(LEFT + 214, y + 16, data, size=12, fill=ink, more=weight))
        if is_later:
            parts.append(label(STATE_X - 30, y + 16, "not yet", size=11, anchor="end", fill=palette.QUIET))
        if is_here:
            parts.append(line(f"M{short(STATE_X - 22)},{short(y + 12)}h16m-5,-4l5,4l-5,4", width=1.5))
    return parts


def _data(recorded: Recorded) -> str:
    data = recorded.event.data if isinstance(recorded.event.data, Mapping) else {}
    told = ", ".join(f"{name} {value}" for name, value in data.items())
    return f"{recorded.event.subject}: {told}" if recorded.event.subject else told


def _state(
    place: Place,
    state: Mapping[str, Any],
    changed: Mapping[str, Difference],
    pinned: tuple[Place, Mapping[str, Any]] | None,
) -> list[str]:
    parts = [label(STATE_X, TOP - 8, f"state after event {place.position:,}", size=12, more=' font-weight="600"')]
    if pinned is not None:
        parts.append(
            label(RIGHT, TOP - 8, f"pinned: {pinned[0].position:,}", size=12, anchor="end", fill=palette.QUIET)
        )
    for number, (name, value) in enumerate(state.items()):
        y = TOP + number * ROW
        if name in changed:
            fill = palette.role("mail").colour
            parts.append(rect(STATE_X - 4, y, 248, ROW - 2, fill=fill, stroke=palette.INK, round_by=3))
        parts.append(label(STATE_X, y + 16, fit(name.replace("_", " "), 96, size=13), size=13))
        weight = ' font-weight="600"' if name in changed else ""
        parts.append(label(STATE_X + 156, y + 16, _value(value), size=13, anchor="end", more=weight))
        if name in changed:
            parts.append(label(STATE_X + 164, y + 16, f"was {_value(changed[name].before)}", size=12))
        if pinned is not None:
            parts.append(
                label(RIGHT, y + 16, _value(pinned[1].get(name, 0)), size=13, anchor="end", fill=palette.QUIET)
            )
    return parts


def _value(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _words(
    alt: str,
    place: Place,
    events: Sequence[Recorded],
    state: Mapping[str, Any],
    changes: Sequence[Difference],
    pinned: tuple[Place, Mapping[str, Any]] | None,
) -> str:
    lines = [f"{alt}; {_found(place)}."]
    lines.append("State: " + ", ".join(f"{name} {_value(value)}" for name, value in state.items()) + ".")
    if changes:
        said = ", ".join(f"{each.path} from {_value(each.before)} to {_value(each.after)}" for each in changes)
        lines.append(f"The last event changed {said}.")
    lines += [
        f"Event {recorded.position:,}: {recorded.event.type}, {_data(recorded)}"
        + (" (not yet)." if recorded.position > place.position else ".")
        for recorded in events
    ]
    if pinned is not None:
        kept = ", ".join(f"{name} {_value(value)}" for name, value in pinned[1].items())
        lines.append(f"Pinned, event {pinned[0].position:,}, {pinned[0].when}: {kept}.")
    lines.append(f"{say(len(place.snapshots))} snapshots are kept.")
    return "\n".join(lines)
