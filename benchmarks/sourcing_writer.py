"""A process that appends until it is killed: pairs of events, a view that follows, and each acknowledged position on
stdout.
"""

from __future__ import annotations

import sys

from edasim.events import Event
from edasim.sourcing import EventStore, Projection, View


def main(path: str) -> None:
    store = EventStore(path)
    counts = View(store, Projection(name="n", initial=0, apply=lambda n, _: n + 1, key=lambda one: one.type))
    print("ready", flush=True)
    while True:
        pair = store.version("pairs") // 2 + 1
        written = store.append("pairs", [Event(type=half, data={"of": pair}) for half in ("left", "right")])
        print(written.position, flush=True)
        if pair % 10 == 0:
            counts.catch_up()


if __name__ == "__main__":
    main(*sys.argv[1:])
