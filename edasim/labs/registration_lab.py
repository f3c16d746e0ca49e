"""The registration lab: who notices when a service of the registration case dies, and what that costs.

Users sign up for 10 seconds; one service may die at 6 s and is back two seconds later, on a broker of your choice.
Shown are what the broker holds for each service and which accepted users still wait for their row or their mail, then
the books. The run goes on until nothing is left to do, so nobody counts as lost because the picture ends; the picture
is as long as somebody is owed something, up to a minute. The network loses nothing here, so every repeated mail comes
from the crash. Theory: the mails that are on their way or unanswered at an instant are, on average, those that arrive
per second times the seconds that each takes (Little's law, QT-24); it is silent for Kafka, which repeats what was done
since the last commit, and for what core NATS loses. Left out: the brokers' settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..failures import Crash
from ..kernel import times
from ..network import Link
from ..scenarios.registration import BROKERS, Audit, Care, Registration, audit, bus, on_broker, owed, welcomes_s
from ..scenarios.registration.on_brokers import CORE_NATS
from ..scenarios.registration.stores import level_of
from ..services import load
from ..theory import little_number
from ..viz import Picture, palette, strips
from ..viz.chart import Axis
from ..viz.svg import document, label, say
from .controls import Choice, Slider
from .lab import Lab, Values
from .panels import pinned_line
from .spread import Metric

SIGN_UPS_UNTIL_S, SHOWN_UNTIL_S, LONGEST_S, DOWN_S = 10.0, 15.0, 60.0, 2.0
SPAM_RATIO, OPENS_RATIO, CACHING_S, SLOTS = 0.1, 0.3, 0.005, 4
NOBODY, ANALYTICS, USERS, MAIL = "nobody", "behaviour-analytics", "user-management", "mail"
SERVICES = (ANALYTICS, USERS, MAIL)
DEFAULTS: Mapping[str, Any] = {
    "users_per_s": 20, "latency_ms": 50, "connecting_ms": 20, "crash": MAIL, "at_s": 6.0,
    "care": Care.ACKNOWLEDGE_LAST.value, "broker": BROKERS[0],
}  # fmt: skip
LEFT, WIDTH = 214.0, 780.0


@dataclass(frozen=True)
class Model:
    """One run: its setting, its levels over time, who was down when, its books, seconds to each welcome."""

    values: Mapping[str, Any]
    levels: tuple[strips.Strip, ...]
    outages: Mapping[str, Sequence[tuple[float, float]]]
    books: Audit
    welcomes_s: np.ndarray[Any, np.dtype[np.float64]]

    @property
    def shown_until_s(self) -> float:
        """Where the picture ends: 15 s, or in steps of 5 s where the last debt is paid, at most a minute."""
        debts = [row for row in self.levels if row.name not in SERVICES and len(row.times_s)]
        last_s = max((float(row.times_s[-1]) for row in debts), default=0.0)
        return min(max(SHOWN_UNTIL_S, 5.0 * math.ceil(last_s / 5.0)), LONGEST_S)


def scenario(values: Values) -> Registration:
    """The registration case of a lab's values; what a lab does not set has its value in `DEFAULTS`."""
    kept = {**DEFAULTS, **values}
    faults = () if kept["crash"] == NOBODY else (Crash(node=kept["crash"], at_s=kept["at_s"], down_s=DOWN_S),)
    careless = Registration(
        arrivals=load.Poisson(rate_per_s=kept["users_per_s"]).until(SIGN_UPS_UNTIL_S),
        spam_ratio=SPAM_RATIO,
        caching_s=CACHING_S,
        connecting_s=kept["connecting_ms"] / 1000,
        mail_link=Link(latency=times.LogNormal(mean_s=kept["latency_ms"] / 1000, scv=1.0)),
        answer_timeout_s=30.0,
        opens_ratio=OPENS_RATIO,
        faults=faults,
    )
    return on_broker(Care(kept["care"]).of(careless), kept["broker"])


def simulate(values: Values, seed: int) -> Model:
    """One run until nothing is left to do."""
    run = scenario(values).run(seed=seed)
    held = [bus(run, service) for service in SERVICES]
    waiting = [owed(run, "user_written"), owed(run, "mail_arrived")]
    rows = [
        strips.Strip(name, *level_of(store.from_s, store.until_s), role=role)
        for store, name, role in zip(
            [*held, *waiting],
            [*SERVICES, *(store.name for store in waiting)],
            ["waiting"] * 3 + ["busy", "mail"],
            strict=True,
        )
    ]
    kept = {**DEFAULTS, **values}
    outages = {} if kept["crash"] == NOBODY else {kept["crash"]: [(kept["at_s"], kept["at_s"] + DOWN_S)]}
    return Model(kept, tuple(rows), outages, audit(run), welcomes_s(run))


def picture(model: Model, pinned: Model | None) -> Picture:
    """What the bus holds for each service, who still waits for a row or a mail, and the books; a pinned run in grey."""
    until_s = max(each.shown_until_s for each in (model, pinned) if each is not None)
    rows = [_with_pinned(row, number, pinned, until_s) for number, row in enumerate(model.levels)]
    across = Axis(0.0, until_s, LEFT, WIDTH - 16, "simulated time", "s")
    parts = strips.draw(rows, across, model.outages)
    parts.append(label(12, 20, "messages that the broker holds for", size=11.5, fill=palette.QUIET))
    books = book_lines(model)
    ground = strips.height_of(rows)
    weights = ("400", "600", "400")  # what was lost or repeated stands out
    parts += [
        label(12, ground + 16 + 18 * place, words, size=12.5, more=f' font-weight="{weight}"')
        for place, (words, weight) in enumerate(zip(books, weights, strict=True))
    ]
    alt = f"Registration over time: {setting(model)}"
    text = [f"{alt}.", *books, *(_course(row, until_s) for row in model.levels)]
    if pinned is not None:
        text.append(pinned_line(setting(pinned), " ".join(book_lines(pinned))))
    height = ground + 18 * len(books) + 8
    return Picture(svg=document(WIDTH, height, parts, alt), alt=alt, text="\n".join(text))


