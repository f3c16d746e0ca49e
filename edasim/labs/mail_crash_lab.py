"""The mail-crash lab: which order of steps loses mails, which repeats them, and how many.

The registration case of `registration_lab` at 20 users per second, with a crash of the mail service at 6 s; only the
mail service's care and the lengths of its steps change. Left out: crashes of other services, which the registration
lab has.
"""

from __future__ import annotations

from dataclasses import replace

from ..scenarios.registration import Care
from ..viz import Picture
from . import registration_lab
from .controls import Choice, Slider
from .lab import Lab, Values
from .registration_lab import LATENCY, MAIL, METRICS, Model


def simulate(values: Values, seed: int) -> Model:
    """One run, of which only the mail service's queue and the mails that are owed are kept."""
    model = registration_lab.simulate(values, seed)
    return replace(model, levels=tuple(row for row in model.levels if row.name in (MAIL, "accepted, no mail yet")))


def picture(model: Model, pinned: Model | None) -> Picture:
    """What the bus holds for the mail service, who still waits for a mail, and the books; a pinned run in grey."""
    return registration_lab.picture(model, pinned)


LAB = Lab(
    title="Which order loses, which repeats, and how many?",
    controls=(
        Choice(
            name="care", options=tuple(care.value for care in Care), default=Care.ACKNOWLEDGE_FIRST.value,
            label="mail service", question="Which of the three would you want to explain to a user?",
        ),
        Slider(
            name="connecting_ms", low=0, high=100, step=5, default=20, unit="ms", label="connecting",
            question="The file is written, nothing is sent: who pays for a longer pause here?",
        ),
        LATENCY,
    ),
    simulate=simulate,
    picture=picture,
    metrics=METRICS,
)  # fmt: skip
