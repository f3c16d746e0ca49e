"""Experiments: replications with intervals are the ordinary way to run.

`replicate` runs a scenario with independent seeds and tells each metric with its interval; `Recording` calibrates a queue on
a recorded run of a real broker and predicts the rest of it. Follows the analysis of simulation
output in `theory` (SO-01, SO-04). Left out so far: sweeps, comparisons of more than two, stopping rules, clusters.
"""

from .recording import Prediction, Recording
from .replicate import Replications, replicate, seed_of

__all__ = ["Prediction", "Recording", "Replications", "replicate", "seed_of"]
