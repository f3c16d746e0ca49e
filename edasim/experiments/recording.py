"""A recorded run of a real broker with one consumer: calibrate the hand-over on its first part, predict the rest.

The recording says when each message was published, started and finished. Between the end of one message and the start
of the next waiting one lies the broker's hand-over: acknowledgement, dispatch, wake-up. Its mean over the first part of
the recording, with the recorded arrivals and service times, gives the waits of the other messages one by one. Left out:
several consumers, and a hand-over that depends on the load.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks
from ..brokers.calibration import calibrate
from ..errors import ConfigurationError
from ..kernel import times
from ..scenarios import SingleQueue
from ..services import load
from .files import columns_of, path_of

Floats = np.ndarray[Any, np.dtype[np.float64]]
COLUMNS = ("published_s", "started_s", "finished_s")


@dataclass(frozen=True)
class Prediction:
    """Waits in seconds, measured and predicted, of the messages that were not used for calibration."""

    handover_s: float
    measured_s: Floats
    predicted_s: Floats

    @property
    def median_error_s(self) -> float:
        """The median absolute difference, message by message, in seconds."""
        return float(np.median(np.abs(self.predicted_s - self.measured_s)))

    def __str__(self) -> str:
        return (
            f"hand-over {1000 * self.handover_s:.2f} ms: mean wait {1000 * self.predicted_s.mean():.0f} ms predicted, "
            f"{1000 * self.measured_s.mean():.0f} ms measured; half of the {len(self.measured_s)} messages within "
            f"{1000 * self.median_error_s:.2f} ms"
        )


class Recording:
    """The deliveries of a run with one consumer, in the order of their start.

    `published_s`, `started_s` and `finished_s` are equally long arrays of seconds on one clock.
    """

    def __init__(self, published_s: Floats, started_s: Floats, finished_s: Floats) -> None:
        columns = [np.asarray(column, dtype=float) for column in (published_s, started_s, finished_s)]
        if len({len(column) for column in columns}) != 1 or len(columns[0]) < 2:
            raise ConfigurationError(
                f"the columns have {[len(column) for column in columns]} rows",
                field="Recording",
                remedy="give three columns of one length, at least 2",
            )
        order = np.argsort(columns[1], kind="stable")
        self.published_s, self.started_s, self.finished_s = (column[order] for column in columns)
        for name, early, late in (
            ("started_s", self.published_s, self.started_s),
            ("finished_s", self.started_s, self.finished_s),
        ):
            wrong = np.flatnonzero(~(late >= early))
            if len(wrong):
                row = int(wrong[0])
                raise ConfigurationError(
                    f"{name} of message {row} is {late[row]!r}, before what comes before it ({early[row]!r})",
                    field=name,
                    value=float(late[row]),
                    remedy="give times of one clock: published, started, finished",
                )

    @classmethod
    def read(cls, path: str | Path) -> Recording:
        """Reads a CSV file (it may be compressed) with the columns `published_s`, `started_s` and `finished_s`.

        Raises:
            EdasimError: a file that cannot be read, a column that is not there, or a cell that is no number.
        """
        return cls(*columns_of(path_of("path", path), COLUMNS))

    def __len__(self) -> int:
        return len(self.published_s)

    @property
    def waits_s(self) -> Floats:
        """From published to started, per message."""
        waits: Floats = self.started_s - self.published_s
        return waits

    def handover_s(self, first_ratio: float = 0.5) -> float:
        """The mean time from one end to the next start, over the first part's messages that were waiting by then."""
        until = int(checks.check_ratio("first_ratio", first_ratio) * len(self))
        first = {name: getattr(self, name)[:until] for name in COLUMNS}
        return calibrate(first, least_waiting=2).handover_s

    def scenario(self, handover_s: float = 0.0) -> SingleQueue:
        """The recorded arrivals and service times as a scenario with one server."""
        return SingleQueue(
            arrivals=load.Trace(times_s=self.published_s.tolist()),
            service_time=times.Trace(values_s=(self.finished_s - self.started_s).tolist()),
            handover_s=handover_s,
        )

    def predict(self, first_ratio: float = 0.5, *, handover_s: float | None = None) -> Prediction:
        """The waits of the messages after the first part; the hand-over is calibrated on that part unless given."""
        calibrated_s = self.handover_s(first_ratio) if handover_s is None else handover_s
        run = self.scenario(calibrated_s).run()
        rest = slice(int(first_ratio * len(self)), None)
        return Prediction(calibrated_s, self.waits_s[rest], run.deliveries.waits_s[rest])
