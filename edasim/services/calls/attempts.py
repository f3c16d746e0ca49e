"""Requests and attempts: what a client wants, and one try of it. Plain slotted objects, one each on the hot path."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...brokers.base import Message
from ...governance.fallback import Fallback

if TYPE_CHECKING:
    from .client import Client

Settle = Callable[[float, "Request"], None]
"""Called with the time when a request is settled: answered, answered in a degraded way, or given up."""


class Request:
    """What is wanted once. `ok` is None until it is settled; `fallback` is what a degraded answer comes from.

    `copies` are the attempts under way of a client that hedges.
    """

    __slots__ = (
        *("asked_s", "attempts", "copies", "deadline_s", "failed", "fallback", "message"),
        *("ok", "on_its_way", "settle", "waited_s"),
    )

    def __init__(self, message: Message, asked_s: float, deadline_s: float, settle: Settle | None) -> None:
        self.message = message
        self.asked_s = asked_s
        self.deadline_s = deadline_s
        self.settle = settle
        self.attempts = self.on_its_way = self.failed = 0
        self.waited_s: float | None = None
        self.ok: bool | None = None
        self.fallback: Fallback | None = None
        self.copies: list[Attempt] | None = None


class Attempt:
    """One try of a request. `waited_for` tells whether the client still wants its answer."""

    __slots__ = (
        *("arrived_s", "client", "endpoint", "instance", "nth", "request"),
        *("retried", "sent_s", "started_s", "waited_for"),
    )

    def __init__(self, client: Client, request: Request, nth: int, sent_s: float, retried: bool) -> None:
        self.client = client
        self.request = request
        self.nth = nth
        self.retried = retried
        self.sent_s = self.arrived_s = sent_s
        self.started_s = math.nan
        self.instance = ""
        self.endpoint = 0
        self.waited_for = True