def setting(model: Model) -> str:
    """What the controls say, in a few words."""
    kept = model.values
    crash = "nobody dies" if kept["crash"] == NOBODY else f"{kept['crash']} dies at {kept['at_s']:g} s for {DOWN_S:g} s"
    return (
        f"{kept['broker']}, {kept['users_per_s']:g} users per second, a mail takes {kept['latency_ms']:g} ms each way, "
        f"{crash}, mail service: {kept['care']}"
    )


def book_lines(model: Model) -> list[str]:
    """The books in words: who signed up, who has a row, a mail, two mails, none."""
    books = model.books
    if not len(model.welcomes_s):
        return [f"{books.requested} signed up, {books.accepted} were accepted.", f"Lost: {lost(model)}.", ""]
    p95_s, last_s = np.quantile(model.welcomes_s, (0.95, 1.0)).tolist()
    stored = f"{books.rows} rows, {books.cached} files, {books.mailed} mailed"
    wrong = f"Lost: {lost(model)}. Mailed twice: {books.mailed_twice}."
    return [
        f"{books.requested} signed up, {books.accepted} were accepted: {stored}.",
        f"{wrong} Pages opened: {books.shown}, {books.shown_before_row} of them before the row was there.",
        f"From sign-up to mail: 95 % within {say(p95_s)} s, the last after {say(last_s)} s.",
    ]


def lost(model: Model) -> int:
    """Users who were to get a mail, or an answer at all, and never will."""
    return model.books.undecided + model.books.without_mail


def _with_pinned(row: strips.Strip, number: int, pinned: Model | None, until_s: float) -> strips.Strip:
    behind = None if pinned is None else (pinned.levels[number].times_s, pinned.levels[number].levels)
    note = f"mean {say(row.mean(0.0, until_s))}, at most {say(row.peak(0.0, until_s))}"
    left = row.at(until_s)
    if left:
        note += f", {say(left)} at {until_s:g} s"
    return strips.Strip(row.name, row.times_s, row.levels, row.role, note, behind)


def _course(row: strips.Strip, until_s: float) -> str:
    what = f"The broker holds for {row.name}" if row.name in SERVICES else f"{row.name.capitalize()}"
    return f"{what}: at most {say(row.peak(0.0, until_s))}, {say(row.at(until_s))} at {until_s:g} s."


def mails_per_s(kept: Values) -> float:
    """Mails that are asked for per second."""
    return float(kept["users_per_s"]) * (1 - SPAM_RATIO)


def keeps_up(kept: Values) -> bool:
    """Whether analytics and the mail service can do all that comes, with a tenth to spare."""
    mail_s = CACHING_S + kept["connecting_ms"] / 1000 + 2 * kept["latency_ms"] / 1000
    mail_load = little_number(mails_per_s(kept), mail_s + OPENS_RATIO * CACHING_S) / SLOTS
    return max(mail_load, little_number(float(kept["users_per_s"]), 0.02)) < 0.9


def twice_truth(values: Values) -> float | None:
    """How many mails one crash repeats on average: those sent and unanswered; None where a queue never ends."""
    kept = {**DEFAULTS, **values}
    if kept["broker"] == "Kafka" and kept["crash"] != NOBODY:
        return None
    if kept["broker"] == CORE_NATS:
        return 0.0
    if kept["crash"] != MAIL or kept["care"] != Care.ACKNOWLEDGE_LAST.value:
        return 0.0
    return little_number(mails_per_s(kept), 2 * kept["latency_ms"] / 1000) if keeps_up(kept) else None


def lost_truth(values: Values) -> float | None:
    """How many mails one crash loses on average: those that are taken and not yet sent, if they are acknowledged."""
    kept = {**DEFAULTS, **values}
    if kept["broker"] == CORE_NATS and kept["crash"] != NOBODY:
        return None
    if kept["crash"] != MAIL or kept["care"] != Care.ACKNOWLEDGE_FIRST.value:
        return 0.0
    return little_number(mails_per_s(kept), CACHING_S + kept["connecting_ms"] / 1000) if keeps_up(kept) else None


METRICS = (
    Metric(label="lost", unit="", measure=lost, truth=lost_truth),
    Metric(label="users mailed twice", unit="", measure=lambda model: model.books.mailed_twice, truth=twice_truth),
)

LATENCY = Slider(
    name="latency_ms", low=5, high=150, step=5, default=50, unit="ms", label="latency",
    question="Half the time on each way: half as many users mailed twice?",
)  # fmt: skip

LAB = Lab(
    title="Who notices when a service dies?",
    controls=(
        Slider(
            name="users_per_s", low=5, high=60, step=5, default=20, unit="per second", label="users",
            question="From which rate on does nobody catch up any more, even without a crash?",
        ),
        LATENCY,
        Choice(
            name="crash", options=(NOBODY, *SERVICES), default=MAIL, label="crash of",
            question="Whose absence does a user notice, and by what?",
        ),
        Choice(
            name="broker", options=BROKERS, default=BROKERS[0], label="broker",
            question="Who hands out again what the dead service held, and when?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=METRICS,
)  # fmt: skip
