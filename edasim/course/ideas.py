"""The thirty wrong ideas that the course refutes, each by an experiment.

They are the ideas that learners bring along about messages, queues and failures. An option of a prediction or a typical
mistake of an exercise may carry one of them (`names=`), so that a learner's feedback and a teacher's overview use the
same words. Left out: how common each idea is; we have not measured that.
"""

from __future__ import annotations

import enum


class WrongIdea(enum.Enum):
    """A wrong idea, in the words in which people say it."""

    ASYNCHRONOUS_IS_FASTER = "Asynchronous means faster."
    A_BROKER_IS_RELIABILITY = "A broker makes it reliable."
    QUEUES_ABSORB_OVERLOAD = "Queues absorb overload."
    BUSY_IS_EFFICIENT = "90 % busy is efficient."
    THE_AVERAGE_DESCRIBES = "The average wait describes it."
    ONE_RUN_SHOWS = "One run shows it."
    MORE_CONSUMERS_MORE_THROUGHPUT = "More consumers, more throughput."
    KAFKA_IS_A_QUEUE = "Kafka is a queue."
    ACKNOWLEDGED_IS_PROCESSED = "An acknowledged message was processed."
    EXACTLY_ONCE_END_TO_END = "Exactly-once exists end to end."
    IDEMPOTENT_IS_A_MEMORY = "Idempotent means ignoring duplicates in memory."
    MESSAGES_ARRIVE_IN_ORDER = "Messages arrive in order."
    KEYS_ARE_FOR_BALANCE = "A partition key is only for balance."
    TIMESTAMPS_ORDER = "Timestamps order events."
    A_TIMEOUT_MEANS_NO = "A timeout means it did not happen."
    RETRY_IS_HARMLESS = "Retry is harmless."
    IT_RECOVERS_WITH_THE_FAULT = "The system recovers when the fault ends."
    A_BREAKER_PROTECTS_THE_CALLER = "A circuit breaker protects the caller only."
    HEALTH_CHECKS_SEE_AT_ONCE = "Health checks detect failure at once."
    TWO_NODES_DOUBLE = "Two nodes double availability."
    SOURCING_IS_A_LOG_BESIDE = "Event sourcing is an audit log beside the database."
    REPLAY_DECIDES_AGAIN = "Replay re-does the decisions."
    SNAPSHOTS_CHANGE_THE_TRUTH = "Snapshots change the truth."
    DEAD_LETTERS_SOLVE_POISON = "A dead-letter queue solves poison messages."
    SAGAS_ARE_TRANSACTIONS = "Sagas are transactions."
    SCALING_IS_INSTANT = "Autoscaling reacts at once."
    SERVERLESS_HAS_NO_CAPACITY = "Serverless has no capacity."
    WATCH_UNTIL_RED = "Canary dashboards may be watched until they turn red."
    CONVERSION_IS_MECHANICAL = "JSON to XML is mechanical."
    DECOUPLED_IS_SAFE = "Decoupled means nobody breaks."
