"""The lab of chapter 00: what it simulates is the chapter's pair, and what it says is what the runs say."""

import dataclasses
import math
import re

import numpy as np
import pytest

import edasim as eda
from edasim import labs, scenarios
from edasim.labs import trust_lab
from edasim.labs.trust_lab import LAB, mean_wait_ms
from edasim.theory import mm1, proportion_interval

A = scenarios.SingleQueue(
    arrivals=eda.load.Poisson(rate_per_s=45), service_time=eda.times.Exponential(mean_s=0.020), messages=1000
)
B = dataclasses.replace(A, service_time=eda.times.Exponential(mean_s=0.020 / 1.05))


def simulated(seed=1, **values):
    return LAB.simulate(LAB.values(values), seed)


def test_the_defaults_are_the_chapters_pair():
    assert labs.trust is LAB
    assert trust_lab.mail_service(LAB.values({}), 0.0) == A
    assert trust_lab.mail_service(LAB.values({}), 5) == B


def test_the_same_luck_is_the_same_seed_and_different_luck_another():
    same, different = simulated(luck="same"), simulated(luck="different")
    assert same.a.fingerprint() == different.a.fingerprint() == A.run(seed=1).fingerprint()
    assert same.b.fingerprint() == B.run(seed=1).fingerprint()
    assert different.b.fingerprint() == B.run(seed=1 + trust_lab.OTHER_LUCK).fingerprint()


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("load", [0.5, 0.95])
def test_with_the_same_luck_no_mail_waits_longer_at_the_faster_one(load, seed):
    pair = simulated(seed, load=load, luck="same")
    longer_s = pair.b.deliveries.waits_s - pair.a.deliveries.waits_s
    assert longer_s.max() <= 1e-9
    assert longer_s.min() < 0


def test_equal_systems_with_the_same_luck_are_equal():
    pair = simulated(faster_percent=0, luck="same")
    assert pair.verdict == "By eye: both wait equally long."
    assert np.array_equal(pair.a.deliveries.waits_s, pair.b.deliveries.waits_s)


def test_the_verdict_is_what_the_two_numbers_say():
    seen = set()
    for seed in range(1, 11):
        pair = simulated(seed)
        a_ms, b_ms = pair.mean_waits_ms
        assert f"mails wait {abs(a_ms - b_ms):.0f} ms {'longer' if b_ms > a_ms else 'less'}" in pair.verdict
        assert ("B looks worse, but it is 5 % faster" in pair.verdict) == (b_ms > a_ms)
        seen.add(b_ms > a_ms)
    assert seen == {True, False}
    assert simulated(faster_percent=0).verdict.endswith("But A and B are the same system!")


def test_the_mean_wait_is_that_of_the_summary():
    run = A.run(seed=3)
    assert mean_wait_ms(run) == pytest.approx(1000 * run.summary()["mail"].mean_wait_s)


@pytest.mark.long
def test_at_half_load_long_runs_agree_with_theory():
    """A two-sided test at 1 in 1,000: 40 independent runs, t(39) = 3.56."""
    waits_ms = [
        mean_wait_ms(trust_lab.mail_service({"load": 0.5, "messages": 5000}, 0.0).run(seed=s)) for s in range(40)
    ]
    error = np.std(waits_ms, ddof=1) / math.sqrt(40)
    assert abs(np.mean(waits_ms) - 1000 * mm1(25, 50).mean_wait_s) < 3.56 * error


@pytest.mark.long
def test_about_one_pair_in_four_lies():
    """The share is 0.257 by an independent recursion (60,000 pairs); its 99.9 % interval from 600 must hold it."""
    values = LAB.values({})
    a, b = trust_lab.mail_service(values, 0.0), trust_lab.mail_service(values, 5)
    waits = [
        [run.summary()["mail"].mean_wait_s for run in (s.run(seed=seed, log="metrics") for seed in range(k, k + 600))]
        for s, k in ((a, 10_000), (b, 20_000))
    ]
    lies = sum(of_b > of_a for of_a, of_b in zip(*waits, strict=True))
    assert 0.257 in proportion_interval(lies, 600, level=0.999)


class TestPictures:
    def test_the_picture_says_both_means_and_the_pinned_ones(self):
        pair = simulated()
        drawn = LAB.draw(pinned={"load": 0.5})
        a_ms, b_ms = pair.mean_waits_ms
        assert f"A mean wait {a_ms:.0f} ms, B mean wait {b_ms:.0f} ms" in drawn.text
        assert "Pinned: A mean wait" in drawn.text
        assert drawn.text.startswith(pair.verdict)
        assert drawn.svg.count("<text") < 60

    def test_ten_seeds_count_the_pairs_that_lie(self):
        lies = sum(simulated(seed).mean_waits_ms[1] > simulated(seed).mean_waits_ms[0] for seed in range(1, 11))
        drawn = LAB.draw_ten_seeds()
        assert drawn.text.startswith(f"B looks worse in {lies} of 10 pairs.")
        assert drawn.svg.count('stroke-dasharray="5 3"') == lies
        assert re.search(r"interval -?[\d.]+ to -?[\d.]+: zero is ", drawn.text)

    def test_with_the_same_luck_none_lies(self):
        drawn = LAB.draw_ten_seeds(luck="same")
        assert drawn.text.startswith("B looks worse in 0 of 10 pairs.")
        assert "zero is outside, B is better" in drawn.text
        assert 'stroke-dasharray="5 3"' not in drawn.svg


@pytest.mark.parametrize(
    "values",
    [
        {"load": 0.5, "messages": 200, "faster_percent": 0, "luck": "same"},
        {"load": 0.95, "messages": 20_000, "faster_percent": 30},
    ],
)
def test_the_ends_of_the_sliders_are_drawn(values):
    assert LAB.draw(**values).svg
    assert LAB.draw(**values, pinned={}).svg
