"""Sources, services and the load that drives them; the user database and the mail service.

A source publishes by a load, a service works on what it receives in nodes that can crash. Follows queueing theory's
words (arrivals, service time, servers) for load and time. Left out: governance of calls between services.
"""

from .handling import Acknowledge, Context
from .node import Node
from .service import Service
from .source import Occasion, Source

__all__ = ["Acknowledge", "Context", "Node", "Occasion", "Service", "Source"]
