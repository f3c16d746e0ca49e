"""What can go wrong when a real broker is measured."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from edasim.errors import EdasimError

MANUAL = "docs/MEASURING.md"


class MeasuringError(EdasimError):
    """The broker, its client or the run does not do what a measurement needs."""


def client(module: str, package: str) -> ModuleType:
    """The client library of a broker, or an error that says how to get it."""
    try:
        return import_module(module)
    except ImportError:
        raise MeasuringError(
            f"the client {package} is not installed",
            field="client",
            value=package,
            remedy=f"install it: pip install {package} (or all four: pip install -e '.[measure]')",
        ) from None


def broke_off(who: str, trouble: Exception) -> EdasimError:
    """The error for a client's exception in the middle of a run; one of the house's own is kept as it is."""
    if isinstance(trouble, EdasimError):
        return trouble
    return MeasuringError(
        f"{who} broke off ({type(trouble).__name__}: {trouble})",
        field="run",
        value=type(trouble).__name__,
        remedy="see whether the broker still runs, and measure again",
    )


def unreachable(broker: str, port: int, reason: object) -> MeasuringError:
    """The error for a broker that does not answer; raise what this returns."""
    return MeasuringError(
        f"{broker} does not answer on 127.0.0.1:{port} ({type(reason).__name__}: {reason})",
        field="port",
        value=port,
        remedy=f"start it as {MANUAL} says, or name its --port",
    )
