"""Availability: the share of time in which something works, from the up and down times of its parts.

Follows: alternating renewal theory and birth-death chains (QT-12 to QT-14), as in Harchol-Balter, Performance Modeling
and Design of Computer Systems. Availabilities are shares between 0 and 1. Left out: common causes of failure, time to
notice and to fail over, and parts that age.
"""

from __future__ import annotations

import math

from .. import checks


def node_availability(mean_up_s: float, mean_down_s: float) -> float:
    """One node: mean up time over mean up and down time, for any distributions of the two (QT-12).

    >>> round(node_availability(60.0, 5.0), 4)
    0.9231
    """
    up_s = checks.check_positive("mean_up_s", mean_up_s)
    return up_s / (up_s + checks.check_non_negative("mean_down_s", mean_down_s))


def series_availability(*availabilities: float) -> float:
    """All parts are needed and fail independently: the product.

    >>> round(series_availability(*[0.995] * 5), 4)
    0.9752
    """
    return math.prod(_shares(availabilities))


def parallel_availability(*availabilities: float) -> float:
    """One part suffices and parts fail independently: 1 minus the product of what they lack.

    >>> round(parallel_availability(0.99, 0.99), 6)
    0.9999
    """
    return 1.0 - math.prod(1.0 - share for share in _shares(availabilities))


def k_of_n_availability(needed: int, nodes: int, availability: float) -> float:
    """At least `needed` of `nodes` independent nodes are up, each with its own repair (QT-13): a binomial tail.

    Args:
        needed: nodes that must be up, from 1 to `nodes`.
        nodes: nodes that there are.
        availability: of one node, as from `node_availability`.

    >>> round(k_of_n_availability(2, 3, node_availability(100.0, 5.0)), 6)
    0.993413
    """
    needed, nodes = _needed_of_nodes(needed, nodes)
    up = checks.check_ratio("availability", availability)
    return math.fsum(math.comb(nodes, k) * up**k * (1.0 - up) ** (nodes - k) for k in range(needed, nodes + 1))


def k_of_n_one_repairer_availability(needed: int, nodes: int, *, fail_per_s: float, repair_per_s: float) -> float:
    """At least `needed` of `nodes` nodes are up when one repairer mends them one after another (QT-14).

    Exponential up and repair times. Nodes that are up go on failing while fewer than `needed` are up.

    Args:
        needed: nodes that must be up, from 1 to `nodes`.
        nodes: nodes that there are.
        fail_per_s: failures per second of each node that is up.
        repair_per_s: repairs per second of the one repairer.

    >>> round(k_of_n_one_repairer_availability(2, 3, fail_per_s=0.01, repair_per_s=0.2), 6)
    0.986489
    """
    needed, nodes = _needed_of_nodes(needed, nodes)
    ratio = checks.check_non_negative("fail_per_s", fail_per_s) / checks.check_positive("repair_per_s", repair_per_s)
    weights = [1.0]
    for down in range(nodes):
        weights.append(weights[-1] * (nodes - down) * ratio)
    return math.fsum(weights[: nodes - needed + 1]) / math.fsum(weights)


def _shares(availabilities: tuple[float, ...]) -> list[float]:
    if not availabilities:
        raise checks.refuse("availabilities", availabilities, "give at least one")
    return [checks.check_ratio(f"availabilities[{i}]", share) for i, share in enumerate(availabilities)]


def _needed_of_nodes(needed: int, nodes: int) -> tuple[int, int]:
    nodes = checks.check_whole(1)("nodes", nodes)
    return checks.check_whole(1, nodes)("needed", needed), nodes
