"""Shrinking: what is left of a failing schedule fails, and fails no more without any of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim import scenarios, times
from edasim.errors import ConfigurationError
from edasim.failures import Crash, Finding, Findings, Verdict, drawn_faults, shrink, smallest
from edasim.network import Link

SOME = Findings(
    [Finding(Verdict.LOST, "a promise", "a thing", key=1, at_s=0.0, event_ids=(), explain=lambda: ((), None))]
)


@settings(max_examples=60)
@given(total=st.integers(1, 60), guilty=st.sets(st.integers(0, 59), max_size=3))
def test_exactly_the_faults_that_do_it_together_are_left(total, guilty):
    guilty = {place % total for place in guilty}
    faults = [Crash(node="a", at_s=float(place)) for place in range(total)]

    def broken(some):
        return SOME if guilty <= {int(fault.at_s) for fault in some} else Findings()

    shrunk = smallest(faults, broken)
    assert {int(fault.at_s) for fault in shrunk.faults} == guilty
    assert shrunk.before == total


def test_fifty_crashes_of_the_registration_case_shrink_to_one():
    faults = drawn_faults(["mail", "user-management"], faults=50, until_s=20.0, mean_down_s=0.3, seed=3)
    case = scenarios.Registration(users=60, spam_ratio=0.0, mail_link=Link(latency=times.Exponential(mean_s=0.05)))
    shrunk = shrink(case, faults, verdict="duplicated", seed=1)
    assert len(shrunk.faults) == 1
    assert "1 of 50 faults are enough" in str(shrunk)
    assert shrunk.findings.count("duplicated") >= 1
    with pytest.raises(ConfigurationError, match="nothing to shrink"):
        shrink(case.but(sender="idempotent"), faults[:4])


def test_a_search_that_is_cut_short_gives_what_it_has_reached():
    faults = drawn_faults(["a"], faults=40, until_s=1.0, mean_down_s=1.0)
    shrunk = smallest(faults, lambda some: SOME if {faults[3], faults[33]} <= set(some) else Findings(), most_runs=6)
    assert shrunk.runs == 6
    assert {faults[3], faults[33]} < set(shrunk.faults)
    with pytest.raises(ConfigurationError, match="nodes"):
        drawn_faults("a", faults=1, until_s=1.0, mean_down_s=1.0)
