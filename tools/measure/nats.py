"""NATS by nats-py: a JetStream stream on file with a pull consumer, or a queue group of core NATS.

The client is asynchronous; publisher and consumers each have a thread with an event loop of their own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .errors import client, unreachable
from .plan import Plan
from .recorder import Consumer, Publish

T = TypeVar("T")
FETCH_WITHIN_S = 0.5
ANSWER_WITHIN_S = 10.0
"""A server that dies in the middle of an answer leaves its client waiting."""


class Nats:
    """A queue group of core NATS on 127.0.0.1: no stream, no acknowledgement; `held` has no meaning here."""

    name, default_port = "NATS", 4222

    def __init__(self, port: int) -> None:
        self.nats, self.port = client("nats", "nats-py"), port
        self.subject, self.held = f"edasim.measure.{os.getpid()}", 1

    async def _connect(self) -> Any:
        async def keep_quiet(trouble: Exception) -> None:
            """What a call raises is enough."""

        try:
            return await self.nats.connect(
                f"nats://127.0.0.1:{self.port}", allow_reconnect=False, connect_timeout=2, error_cb=keep_quiet
            )
        except (OSError, self.nats.errors.Error) as trouble:
            raise unreachable(self.name, self.port, trouble) from trouble

    def prepare(self, plan: Plan) -> None:
        """Asks whether the server is there."""
        self.held = plan.held
        asyncio.run(self._within(self._ask()))

    async def _ask(self) -> None:
        connection = await self._connect()
        await self._make(connection)
        await connection.close()

    async def _within(self, answer: Coroutine[Any, Any, T]) -> T:
        """An answer, or an error if the server owes it for too long."""
        try:
            return await asyncio.wait_for(answer, ANSWER_WITHIN_S)
        except TimeoutError as trouble:
            raise unreachable(self.name, self.port, trouble) from trouble

    async def _make(self, connection: Any) -> None:
        """What has to be there before anything is published."""

    @contextmanager
    def publisher(self) -> Iterator[Publish]:
        """Each publish is on the wire when it returns."""
        with asyncio.Runner() as runner:
            connection = runner.run(self._within(self._connect()))
            yield lambda sequence: runner.run(self._within(self._publish(connection, str(sequence).encode())))
            runner.run(self._within(connection.close()))

    async def _publish(self, connection: Any, body: bytes) -> None:
        await connection.publish(self.subject, body)
        await connection.flush()

    def consume(self, consumer: Consumer) -> None:
        """In an event loop of its own, until the run is over."""
        asyncio.run(self._consume(consumer))

    async def _consume(self, consumer: Consumer) -> None:
        connection = await self._connect()

        async def on_message(message: Any) -> None:
            started_s = consumer.now_s()
            await asyncio.sleep(consumer.service_s(int(message.data)))
            consumer.keep(int(message.data), started_s)

        await connection.subscribe(self.subject, queue="workers", cb=on_message)
        await connection.flush()
        consumer.ready.set()
        while not consumer.stopped:
            await asyncio.sleep(FETCH_WITHIN_S)
        await connection.close()

    def clean_up(self) -> None:
        """Nothing: core NATS keeps nothing."""


class JetStream(Nats):
    """A stream on file and a durable pull consumer on 127.0.0.1; `held` is the batch of a fetch."""

    name = "JetStream"

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.stream = self.subject.replace(".", "_")

    async def _make(self, connection: Any) -> None:
        await self._asked(connection.jetstream().add_stream(name=self.stream, subjects=[self.subject]))

    async def _asked(self, answer: Coroutine[Any, Any, T]) -> T:
        """An answer of JetStream, or an error that says that it is off."""
        try:
            return await answer
        except self.nats.js.errors.ServiceUnavailableError as trouble:
            raise unreachable("JetStream (nats-server has to be started with -js)", self.port, trouble) from trouble

    async def _publish(self, connection: Any, body: bytes) -> None:
        await connection.jetstream().publish(self.subject, body)

    async def _consume(self, consumer: Consumer) -> None:
        connection = await self._connect()
        stream = connection.jetstream()
        pull = await stream.pull_subscribe(self.subject, durable="workers", stream=self.stream)
        consumer.ready.set()
        while not consumer.stopped:
            try:
                messages = await pull.fetch(self.held, timeout=FETCH_WITHIN_S)
            except self.nats.errors.TimeoutError:
                continue
            received_s = consumer.now_s()
            for message in messages:
                started_s, sequence = consumer.now_s(), int(message.data)
                await asyncio.sleep(consumer.service_s(sequence))
                again = message.metadata.num_delivered > 1
                consumer.keep(sequence, started_s, received_s=received_s, again=again)
                await message.ack()
        await connection.close()

    def clean_up(self) -> None:
        """Deletes the stream with its consumer."""
        asyncio.run(self._within(self._delete()))

    async def _delete(self) -> None:
        connection = await self._connect()
        await connection.jetstream().delete_stream(self.stream)
        await connection.close()
