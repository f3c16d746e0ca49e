"""Subject patterns, as nats-server 2.9.10 was measured."""

from collections.abc import Callable

import pytest

from edasim.brokers.nats import InvalidSubjectError, subject_matches

Rows = list[dict[str, str]]


def verdict(pattern: str, subject: str) -> str:
    try:
        return str(int(subject_matches(pattern, subject)))
    except InvalidSubjectError:
        return "refused"


@pytest.mark.rule("NAT-01")
def test_patterns_match_and_are_refused_as_measured(rows: Callable[[str], Rows], agreement: Callable[..., None]):
    outcomes = {
        number: (row["matches"].split(":")[0], verdict(row["pattern"], row["subject"]))
        for number, row in enumerate(rows("nats/wildcards"), start=2)
    }
    agreement("nats/wildcards", outcomes)
