"""Interactive labs: a question, at most four controls, a live picture, pin, ten seeds.

`labs.NAME()` returns the widget of a lab; `labs.NAME.draw(**values)` gives the same picture without one,
`labs.NAME.draw_ten_seeds(**values)` what the button of that name adds, `labs.NAME.ten_seeds(**values)` its numbers.
With `pinned={...}` the first two also compare, `draw_ten_seeds` by the paired interval. A lab with a `wanted_ratio` has
`labs.NAME.draw_run_count(**values)` for "How many runs?".
`names()` tells which labs there are.

**To add a lab**, write `edasim/labs/<name>_lab.py` that holds `LAB`, a frozen `Lab`, and add a line to `LABS` below:

```python
def simulate(values, seed):          # pure: the same values and seed, the same model
    return MailQueue(arrivals_per_s=values["arrivals_per_s"]).run(seed=seed, until_s=60.0)

LAB = Lab(
    title="Why does the queue explode?",
    controls=(Slider(name="arrivals_per_s", low=10, high=49, step=1, default=40, unit="per second",
                     label="arrivals", question="How far can you push them before the wait is half a second?"),),
    simulate=simulate,
    picture=picture,                 # (model, pinned model or None) -> viz Picture
    metrics=(Metric(label="mean wait", unit="s", measure=mean_wait_s),),
)
```

The largest lab, `resilience`, is no `Lab`: it has two sliders and choices that depend on each other, and judges only
what was predicted. It draws, and is called, like the others.

A module ends in `_lab`, so that a lab and its module never share a name. Follows: live pictures are finished SVG texts,
computed by one worker that keeps the latest request only (`runner.py`). Left out: free text, more than four controls,
and labs without a static twin. Nothing here imports ipywidgets before a lab is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..errors import UnknownNameError
from .controls import Choice, Slider, Stops
from .lab import Lab
from .spread import Metric, Spread

LABS: Mapping[str, str] = MappingProxyType(
    {
        "broker": "broker_lab",
        "delivery": "delivery_lab",
        "fleet": "fleet_lab",
        "history": "history_lab",
        "mail_crash": "mail_crash_lab",
        "queue": "queue_lab",
        "rebuild": "rebuild_lab",
        "registration": "registration_lab",
        "resilience": "resilience_lab",
        "storm": "storm_lab",
        "trust": "trust_lab",
        "what_if": "what_if_lab",
    }
)
"""The labs by name, each with its module in this folder."""

__all__ = ["LABS", "Choice", "Lab", "Metric", "Slider", "Spread", "Stops", "UnknownLabError", "names"]


class UnknownLabError(UnknownNameError, AttributeError):
    """A lab that does not exist; tells the nearest that do."""


def names() -> tuple[str, ...]:
    """The names of the labs, sorted."""
    return tuple(sorted(LABS))


def __getattr__(name: str) -> Any:
    """The lab with this name, loaded at its first use."""
    if name not in LABS:
        raise UnknownLabError("lab", name, names())
    return importlib.import_module(f".{LABS[name]}", __name__).LAB


def __dir__() -> list[str]:
    return sorted((*__all__, *LABS))
