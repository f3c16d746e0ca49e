"""What an interval promises: over 400 experiments it holds the true mean about 95 times in 100."""

from dataclasses import replace

import numpy as np
import pytest
from breaking import MM1
from lindley import Lindley, mean_wait_s

from edasim.experiments import replicate, seed_of
from edasim.theory import mean_interval, mm1

EXPERIMENTS, RUNS = 400, 10
QUEUE = Lindley(arrival_per_s=0.8, mean_service_s=1.0, messages=5_000)


@pytest.mark.parametrize("replication", [0, 1, 2, 3_999])
def test_the_waits_of_lindleys_recursion_are_those_of_the_simulation(replication):
    seed = seed_of(1, replication)
    simulated = replace(MM1, messages=QUEUE.messages).run(seed=seed)
    assert np.abs(QUEUE.run(seed).waits_s - simulated.deliveries.waits_s).max() < 1e-9
    assert mean_wait_s(QUEUE.run(seed)) == pytest.approx(simulated.summary()["mail"].mean_wait_s, rel=1e-12)


@pytest.mark.long
def test_the_95_percent_interval_holds_the_true_mean_in_92_to_98_percent_of_400_experiments():
    """M/M/1 at load 0.8: 10 runs of 5,000 messages each, empty start; the true mean wait is 4 s.

    The 4,000 runs are made by Lindley's recursion, which the test above holds to the simulation. A true coverage of
    94 % leaves 92 to 98 % in 5 % of such tests; the seeds are fixed, so this one does not flicker.
    """
    waits_s = replicate(QUEUE, EXPERIMENTS * RUNS, mean_wait_s, seed=1, workers=1).of()
    true_mean_s = mm1(0.8, 1.0).mean_wait_s
    held = [true_mean_s in mean_interval(waits_s[first : first + RUNS]) for first in range(0, len(waits_s), RUNS)]
    assert len(held) == EXPERIMENTS
    assert 0.92 <= sum(held) / EXPERIMENTS <= 0.98
