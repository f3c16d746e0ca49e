"""The life of a crashing consumer: how far it came, where it fell, what came again or never.

Above, a window of the run, around a crash that did damage: each life is a line through the offsets that it worked on; a
crash is a star, and the line begins again at the last committed offset. Effects that came once more are rings, effects
that never come are drops. Below, the whole run: effects lost and repeated so far, beside what theory expects of the
whole run on average. Drawn from `scenarios.delivery.Books`. Left out: single polls and commits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..kernel import Run
from ..scenarios.delivery import Books, Delivery, Dip, Expected, books
from . import palette
from .chart import HALO, Axis, axis_across, step_columns
from .picture import Picture
from .svg import STAMP, document, label, line, polyline, rect, say, short

LEFT, WIDTH = 92.0, 780.0
TOP, MIDDLE = 62.0, 332.0
STRIP_TOP, STRIP_FOOT = 402.0, 462.0
SHORTEST_S, LONGEST_S, FALLS_SHOWN = 0.6, 3.0, 5.0
MOST_TOLD, WORDS = 6, 62.0


def deliveries(run: Run) -> Picture:
    """How a run of `scenarios.delivery.Delivery` went, with its exact means if its crashes come by chance."""
    case = run.scenario
    kept = books(run)
    assert isinstance(case, Delivery)
    by_chance = not case.faults and not case.sent_twice_ratio
    setting = f"batches of {case.batch}, acknowledged {case.acknowledge.value} processing, dedup: {case.dedup.value}"
    return deliveries_svg(kept, case.expected() if by_chance else None, setting)


def deliveries_svg(
    kept: Books, mean: Expected | None, setting: str, pinned: tuple[Books, str] | None = None
) -> Picture:
    """How a run of `Delivery` went, with its exact means if there are any; a pinned run in grey in the lower strip."""
    across = _window(kept)
    up = _offsets(kept, across)
    shown = [dip for dip in kept.dips if across.low <= dip.at_s <= across.high]
    parts = [
        f"<defs>{palette.pattern('down', STAMP + 'down')}</defs>",
        rect(LEFT, TOP, across.end - LEFT, MIDDLE - TOP, fill=palette.PANEL),
        *_offset_lines(up, across),
        *_lives(kept, across, up),
        *_again(kept, across, up),
        *(part for dip in shown for part in _fall(dip, across, up)),
        *_damages(shown, across),
        axis_across(across, MIDDLE),
        *_legend(),
        *_strip(kept, mean, pinned),
    ]
    words = count_lines(kept, mean)
    ground = STRIP_FOOT + 62
    parts += [
        label(12, ground + 18 * place, text, size=12.5, more=f' font-weight="{weight}"')
        for place, (text, weight) in enumerate(zip(words, ("600", "400"), strict=False))
    ]
    alt = f"A consumer that crashes: {setting}"
    told = [f"{alt}.", *words, *(_dip_words(dip) for dip in kept.dips[:MOST_TOLD])]
    if len(kept.dips) > MOST_TOLD:
        told.append(f"And {len(kept.dips) - MOST_TOLD} crashes more.")
    if pinned is not None:
        told.append(f"Pinned, in grey: {pinned[1]}. {count_lines(pinned[0], None)[0]}")
    return Picture(svg=document(WIDTH, ground + 30, parts, alt), alt=alt, text="\n".join(told))


def count_lines(kept: Books, mean: Expected | None) -> list[str]:
    """The run in numbers, and the exact means beside it."""
    ours = (
        f"This run, {kept.messages:,} messages: {kept.lost} lost, {kept.repeated} done once more, "
        f"in {kept.crashes} crash{'' if kept.crashes == 1 else 'es'} and {say(kept.ended_s)} s."
    )
    if mean is None:
        return [ours]
    return [
        ours,
        f"On average, exactly: {mean.lost:.1f} lost, {mean.repeated:.1f} done once more, {mean.crashes:.1f} crashes.",
    ]


def _window(kept: Books) -> Axis:
    """Some time around the first crash that did at least half as much damage as the worst one."""
    worst = max((_damage(dip) for dip in kept.dips), default=0)
    chosen = next((dip for dip in kept.dips if _damage(dip) >= worst / 2), None)
    a_message_s = float(np.median(kept.finished_s - kept.started_s)) if len(kept.offsets) else 0.01
    length_s = min(max(SHORTEST_S, FALLS_SHOWN * worst * a_message_s), LONGEST_S)
    from_s = max(0.0, chosen.at_s - length_s / 2.5) if chosen is not None else 0.0
    until_s = max(min(from_s + length_s, kept.ended_s), SHORTEST_S)
    return Axis(max(0.0, until_s - length_s), until_s, LEFT, WIDTH - 16, "simulated time", "s")


def _damage(dip: Dip) -> int:
    return dip.repeated + dip.lost


def _offsets(kept: Books, across: Axis) -> Axis:
    inside = (kept.finished_s >= across.low) & (kept.started_s <= across.high)
    seen = kept.offsets[inside]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    return Axis(low, max(high, low + 10), MIDDLE - 8, TOP + 8, "offset")


def _offset_lines(up: Axis, across: Axis) -> list[str]:
    parts = [label(12, TOP - 12, "offset in work", size=12)]
    ticks = up.ticks(5)
    for tick, words in zip(ticks, up.words(ticks), strict=True):
        y = float(up.px(tick))
        parts.append(line(f"M{LEFT:g},{short(y)}H{short(across.end)}", stroke=palette.PALE))
        parts.append(label(LEFT - 6, y + 4, words, size=11, anchor="end", fill=palette.QUIET))
    return parts


def _lives(kept: Books, across: Axis, up: Axis) -> list[str]:
    """One line for each life, through the ends of its attempts."""
    falls = np.flatnonzero(kept.crashed)
    starts = np.append(0, falls + 1)
    ends = np.append(falls + 1, len(kept.offsets))
    parts = []
    for begin, end in zip(starts.tolist(), ends.tolist(), strict=True):
        inside = slice(begin, end)
        if begin == end or kept.finished_s[end - 1] < across.low or kept.started_s[begin] > across.high:
            continue
        times_s, offsets = kept.finished_s[inside], kept.offsets[inside]
        seen = (times_s >= across.low) & (times_s <= across.high)
        if seen.any():
            path = polyline(across.px(times_s[seen]), up.px(offsets[seen]))
            parts.append(line(path, stroke=palette.BLUE, width=2.2, more=' stroke-linejoin="round"'))
    return parts


def _again(kept: Books, across: Axis, up: Axis) -> list[str]:
    """A ring for each effect that came once more."""
    seen: set[int] = set()
    parts = []
    for message, at_s in kept.effects:
        if message in seen and across.low <= at_s <= across.high:
            parts.append(palette.mark("duplicated", 4.2, x=float(across.px(at_s)), y=float(up.px(message))))
        seen.add(message)
    return parts


def _fall(dip: Dip, across: Axis, up: Axis) -> list[str]:
    """A crash: the way back to the committed offset, or the offsets that nobody will work on."""
    x, y = float(across.px(dip.at_s)), float(up.px(dip.fell_at))
    back_x = float(across.px(dip.back_s)) if np.isfinite(dip.back_s) else x
    target = float(up.px(dip.went_on_at))
    parts = [
        rect(x, TOP, max(2.0, back_x - x), MIDDLE - TOP, fill=f"url(#{STAMP}down)", more=' opacity=".22"'),
        line(f"M{short(x)},{short(y)}L{short(back_x)},{short(target)}", dash="4 3", width=1.4),
    ]
    if dip.lost:
        parts += [
            palette.mark("lost", 4.2, x=back_x, y=float(up.px(offset)))
            for offset in range(dip.fell_at, dip.fell_at + dip.lost)
        ]
    return [*parts, palette.mark("crashed", 8, x=x, y=y)]


def _damages(shown: Sequence[Dip], across: Axis) -> list[str]:
    """What each crash did, in words at the top, where there is room for them."""
    parts, free_from = [], LEFT
    for dip in shown:
        x = float(across.px(dip.at_s)) + 12
        if _damage(dip) and free_from <= x <= across.end - WORDS:
            what = f"{dip.lost} lost" if dip.lost else f"{dip.repeated} again"
            parts.append(label(x, TOP + 16, what, size=12, more=HALO))
            free_from = x + WORDS
    return parts


def _legend() -> list[str]:
    parts, x = [], LEFT
    for role, words in (("crashed", "crash"), ("duplicated", "effect once more"), ("lost", "effect that never comes")):
        parts += [palette.mark(role, 6, x=x + 6, y=TOP - 36), label(x + 18, TOP - 32, words, size=11.5)]
        x += 40 + 7.0 * len(words)
    parts.append(label(x + 8, TOP - 32, "dashed: to the last commit", size=11.5, fill=palette.QUIET))
    return parts


def _strip(kept: Books, mean: Expected | None, pinned: tuple[Books, str] | None) -> list[str]:
    """Effects lost and repeated so far, over the whole run, with the means of the whole run at its right end."""
    end_s = max(kept.ended_s, pinned[0].ended_s if pinned else 0.0, 0.2)
    across = Axis(0.0, end_s, LEFT, WIDTH - 130, "simulated time, whole run", "s")
    means = [] if mean is None else [(mean.repeated, "once more"), (mean.lost, "lost")]
    peaks = [10.0, kept.lost, kept.repeated, *(value for value, _ in means)]
    peaks += [pinned[0].lost, pinned[0].repeated] if pinned else []
    up = Axis(0.0, math.ceil(max(peaks) * 1.08), STRIP_FOOT, STRIP_TOP, "so far")
    parts = [
        rect(LEFT, STRIP_TOP, across.end - LEFT, STRIP_FOOT - STRIP_TOP, fill=palette.PANEL),
        label(12, STRIP_TOP + 4, "so far", size=12),
        label(LEFT - 6, STRIP_TOP + 6, say(up.high), size=10.5, anchor="end", fill=palette.QUIET),
        label(LEFT - 6, STRIP_FOOT, "0", size=10.5, anchor="end", fill=palette.QUIET),
    ]
    if pinned is not None:
        parts += [_course(_again_s(pinned[0]), across, up, palette.SLATE, "")]
        parts += [_course(_lost_s(pinned[0]), across, up, palette.SLATE, "5 3")]
    parts += [
        _course(_again_s(kept), across, up, palette.PURPLE, ""),
        _course(_lost_s(kept), across, up, palette.VERMILLION, "5 3"),
    ]
    for value, words in means:
        if value or not any(each for each, _ in means):
            y = float(up.px(value))
            parts.append(line(f"M{short(across.end)},{short(y)}h14", width=2))
            parts.append(label(across.end + 18, y + 4, f"mean {value:.1f}", size=11.5))
            parts.append(label(across.end + 18, y + 17, words, size=10.5, fill=palette.QUIET))
    return [*parts, axis_across(across, STRIP_FOOT)]


def _course(times_s: Sequence[float], across: Axis, up: Axis, colour: str, dash: str) -> str:
    times = np.asarray(times_s, dtype=np.float64)
    x, y = step_columns(times, np.arange(1, len(times) + 1), across)
    return line(polyline(x, up.px(y)), stroke=colour, width=2, dash=dash)


def _again_s(kept: Books) -> list[float]:
    seen: set[int] = set()
    again_s = []
    for message, at_s in kept.effects:
        if message in seen:
            again_s.append(at_s)
        seen.add(message)
    return again_s


def _lost_s(kept: Books) -> list[float]:
    return [dip.at_s for dip in kept.dips for _ in range(dip.lost)]


def _dip_words(dip: Dip) -> str:
    harm = f"{dip.lost} are lost" if dip.lost else f"{dip.repeated} are done once more"
    return f"Crash at {dip.at_s:.2f} s with offset {dip.fell_at} in work; it goes on with {dip.went_on_at}: {harm}."
