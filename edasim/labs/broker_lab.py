"""The broker lab: one consumer of several dies; what comes back, to whom, after how long, on six brokers.

However many the consumers are, together they can do 200 messages per second, and 250 come, for four seconds; so
everybody's hands are full when the crash comes. First: who works on what until nothing is left to do. Beside or below
it: the inside of the broker an instant before the crash. Kafka has 12 partitions and commits after each poll. The crash
falls into any phase of Kafka's heartbeats, by the seed. Left out: a consumer that comes back, hot keys, dying brokers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..kernel import Run, times
from ..scenarios.comeback import Comeback, comeback
from ..scenarios.one_broker import OneBroker, six_brokers
from ..viz import Picture
from ..viz.broker_inside import broker_inside_svg
from ..viz.consumer_rows import consumer_rows_svg
from .controls import Choice, Slider, Stops
from .lab import Lab, Values
from .panels import GREY, ROW, panel, pinned_line
from .spread import Metric

BROKERS = ("RabbitMQ", "Kafka", "ActiveMQ", "JetStream", "core NATS", "memory bus")
TOGETHER_PER_S, PHASE_S, AT_ONCE_S = 200.0, 3.0, 0.0005
UNBOUNDED = ("core NATS", "memory bus")
COMMON = "It has no such bound, so “held” changes nothing."


@dataclass(frozen=True)
class Model:
    """One run to its end, the same run up to the crash where the broker's state is needed, and the books."""

    values: Mapping[str, Any]
    run: Run
    at_crash: Run
    books: Comeback


def scenario(values: Values) -> OneBroker:
    """The scenario of the lab's values."""
    return OneBroker(
        broker=six_brokers(int(values["held"]))[values["broker"]],
        consumers=values["consumers"],
        service_time=times.Exponential(mean_s=values["consumers"] / TOGETHER_PER_S),
        crash_s=values["crash_s"],
        phase_s=PHASE_S,
    )


def simulate(values: Values, seed: int) -> Model:
    """One run until nothing is left to do; for Kafka a second one that stops at the crash."""
    described = scenario(values)
    run = described.run(seed=seed)
    books = comeback(run)
    at_crash = described.run(seed=seed, until_s=books.crash_s) if values["broker"] == "Kafka" else run
    return Model(dict(values), run, at_crash, books)


def picture(model: Model, pinned: Model | None) -> Picture:
    """The books, the consumers over time, the inside at the crash; a pinned run in grey below."""
    inside, rows = inside_of(model), rows_of(model)
    books = in_words(model)
    html = [f'<p style="margin:.2em 0 .6em;max-width:60em"><strong>{books}</strong></p>', row_of(rows, inside)]
    said = [books, rows.text, inside.text]
    if pinned is not None:
        before = rows_of(pinned)
        words = pinned_line(in_words(pinned))
        html.append(f'<p style="margin:.6em 0 .2em;max-width:60em">{words}</p>')
        html.append(f'<div style="{ROW}"><div style="flex:1 1 400px;max-width:640px;{GREY}">{before.svg}</div></div>')
        said += [words, before.text]
    return Picture(html="".join(html), alt=f"{inside.alt}. {rows.alt}", text="\n".join(said))


def row_of(left: Picture, right: Picture) -> str:
    """Two pictures beside each other, or one under the other where there is little room."""
    return f'<div style="{ROW}">{panel(left.svg, 6)}{panel(right.svg, 6)}</div>'


def inside_of(model: Model) -> Picture:
    """The inside of the broker at the last instant before the crash."""
    if model.at_crash is not model.run:
        return broker_inside_svg(model.at_crash)
    return broker_inside_svg(model.run, math.nextafter(model.books.crash_s, 0.0))


def rows_of(model: Model) -> Picture:
    """The consumers from half a second before publishing began to the end of all work."""
    begins_s = model.books.crash_s - model.values["crash_s"]
    ends_s = float(model.run.deliveries.finished_s[model.run.deliveries.finished_s > 0].max())
    return consumer_rows_svg(model.run, max(0.0, begins_s - 0.5), 1.02 * ends_s, title=model.values["broker"])


def in_words(model: Model) -> str:
    """The setting and the books in one paragraph."""
    values, books = model.values, model.books
    held = "" if values["broker"] in UNBOUNDED else f" holding up to {values['held']} each"
    crash = f"a crash {values['crash_s']:g} s after the start"
    setting = f"{values['broker']}, {values['consumers']} consumers{held}, {crash}"
    idle = idle_consumers(model)
    said = f"{setting}: lost {books.lost}, done twice {books.twice}, more than 10 s late {books.late}."
    if books.again:
        delay = f"after {1000 * books.first_s:.0f} ms" if books.first_s < 0.1 else f"after {books.first_s:.1f} s"
        delay = "at once" if books.first_s < AT_ONCE_S else delay
        said += f" The first came back {delay}, {books.again} in all, to {', '.join(books.takers)}."
    else:
        said += " Nothing was handed out again."
    if values["broker"] in UNBOUNDED:
        said += f" {COMMON}"
    return said + (f" Never had anything to do: {', '.join(idle)}." if idle else "")


def idle_consumers(model: Model) -> list[str]:
    """Consumers that never began a message."""
    rows = model.run.deliveries
    busy = {rows.consumers[place] for place in rows.consumer[rows.started_s >= 0].tolist()}
    return [f"workers/{n}" for n in range(model.values["consumers"]) if f"workers/{n}" not in busy]


def lost_truth(values: Values) -> float | None:
    """By the rules nothing is lost where consumers acknowledge; core NATS promises nothing."""
    return None if values["broker"] == "core NATS" else 0.0


def twice_truth(values: Values) -> float | None:
    """By the rules nothing is done twice where each message is acknowledged as it is done; not so for Kafka."""
    return None if values["broker"] == "Kafka" else 0.0


LAB = Lab(
    title="A consumer dies: what comes back, to whom, after how long?",
    controls=(
        Choice(
            name="broker", options=BROKERS, default="RabbitMQ",
            question="Who remembers what the dead one held, and when does it act on it?",
        ),
        Stops(
            name="held", stops=(1, 5, 10, 20, 50, 100), default=20, unit="messages",
            label="held", question="Prefetch, poll or batch of each consumer: what does one crash put at stake?",
        ),
        Slider(
            name="consumers", low=2, high=13, step=1, default=4, unit="",
            question="Twelve partitions: what does a thirteenth member of a Kafka group do?",
        ),
        Slider(
            name="crash_s", low=0.5, high=4.0, step=0.1, default=2.0, unit="s", label="crash after",
            question="A tenth of a second later: is as much done twice?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=(
        Metric(label="messages lost", unit="", measure=lambda model: model.books.lost, truth=lost_truth),
        Metric(label="messages done twice", unit="", measure=lambda model: model.books.twice, truth=twice_truth),
        Metric(label="messages done more than 10 s late", unit="", measure=lambda model: model.books.late),
    ),
)  # fmt: skip
