"""Failures: faults that a simulation carries out, promises that a system states, and the oracle that holds it to them.

Faults act on nodes, brokers, links, stores and servers, never on the log. Follows the vocabulary of dependability (mean
time between failures, mean time to repair) and the verdict words of Jepsen. Left out: repair.
"""

from .faults import Crash, RandomCrashes, Restart, ZoneOutage
from .findings import Finding, Findings, Moment, Verdict
from .link_faults import DelayMessages, Direction, DuplicateMessages, LoseMessages, Partition, ReorderMessages
from .node_faults import Pause, Slow, WrongClock
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

__all__ = [
    "BrokerCrash", "BrokerCutOff", "Crash", "DelayMessages", "Direction", "DuplicateMessages", "Fault", "Finding",
    "Findings", "LoseMessages", "Moment", "Partition", "Pause", "Promise", "RandomCrashes", "ReorderMessages",
    "Restart", "ServerErrors", "Slow", "StoreFull", "Verdict", "WrongClock", "ZoneOutage", "at_least_once",
    "at_most_once", "at_the_end", "check", "check_faults", "check_promises", "conserves", "eventually",
    "exactly_once", "install", "no", "order_by", "require_checkable", "require_possible",
]  # fmt: skip
