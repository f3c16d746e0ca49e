"""Calls: request and response beside events. A client asks a server's instances and waits for an answer.

A **request** is what somebody wants once; an **attempt** is one try of it at one **instance** of a server. A client
makes attempts under its **protections** (policies of `governance`): limiter, circuit breaker, concurrency limit,
balancing, timeout, retry with budget. A server has instances with a bounded queue and workers; a worker that calls
other servers is held while it waits for them, which is what makes blocking designs fail together.

In the run log an attempt is a row of the lane of the server (destination) and the client (group); its consumer is the
instance that worked on it, or the protection that refused it ("circuit breaker", "rate limiter"). A request is one row
of the lane (client, "requests") with the consumer "answered", "degraded" or "given up". Changes of state are facts.
A source may publish requests (`Source(to=client)`), and a generator handler may wait for one (`yield client.call()`).
What one request set going, through all clients and servers, is read off a run by `chain_of`.

Left out: connections and their cost, payloads, streaming answers.
"""

from .chain import Asked, Tried, chain_of
from .client import Answer, Client
from .discovery import Directory, Discovery
from .instance import Instance
from .measures import Traffic, attempts_per_request, traffic
from .protections import Protections
from .server import QueueOrder, Server, Stale

__all__ = [
    "Answer",
    "Asked",
    "Client",
    "Directory",
    "Discovery",
    "Instance",
    "Protections",
    "QueueOrder",
    "Server",
    "Stale",
    "Traffic",
    "Tried",
    "attempts_per_request",
    "chain_of",
    "traffic",
]
