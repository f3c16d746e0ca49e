"""Selectors and destination patterns, as ActiveMQ Classic 5.17.2 was measured over STOMP."""

import json
from collections.abc import Callable

import pytest

from edasim.brokers.activemq import InvalidSelectorError, destination_matches, selector

Rows = list[dict[str, str]]


def verdict(text: str, properties: str) -> str:
    try:
        chosen = selector(text)
    except InvalidSelectorError:
        return "refused"
    return str(int(chosen.matches(json.loads(properties))))


@pytest.mark.rule("AMQ-07")
def test_selectors_take_and_refuse_what_was_measured(rows: Callable[[str], Rows], agreement: Callable[..., None]):
    outcomes = {
        number: (row["matches"].split(":")[0], verdict(row["selector"], row["properties"]))
        for number, row in enumerate(rows("activemq/selectors"), start=2)
    }
    agreement("activemq/selectors", outcomes)


@pytest.mark.rule("AMQ-08")
def test_patterns_take_the_destinations_that_were_measured(rows: Callable[[str], Rows], agreement: Callable[..., None]):
    outcomes = {
        number: (row["matches"] == "1", destination_matches(row["pattern"], row["destination"]))
        for number, row in enumerate(rows("activemq/wildcards"), start=2)
    }
    agreement("activemq/wildcards", outcomes)
