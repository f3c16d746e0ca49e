"""ActiveMQ Classic by stomp.py (STOMP 1.2): a queue, persistent messages with receipts, individual acknowledgement."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import MeasuringError, client, unreachable
from .plan import Plan
from .recorder import Consumer, Publish

RECEIPT_WITHIN_S = 10.0


class ActiveMQ:
    """A broker on 127.0.0.1 with a STOMP connector; `held` is activemq.prefetchSize."""

    name, default_port = "ActiveMQ", 61613

    def __init__(self, port: int) -> None:
        self.stomp, self.port = client("stomp", "stomp.py"), port
        self.queue, self.held = f"/queue/edasim.measure.{os.getpid()}", 1

    def _connect(self, listener: Any = None) -> Any:
        connection = self.stomp.Connection12([("127.0.0.1", self.port)], reconnect_attempts_max=1)
        if listener is not None:
            connection.set_listener("", listener)
        try:
            connection.connect("admin", "admin", wait=True)
        except (self.stomp.exception.StompException, OSError) as trouble:
            raise unreachable(self.name, self.port, trouble) from trouble
        return connection

    def prepare(self, plan: Plan) -> None:
        """Only asks whether the broker is there: a queue is made by its first use."""
        self.held = plan.held
        self._connect().disconnect()

    @contextmanager
    def publisher(self) -> Iterator[Publish]:
        """Persistent messages; a publish returns with its receipt."""
        received, waiting = threading.Event(), self.stomp.ConnectionListener()
        waiting.on_receipt = lambda _: received.set()
        connection = self._connect(waiting)

        def publish(sequence: int) -> None:
            received.clear()
            connection.send(self.queue, str(sequence), persistent="true", receipt=f"m{sequence}")
            if not received.wait(RECEIPT_WITHIN_S):
                raise MeasuringError(
                    f"ActiveMQ sent no receipt for message {sequence} within {RECEIPT_WITHIN_S:g} s",
                    field="receipt",
                    value=sequence,
                    remedy="look into its log: at a memory or store limit it holds producers back",
                )

        try:
            yield publish
        finally:
            connection.disconnect()

    def consume(self, consumer: Consumer) -> None:
        """Works in the thread that receives; each message is acknowledged after its work."""
        listener = self.stomp.ConnectionListener()

        def on_message(frame: Any) -> None:
            consumer.work(int(frame.body), again=frame.headers.get("redelivered") == "true")
            connection.ack(frame.headers["ack"])

        listener.on_message = on_message
        connection = self._connect(listener)
        connection.subscribe(self.queue, "1", "client-individual", headers={"activemq.prefetchSize": str(self.held)})
        consumer.ready.set()
        consumer.recorder.stopped.wait()
        connection.disconnect()

    def clean_up(self) -> None:
        """Nothing: the queue is empty, and the broker removes it if it is told to (gcInactiveDestinations)."""
