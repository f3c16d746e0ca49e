"""The way of one message through a broker's names: which bindings of RabbitMQ, which patterns of NATS, take it.

Drawn from a running broker. For RabbitMQ a graph of exchanges and queues, whose bindings light up on the message's
way (RMQ-01 to RMQ-06); for NATS a tree of the patterns that are listened to, token by token (NAT-01). Left out: streams
of RabbitMQ, and where several exchanges lead in a circle, every line but the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from . import palette
from .chart import HALO
from .picture import Picture
from .svg import document, fit, label, line, rect, short

if TYPE_CHECKING:
    from ..brokers.rabbitmq import Exchange

WIDTH, BOX_WIDE, BOX_TALL, TOP, SLOT = 720.0, 138.0, 34.0, 54.0, 22.0
TOKEN, STEP, ROW = 92.0, 124.0, 36.0
LIT, DARK = palette.BLUE, palette.SLATE


@dataclass(frozen=True)
class Binding:
    """One line of the graph: from, key, to, and whether the message takes it."""

    source: str
    key: str
    to: str
    taken: bool

    @property
    def words(self) -> str:
        """Such as "jobs to mail by '#.urgent': taken"."""
        return f"{self.source} to {self.to} by {self.key!r}: {'taken' if self.taken else 'not taken'}"


def bindings_of(exchange: Exchange, routing_key: str, headers: Mapping[str, Any] | None = None) -> tuple[Binding, ...]:
    """All bindings that can be reached from an exchange, with those that a message takes, alternate exchanges too."""
    broker = exchange.broker
    taken = set(broker.path(exchange, routing_key, headers))
    sources = {source for source, _, _ in taken} | {exchange.name}
    found: list[Binding] = []
    ahead = [exchange]
    for table in ahead:
        for binding in table.bindings:
            way = (table.name, binding.key, binding.destination.name)
            shown = f"{binding.key} {dict(binding.arguments)}" if binding.arguments else binding.key
            found.append(Binding(table.name, shown, binding.destination.name, way in taken))
            _go_on(ahead, broker.exchanges.get(binding.destination.name))
        name = table.arguments.alternate_exchange
        if name and name in broker.exchanges:
            unrouted = table.name in sources and not any(source == table.name for source, _, _ in taken)
            found.append(Binding(table.name, "alternate", name, unrouted))
            _go_on(ahead, broker.exchanges[name])
    return tuple(found)


def _go_on(ahead: list[Any], table: Any) -> None:
    if table is not None and table not in ahead:
        ahead.append(table)


def routing_svg(exchange: Exchange, routing_key: str, headers: Mapping[str, Any] | None = None) -> Picture:
    """The exchanges and queues behind an exchange; the bindings that the message takes are blue, thick and marked.

    Raises `ConfigurationError` for what is no exchange, `ShortStringError` for a key that AMQP cannot carry.
    """
    if not hasattr(exchange, "bindings"):
        remedy = "give an exchange of a running RabbitMQ"
        raise ConfigurationError(f"exchange is {exchange!r}", field="exchange", value=exchange, remedy=remedy)
    bindings = bindings_of(exchange, routing_key, headers)
    boxes = _boxes(exchange, bindings)
    reached = tuple(dict.fromkeys(each.to for each in bindings if each.taken))
    queues = [name for name in reached if name not in exchange.broker.exchanges]
    parts = [label(12, 24, f"a message with the routing key {routing_key!r}", more=' font-weight="600"')]
    parts += _lines(bindings, boxes)
    for name, box in boxes.items():
        kind = exchange.broker.exchanges.get(name)
        says = "queue" if kind is None else f"{kind.arguments.type.value} exchange"
        parts += box.draw(name, says, lit=name in reached or name == exchange.name)
    height = max(box.y + box.tall for box in boxes.values()) + 16
    where = f"reaches {', '.join(queues)}" if queues else "reaches no queue"
    alt = f"Routing key {routing_key!r} at {exchange.name}: {where}"
    text = "\n".join([f"{alt}.", *(f"{each.words}." for each in bindings)])
    return Picture(svg=document(WIDTH, height, parts, alt), alt=alt, text=text)


@dataclass(frozen=True)
class _Box:
    """Where an exchange or a queue stands, in pixels."""

    x: float
    y: float
    tall: float

    @property
    def middle(self) -> float:
        return self.y + self.tall / 2

    def draw(self, name: str, says: str, *, lit: bool) -> list[str]:
        edge = ' stroke-width="3"' if lit else ""
        fill, stroke = (palette.GROUND, LIT) if lit else (palette.PANEL, DARK)
        round_by = 4 if says == "queue" else 14
        words = fit(name or "(default exchange)", BOX_WIDE - 12)
        middle = self.x + BOX_WIDE / 2
        return [
            rect(self.x, self.y, BOX_WIDE, self.tall, fill=fill, stroke=stroke, round_by=round_by, more=edge),
            label(middle, self.middle - 2, words, anchor="middle", more=' font-weight="600"'),
            label(middle, self.middle + 11, says, size=10.5, anchor="middle", fill=palette.QUIET),
        ]


def _boxes(exchange: Exchange, bindings: tuple[Binding, ...]) -> dict[str, _Box]:
    """The first exchange at the left, queues at the right, further exchanges between them, beside their queues."""
    exchanges = exchange.broker.exchanges
    step = {exchange.name: 0}
    for binding in bindings:
        if binding.to in exchanges:
            step.setdefault(binding.to, step[binding.source] + 1)
    gap = (WIDTH - 24 - BOX_WIDE) / (max(step.values()) + 1)
    boxes: dict[str, _Box] = {}
    y = TOP
    for name in dict.fromkeys(binding.to for binding in bindings if binding.to not in exchanges):
        tall = max(BOX_TALL, SLOT * sum(binding.to == name for binding in bindings))
        boxes[name] = _Box(WIDTH - 12 - BOX_WIDE, y, tall)
        y += tall + 14
    for name, column in sorted(step.items(), key=lambda each: -each[1]):
        ahead = [boxes[binding.to].middle for binding in bindings if binding.source == name and binding.to in boxes]
        middle = sum(ahead) / len(ahead) if ahead else y + BOX_TALL / 2
        boxes[name] = _Box(12 + gap * column, middle - BOX_TALL / 2, BOX_TALL)
        y += 0 if ahead else BOX_TALL + 14
    return boxes


def _lines(bindings: tuple[Binding, ...], boxes: Mapping[str, _Box]) -> list[str]:
    """A line for each binding, with its key where it arrives; those that are taken lie above the others."""
    parts = []
    for binding in sorted(bindings, key=lambda each: each.taken):
        to, came = boxes[binding.to], boxes[binding.source]
        arriving = [each for each in bindings if each.to == binding.to]
        y = to.middle + SLOT * (arriving.index(binding) - (len(arriving) - 1) / 2)
        start, bend = came.x + BOX_WIDE, came.x + BOX_WIDE + 0.55 * (to.x - came.x - BOX_WIDE)
        d = f"M{short(start)},{short(came.middle)}C{short(bend)},{short(came.middle)} "
        d += f"{short(bend)},{short(y)} {short(to.x)},{short(y)}"
        parts.append(_way(d, lit=binding.taken))
        weight = ' font-weight="700"' if binding.taken else ""
        words = fit(f"{'✓ ' if binding.taken else ''}{binding.key}", to.x - start - 40)
        ink = LIT if binding.taken else palette.QUIET
        parts.append(label(to.x - 8, y - 4, words, anchor="end", fill=ink, more=weight + HALO))
    return parts


@dataclass
class _Token:
    """A token of the tree of patterns; `ends` are the subscriptions of which a pattern ends here."""

    text: str
    ends: list[str] = field(default_factory=list)
    children: dict[str, _Token] = field(default_factory=dict)


def subjects_svg(subject: str, listeners: Mapping[str, Sequence[str]]) -> Picture:
    """The patterns that are listened to as a tree of tokens; those that a message of `subject` takes light up.

    `listeners` gives the patterns of each subscription by its name. Raises `InvalidPublishSubjectError` for a subject
    that nobody can publish to, `InvalidSubjectError` for a pattern that the server refuses.
    """
    from ..brokers.nats.subjects import check_pattern, check_publish_subject, subject_matches

    check_publish_subject(subject)
    if not listeners or not all(listeners.values()):
        remedy = "give the patterns of at least one subscription, by its name"
        raise ConfigurationError("nobody listens", field="listeners", value=listeners, remedy=remedy)
    pairs = [(name, check_pattern(pattern)) for name, patterns in listeners.items() for pattern in patterns]
    heard = {pattern for _, pattern in pairs if subject_matches(pattern, subject)}
    tree = _Tree(heard)
    root = _Token("")
    for name, pattern in pairs:
        token = root
        for text in pattern.split("."):
            token = token.children.setdefault(text, _Token(text))
        token.ends.append(name)
    for token in root.children.values():
        tree.draw(token, token.text, 0, None)
    by = list(dict.fromkeys(name for name, pattern in pairs if pattern in heard))
    alt = f"Subject {subject!r}: heard by {', '.join(by) or 'nobody, so it is gone'}"
    said = [f"{pattern!r} of {name}: {'hears it' if pattern in heard else 'does not'}." for name, pattern in pairs]
    parts = [label(12, 24, f"a message of the subject {subject!r}", more=' font-weight="600"'), *tree.parts]
    height = TOP + ROW * tree.rows + 8
    return Picture(svg=document(WIDTH, height, parts, alt), alt=alt, text="\n".join([f"{alt}.", *said]))


class _Tree:
    """Lays a tree of tokens out, a row for each token without children, and draws it."""

    def __init__(self, heard: set[str]) -> None:
        self.heard = heard
        self.rows = 0
        self.parts: list[str] = []

    def draw(self, token: _Token, path: str, depth: int, parent: tuple[float, float] | None) -> None:
        """Draws a token at the next row, and what is below it to its right."""
        x, y = 12 + STEP * depth, TOP + ROW * self.rows
        lit = any(pattern == path or pattern.startswith(f"{path}.") for pattern in self.heard)
        if parent is not None:
            bend = (parent[0] + x) / 2
            d = f"M{short(parent[0])},{short(parent[1])}C{short(bend)},{short(parent[1])} "
            d += f"{short(bend)},{short(y + 13)} {short(x)},{short(y + 13)}"
            self.parts.append(_way(d, lit=lit))
        edge = ' stroke-width="3"' if lit else ""
        fill, stroke = (palette.GROUND, LIT) if lit else (palette.PANEL, DARK)
        self.parts.append(rect(x, y, TOKEN, 26, fill=fill, stroke=stroke, round_by=13, more=edge))
        self.parts.append(label(x + TOKEN / 2, y + 18, fit(token.text, TOKEN - 8), anchor="middle"))
        if token.ends:
            hears = path in self.heard
            names = fit(f"{'✓ ' if hears else ''}{', '.join(token.ends)}", 240)
            weight = ' font-weight="700"' if hears else ""
            self.parts.append(
                label(x + TOKEN + 8, y + 18, names, fill=LIT if hears else palette.QUIET, more=weight + HALO)
            )
        if token.ends or not token.children:
            self.rows += 1
        for child in token.children.values():
            self.draw(child, f"{path}.{child.text}", depth + 1, (x + TOKEN, y + 13))


def _way(d: str, *, lit: bool) -> str:
    """A line that a message takes, or one that it does not."""
    return line(d, stroke=LIT, width=3.5) if lit else line(d, stroke=DARK, width=1.2, dash="5 4")
