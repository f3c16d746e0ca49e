"""Theory: what queues, networks and repairs do in the long run, and what chance alone does to a measurement.

Rooms above compare their runs with these results; nothing here knows of simulation. Four kinds of names live here:

- results of queueing theory, made by functions such as `mm1`, `mmc`, `mg1` and `closed_network`: frozen objects with
  `load`, `mean_wait_s`, `mean_response_s`, `mean_number`, `wait_quantile_s(p)` and the like, where theory has them;
- a recurrence in time, `RetryStorm`: what a fault leaves behind where clients try again;
- laws of one number: `erlang_b`, `little_number`, `drain_time_s`, `k_of_n_availability` and the like;
- the analysis of output: `mean_interval`, `paired_interval`, `mser5` and the like.

Follows: Kleinrock, Queueing Systems; Harchol-Balter, Performance Modeling and Design of Computer Systems; Law,
Simulation Modeling and Analysis. Each function names its rule (QT-01 to QT-27, SO-01 to SO-07) and when it holds; the
table `data/theory/theory_values.csv` holds values that the tests reproduce. Left out: other transient behaviour,
multi-class networks, fluid and diffusion limits, rare-event estimators. Importing this room loads numpy, and no more.
"""

from .availability import (
    k_of_n_availability,
    k_of_n_one_repairer_availability,
    node_availability,
    parallel_availability,
    series_availability,
)
from .erlang import erlang_b, erlang_c
from .finite_room import MMCK, mmck
from .general import GG1, GGC, MG1, gg1, ggc, mg1
from .intervals import (
    BatchInterval,
    Interval,
    PairedInterval,
    batch_means_interval,
    bonferroni_level,
    mean_interval,
    paired_interval,
    proportion_interval,
    quantile_interval,
    runs_needed,
    student_t,
)
from .laws import (
    Scalability,
    amdahl,
    cold_start_ratio,
    drain_time_s,
    fan_out_ratio,
    inversion_ratio,
    little_number,
    little_rate_per_s,
    little_time_s,
    retry_attempts,
    token_bucket_most,
    usl,
)
from .markovian import MM1, MMC, mm1, mmc
from .networks import (
    ClosedNetwork,
    ForkJoinTwo,
    OpenNetwork,
    PowerOfChoices,
    closed_network,
    feedback,
    fork_join_two,
    jackson,
    power_of_choices,
    tandem,
)
from .one_server import (
    BatchArrivals,
    MM1Breakdowns,
    NonPreemptivePriorities,
    PriorityClass,
    batch_arrivals,
    mm1_breakdowns,
    non_preemptive_priorities,
)
from .retry_storm import RetryStorm, StormCourse, StormRegion
from .warm_up import WarmUp, mser5

__all__ = [
    "GG1",
    "GGC",
    "MG1",
    "MM1",
    "MMC",
    "MMCK",
    "BatchArrivals",
    "BatchInterval",
    "ClosedNetwork",
    "ForkJoinTwo",
    "Interval",
    "MM1Breakdowns",
    "NonPreemptivePriorities",
    "OpenNetwork",
    "PairedInterval",
    "PowerOfChoices",
    "PriorityClass",
    "RetryStorm",
    "Scalability",
    "StormCourse",
    "StormRegion",
    "WarmUp",
    "amdahl",
    "batch_arrivals",
    "batch_means_interval",
    "bonferroni_level",
    "closed_network",
    "cold_start_ratio",
    "drain_time_s",
    "erlang_b",
    "erlang_c",
    "fan_out_ratio",
    "feedback",
    "fork_join_two",
    "gg1",
    "ggc",
    "inversion_ratio",
    "jackson",
    "k_of_n_availability",
    "k_of_n_one_repairer_availability",
    "little_number",
    "little_rate_per_s",
    "little_time_s",
    "mean_interval",
    "mg1",
    "mm1",
    "mm1_breakdowns",
    "mmc",
    "mmck",
    "mser5",
    "node_availability",
    "non_preemptive_priorities",
    "paired_interval",
    "parallel_availability",
    "power_of_choices",
    "proportion_interval",
    "quantile_interval",
    "retry_attempts",
    "runs_needed",
    "series_availability",
    "student_t",
    "tandem",
    "token_bucket_most",
    "usl",
]
