"""Requests and attempts: what a client wants, and one try of it. Plain slotted objects, one each on the hot path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...brokers.base import Message
from ...governance.fallback import Fallback
from ...kernel.runlog import NEVER

if TYPE_CHECKING:
    from .rows import Callee

Settle = Callable[[float, "Request"], None]
"""Called with the time when a request is settled: answered, answered in a degraded way, or given up."""


class Request:
    """What is wanted once. `ok` is None until it is settled; `fallback` is what a degraded answer comes from.

    `attempts` counts those that began, `waited_s` is the wait before the latest retry, `key` what a caller gave it.
    Of a client that hedges, `copies` are the attempts, `on_its_way` how many may still be heard of.
    """

    __slots__ = (
        *("asked_s", "attempts", "copies", "deadline_s", "fallback", "key", "message"),
        *("ok", "on_its_way", "settle", "waited_s"),
    )

    def __init__(
        self, message: Message, asked_s: float, deadline_s: float, settle: Settle | None, key: str | None
    ) -> None:
        self.message = message
        self.asked_s = asked_s
        self.deadline_s = deadline_s
        self.settle = settle
        self.key = key
        self.attempts = self.on_its_way = 0
        self.waited_s: float | None = None
        self.ok: bool | None = None
        self.fallback: Fallback | None = None
        self.copies: list[Attempt] | None = None


class Attempt:
    """The `nth` try of a request, sent to an instance. `waited_for` tells whether the client still wants its answer.

    `ends_s` is the time of the record that ends the work on it, that very object: a record of work that a crash has
    broken off means nothing any more, whatever its time.
    """

    __slots__ = ("callee", "ends_s", "message", "nth", "request", "sent_s", "started_s", "waited_for")

    def __init__(self, callee: Callee, request: Request, nth: int, sent_s: float) -> None:
        self.callee = callee
        self.request = request
        self.message = request.message
        self.nth = nth
        self.sent_s = sent_s
        self.started_s = self.ends_s = NEVER
        self.waited_for = True


class Single(Attempt):
    """A request and its attempt in one, for a client on the short way (`short.py`), which makes one after another.

    It is used again for another request once this one is settled, so it starts without any values.
    """

    __slots__ = ("asked_s", "waited_s")
    asked_s: float
    waited_s: float | None
    attempts = Attempt.nth  # type: ignore[misc]
    """Those that began: the number of the latest."""

    def __init__(self) -> None:
        self.waited_s = None
