"""The crash-point matrix of the registration case on each broker: `python -m benchmarks.crash_matrix`.

Every node dies once right after every step of one user's story, in each variant of `registration.crash_variants`. It
prints the counts per broker and variant, whether they are what the variants say of themselves (it ends with 1 if they
are not), and the time, of which two idle cores need well under a minute. Left out: crashes of the brokers.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from edasim import ActiveMQ, JetStream, Kafka, MemoryBus, RabbitMQ, experiments
from edasim.failures import CrashPoints, Outcome
from edasim.scenarios.registration import Variant, crash_variants

BROKERS: dict[str, tuple[Any, float | None]] = {
    "memory bus": (MemoryBus(), None),
    "RabbitMQ": (RabbitMQ(), None),
    "ActiveMQ": (ActiveMQ(), None),
    "Kafka": (Kafka(), 300.0),
    "JetStream": (JetStream(), None),
}
"""Each broker with its defaults, and where its runs end (s): Kafka's consumers poll for ever."""


def matrix(broker: str, workers: int = 1) -> tuple[tuple[Variant, ...], CrashPoints]:
    """The variants on one of `BROKERS`, and what each crash does to each of them."""
    started, until_s = BROKERS[broker]
    variants = crash_variants(started)
    scenarios = {variant.name: variant.scenario for variant in variants}
    return variants, experiments.crash_points(scenarios, until_s=until_s, workers=workers)


def unlike(variant: Variant, found: CrashPoints) -> list[str]:
    """The crashes of which a variant says something else than the matrix, in words."""
    told = []
    for cell in found.of(variant.name):
        said = variant.outcome if cell.name in variant.crashes else Outcome.SURVIVED
        if cell.outcome is not said:
            told.append(f"{cell}, and {said.value} was said")
    tried = {cell.name for cell in found.of(variant.name)}
    return told + [f"{name}: was never tried" for name in sorted(variant.crashes - tried)]


def main(given: list[str]) -> int:
    """Prints the matrix of each broker; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crash_matrix", description=__doc__)
    parser.add_argument("--broker", choices=BROKERS, help="one broker alone")
    parser.add_argument("--cells", action="store_true", help="print every cell as well")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (1)")
    asked = parser.parse_args(given)
    begun_s, wrong = time.perf_counter(), 0
    for broker in [asked.broker] if asked.broker else BROKERS:
        since_s = time.perf_counter()
        variants, found = matrix(broker, asked.workers)
        print(f"{broker}: {len(found.cells)} crashes in {time.perf_counter() - since_s:.1f} s")
        for variant in variants:
            counts = ", ".join(f"{count} {word}" for word, count in found.counts(variant.name).items())
            print(f"  {variant.name:<18} {counts}")
            for problem in unlike(variant, found):
                print(f"    {problem}")
                wrong += 1
        if asked.cells:
            print(found)
    took_s = time.perf_counter() - begun_s
    print(f"{took_s:.1f} s in all; as each variant says: {'no' if wrong else 'yes'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
