"""Erlang's two formulas: the share of messages lost, or made to wait, by a group of equal servers.

Follows: Kleinrock, Queueing Systems I, sections 3.5 and 3.4 (QT-04, QT-02); the recursion over servers avoids the
factorials. Formula B holds for any distribution of the service time with the same mean. Left out: messages that
come back after a loss.
"""

from __future__ import annotations

from .. import checks
from .station import require_stable


def erlang_b(servers: int, offered: float) -> float:
    """The share of messages lost when nobody can wait (M/G/c/c).

    B(0) = 1, B(k) = aB(k-1)/(k+aB(k-1)).

    Args:
        servers: how many, 0 or more.
        offered: a, arrivals per second times mean service in seconds; 0 or more.

    >>> round(erlang_b(10, 5.0), 6)
    0.018385
    """
    servers = checks.check_whole(0)("servers", servers)
    offered = checks.check_non_negative("offered", offered)
    lost = 1.0
    for count in range(1, servers + 1):
        lost = offered * lost / (count + offered * lost)
    return lost


def erlang_c(servers: int, offered: float) -> float:
    """The share of messages that find all servers busy, and wait (M/M/c).

    C = B/(1-ρ(1-B)) with ρ = a/c.

    Args:
        servers: how many, 1 or more.
        offered: a, arrivals per second times mean service in seconds; below `servers`.

    >>> round(erlang_c(8, 7.2), 6)
    0.701533
    """
    servers = checks.check_whole(1)("servers", servers)
    lost = erlang_b(servers, offered)
    require_stable("offered / servers", offered, servers)
    return lost / (1.0 - offered / servers * (1.0 - lost))
