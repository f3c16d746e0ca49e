"""Failures: faults that a simulation carries out, promises that a system states, and the oracle that holds it to them.

Faults act on nodes, brokers, links, stores and servers, never on the log. Follows the vocabulary of dependability (mean
time between failures, mean time to repair) and the verdict words of Jepsen. Left out: repair.
"""

from .crash_points import Cell, CrashPoints, Outcome, crash_points
from .failover import served_ratio
from .faults import Crash, RandomCrashes, Restart, ZoneOutage
from .findings import Finding, Findings, Moment, Verdict
from .link_faults import DelayMessages, Direction, DuplicateMessages, LoseMessages, Partition, ReorderMessages
from .measures import availability, blast_radius, drain_s, goodput_per_s, throughput_per_s
from .node_faults import MemoryLimit, Pause, Slow, WrongClock
from .oracle import check, require_checkable
from .part_faults import BrokerCrash, BrokerCutOff, ServerErrors, StoreFull
from .plan import Fault, check_faults, install, require_possible
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
from .shrinking import Shrunk, drawn_faults, shrink, smallest
from .standby import FencedStore, Leadership, PlainStore
from .when import StepKind, When, WhenFact

__all__ = [
    "BrokerCrash", "BrokerCutOff", "Cell", "Crash", "CrashPoints", "DelayMessages", "Direction",
    "DuplicateMessages", "Fault", "FencedStore", "Finding", "Findings", "Leadership", "LoseMessages", "MemoryLimit",
    "Moment", "Outcome", "Partition", "Pause", "PlainStore", "Promise", "RandomCrashes", "ReorderMessages",
    "Restart", "ServerErrors", "Shrunk", "Slow", "StepKind", "StoreFull", "Verdict", "When", "WhenFact",
    "WrongClock", "ZoneOutage", "at_least_once", "at_most_once", "at_the_end", "availability", "blast_radius",
    "check", "check_faults", "check_promises", "conserves", "crash_points", "drain_s", "drawn_faults", "eventually",
    "exactly_once", "goodput_per_s", "install", "no", "order_by", "require_checkable", "require_possible",
    "served_ratio", "shrink", "smallest", "throughput_per_s",
]  # fmt: skip
