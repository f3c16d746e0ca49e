"""Partitioners and assignors, as kafka-python 3.0.12 and librdkafka 2.16 were measured."""

from collections.abc import Callable

import pytest

from edasim.brokers.kafka import assign, consistent_partition_for, murmur2, partition_for

Rows = list[dict[str, str]]
STEPS = ("start", "join", "settle_after_join", "leave_first", "settle_after_leave")


@pytest.mark.rule("KAF-01")
def test_every_key_goes_to_the_partition_that_was_measured(rows: Callable[[str], Rows], agreement: Callable[..., None]):
    outcomes = {}
    for number, row in enumerate(rows("kafka/partitioners"), start=2):
        key, partitions = bytes.fromhex(row["key_hex"]), int(row["partitions"])
        hashed = int(row["murmur2_hash_signed"]) % 2**32
        by_murmur2 = (int(row["kafka_python_murmur2"]), int(row["librdkafka_murmur2"]))
        measured = (hashed, *by_murmur2, int(row["librdkafka_consistent_crc32"]))
        partition = partition_for(key, partitions)
        outcomes[number] = measured, (murmur2(key), partition, partition, consistent_partition_for(key, partitions))
    agreement("kafka/partitioners", outcomes)


def parsed(cell: str) -> list[tuple[str, int]]:
    pairs = [each.rsplit("-", 1) for each in cell.split()]
    return [(topic, int(number)) for topic, number in pairs]


def replay(group: Rows) -> list[list[tuple[str, int]]]:
    """The modelled assignments of one shape and assignor, for its rows in their order."""
    partitions = {topic: int(count) for topic, count in (each.split(":") for each in group[0]["topics"].split())}
    modelled: dict[tuple[str, str], list[tuple[str, int]]] = {}
    previous = None
    for step in STEPS:
        subscriptions = {row["member"]: row["subscribed"].split() for row in group if row["step"] == step}
        given = assign(group[0]["assignor"], subscriptions, partitions, previous)
        modelled |= {(step, member): given[member] for member in subscriptions}
        previous = given
    return [modelled[row["step"], row["member"]] for row in group]


@pytest.mark.parametrize(
    "assignor",
    [
        pytest.param("range", marks=pytest.mark.rule("KAF-07")),
        pytest.param("roundrobin", marks=pytest.mark.rule("KAF-08")),
        pytest.param("sticky", marks=pytest.mark.rule("KAF-09")),
        pytest.param("cooperative-sticky", marks=pytest.mark.rule("KAF-10")),
    ],
)
def test_every_member_gets_the_partitions_that_were_measured(
    assignor: str, rows: Callable[[str], Rows], agreement: Callable[..., None]
):
    groups: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for number, row in enumerate(rows("kafka/assignments"), start=2):
        if row["assignor"] == assignor:
            groups.setdefault(row["shape"], []).append((number, row))
    outcomes = {}
    for group in groups.values():
        for (number, row), given in zip(group, replay([row for _, row in group]), strict=True):
            outcomes[number] = parsed(row["assigned"]), given
    agreement(f"kafka/assignments, {assignor}", outcomes)
