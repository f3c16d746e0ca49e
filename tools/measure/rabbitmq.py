"""RabbitMQ by pika: a durable classic queue, persistent messages, confirms, manual acknowledgement."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import client, unreachable
from .plan import Plan
from .recorder import Consumer, Publish


class RabbitMQ:
    """A broker on 127.0.0.1 with the user guest; `held` is the prefetch."""

    name, default_port = "RabbitMQ", 5672

    def __init__(self, port: int) -> None:
        self.pika, self.port = client("pika", "pika"), port
        self.queue, self.held = f"edasim.measure.{os.getpid()}", 1

    def _connect(self) -> Any:
        parameters = self.pika.ConnectionParameters(host="127.0.0.1", port=self.port)
        try:
            return self.pika.BlockingConnection(parameters)
        except (self.pika.exceptions.AMQPConnectionError, OSError) as trouble:
            raise unreachable(self.name, self.port, trouble) from trouble

    def prepare(self, plan: Plan) -> None:
        """Declares a durable queue."""
        self.held = plan.held
        connection = self._connect()
        connection.channel().queue_declare(self.queue, durable=True)
        connection.close()

    @contextmanager
    def publisher(self) -> Iterator[Publish]:
        """Persistent messages; a publish returns with its confirm."""
        connection = self._connect()
        channel = connection.channel()
        channel.confirm_delivery()
        persistent = self.pika.BasicProperties(delivery_mode=2)
        try:
            yield lambda sequence: channel.basic_publish("", self.queue, str(sequence).encode(), persistent)
        finally:
            connection.close()

    def consume(self, consumer: Consumer) -> None:
        """One channel per consumer; each message is acknowledged after its work."""
        connection = self._connect()
        channel = connection.channel()
        channel.basic_qos(prefetch_count=self.held)

        def on_message(channel: Any, method: Any, _: Any, body: bytes) -> None:
            consumer.work(int(body), again=method.redelivered)
            channel.basic_ack(method.delivery_tag)

        channel.basic_consume(self.queue, on_message)
        consumer.ready.set()
        while not consumer.stopped:
            connection.process_data_events(time_limit=0.2)
        connection.close()

    def clean_up(self) -> None:
        """Deletes the queue."""
        connection = self._connect()
        connection.channel().queue_delete(self.queue)
        connection.close()
