"""Failures: faults that a simulation carries out, promises that a system states, and the oracle that holds it to them.

Faults act on nodes, never on the log. Follows the vocabulary of dependability (mean time between failures, mean time
to repair) and the verdict words of Jepsen. Left out: repair.
"""

from .faults import Crash, Fault, RandomCrashes, check_faults
from .findings import Finding, Findings, Moment, Verdict
from .oracle import check, require_checkable
from .promises import (
    Promise,
    at_least_once,
    at_most_once,
    at_the_end,
    check_promises,
    conserves,
    eventually,
    exactly_once,
    no,
    order_by,
)  # fmt: skip

__all__ = [
    "Crash", "Fault", "Finding", "Findings", "Moment", "Promise", "RandomCrashes", "Verdict", "at_least_once",
    "at_most_once", "at_the_end", "check", "check_faults", "check_promises", "conserves", "eventually", "exactly_once",
    "no", "order_by", "require_checkable",
]  # fmt: skip
