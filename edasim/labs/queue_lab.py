"""The queue lab: how long a mail waits, against load, servers and the variability of service times.

One run of 3,000 mails that starts empty, beside theory's curve for the same servers: exact for one server (QT-05) and
for exponential times (QT-02), Allen and Cunneen's approximation (QT-07) for several servers with other times. The
interval of the run's mean comes from ten batches of the run itself (SO-02); where the queue's memory is too long for
that, the text says so. Left out: a warm-up cut; that a short run from an empty start misleads is part of what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..kernel import Run, times
from ..scenarios import SingleQueue
from ..services import load
from ..theory import Interval, batch_means_interval, ggc, mg1, mmc
from ..viz import Picture, queue_svg, wait_against_load_svg
from ..viz.svg import say
from .controls import Slider
from .lab import Lab, Values
from .panels import panel, pinned_below, row
from .spread import Metric

MESSAGES = 3_000
BATCHES = 10
WANTED_RATIO = 0.1
FEWEST_MEMORIES = 20
"""Runs shorter than this many times the queue's memory have an interval that is clearly too narrow."""

IMPERCEPTIBLE_S = 1e-5
LOADS = (*np.linspace(0.02, 0.94, 47).tolist(), *np.linspace(0.95, 0.99, 9).tolist(), 0.995)
"""Where theory's curve is computed."""


@dataclass(frozen=True)
class Measured:
    """One run of the lab: what it was set to, and its mean wait with the interval that the run itself justifies."""

    values: Mapping[str, Any]
    run: Run
    interval: Interval
    truth_s: float | None

    @property
    def load(self) -> float:
        """Work that arrives per second and server."""
        return offered_load(self.values)

    @property
    def point(self) -> tuple[float, float]:
        """Load and measured mean wait in seconds."""
        return self.load, float(self.run.deliveries.waits_s.mean())


def offered_load(values: Values) -> float:
    """The work that arrives per second, for each server: 1 and more is more than can be done."""
    return float(values["arrivals_per_s"]) * float(values["service_ms"]) / 1000 / int(values["servers"])


def theory_wait_s(arrivals_per_s: float, service_ms: float, servers: int, variability: float) -> float:
    """The long-run mean wait in seconds; exact but for several servers whose times are not exponential."""
    if servers == 1:
        return mg1(arrivals_per_s, service_ms / 1000, variability).mean_wait_s
    return ggc(arrivals_per_s, service_ms / 1000, servers, arrival_scv=1.0, service_scv=variability).mean_wait_s


def truth_s(values: Values) -> float | None:
    """Theory's mean wait for the lab's values, or None at a load of 1 or more, where there is none."""
    return theory_wait_s(**values) if offered_load(values) < 1.0 else None


def p95_truth_s(values: Values) -> float | None:
    """Theory's 95th percentile of waits, or None where theory has none: it needs exponential times."""
    if offered_load(values) >= 1.0 or values["variability"] != 1.0:
        return None
    return mmc(values["arrivals_per_s"], 1000 / values["service_ms"], values["servers"]).wait_quantile_s(0.95)


@lru_cache(maxsize=64)
def curve(service_ms: float, servers: int, variability: float) -> tuple[tuple[float, float], ...]:
    """Theory's curve of (load, mean wait in seconds) for these servers."""
    per_load = servers / service_ms * 1000
    return tuple((share, theory_wait_s(share * per_load, service_ms, servers, variability)) for share in LOADS)


def memory(values: Values) -> float:
    """After how many mails the queue has forgotten how it began, to a factor of e: its relaxation time, in mails."""
    arrivals_per_s = float(values["arrivals_per_s"])
    station = mmc(arrivals_per_s, 1000 / values["service_ms"], values["servers"])
    return station.relaxation_time_s * arrivals_per_s * (1 + float(values["variability"])) / 2


def simulate(values: Values, seed: int) -> Measured:
    """One run of 3,000 mails from an empty queue."""
    scenario = SingleQueue(
        arrivals=load.Poisson(rate_per_s=values["arrivals_per_s"]),
        messages=MESSAGES,
        service_time=times.with_scv(values["service_ms"] / 1000, values["variability"]),
        servers=values["servers"],
    )
    run = scenario.run(seed=seed)
    interval = batch_means_interval(run.deliveries.waits_s, batches=BATCHES)
    return Measured(values, run, interval, truth_s(values))


