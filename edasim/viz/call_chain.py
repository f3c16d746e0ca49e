"""The chain of calls of one request as a waterfall: who asked whom, which attempt waited, was worked on, and for whom.

A row for each request (an outline from asking to its end) and for each attempt under it (how long it waited at the
server, how long a worker had it, how it ended), indented by depth; time runs to the right, to scale. Follows the
waterfalls of tracing tools. Left out: the instant at which a client stopped waiting for an attempt (see
`services.calls.chain`); whatever began after the dashed line began after the user had gone or was served.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import checks
from ..services.calls.chain import (
    ANSWER,
    CRASH,
    IN_VAIN,
    OPEN,
    UNWANTED,
    WAITS,
    WORKS,
    Asked,
    Tried,
    chain_of,
    refused_by_protection,
)
from . import palette
from .chart import HALO, Axis, axis_across, post
from .picture import Picture
from .svg import STAMP, document, fit, label, line, rect, say, short

if TYPE_CHECKING:
    from ..kernel import Run

WIDTH, LEFT, TOP, ROW, INDENT = 780.0, 220.0, 76.0, 21.0, 12.0
ENDS = {"answered": "done", "degraded": "mail", "given up": "failed", OPEN: "idle"}
TRIED = {ANSWER: "done", IN_VAIN: "expired", UNWANTED: "expired", CRASH: "crashed", WORKS: "busy", WAITS: "waiting"}
"""The roles of the palette for ends of requests and of attempts; an attempt that ends otherwise has failed."""
Line = tuple[int, Asked, Tried | None]


def call_chain(run: Run, request: str, *, at_most: int = 40) -> Picture:
    """The chain of a request by its event's id, such as "users-7", in at most so many rows; the text counts all.

    `UnknownNameError` if the log holds no such request, `StateError` if it kept no rows.
    """
    most = checks.check_whole(1)("at_most", at_most)
    chain = chain_of(run, request)
    lines = [each for top in chain for each in top.walk()]
    shown = lines[:most]
    across = _axis(lines, run.ended_s)
    ground = TOP + len(shown) * ROW + 4
    title = f"Call chain of {request}"
    roles = dict.fromkeys(("waiting", "busy", "expired"))
    parts = [f"<defs>{''.join(palette.pattern(role, STAMP + role) for role in roles)}</defs>"]
    parts += [label(12, 22, title, size=14, more=' font-weight="600"'), *_key(), *_gone(chain, across, ground)]
    for place, each in enumerate(shown):
        parts += _row(each, across, TOP + place * ROW, run.ended_s)
    parts.append(axis_across(across, ground))
    if len(lines) > len(shown):
        parts.append(label(12, ground + 32, f"{_count(len(lines) - len(shown), 'more row')}", fill=palette.QUIET))
    text = [_summary(title, lines), *(_told(each, run.ended_s) for each in shown)]
    if len(lines) > len(shown):
        text.append(f"{_count(len(lines) - len(shown), 'more row')}, not shown.")
    alt = f"{title}: a waterfall of its attempts and of the calls behind them"
    return Picture(svg=document(WIDTH, ground + 44, parts, alt), alt=alt, text="\n".join(text))


def _axis(lines: list[Line], ended_s: float) -> Axis:
    """From the first question to the last end of anything, work for nobody included."""
    begins_s = min(request.asked_s for _, request, _ in lines)
    ends_s = max(
        _until(each.ended_s, ended_s)
        for _, request, attempt in lines
        for each in (request, attempt)
        if each is not None
    )
    return Axis(begins_s, max(ends_s, begins_s + 1e-3), LEFT, WIDTH - 150, "simulated time", "s")


def _until(at_s: float, ended_s: float) -> float:
    return ended_s if math.isnan(at_s) else at_s


def _key() -> list[str]:
    parts, x = [], 12.0
    for role, words in (("waiting", "waits at the server"), ("busy", "worked on"), ("expired", "for nobody")):
        parts.append(rect(x, 35, 14, 11, fill=f"url(#{STAMP}{role})", stroke=palette.INK))
        parts.append(label(x + 20, 44, words, size=11.5))
        x += 36 + 6.6 * len(words)
    return [*parts, rect(x, 37, 22, 7, fill=palette.GROUND, stroke=palette.INK), label(x + 28, 44, "asked", size=11.5)]


def _gone(chain: list[Asked], across: Axis, ground: float) -> list[str]:
    """A line at the instant from which on the user waits no more."""
    ends_s = [top.ended_s for top in chain if not math.isnan(top.ended_s)]
    if len(ends_s) < len(chain):
        return []
    x = float(across.px([max(ends_s)])[0])
    return [post(x, TOP - 16, ground, f"{chain[0].end} at {max(ends_s):.3f} s")]


def _row(each: Line, across: Axis, y: float, ended_s: float) -> list[str]:
    depth, request, attempt = each
    indent = 12 + INDENT * depth
    if attempt is None:
        start, end = across.px([request.asked_s, _until(request.ended_s, ended_s)]).tolist()
        words = f"{request.client} asks {request.server}"
        return [
            label(indent, y + 15, fit(words, LEFT - indent - 8), size=12, more=' font-weight="600"'),
            rect(start, y + 7, max(2.0, end - start), 7, fill=palette.GROUND, stroke=palette.INK),
            palette.mark(ENDS[request.end], 5, x=end, y=y + 10.5),
            _beside(end, y, request.end),
        ]
    sent, end = across.px([attempt.sent_s, _until(attempt.ended_s, ended_s)]).tolist()
    words = f"{attempt.nth} to {request.server if refused_by_protection(attempt) else attempt.by}"
    parts = [label(indent + INDENT / 2, y + 15, fit(words, LEFT - indent - 14), size=11.5)]
    begun = end
    if not math.isnan(attempt.started_s):
        begun = float(across.px([attempt.started_s])[0])
        fill = "expired" if attempt.in_vain else "busy"
        parts.append(rect(begun, y + 4, max(2.0, end - begun), 13, fill=f"url(#{STAMP}{fill})", stroke=palette.INK))
    if begun > sent:
        parts.insert(1, rect(sent, y + 6, begun - sent, 9, fill=f"url(#{STAMP}waiting)", stroke=palette.SLATE))
    parts.append(line(f"M{short(sent)},{short(y + 3)}v15", width=1.6))
    parts.append(palette.mark(TRIED.get(attempt.end, "failed"), 4.5, x=end, y=y + 10.5))
    return [*parts, _beside(end, y, _end(attempt))]


def _beside(x: float, y: float, words: str) -> str:
    """Words right of a bar's end."""
    return label(x + 9, y + 14.5, fit(words, WIDTH - x - 12, size=11), size=11, more=HALO)


