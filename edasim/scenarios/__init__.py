"""Scenarios: frozen descriptions of whole systems, each of which builds a simulation and runs it.

A scenario is data (printed, compared, swept, stored); the system that it builds is made of the lower floors. The
registration case follows the story of the course; `OneBroker` puts the same work and the same crash behind any broker;
left out so far: pipelines and rollouts.
"""

from .base import Scenario
from .comeback import Comeback, comeback
from .fleet import FailedRequests, FailedShare, Fleet, Trouble
from .one_broker import OneBroker, six_brokers
from .order_shop import OrderShop
from .queue import SingleQueue
from .registration import Audit, Registration, Sender, audit
from .standby_ledger import StandbyLedger
from .storm import AnsweredShare, Goodput, Storm
from .story import Step, Story, story

__all__ = [
    "AnsweredShare",
    "Audit",
    "Comeback",
    "FailedRequests",
    "FailedShare",
    "Fleet",
    "Goodput",
    "OneBroker",
    "OrderShop",
    "Registration",
    "Scenario",
    "Sender",
    "SingleQueue",
    "StandbyLedger",
    "Step",
    "Storm",
    "Story",
    "Trouble",
    "audit",
    "comeback",
    "six_brokers",
    "story",
]
