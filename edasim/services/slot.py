"""A slot: one message at a time, on the hot path of the message plane.

`take` and `finish` are closures over local names, because they run once per message; everything else of a slot runs
seldom. A slot whose node crashes forgets its message, so the end that was scheduled for it means nothing any more. The
message that comes back after a crash is another tuple, so a slot knows its present message by identity.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from heapq import heapify, heappush
from types import GeneratorType
from typing import TYPE_CHECKING, Any

import simpy

from ..brokers.base import Message, OpenQueue, event_of
from ..brokers.stretch import Pace
from ..errors import EdasimError
from ..kernel.plane import NORMAL, Record
from ..kernel.runlog import CRASHED, DONE, DROPPED, FAILED, IN_FLIGHT, NEVER, Brief, pack_row
from ..kernel.streams import numbers_of
from ..kernel.times import is_continuous
from .handling import Acknowledge, Context, NodeCrashed, Returned, stop
from .stretch import QueueStretch

if TYPE_CHECKING:
    from .node import Node
    from .service import Service


class Slot:
    """Takes a message, is busy for its service time, hands it to the handler, and asks for the next."""

    __slots__ = (
        *("_endpoint", "_finish", "_ghost", "_left_s", "_message", "_process", "behind", "delivered_s"),
        *("name", "node", "pace", "service", "sim", "starts_s", "take"),
    )

    take: Callable[[float, Message], None]
    _finish: Callable[[float, Message], Record | None]

    def __init__(self, service: Service, node: Node) -> None:
        self.name = node.name
        self.node = node
        self.service = service
        self.sim = service.sim
        self._message: Message | None = None
        self.behind: Callable[[], None] | None = None
        self.delivered_s = self.starts_s = NEVER
        self._endpoint = self.sim.log.endpoint(service.subscription.lane, node.name)
        self._process: simpy.Process | None = None
        self._left_s: float | None = None
        self._ghost: Message | None = None
        self.take = self._hot_path(service.draw)

    def _hot_path(self, draw: Callable[[], float]) -> Callable[[float, Message], None]:
        """`take`, and the `finish` that it leads to: the shortest way that this run allows."""
        brief, service = self.sim.log.brief(self._endpoint), self.service
        at_once = service.handler is None and service.handover_s == 0.0
        alone = at_once and service.slots == 1 and is_continuous(service.service_time)
        self.pace = Pace(numbers_of(draw), self._endpoint, brief) if alone else None
        plain = at_once and service.subscription.delivered_s is None
        queue: OpenQueue | None = getattr(service.subscription, "open_queue", None)
        stretch = None
        if queue is not None and self.pace is not None:
            stretch = QueueStretch(self.sim, self, self.pace, queue)
        if brief is not None and plain:
            return self._short_way(draw, brief, queue, stretch)
        return self._usual_way(draw, brief, stretch)

    def _short_way(
        self, draw: Callable[[], float], brief: Brief, queue: OpenQueue | None, stretch: QueueStretch | None
    ) -> Callable[[float, Message], None]:
        """Only counted, without handler, handover or buffer: a message starts as it is taken."""
        slot, append, subscription = self, self.sim.log.append, self.service.subscription
        done, acknowledge, is_open = subscription.done, subscription.acknowledge, queue is not None
        records, ids, times = self.sim.env.records, self.sim.env.ids, numbers_of(draw)
        queue = queue or OpenQueue(waiting=deque(), free=deque(), settled=(), takers={})
        waiting, settled, set_free = queue.waiting, queue.settled, queue.free.append
        first_waiting = waiting.popleft
        add_wait, add_service = brief.waits_s.append, brief.services_s.append

        def take(now_s: float, message: Message) -> None:
            slot._message = message
            slot.delivered_s = slot.starts_s = now_s
            heappush(records, (now_s + next(times), NORMAL, next(ids), finish, message))

        def finish(now_s: float, message: Message) -> Record | None:
            if message is not slot._message:
                return None
            started_s = slot.starts_s
            following: Message | None
            if message[4] == 1 and message[3] == message[2]:
                add_wait(started_s - message[3])
                add_service(now_s - started_s)
            else:
                append(slot._row(now_s, now_s, message, DONE))
            if is_open:
                if settled:
                    acknowledge(now_s, message)
                if stretch is not None and stretch.begin(now_s):
                    slot._message = None
                    return None
                if not waiting:
                    slot._message = None
                    set_free(slot)
                    return None
                following = slot._message = first_waiting()
            else:
                following = slot._message = done(slot, now_s, message)
                if following is None:
                    return None
            slot.delivered_s = slot.starts_s = now_s
            return (now_s + next(times), NORMAL, next(ids), finish, following)

        self._finish = finish
        return take

    def _usual_way(
        self, draw: Callable[[], float], brief: Brief | None, stretch: QueueStretch | None
    ) -> Callable[[float, Message], None]:
        slot, service, log = self, self.service, self.sim.log
        records, ids, times = self.sim.env.records, self.sim.env.ids, numbers_of(draw)
        append, endpoint, done, handover_s = log.append, self._endpoint, service.subscription.done, service.handover_s
        buffered_s = service.subscription.delivered_s
        add_wait, add_service = (_ignore, _ignore) if brief is None else (brief.waits_s.append, brief.services_s.append)
        handle = self._handle if service.handler is not None else None

        def take(now_s: float, message: Message) -> None:
            slot._message = message
            slot.delivered_s = now_s if buffered_s is None else buffered_s(message)
            slot.starts_s = starts_s = now_s + handover_s
            heappush(records, (starts_s + next(times), NORMAL, next(ids), finish, message))

        def finish(now_s: float, message: Message) -> Record | None:
            if message is not slot._message or (handle is not None and not handle(now_s, message)):
                return None
            started_s = slot.starts_s
            if brief is not None and message[4] == 1 and message[3] == message[2]:
                add_wait(started_s - message[3])
                add_service(now_s - started_s)
            else:
                number, root, published_s, enqueued_s, attempt, _ = message
                taken_s = slot.delivered_s
                append(
                    pack_row(number, root, published_s, enqueued_s, taken_s, started_s, now_s, endpoint, attempt, DONE)
                )
            if stretch is not None and stretch.begin(now_s):
                slot._message = None
                return None
            following = slot._message = done(slot, now_s, message)
            if following is None:
                return None
            slot.delivered_s = now_s if buffered_s is None else buffered_s(following)
            slot.starts_s = starts_s = now_s + handover_s
            return (starts_s + next(times), NORMAL, next(ids), finish, following)

        self._finish = finish
        return take

    @property
    def message(self) -> Message | None:
        """The message in work."""
        self.catch_up()
        return self._message

    def catch_up(self) -> None:
        """Is where it would be by now if somebody had looked all the time."""
        if self.behind is not None:
            self.behind()

    def go_on(self, message: Message, delivered_s: float, starts_s: float, ends_s: float) -> None:
        """Has caught up with the clock, and is at work on this message."""
        self._message, self.delivered_s, self.starts_s = message, delivered_s, starts_s
        self._schedule_end(ends_s)

    def slow(self, now_s: float, factor: float, ratio: float) -> None:
        """Service times are `factor` times as long from now on; what is left of the work at hand `ratio` times."""
        self.catch_up()
        draw, old = self.service.draw, self._finish
        take = self._hot_path(draw if factor == 1.0 else lambda: factor * draw())
        if not self.node.paused:
            self.take = take
        left_s = self._withdraw_end(old, now_s)
        if left_s is not None:
            self._schedule_end(now_s + ratio * left_s)
        elif self._left_s is not None:
            self._left_s *= ratio

    def pause(self, now_s: float) -> None:
        """The work at hand stands still; what is handed over in the meantime waits for the node."""
        self.catch_up()
        self._left_s = self._withdraw_end(self._finish, now_s)

        def wait(taken_s: float, message: Message) -> None:
            self._message = message
            buffered_s = self.service.subscription.delivered_s
            self.delivered_s = taken_s if buffered_s is None else buffered_s(message)
            self.starts_s, self._left_s = math.inf, math.inf

        self.take = wait

    def resume(self, now_s: float) -> None:
        """The work at hand goes on, and what has come in the meantime begins."""
        left_s, message, self._left_s = self._left_s, self._message, None
        factor, draw = self.node.slow_factor, self.service.draw
        self.take = self._hot_path(draw if factor == 1.0 else lambda: factor * draw())
        if message is None or left_s is None:
            return
        if math.isinf(left_s):
            delivered_s = self.delivered_s
            self.take(now_s, message)
            self.delivered_s = delivered_s
        else:
            self._schedule_end(now_s + left_s)

    def _withdraw_end(self, finish: Callable[[float, Message], Record | None], now_s: float) -> float | None:
        """Takes the end of the service time at hand from the plane; how long it would have been until then."""
        records = self.sim.env.records
        for place, (time_s, _, _, action, message) in enumerate(records):
            if action is finish and message is self._message and time_s >= now_s:
                del records[place]
                heapify(records)
                return time_s - now_s
        return None

    def _schedule_end(self, time_s: float) -> None:
        assert self._message is not None
        heappush(self.sim.env.records, (time_s, NORMAL, self.sim.env.next_id(), self._finish, self._message))

    def lose(self, now_s: float) -> Message | None:
        """The node crashes: the slot stops at once and returns the message it worked on, if any."""
        self.catch_up()
        message, self._message = self._message, None
        self._left_s = self._ghost = None
        if message is None:
            return None
        self._log(now_s, message, DROPPED if self._acknowledged_before else CRASHED)
        process, self._process = self._process, None
        if process is not None and process is not self.sim.env.active_process:
            process.interrupt("crash")
        return message

    def lose_sight(self, now_s: float) -> Message | None:
        """The connection breaks: the broker takes back the message at hand, while a generator handler works on."""
        self.catch_up()
        message, self._message = self._message, None
        self._left_s, self._ghost = None, message
        if message is None:
            return None
        self._log(now_s, message, DROPPED if self._acknowledged_before else CRASHED)
        self._process = None
        return message

    @property
    def _acknowledged_before(self) -> bool:
        """Whether the broker has forgotten a message by the time it is worked on."""
        return self.service.acknowledge is Acknowledge.ON_DELIVERY or self.service.subscription.forgets

    def _tell_acknowledged(self, context: Context) -> None:
        """A step of the node, if it is only now that it acknowledges; raises `NodeCrashed` if it crashes there."""
        if self.sim.on_step is not None and not self._acknowledged_before:
            context.step("acknowledge", context.event.type)

    def open_row(self, now_s: float) -> bytes:
        """The row of the message in work when the run ends."""
        assert self._message is not None
        return self._row(now_s, NEVER, self._message, IN_FLIGHT)

    def _row(self, now_s: float, finished_s: float, message: Message, outcome: int) -> bytes:
        number, root, published_s, enqueued_s, attempt, _ = message
        started_s = self.starts_s if self.starts_s <= now_s else NEVER
        delivered_s, endpoint = self.delivered_s, self._endpoint
        return pack_row(
            number, root, published_s, enqueued_s, delivered_s, started_s, finished_s, endpoint, attempt, outcome
        )

    def _log(self, now_s: float, message: Message, outcome: int) -> None:
        self.sim.log.add(self._row(now_s, now_s, message, outcome))

    def _handle(self, now_s: float, message: Message) -> bool:
        """Calls the handler. True if it has ended well; otherwise the slot has been taken care of.

        A handler that crashes its own node runs up to its end, but what it returns or raises then counts no more.
        """
        event = event_of(self.sim, message)
        context = Context(self.service, self.node, event, message[4], message[1])
        handler = self.service.handler
        assert handler is not None
        context.inside = True
        try:
            context.step("receive", event.type)
            returned = handler(event, context)
            if self._message is not message:
                return False
            if isinstance(returned, GeneratorType):
                self._process = self.sim.env.process(self._go_on(returned, context, message))
                return False
            context.publish(returned)
            self._tell_acknowledged(context)
        except NodeCrashed:
            return False
        except EdasimError:
            raise
        except Exception as failure:  # noqa: BLE001 - a handler refuses a message by raising whatever it likes
            self._refuse(now_s, message, failure)
            return False
        finally:
            context.inside = False
        return self._message is message

    def _go_on(
        self, handling: Generator[Any, Any, Returned], context: Context, message: Message
    ) -> Generator[Any, Any, None]:
        """Drives a generator handler as a SimPy process; a crash stops it where it waits.

        A handler that crashes its own node runs up to its next `yield`.
        """
        step: Callable[[Any], Any] = handling.send
        value: Any = None
        try:
            while self._message is message or self._ghost is message:
                while self.node.paused:
                    yield self.node.resumed
                context.inside = True
                waited_for = step(value)
                context.inside = False
                if self._message is not message and self._ghost is not message:
                    break
                if not isinstance(waited_for, simpy.Event) or waited_for.env is not self.sim.env:
                    raise self.service.publishing.no_event("yielded", waited_for)
                try:
                    value = yield waited_for
                    step = handling.send
                except Exception as failure:  # noqa: BLE001 - what a waited-for event failed with is the handler's
                    step, value = handling.throw, failure
        except StopIteration as end:
            self._come_to_end(context, message, end.value)
        except NodeCrashed:
            return
        except EdasimError:
            raise
        except Exception as failure:  # noqa: BLE001 - as in `_handle`
            self._refuse(context.now_s, message, failure)
        else:
            stop(handling)
        finally:
            context.inside = False

    def _come_to_end(self, context: Context, message: Message, returned: Returned) -> None:
        """The generator has ended: its events are published, its message is acknowledged, unless its node crashes."""
        if self._message is not message and self._ghost is not message:
            return
        try:
            context.publish(returned)
            self._tell_acknowledged(context)
        except NodeCrashed:
            return
        if self._ghost is message:
            self._ghost = None
            return
        self._complete(context.now_s, message)

    def _complete(self, now_s: float, message: Message) -> None:
        self._log(now_s, message, DONE)
        self._message = self._process = None
        following = self.service.subscription.done(self, now_s, message)
        if following is not None:
            self.take(now_s, following)

    def _refuse(self, now_s: float, message: Message, failure: Exception) -> None:
        if self._message is not message:
            return
        if self.sim.log.keeps(message[1]):
            self.sim.log.fact(
                now_s,
                "handler_failed",
                self.service.name,
                node=self.name,
                event_id=event_of(self.sim, message).id,
                attempt=message[4],
                error=f"{type(failure).__name__}: {failure}",
            )
        subscription = self.service.subscription
        self._message = self._process = None
        if self.service.acknowledge is Acknowledge.ON_DELIVERY:
            outcome = FAILED
            subscription.acknowledge(now_s, message)
        else:
            outcome = subscription.refuse(now_s, message)
        self._log(now_s, message, outcome)
        subscription.ready(self, now_s)


def _ignore(_time_s: float) -> None:
    """Stands for a list that nobody keeps."""
