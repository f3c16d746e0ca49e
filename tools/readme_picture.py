"""Draws the README's picture: the registration case when most messages wait while a mail node is down."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edasim import failures, scenarios, viz

OUTAGE = failures.Crash(node="mail/1", at_s=9.0, down_s=5.0)
PICTURE = Path(__file__).parents[1] / "docs" / "registration.svg"


def main() -> None:
    """Writes docs/registration.svg."""
    run = scenarios.Registration(users_per_s=18.0, faults=[OUTAGE]).run(seed=4, until_s=15.0)
    rows = run.deliveries
    instants_s = np.arange(OUTAGE.at_s, OUTAGE.at_s + OUTAGE.down_s, 0.05)
    waiting = [int(((rows.enqueued_s <= at_s) & ~(rows.started_s <= at_s)).sum()) for at_s in instants_s]
    viz.system(run, at_s=float(instants_s[int(np.argmax(waiting))])).save(PICTURE)


if __name__ == "__main__":
    main()
