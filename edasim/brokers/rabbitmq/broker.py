"""RabbitMQ in a simulation: declarations, the way of a message to its queues, restarts, alarms.

Follows rabbitmq-website, versioned_docs/version-3.13 (queues.md on durability, confirms.md, dlx.md, consumers.md on the
acknowledgement timeout, ttl.md on queue expiry) and docs/alarms.md, and what was measured on RabbitMQ 3.10.8. One node:
left out are clusters, mirrors and the loss of a quorum, authorisation and virtual hosts, flow control by credit. While
the broker is down, what is published is lost to its publisher's broken connection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ... import checks
from ...errors import StateError
from ...kernel import Simulation
from ...kernel.runlog import DROPPED, FILTERED, NEVER, pack_row
from ..base import Message
from ..topology import Topology
from .configuration import RabbitMQ
from .deaths import Death, Reason, died, is_cycle
from .destinations import Confirmed, Exchange, PublisherConfirm, Queue
from .errors import AccessRefusedError, ChannelError, NotFoundError, PreconditionFailedError
from .queue import QueueState
from .ready import Entry, Properties
from .routing import walk
from .settings import ExchangeArguments, ExchangeType, QueueArguments, difference
from .stream import Stream, StreamArguments
from .topic import check_short_string
from .wiring import RabbitWiring

TICK_S = 60.0
"""How often channels look for deliveries that are unacknowledged for too long (consumers.md)."""


class RunningRabbitMQ:
    """A broker in a simulation: exchanges and queues by name."""

    def __init__(self, configuration: RabbitMQ, sim: Simulation) -> None:
        self.configuration = configuration
        self.sim = sim
        self.name = configuration.name
        sim.parts[self.name] = self
        self.capabilities = configuration.capabilities
        self.is_up = True
        self.flows = True
        self.reads_headers = False
        self.watches_timeouts = configuration.consumer_timeout_s is not None
        self.settled: list[Callable[[float, Message], None]] = []
        self.queues: dict[str, Queue] = {}
        self.streams: dict[str, Stream] = {}
        self.exchanges: dict[str, Exchange] = {}
        self.default_exchange = Exchange(self, "", ExchangeArguments())
        self._routes: dict[tuple[str, tuple[str, ...]], list[QueueState | Stream]] = {}
        self._alarms: dict[str, None] = {}
        self._blocked: list[tuple[Exchange, Message, Properties, PublisherConfirm | None]] = []
        self._unconfirmed: dict[PublisherConfirm, None] = {}
        self._ticking = False

    # ------------------------------------------------------------------------------------------ declarations

    def declare_exchange(self, name: str, **arguments: Any) -> Exchange:
        """The exchange of that name, made with these `ExchangeArguments` or, if it exists, declared with the same."""
        wanted = ExchangeArguments(**arguments)
        self._check_name("exchange", name)
        if name in self.exchanges:
            if self.exchanges[name].arguments != wanted:
                raise difference("exchange", name, self.exchanges[name].arguments, wanted)
            return self.exchanges[name]
        self.exchanges[name] = Exchange(self, name, wanted)
        self.reads_headers = self.reads_headers or wanted.type is ExchangeType.HEADERS
        self._routes.clear()
        return self.exchanges[name]

    def declare_queue(self, name: str, **arguments: Any) -> Queue:
        """The queue of that name, made with these `QueueArguments` or, if it exists, declared with the same."""
        wanted = QueueArguments(**arguments)
        self._check_name("queue", name, self.streams)
        if name in self.queues:
            if self.queues[name].arguments != wanted:
                raise difference("queue", name, self.queues[name].arguments, wanted)
        else:
            self.queues[name] = Queue(self, name, wanted)
            self._routes.clear()
        self.watch_unused(float(self.sim.env.now), self.queues[name])
        return self.queues[name]

    def declare_stream(self, name: str, **arguments: Any) -> Stream:
        """The stream of that name, made with these `StreamArguments` or, if it exists, declared with the same."""
        wanted = StreamArguments(**arguments)
        self._check_name("stream", name, self.queues)
        if name not in self.streams:
            self.streams[name] = Stream(self, name, wanted)
            self._routes.clear()
        elif self.streams[name].arguments != wanted:
            raise difference("stream", name, self.streams[name].arguments, wanted)
        return self.streams[name]

    def exchange(self, name: str) -> Exchange:
        """The exchange of that name (the default one is called ""); a `NotFoundError` if there is none."""
        if name == "":
            return self.default_exchange
        if name not in self.exchanges:
            raise self._not_found("exchange", name, self.exchanges)
        return self.exchanges[name]

    def queue(self, name: str) -> Queue:
        """The queue of that name; a `NotFoundError` if there is none."""
        if name not in self.queues:
            raise self._not_found("queue", name, self.queues)
        return self.queues[name]

    def delete_queue(self, name: str) -> int:
        """Deletes a queue with its messages and bindings; returns how many were ready. A missing one is no error."""
        queue = self.queues.pop(name, None)
        if queue is None:
            return 0
        now_s = float(self.sim.env.now)
        for subscription in queue.subscriptions:
            for consumer in subscription.consumers():
                subscription.close(consumer, "queue deleted")
        queue.take_back(now_s)
        queue.is_deleted = True
        for exchange in self.exchanges.values():
            exchange.remove(queue)
        self._routes.clear()
        ready = list(queue.ready)
        queue.drop_ready(now_s, ready)
        self.sim.log.fact(now_s, "queue_deleted", name, messages=len(ready))
        return len(ready)

    def bind(
        self,
        source: Exchange,
        destination: Exchange | Queue | Stream,
        routing_key: str,
        arguments: Mapping[str, Any] | None,
    ) -> None:
        """A binding from an exchange to a queue or an exchange of this broker."""
        if source is self.default_exchange:
            raise self._refused("the default exchange takes no bindings: every queue is bound to it by its name", "")
        if self.exchanges.get(source.name) is not source:
            raise self._not_found("exchange", source.name, self.exchanges)
        source.add(destination, routing_key, arguments or {})
        self._routes.clear()

    def wire(self, topology: Topology) -> RabbitWiring:
        """Lays out a topology: a topic exchange, and a queue per consuming service, bound by its event types."""
        return RabbitWiring(self, topology)

    # ------------------------------------------------------------------------------------------ the way of a message

    def carry(
        self,
        now_s: float,
        exchange: Exchange,
        message: Message,
        properties: Properties,
        confirm: PublisherConfirm | None = None,
    ) -> None:
        """A published message: to its queues, or held back by an alarm, or lost while the broker is down."""
        if not self.is_up:
            self._log_nowhere(now_s, exchange, message, DROPPED)
            if confirm is not None:
                confirm.answer(Confirmed.LOST)
            return
        if self._alarms:
            self._blocked.append((exchange, message, properties, confirm))
            return
        queues = self.queues_for(exchange, properties)
        if not queues:
            self._log_nowhere(now_s, exchange, message, FILTERED)
        accepted = True
        for queue in queues:
            accepted = queue.offer(now_s, message, properties) and accepted
        if confirm is not None:
            self._confirm(now_s, confirm, properties, queues, Confirmed.ACK if accepted else Confirmed.NACK)

    def queues_for(self, exchange: Exchange, properties: Properties) -> list[QueueState | Stream]:
        """The queues that a message with these properties reaches from an exchange, each once."""
        keys = properties.routing_keys
        if exchange is self.default_exchange:
            found = (self.queues.get(key) or self.streams.get(key) for key in keys)
            return [each for each in found if each is not None]
        if self.reads_headers:
            return walk(exchange, self.exchanges, keys, properties.headers or {})[0]
        known = self._routes.get((exchange.name, keys))
        if known is None:
            known = self._routes[exchange.name, keys] = walk(exchange, self.exchanges, keys, {})[0]
        return known

    def path(
        self, exchange: Exchange, routing_key: str, headers: Mapping[str, Any] | None = None
    ) -> list[tuple[str, str, str]]:
        """The bindings that a message takes from an exchange: source, binding key, destination."""
        key = check_short_string("routing_key", routing_key)
        if exchange is self.default_exchange:
            return [("", key, key)] if key in self.queues else []
        taken = walk(exchange, self.exchanges, (key,), headers or {})[1]
        return [(source, binding.key, binding.destination.name) for source, binding in taken]

    def dead_letter(self, now_s: float, queue: QueueState, entry: Entry, reason: Reason) -> bool:
        """Publishes a dead letter to the queue's dead letter exchange; whether any queue took it."""
        name, key = queue.arguments.dead_letter_exchange, queue.arguments.dead_letter_routing_key
        exchange = self.default_exchange if name == "" else self.exchanges.get(name or "")
        if name is None or exchange is None:
            return False
        number, root, published_s, _, _, event = entry.message
        old = entry.properties
        death = Death(queue.name, reason, 1, old.exchange, old.routing_keys, now_s)
        properties = old._replace(
            exchange=name,
            routing_keys=old.routing_keys if key is None else (key,),
            expiration_s=None,
            deaths=died(old.deaths, death),
        )
        taken = False
        for target in self.queues_for(exchange, properties):
            if reason is not Reason.REJECTED and is_cycle(properties.deaths, target.name):
                self.sim.log.fact(now_s, "dead_letter_cycle", target.name, number=number)
                continue
            message = (number, root, published_s, now_s, 1, event)
            taken = target.offer(now_s, message, properties) or taken
        return taken

    def _confirm(
        self,
        now_s: float,
        confirm: PublisherConfirm,
        properties: Properties,
        queues: list[QueueState | Stream],
        answer: Confirmed,
    ) -> None:
        safe_s = max([now_s, *(queue.safe_s(now_s, properties) for queue in queues)])
        returned = None if queues else "312 NO_ROUTE"
        if safe_s <= now_s or answer is Confirmed.NACK:
            confirm.answer(answer, returned)
            return
        self._unconfirmed[confirm] = None
        self.sim.env.at(safe_s, self._is_safe, confirm)

    def _is_safe(self, _now_s: float, confirm: PublisherConfirm) -> None:
        if self._unconfirmed.pop(confirm, confirm) is None:
            confirm.answer(Confirmed.ACK)

    def tell_settled(self, now_s: float, message: Message) -> None:
        """A message has left a queue for good, or reached none."""
        for tell in self.settled:
            tell(now_s, message)

    def _log_nowhere(self, now_s: float, exchange: Exchange, message: Message, outcome: int) -> None:
        number, root, published_s, enqueued_s, attempt, _ = message
        row = pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, exchange.nobody, attempt, outcome)
        self.sim.log.add(row)
        self.tell_settled(now_s, message)

    # ------------------------------------------------------------------------------------------ down and up

    def stop(self) -> None:
        """The broker is shut down: all is written to disk that is meant to be, and all connections are closed."""
        self._go_down("stopped", math.inf)

    def kill(self) -> None:
        """The broker dies: of what was not yet safe in classic queues, nothing is left."""
        self._go_down("killed", float(self.sim.env.now))

    def start_again(self) -> None:
        """The broker is up again; its clients connect anew."""
        if self.is_up:
            return
        self.is_up = self.flows = True
        now_s = float(self.sim.env.now)
        self.sim.log.fact(now_s, "broker_started", self.name)
        for queue in self.queues.values():
            for subscription in queue.subscriptions:
                subscription.reconnect(now_s)
        for stream in self.streams.values():
            for reader in stream.readers.values():
                reader.send(now_s)

    def _go_down(self, how: str, written_s: float) -> None:
        if not self.is_up:
            return
        now_s = float(self.sim.env.now)
        self.is_up = self.flows = False
        self.sim.log.fact(now_s, f"broker_{how}", self.name)
        self._alarms.clear()
        blocked, self._blocked = self._blocked, []
        for exchange, message, properties, confirm in blocked:
            self.carry(now_s, exchange, message, properties, confirm)
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for confirm in unconfirmed:
            confirm.answer(Confirmed.LOST)
        for queue in list(self.queues.values()):
            for subscription in queue.subscriptions:
                for consumer in subscription.consumers():
                    subscription.close_and_reconnect(consumer, f"broker {how}")
            queue.take_back(now_s)
            queue.drop_ready(now_s, [entry for entry in queue.ready if not queue.survives(entry, written_s)])
            if not queue.arguments.durable:
                self.delete_queue(queue.name)
        for stream in self.streams.values():
            for reader in stream.readers.values():
                reader.connection_lost(now_s)
        for name in [name for name, each in self.exchanges.items() if not each.arguments.durable]:
            self._forget_exchange(name)

    def _forget_exchange(self, name: str) -> None:
        gone = self.exchanges.pop(name)
        for exchange in self.exchanges.values():
            exchange.remove(gone)
        self._routes.clear()

    # ------------------------------------------------------------------------------------------ alarms

    def raise_alarm(self, resource: str) -> None:
        """Memory or disk runs short: publishers are held back until the alarm is cleared; consumers go on."""
        resource = checks.check_text("resource", resource)
        self._alarms[resource] = None
        self.flows = False
        self.sim.log.fact(float(self.sim.env.now), "publishers_blocked", self.name, resource=resource)

    def clear_alarm(self, resource: str) -> None:
        """There is room again; with the last alarm gone, what was held back is published, in its order."""
        now_s = float(self.sim.env.now)
        if resource not in self._alarms:
            raise StateError(
                f"there is no alarm for {resource!r}",
                field="resource",
                value=resource,
                remedy=f"under way are: {', '.join(self._alarms) or 'none'}",
                at_s=now_s,
            )
        del self._alarms[resource]
        if self._alarms:
            return
        self.flows = self.is_up
        blocked, self._blocked = self._blocked, []
        self.sim.log.fact(now_s, "publishers_unblocked", self.name, messages=len(blocked))
        for exchange, (number, root, published_s, _, attempt, event), properties, confirm in blocked:
            self.carry(now_s, exchange, (number, root, published_s, now_s, attempt, event), properties, confirm)

    # ------------------------------------------------------------------------------------------ clocks

    def watch_timeouts(self, now_s: float) -> None:
        """Something is unacknowledged: channels look at it every minute."""
        if not self._ticking:
            self._ticking = True
            self.sim.env.at((math.floor(now_s / TICK_S) + 1) * TICK_S, self._tick)

    def _tick(self, now_s: float, _: Any) -> None:
        self._ticking = False
        allowed_s = self.configuration.consumer_timeout_s or math.inf
        for queue in self.queues.values():
            late = [each.consumer for each in queue.unacknowledged.values() if each.delivered_s + allowed_s < now_s]
            for consumer in dict.fromkeys(late):
                consumer.subscription.close_and_reconnect(consumer, "delivery acknowledgement timed out")
            if queue.unacknowledged:
                self.watch_timeouts(now_s)

    def watch_unused(self, now_s: float, queue: Queue) -> None:
        """A queue with an expiry is deleted if it has no consumer from now on until then."""
        if queue.arguments.expires_s is not None:
            queue.unused_since_s = now_s
            self.sim.env.at(now_s + queue.arguments.expires_s, self._expire_queue, queue)

    def _expire_queue(self, now_s: float, queue: Queue) -> None:
        expires_s = queue.arguments.expires_s or math.inf
        if not queue.is_deleted and not queue.consumers and now_s >= queue.unused_since_s + expires_s:
            self.delete_queue(queue.name)

    # ------------------------------------------------------------------------------------------ refusals

    def _check_name(self, kind: str, name: str, others: Mapping[str, object] | None = None) -> None:
        check_short_string(kind, name)
        if others and name in others:
            problem = f"inequivalent arg 'x-queue-type': {name!r} exists and is no {kind}"
            raise PreconditionFailedError(problem, field="name", value=name, remedy="give it another name")
        if name == "" or name.startswith("amq."):
            raise self._refused(f"{kind} name {name!r} is the broker's own (reserved prefix 'amq.', or empty)", name)

    def _refused(self, problem: str, name: str) -> ChannelError:
        remedy = "choose another name"
        return AccessRefusedError(problem, field="name", value=name, remedy=remedy, at_s=float(self.sim.env.now))

    def _not_found(self, kind: str, name: str, known: Mapping[str, object]) -> NotFoundError:
        return NotFoundError(
            f"no {kind} {name!r}",
            field=kind,
            value=name,
            remedy=f"declare it first; there are: {', '.join(known) or 'none'}",
            at_s=float(self.sim.env.now),
        )
