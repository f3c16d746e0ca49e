"""Links between nodes and brokers: latency, loss, duplication, reordering and partitions.

A link is a pure description; what sends over it asks for the delays of the copies that arrive, and schedules them.
The disturbances are those that the Linux traffic shaper netem imitates (delay, loss, duplicate, reorder), under
rules of our own that `link.py` states. Left out: bandwidth and queues inside a link (use a service), correlated
losses other than partitions, corrupted content, and clocks with skew.
"""

from __future__ import annotations

from .link import Link, Order, Partition, RunningLink

__all__ = ["Link", "Order", "Partition", "RunningLink"]
