"""Runs one measurement in a fresh process, so that none inherits another one's memory, modules or warm caches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def measure(measurement: Callable[..., Any], **arguments: Any) -> Any:
    """What `measurement(**arguments)` returns in a process of its own; arguments and result are those of JSON."""
    name = f"{measurement.__module__}:{measurement.__qualname__}"
    command = [sys.executable, "-m", "benchmarks.own_process", name, json.dumps(arguments)]
    ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(ran.stdout)


def main(name: str, arguments: str) -> None:
    """The other side: finds the function, calls it, prints what it returns."""
    module, _, function = name.partition(":")
    json.dump(getattr(import_module(module), function)(**json.loads(arguments)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
