"""Tasks: one run each, made and measured the same way in any process of any machine.

A task is a scenario and a seed. Replication i of every scenario has the same seed, so two scenarios meet the same luck:
common random numbers (SO-04). A run that fails is an outcome like any other; it does not end the experiment.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import CapabilityError, ConfigurationError, EdasimError, UnknownNameError
from .metrics import Measure, measured

MISUSE = (ConfigurationError, UnknownNameError, CapabilityError)
"""Errors of the question, not of one run's luck."""


def seed_of(seed: int, replication: int) -> int:
    """The seed of a replication: the first 48 bits of the SHA-256 of both, so that neighbouring seeds share none."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{replication}".encode()).digest()[:6], "big")


@dataclass(frozen=True)
class Plan:
    """How each run of an experiment is made and what is measured in it."""

    measures: Mapping[str, Measure]
    until_s: float | None
    log: str


@dataclass(frozen=True)
class Task:
    """The run of one point of an experiment in one replication."""

    point: int
    replication: int
    scenario: Any
    seed: int

    @property
    def place(self) -> tuple[int, int]:
        """Point and replication."""
        return self.point, self.replication


@dataclass(frozen=True)
class Outcome:
    """What a run gave: a value per metric and the run's fingerprint, or the error that it raised."""

    values: tuple[float, ...] = ()
    fingerprint: str = ""
    error: EdasimError | None = None


def execute(task: Task, plan: Plan) -> tuple[tuple[int, int], Outcome]:
    """Makes and measures the run of a task; returns the task's place and the outcome. Raises nothing of the run's."""
    try:
        run = task.scenario.run(seed=task.seed, until_s=plan.until_s, log=plan.log)
        return task.place, Outcome(measured(run, plan.measures.values()), run.fingerprint())
    except Exception as error:  # noqa: BLE001 (a scenario or a metric may raise anything; the other runs go on)
        return task.place, Outcome(error=_told(error))


def _told(error: Exception) -> EdasimError:
    """The error as one of the house's that can travel between processes."""
    if isinstance(error, EdasimError):
        try:
            pickle.dumps(error)
        except (pickle.PicklingError, TypeError, AttributeError):
            return EdasimError(str(error))
        return error
    return EdasimError(f"{type(error).__name__}: {error}")
