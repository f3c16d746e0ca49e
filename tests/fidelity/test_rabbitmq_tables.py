"""Topic patterns and headers bindings, as RabbitMQ 3.10.8 was measured."""

import json
from collections.abc import Callable

import pytest

from edasim.brokers.rabbitmq import headers_match, topic_matches

Rows = list[dict[str, str]]


@pytest.mark.rule("RMQ-01")
def test_topic_patterns_match_what_was_measured(rows: Callable[[str], Rows], agreement: Callable[..., None]):
    outcomes = {
        number: (row["matches"] == "1", topic_matches(row["pattern"], row["routing_key"]))
        for number, row in enumerate(rows("rabbitmq/topic_matching"), start=2)
    }
    agreement("rabbitmq/topic_matching", outcomes)


@pytest.mark.rule("RMQ-02")
def test_headers_bindings_match_what_was_measured(rows: Callable[[str], Rows], agreement: Callable[..., None]):
    outcomes = {}
    for number, row in enumerate(rows("rabbitmq/headers_matching"), start=2):
        modelled = headers_match(json.loads(row["binding_arguments"]), json.loads(row["headers"]))
        outcomes[number] = row["matches"] == "1", modelled
    agreement("rabbitmq/headers_matching", outcomes)
