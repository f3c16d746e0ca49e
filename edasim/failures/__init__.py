"""Failures: faults that a simulation carries out, at stated or random times.

Faults act on nodes, never on the log. Follows the vocabulary of dependability (mean time between failures, mean time
to repair). Left out so far: the oracle, crash points, faults of brokers, links and clocks.
"""

from .faults import Crash, Fault, RandomCrashes, check_faults

__all__ = ["Crash", "Fault", "RandomCrashes", "check_faults"]
