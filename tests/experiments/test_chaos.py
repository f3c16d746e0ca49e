"""Chaos experiments: a claim that holds, one that breaks, one that was never true, and a run that is given up."""

import pytest

from edasim import failures, scenarios, times
from edasim.errors import ConfigurationError
from edasim.experiments import Abort, ChaosExperiment, ChaosVerdict, SteadyState
from edasim.failures import Crash, Slow


def in_time(run):
    """Mails per second within two seconds after they were asked for."""
    return failures.goodput_per_s(run, "mail", within_s=2.0)


def lost(run):
    """Findings of the oracle that are losses."""
    return failures.check(run).count("lost")


def crashes(run):
    """Nodes that have crashed so far."""
    return sum(fact.kind == "node_crashed" for fact in run.fact_list)


CASE = scenarios.Registration(
    users_per_s=4.0, spam_ratio=0.0, opens_ratio=0.0, analytics_time=times.Constant(value_s=0.02), sender="idempotent"
)


CRASH = Crash(node="mail", at_s=5.0, down_s=12.0)


def experiment(*claims, faults=(CRASH,), **more):
    return ChaosExperiment(scenario=CASE, steady=claims, faults=faults, until_s=20.0, runs=6, **more)


def test_a_claim_that_holds_and_one_that_breaks_are_told_apart_with_intervals():
    nothing_lost = SteadyState(name="lost", metric=lost, most=0.0)
    goodput = SteadyState(name="goodput", metric=in_time, least=2.8)
    report = experiment(nothing_lost, goodput).run(workers=1)
    assert [line.verdict.value for line in report.lines] == ["holds", "broken"]
    assert report.verdict is ChaosVerdict.BROKEN
    assert report.lines[1].difference.high < -0.5
    assert report.table().shape == (2, 9)
    text = str(report)
    assert text.startswith("steady state: lost is at most 0; goodput is at least 2.8\nfault: mail crashes at 5 s")
    assert "verdict: broken" in text
    assert str(experiment(nothing_lost, goodput).run(workers=1)) == text


@pytest.mark.long
def test_without_a_steady_state_nothing_is_said_and_a_close_claim_is_undecided():
    wish = SteadyState(name="goodput", metric=in_time, least=40.0)
    gentle = [Slow(node="mail", factor=1.01)]
    assert experiment(wish, faults=gentle).run(workers=1).verdict is ChaosVerdict.NO_STEADY_STATE
    mean = experiment(SteadyState(name="goodput", metric=in_time, least=0.0)).run(workers=1).lines[0].disturbed.mean
    close = SteadyState(name="goodput", metric=in_time, least=mean)
    assert experiment(close).run(workers=1).verdict is ChaosVerdict.UNDECIDED


def test_a_run_is_given_up_as_soon_as_the_rule_says():
    rule = Abort(metric=crashes, above=1.0, every_s=2.0)
    report = experiment(SteadyState(name="lost", metric=lost, most=0.0), abort=rule).run(workers=1)
    assert (report.verdict, report.aborted) == (ChaosVerdict.ABORTED, 6)
    assert str(report).endswith("6 of 6 runs were given up")
    from edasim.experiments.chaos import Guarded

    guarded = Guarded(CASE.but(faults=[Crash(node="mail", at_s=5.0, down_s=8.0)]), rule)
    assert guarded.run(seed=1, until_s=20.0).kept["given up"] == 6.0
    patient = Guarded(CASE, rule)
    assert patient.run(seed=1, until_s=20.0).fingerprint() == CASE.run(seed=1, until_s=20.0).fingerprint()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SteadyState(name="x", metric="mail.done"), "needs a bound"),
        (lambda: SteadyState(name="x", metric="mail.done", most=1.0, least=2.0), "at least 2"),
        (lambda: SteadyState(name="x", metric=3, most=1.0), "function of a run"),
        (experiment, "SteadyState"),
        (lambda: experiment(SteadyState(name="given up", metric="mail.done", most=1.0)), "name of its own"),
        (lambda: experiment(SteadyState(name="x", metric="mail.done", most=1.0), faults=()), "at least one fault"),
        (
            lambda: ChaosExperiment(
                scenario=3, steady=SteadyState(name="x", metric="a.b", most=1.0), faults=[], until_s=1.0
            ),
            "field faults",
        ),
    ],
)
def test_experiments_that_say_nothing_are_refused(make, says):
    with pytest.raises(ConfigurationError, match=says):
        make()
