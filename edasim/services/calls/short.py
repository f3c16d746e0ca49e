"""The short way of an attempt: that of a client with a token bucket, a breaker and retries at most, and a plain server.

Such a client has one attempt of a request on its way at a time, waits for it as long as it takes, and sends it to the
only instance; the server answers in order, by itself, whoever waits. So a request is its own attempt (`Single`), and
one closure takes it from the limiter to the worker, another from the end of the work to the answer or the next attempt.
All that happens is as on the usual way (`way.py`), with the same random numbers in the same order; a test holds the two
to it. Their homes have the rules that are written out here for speed, and everything that is seldom is left to them.

Left out, and left to the usual way: all other protections; requests with a deadline or of a caller who waits for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from heapq import heappush
from typing import TYPE_CHECKING

from ...brokers.base import Message
from ...governance.breaker import CLOSED, CircuitBreaker
from ...governance.failures import Failure
from ...governance.limiter import Bucket, TokenBucket
from ...governance.retry import Retries
from ...kernel.plane import NORMAL, Record
from ...kernel.runlog import DONE, FAILED, NEVER
from ...kernel.streams import numbers_of
from .attempts import Single
from .rows import Callee

if TYPE_CHECKING:
    from .client import Client
    from .instance import Instance

Step = Callable[[float, Single], "Record | None"]
Fail = Callable[[float, Single, Failure], "Record | None"]

NOT_PERMITTED, ERROR = Failure.NOT_PERMITTED, Failure.ERROR
ENDLESS_S = math.inf


def is_short(client: Client) -> bool:
    """Whether a client and its server have nothing but what is known here."""
    protects, server = client.protections, client.server
    unknown = (
        *(protects.concurrency, protects.timeout_s, protects.deadline_s, protects.budget, protects.hedge),
        *(protects.degradation, protects.discovery, server.shedding),
    )
    if any(each is not None for each in unknown) or not isinstance(client.limiter, Bucket | None):
        return False
    return len(server.instances) == 1 and not (server.calls or server.newest_first or server.drops_stale)


class ShortWay:
    """The way of the requests that are published to `client`; `ask(now_s, message)` begins one.

    `attempt` begins its next attempt.
    """

    __slots__ = ("_callee", "_client", "_failed", "_give_up", "_instance", "_spare", "ask", "attempt")
    _instance: Instance
    _failed: Fail
    _give_up: Step
    attempt: Step
    ask: Callable[[float, Message], None]

    def __init__(self, client: Client, retries: Retries | None) -> None:
        (instance,) = client.server.instances.values()
        self._client, self._instance = client, instance
        self._spare: list[Single] = []
        self._callee = Callee(client, instance, client.rows.lane)
        self._give_up = self._giving_up()
        self._failed = self._failing(retries)
        self._callee.worked, self._callee.reply = self._working(), self._hearing()
        self.attempt = self._attempting(retries)
        self.ask = self._asking()

    def _asking(self) -> Callable[[float, Message], None]:
        """How a request begins."""
        records, opened, spare = self._client.sim.env.records, self._client.opened, self._spare
        attempt, callee = self.attempt, self._callee

        def ask(now_s: float, message: Message) -> None:
            if spare:
                single = spare.pop()
            else:
                single = Single()
                single.callee = callee
            single.message = message
            single.asked_s = now_s
            single.nth = 0
            opened[single] = None
            record = attempt(now_s, single)
            if record is not None:
                heappush(records, record)

        return ask

    def _attempting(self, retries: Retries | None) -> Step:
        """An attempt passes the limiter and the breaker, and a worker takes it if one is free; or it is refused.

        Written out here: `Bucket.allow`, of `Circuit.allow` that a closed circuit lets pass, of `Instance.receive` what
        an idle worker does, of `Retries.wait_s` a wait that is drawn between two bounds.
        """
        client, instance, server, failed = self._client, self._instance, self._client.server, self._failed
        limited, broken, ids, times = client.rows.limited, client.rows.broken, client.sim.env.ids, instance.times
        bucket, circuit = _bucket_of(client), client.breaker or CircuitBreaker().start()  # one that hears of nothing
        rate_per_s, burst, closed, normal = bucket.rate_per_s, bucket.burst, CLOSED, NORMAL
        at_work, receive, worked = instance.at_work, instance.receive, self._callee.worked
        draws, spreads_s = _spread(retries)
        tries, give_up = len(spreads_s or ()), self._give_up

        def attempt(now_s: float, single: Single) -> Record | None:
            single.nth = nth = single.nth + 1
            tokens = bucket.tokens + (now_s - bucket.at_s) * rate_per_s
            if tokens > burst:  # noqa: PLR1730 - as in the bucket
                tokens = burst
            bucket.at_s = now_s
            if tokens >= 1.0:
                bucket.tokens = tokens - 1.0
                if circuit.state is closed or circuit.allow(now_s):
                    single.sent_s = now_s
                    if len(at_work) < server.workers and instance.up:
                        single.started_s = now_s
                        at_work[single] = None
                        single.ends_s = ends_s = now_s + next(times) * instance.slow_factor
                        return (ends_s, normal, next(ids), worked, single)
                    single.started_s = NEVER
                    return receive(now_s, single)
                by = broken
            else:
                bucket.tokens = tokens
                bucket.refused += 1
                by = limited
            if (brief := by.brief) is None:
                by.add(now_s, single, nth, FAILED)
            else:
                brief.refused += 1
            if spreads_s is None:
                return failed(now_s, single, NOT_PERMITTED)
            draw = next(draws)
            if nth < tries:
                least_s, breadth_s = spreads_s[nth]
                return (now_s + (least_s + draw * breadth_s), normal, next(ids), attempt, single)
            return give_up(now_s, single)

        return attempt

    def _working(self) -> Step:
        """The work on an attempt is over: the worker begins the next, and the client has its answer."""
        client, instance, server, failed = self._client, self._instance, self._client.server, self._failed
        at_work, queue, begin, records = instance.at_work, instance.queue, instance.begin, client.sim.env.records
        record_call = None if client.breaker is None else client.breaker.record
        errors, callee, answered = numbers_of(server.draw_error), self._callee, client.rows.answered
        opened, spare, told = client.opened, self._spare, client.told
        here = callee.brief
        add_wait, add_service = (ignore, ignore) if here is None else (here.waits_s.append, here.services_s.append)

        def worked(now_s: float, single: Single) -> Record | None:
            if single.ends_s is not now_s:
                return None  # it was at work when the instance crashed
            del at_work[single]
            following = begin(now_s, queue.popleft()) if queue else None
            sent_s = single.sent_s
            if server.errors_share == 0.0 or next(errors) >= server.errors_share:
                if record_call is not None:
                    record_call(now_s, True, now_s - sent_s)
                message = single.message
                if single.nth == 1 and (brief := answered.brief) is not None and sent_s == message[2]:
                    started_s = single.started_s
                    add_wait(started_s - sent_s)
                    add_service(now_s - started_s)
                    brief.waits_s.append(0.0)
                    brief.services_s.append(now_s - sent_s)
                else:
                    callee.add(now_s, single, DONE)
                    answered.add(now_s, single, DONE)
                del opened[single]
                spare.append(single)
                if told:
                    client.tell_settled(now_s, message)
                return following
            callee.add(now_s, single, FAILED)
            if record_call is not None:
                record_call(now_s, False, now_s - sent_s)
            follower = failed(now_s, single, ERROR)
            if following is None:
                return follower
            if follower is not None:
                heappush(records, follower)
            return following

        return worked

    def _hearing(self) -> Fail:
        """The instance refuses an attempt, or crashes with it."""
        breaker, failed = self._client.breaker, self._failed

        def reply(now_s: float, single: Single, failure: Failure) -> Record | None:
            if breaker is not None:
                breaker.record(now_s, False, now_s - single.sent_s)
            return failed(now_s, single, failure)

        return reply

    def _failing(self, retries: Retries | None) -> Fail:
        """What becomes of a request whose attempt failed: it is tried again later, or given up."""
        way, ids, give_up = self, self._client.sim.env.ids, self._give_up
        next_wait_s = None if retries is None else retries.wait_s

        def failed(now_s: float, single: Single, failure: Failure) -> Record | None:
            if next_wait_s is not None:
                waited_s = single.waited_s if single.nth > 1 else None  # not that of a request before
                wait_s = next_wait_s(single.nth, failure, waited_s, ENDLESS_S)
                if wait_s is not None:
                    single.waited_s = wait_s
                    return (now_s + wait_s, NORMAL, next(ids), way.attempt, single)
            return give_up(now_s, single)

        return failed

    def _giving_up(self) -> Step:
        """A request failed for good."""
        client, spare, opened, told = self._client, self._spare, self._client.opened, self._client.told
        given_up = client.rows.given_up

        def give_up(now_s: float, single: Single) -> None:
            del opened[single]
            given_up.add(now_s, single, FAILED)
            spare.append(single)
            if told:
                client.tell_settled(now_s, single.message)

        return give_up


def _spread(retries: Retries | None) -> tuple[Iterator[float], list[tuple[float, float]] | None]:
    """Where retries draw from, and between which bounds they wait after a refusal, if that is all there is to know."""
    return (iter(()), None) if retries is None else (retries.draws, retries.spreads_s(NOT_PERMITTED))


def _bucket_of(client: Client) -> Bucket:
    """The client's bucket; that of a client without a limiter has no bottom."""
    if isinstance(client.limiter, Bucket):
        return client.limiter
    bottomless = TokenBucket(rate_per_s=1.0).start()
    bottomless.tokens = bottomless.burst = math.inf
    return bottomless


def ignore(_time_s: float) -> None:
    """Stands for a list that nobody keeps."""
