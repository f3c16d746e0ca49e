"""Measured retry storms and their simulations side by side: goodput over time, one panel for each kind.

Means over the runs in steps of two seconds, measured as a broad grey line, simulated as a thin one. Left out: the
spread of the runs, which the text tells for the last 20 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .beside import Pair, Panel, beside_svg
from .chart import Floats
from .picture import Picture

if TYPE_CHECKING:
    from ..experiments.measured_storms import MeasuredStorms

STEP_S = 2
TITLE = "A retry storm on real sockets and its model"


def measured_storms_svg(storms: MeasuredStorms) -> Picture:
    """A panel for each kind of storm: requests answered in time per second, measured and simulated."""
    panels = [
        Panel(
            each.kind,
            ("time", "s"),
            ("answered in time", "per s"),
            (Pair("", _steps(each.measured_goodput), (_steps(each.goodput),)),),
            f"{str(each).partition('  ')[2].strip()}, in the last 20 s",
        )
        for each in storms.kinds
    ]
    return beside_svg(panels, TITLE, measured="measured: a server process, real clock", simulated="simulated")


def _steps(runs: Floats) -> tuple[Floats, Floats]:
    """The mean over the runs, in steps of `STEP_S` seconds."""
    whole = runs.shape[1] // STEP_S
    means = runs[:, : whole * STEP_S].mean(axis=0).reshape(whole, STEP_S).mean(axis=1)
    return STEP_S * (np.arange(whole) + 0.5), means