def picture(model: Measured, pinned: Measured | None) -> Picture:
    """The queue over time beside the wait against load; a pinned run is a grey point, and a grey queue below."""
    queue = shown_queue(model)
    against = wait_against_load_svg(
        curve_through(model),
        model.point,
        None if pinned is None else pinned.point,
        interval_s=None if model.truth_s is None else (max(0.0, model.interval.low), model.interval.high),
    )
    left, said = [queue.svg], [in_words(model), against.text, *queue.text.split("\n")]
    if pinned is not None:
        before = shown_queue(pinned)
        drawn, words = pinned_below(setting(pinned), before)
        left.append(drawn)
        said.append(words)
    html = row(panel("".join(left), 4), panel(against.svg, 3))
    return Picture(html=html, alt=f"{queue.alt}. {against.alt}", text="\n".join(said))


def shown_queue(model: Measured) -> Picture:
    """The queue over time; an overloaded one only up to the last arrival, before it drains because nobody comes."""
    return queue_svg(model.run, until_s=None if model.load < 1.0 else float(model.run.deliveries.published_s[-1]))


def curve_through(model: Measured) -> list[tuple[float, float]]:
    """Theory's curve with a point at the model's own load, so that the comparison there is exact."""
    values = model.values
    points = list(curve(values["service_ms"], values["servers"], values["variability"]))
    return points if model.truth_s is None else [*points, (model.load, model.truth_s)]


def setting(model: Measured) -> str:
    """What the sliders say, in a few words."""
    values = model.values
    servers = "1 server" if values["servers"] == 1 else f"{values['servers']} servers"
    return (
        f"{values['arrivals_per_s']:g} mails per second, {values['service_ms']:g} ms each, {servers}, "
        f"variability {values['variability']:g}"
    )


def milliseconds(time_s: float) -> str:
    """A time in milliseconds for people; what nobody would notice is not spelt out."""
    return f"{say(1000 * time_s)} ms" if time_s > IMPERCEPTIBLE_S else f"under {say(1000 * IMPERCEPTIBLE_S)} ms"


def in_words(model: Measured) -> str:
    """The first sentence: the setting, its load, the measured wait, the truth, and whether to believe the interval."""
    said = f"{setting(model)}: load {model.load:.3g}."
    measured = milliseconds(model.point[1])
    if model.truth_s is None:
        much = "As much work arrives as" if model.load == 1.0 else "More work arrives than"
        return (
            f"{said} {much} can be done, so there is no long-run wait: the {MESSAGES:,} mails of this run wait "
            f"{measured} on average, those of a longer run longer. The queue is shown up to the last arrival."
        )
    said += (
        f" Mean wait of this run {measured} ± {milliseconds(model.interval.half_width)} (from {BATCHES} batches "
        f"of the run); theory says {milliseconds(model.truth_s)}."
    )
    mails = memory(model.values)
    if FEWEST_MEMORIES * mails > MESSAGES:
        said += f" A queue at this load remembers about {mails:,.0f} mails: that interval is too narrow, try ten seeds."
    return said


LAB = Lab(
    title="How long does a mail wait?",
    controls=(
        Slider(
            name="arrivals_per_s",
            low=5.0,
            high=60.0,
            step=0.5,
            default=40.0,
            unit="per second",
            label="arrivals",
            question="How far can you push them before the mean wait passes half a second?",
        ),
        Slider(
            name="service_ms",
            low=5,
            high=40,
            step=1,
            default=20,
            unit="ms",
            label="mean service",
            question="At 47.5 arrivals: what do 2 ms less do to the wait?",
        ),
        Slider(
            name="servers",
            low=1,
            high=6,
            step=1,
            default=1,
            unit="",
            question="Two servers, each twice as slow: the same wait as one?",
        ),
        Slider(
            name="variability",
            low=0.0,
            high=4.0,
            step=0.5,
            default=1.0,
            unit="",
            question="All mails alike (0), as random as chance (1), a few very long (4): how does the wait follow?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=(
        Metric(
            label="mean wait",
            unit="s",
            measure=lambda model: float(model.run.deliveries.waits_s.mean()),
            truth=truth_s,
        ),
        Metric(
            label="95th percentile of waits",
            unit="s",
            measure=lambda model: float(np.quantile(model.run.deliveries.waits_s, 0.95)),
            truth=p95_truth_s,
        ),
    ),
    wanted_ratio=WANTED_RATIO,
)
