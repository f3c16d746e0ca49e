"""Experiments: replications with intervals are the ordinary way to run.

- `replicate` runs a scenario with independent seeds; `until_precise` as often as an interval of a given width takes.
- `sweep` goes over a grid of values, `compare` holds two scenarios against each other with the same luck.
- `warm_up_over_runs` finds the warm-up and makes metrics without it; `batch_means` serves one long run.
- `metastable_map` holds load against the size of a trigger, `hysteresis` raises load and lowers it again.
- Results are tables; `.save(path)` writes and `load(path)` reads Parquet or CSV. A `journal` file keeps each run, so
  that none is made twice.
- `Recording` calibrates a queue on a recorded run of a real broker and predicts the rest of it.

Runs are made here, in worker processes, or where `parallel_config` of joblib says, such as a Dask cluster
(`with parallel_config(backend="dask")`, extra `edasim[dask]`); the numbers are the same to the last bit.

Follows the analysis of simulation output in `theory` (SO-01 to SO-07). Left out: rare events, designs other than the
full grid, and the choice of the best of many systems.
"""

from typing import Any

from .chaos import Abort, ChaosExperiment, ChaosReport, ChaosVerdict, SteadyState
from .compare import Comparison, compare, independent_half_width
from .crashes import crash_points
from .gather import ExperimentWarning
from .hysteresis import Hysteresis, Turn, hysteresis
from .measured_storms import MeasuredStorms, measured_storms
from .metastable import Aftermath, MapCell, MetastableMap, metastable_map
from .metrics import Metric, Metrics
from .recording import Prediction, Recording
from .replicate import replicate, until_precise
from .results import Failure, Provenance, Replications
from .series import BatchMeans, Steady, WarmUpStudy, batch_means, warm_up, warm_up_over_runs
from .stopping import Precision, next_goal, precision
from .storage import load
from .sweep import Sweep, sweep
from .tasks import seed_of

__all__ = [
    "Abort",
    "Aftermath",
    "BatchMeans",
    "ChaosExperiment",
    "ChaosReport",
    "ChaosVerdict",
    "Comparison",
    "ExperimentWarning",
    "Failure",
    "Hysteresis",
    "MapCell",
    "MeasuredStorms",
    "MetastableMap",
    "Metric",
    "Metrics",
    "Precision",
    "Prediction",
    "Provenance",
    "Recording",
    "Replications",
    "Steady",
    "SteadyState",
    "Sweep",
    "Turn",
    "WarmUpStudy",
    "batch_means",
    "compare",
    "crash_points",
    "hysteresis",
    "independent_half_width",
    "load",
    "measured_storms",
    "metastable_map",
    "next_goal",
    "parallel_config",
    "precision",
    "replicate",
    "seed_of",
    "sweep",
    "until_precise",
    "warm_up",
    "warm_up_over_runs",
]


def __getattr__(name: str) -> Any:
    """`parallel_config` is joblib's own, loaded when it is asked for."""
    if name == "parallel_config":
        from joblib import parallel_config

        return parallel_config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
