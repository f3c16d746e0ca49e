"""The command: python -m tools.measure BROKER [options]."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from edasim.brokers import calibrate
from edasim.errors import EdasimError

from .errors import MeasuringError
from .plan import Plan
from .recorder import COLUMNS, measure

BROKERS = {
    "rabbitmq": ("rabbitmq", "RabbitMQ"),
    "activemq": ("activemq", "ActiveMQ"),
    "nats": ("nats", "Nats"),
    "jetstream": ("nats", "JetStream"),
    "kafka": ("kafka", "Kafka"),
}
"""The brokers by name, with the module and the class that measure them."""


def broker_class(name: str) -> Any:
    """The class that measures this broker; its client is imported when it is made."""
    module, kind = BROKERS[name]
    return getattr(import_module(f".{module}", __package__), kind)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line, read."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m tools.measure", description=(sys.modules[__package__].__doc__))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("broker", choices=BROKERS)
    parser.add_argument("--messages", type=int, default=plan.messages)
    parser.add_argument("--consumers", type=int, default=plan.consumers)
    parser.add_argument("--load", type=float, default=plan.load, help="rate x mean service / consumers")
    parser.add_argument("--mean-service-s", type=float, default=plan.mean_service_s)
    parser.add_argument("--scv", type=float, default=plan.scv, help="squared coefficient of variation of the services")
    parser.add_argument("--held", type=int, default=plan.held, help="prefetch, or the batch of a fetch or poll")
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--port", type=int, default=None, help="on 127.0.0.1; the broker's usual one by default")
    parser.add_argument("--output", type=Path, default=None, help="a .csv or .csv.gz file")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None, *, choose: Callable[[str], Any] = broker_class) -> int:
    """Measures, writes the table and tells what it says; returns the exit status."""
    asked = vars(arguments(given))
    name, port, output = (asked.pop(key) for key in ("broker", "port", "output"))
    try:
        plan = Plan(**asked)
        kind = choose(name)
        path = output or Path(f"measured_{name}.csv.gz")
        if not path.parent.is_dir():
            remedy = "make it first, or name another --output"
            raise MeasuringError(f"there is no folder {path.parent}", field="output", value=str(path), remedy=remedy)
        broker = kind(port or kind.default_port)
        print(f"{broker.name}: {plan.describe()}", flush=True)
        table = pd.DataFrame(measure(broker, plan), columns=COLUMNS)
        table.to_csv(path, index=False, float_format="%.6f")
        waits_s = table["started_s"] - table["published_s"]
        print(f"{path}: {len(table)} deliveries, mean wait {1000 * waits_s.mean():.1f} ms")
        print(calibrate(path))
    except EdasimError as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
