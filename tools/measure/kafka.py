"""Kafka by confluent-kafka: a topic with a partition per consumer, acks=all, a commit after each message.

Each poll returns up to `held` records; the offset is committed, without waiting, after each one's work. Kafka tells no
redelivery: a message that was worked on before counts as one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import MeasuringError, client, unreachable
from .plan import Plan
from .recorder import Consumer, Publish

ANSWER_WITHIN_S = 10.0
POLL_WITHIN_S = 0.2


class Kafka:
    """A broker on 127.0.0.1; `held` is the largest number of records that a poll returns."""

    name, default_port = "Kafka", 9092

    def __init__(self, port: int) -> None:
        self.kafka, self.port = client("confluent_kafka", "confluent-kafka"), port
        self.admin_client = client("confluent_kafka.admin", "confluent-kafka")
        self.topic, self.held = f"edasim.measure.{os.getpid()}", 1
        self.bootstrap = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}

    def prepare(self, plan: Plan) -> None:
        """Creates the topic."""
        self.held = plan.held
        admin = self.admin_client.AdminClient(self.bootstrap)
        topic = self.admin_client.NewTopic(self.topic, num_partitions=plan.consumers, replication_factor=1)
        self._answer(admin.create_topics([topic], operation_timeout=ANSWER_WITHIN_S)[self.topic])

    def _answer(self, future: Any) -> None:
        try:
            future.result(timeout=2 * ANSWER_WITHIN_S)
        except (self.kafka.KafkaException, TimeoutError) as trouble:
            raise unreachable(self.name, self.port, trouble) from trouble

    @contextmanager
    def publisher(self) -> Iterator[Publish]:
        """Keyed by the sequence, so that partitions are drawn by hash; a publish returns with its report."""
        producer = self.kafka.Producer({**self.bootstrap, "acks": "all", "linger.ms": 0})

        def publish(sequence: int) -> None:
            producer.produce(self.topic, key=str(sequence), value=str(sequence), on_delivery=self._check)
            if producer.flush(ANSWER_WITHIN_S):
                raise unreachable(self.name, self.port, TimeoutError(f"no report of message {sequence}"))

        yield publish
        producer.flush(ANSWER_WITHIN_S)

    def _check(self, error: Any, message: Any) -> None:
        if error is not None:
            raise unreachable(self.name, self.port, self.kafka.KafkaException(error))

    def consume(self, consumer: Consumer) -> None:
        """A member of a group; it is ready when it has been given its partition."""
        member = self.kafka.Consumer(
            {
                **self.bootstrap,
                "group.id": self.topic,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 500,
            }
        )
        member.subscribe([self.topic], on_assign=lambda *_: consumer.ready.set())
        while not consumer.stopped:
            records = member.consume(self.held, timeout=POLL_WITHIN_S)
            received_s = consumer.now_s()
            for record in records:
                if record.error() is not None:
                    raise MeasuringError(f"Kafka answers: {record.error()}", field="topic", value=self.topic)
                sequence = int(record.value())
                consumer.work(sequence, received_s=received_s, again=consumer.recorder.was_done(sequence))
                member.commit(record, asynchronous=True)
        member.close()

    def clean_up(self) -> None:
        """Deletes the topic."""
        admin = self.admin_client.AdminClient(self.bootstrap)
        self._answer(admin.delete_topics([self.topic], operation_timeout=ANSWER_WITHIN_S)[self.topic])
