"""W3 as an edasim user writes it: a topic of Kafka, a group for each reader, a service for each member's own speed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import chain, zip_longest
from typing import Any

import numpy as np

import edasim as eda
from edasim.kernel.runlog import DONE

from .workloads import COMMIT_EVERY_S, KEYS, MEMBER_LOAD, PARTITIONS, Kept, Workload, key_weights, member_rates_per_s


def simulate(
    workload: Workload,
    messages: int,
    sim: eda.Simulation,
    load: Any,
    service_time: Callable[[float], Any],
    key: Callable[[], int],
) -> eda.Run:
    """Runs W3 until the last message is done; `service_time(mean_s)` describes times, `key()` draws a key."""
    kafka = eda.Kafka(
        partitions=PARTITIONS,
        assignor="roundrobin",
        auto_offset_reset="earliest",
        auto_commit_interval_s=COMMIT_EVERY_S,
        initial_rebalance_delay_s=0.0,
    ).start(sim)
    records = kafka.topic("records", partitioner=lambda _message: key() % PARTITIONS)
    for members in workload.groups:
        group = records.group(f"{members:02}")
        for member, rate_per_s in enumerate(member_rates_per_s(workload, members)):
            name = f"{members:02}-{member:02}"
            eda.Service(name, of=group, service_time=service_time(MEMBER_LOAD / rate_per_s), nodes=[name])
    eda.Source("source", load=load.first(messages), to=records)
    return sim.run()


def keys(sim: eda.Simulation) -> Callable[[], int]:
    """Draws keys in blocks."""
    up_to = np.cumsum(key_weights())
    rng = sim.streams.generator("keys")

    def blocks() -> Iterator[list[int]]:
        while True:
            yield np.minimum(np.searchsorted(up_to, up_to[-1] * rng.random(4096)), KEYS - 1).tolist()

    return chain.from_iterable(blocks()).__next__


def kept(_workload: Workload, run: eda.Run) -> Kept:
    """What the log tells; without rows, the mean stands for the times of all deliveries."""
    lines = run.summary().lines
    done = sum(line.done for line in lines)
    mean_s = math.fsum(line.done * line.mean_response_s for line in lines) / done
    rows = run.deliveries
    rows = rows.rows(rows.outcome == DONE)
    times_s = [float(response_s) for response_s in rows.finished_s - rows.published_s]
    return Kept(times_s=times_s or [mean_s], deliveries=done, out_of_order=out_of_order(run))


def out_of_order(run: eda.Run) -> int:
    """How many deliveries of a group were not of the next offset of their partition, as the rows of the log tell."""
    rows, found = run.deliveries, 0
    if not len(rows):
        return found
    for lane, placements in run.log.placements.items():
        mine = rows.rows((rows.lane == lane) & (rows.outcome == DONE))
        in_log: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
        read: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
        partition_of = {number: partition for number, (_, partition) in placements().items()}
        for number, partition in partition_of.items():
            in_log[partition].append(number)
        for number in mine.number[np.argsort(mine.finished_s, kind="stable")].tolist():
            read[partition_of[number]].append(number)
        for partition, numbers in in_log.items():
            found += sum(one != other for one, other in zip_longest(numbers, read[partition]))
    return found