def _end(attempt: Tried) -> str:
    """How an attempt ended, in words."""
    if refused_by_protection(attempt):
        return f"{attempt.by} says no" if attempt.end != UNWANTED else f"{attempt.by}: no longer wanted"
    return attempt.end


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _summary(title: str, lines: list[Line]) -> str:
    tried = [(request.server, attempt) for _, request, attempt in lines if attempt is not None]
    sent = [(server, attempt) for server, attempt in tried if not refused_by_protection(attempt)]
    by_server: dict[str, int] = {}
    for server, _ in sent:
        by_server[server] = by_server.get(server, 0) + 1
    calls = ", ".join(f"{server} {count:,}" for server, count in by_server.items()) or "none"
    work_s = sum(attempt.worked_s for _, attempt in sent if not attempt.behind)
    vain_s = sum(attempt.worked_s for _, attempt in sent if attempt.in_vain and not attempt.behind)
    refusals = len(tried) - len(sent)
    said = f"{title}. Calls by server: {calls}."
    said += f" {_count(refusals, 'attempt')} refused by the client itself." if refusals else ""
    return said + (f" {say(vain_s)} of {say(work_s)} s of work for nobody." if vain_s else "")


def _told(each: Line, ended_s: float) -> str:
    """One row in words."""
    depth, request, attempt = each
    space = "  " * depth
    if attempt is None:
        took = f" after {say(request.ended_s - request.asked_s)} s" if not math.isnan(request.ended_s) else ""
        return f"{space}{request.asked_s:.3f} s: {request.client} asks {request.server}: {request.end}{took}."
    if refused_by_protection(attempt):
        return f"{space} attempt {attempt.nth} at {attempt.sent_s:.3f} s: {_end(attempt)}."
    waited_s = _until(attempt.started_s if not math.isnan(attempt.started_s) else attempt.ended_s, ended_s)
    said = [f"waits {say(waited_s - attempt.sent_s)} s"] if waited_s > attempt.sent_s else []
    if not math.isnan(attempt.started_s) and _until(attempt.ended_s, ended_s) > attempt.started_s:
        said.append(f"at work {say(_until(attempt.ended_s, ended_s) - attempt.started_s)} s")
    return (
        f"{space} attempt {attempt.nth} at {attempt.sent_s:.3f} s to {attempt.by}: {', '.join([*said, attempt.end])}."
    )
