"""What an interval promises: over 400 experiments it holds the true mean about 95 times in 100."""

from dataclasses import replace

import pytest
from breaking import MM1

from edasim.experiments import replicate
from edasim.theory import mean_interval, mm1

pytestmark = pytest.mark.long

EXPERIMENTS, RUNS = 400, 10


def test_the_95_percent_interval_holds_the_true_mean_in_92_to_98_percent_of_400_experiments():
    """M/M/1 at load 0.8: 10 runs of 5,000 messages each, empty start; the true mean wait is 4 s.

    A true coverage of 94 % leaves 92 to 98 % in 5 % of such tests; the seeds are fixed, so this one does not flicker.
    """
    queue = replace(MM1, messages=5_000)
    waits_s = replicate(queue, EXPERIMENTS * RUNS, "mail.mean_wait_s", seed=1, workers=1).of()
    true_mean_s = mm1(0.8, 1.0).mean_wait_s
    held = [true_mean_s in mean_interval(waits_s[first : first + RUNS]) for first in range(0, len(waits_s), RUNS)]
    assert len(held) == EXPERIMENTS
    assert 0.92 <= sum(held) / EXPERIMENTS <= 0.98
