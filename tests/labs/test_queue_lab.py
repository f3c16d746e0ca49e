"""The queue lab: theory beside the run, honest intervals, overload that says so, pinned runs."""

import itertools
import re

import pytest

from edasim import labs
from edasim.errors import ConfigurationError
from edasim.experiments import independent_half_width
from edasim.labs import queue_lab
from edasim.theory import mean_interval, mg1, mm1, mmc, paired_interval

DEFAULTS = {"arrivals_per_s": 40.0, "service_ms": 20, "servers": 1, "variability": 1.0}
CORNERS = [
    dict(zip((control.name for control in queue_lab.LAB.controls), ends, strict=True))
    for ends in itertools.product(*((control.low, control.high) for control in queue_lab.LAB.controls))
]


class TestTheory:
    def test_one_server_is_exact_for_any_variability(self):
        assert queue_lab.truth_s(DEFAULTS) == pytest.approx(mm1(40.0, 50.0).mean_wait_s)
        assert queue_lab.truth_s(DEFAULTS | {"variability": 4.0}) == mg1(40.0, 0.020, 4.0).mean_wait_s

    def test_several_servers_are_exact_for_exponential_times(self):
        values = {"arrivals_per_s": 45.0, "service_ms": 40, "servers": 2, "variability": 1.0}
        assert queue_lab.truth_s(values) == pytest.approx(mmc(45.0, 25.0, 2).mean_wait_s)
        assert queue_lab.p95_truth_s(values) == pytest.approx(mmc(45.0, 25.0, 2).wait_quantile_s(0.95))

    @pytest.mark.parametrize("arrivals_per_s", [50.0, 60.0])
    def test_there_is_no_truth_without_idle_time(self, arrivals_per_s):
        assert queue_lab.truth_s(DEFAULTS | {"arrivals_per_s": arrivals_per_s}) is None
        assert queue_lab.p95_truth_s(DEFAULTS | {"arrivals_per_s": arrivals_per_s}) is None

    def test_theory_has_no_percentile_for_other_times(self):
        assert queue_lab.p95_truth_s(DEFAULTS | {"variability": 0.0}) is None

    def test_the_memory_is_the_relaxation_time_in_mails(self):
        values = DEFAULTS | {"arrivals_per_s": 47.5}
        assert queue_lab.memory(values) == pytest.approx(mm1(47.5, 50.0).relaxation_time_s * 47.5)

    def test_the_curve_passes_through_the_present_load(self):
        model = queue_lab.simulate(DEFAULTS, 1)
        assert (pytest.approx(0.8), pytest.approx(0.080)) in queue_lab.curve_through(model)


@pytest.mark.parametrize(("servers", "service_ms"), [(1, 10), (3, 30)])
@pytest.mark.parametrize("variability", [0.0, 1.0])
def test_ten_seeds_agree_with_theory_at_half_load(servers, service_ms, variability):
    """False alarms: 1 in 1,000 per case for what theory knows exactly; the approximation is allowed a tenth."""
    values = {"arrivals_per_s": 50.0, "service_ms": service_ms, "servers": servers, "variability": variability}
    spread, _ = labs.queue.ten_seeds(**values)
    found = mean_interval(spread.values, level=0.999)
    room_s = 0.0 if servers == 1 or variability == 1.0 else 0.1 * spread.truth
    assert found.low - room_s <= spread.truth <= found.high + room_s


class TestPicture:
    def test_it_says_setting_load_measurement_and_truth(self):
        first = labs.queue.draw(arrivals_per_s=25.0).text.split("\n")[0]
        assert first.startswith("25 mails per second, 20 ms each, 1 server, variability 1: load 0.5. Mean wait")
        assert first.endswith("(from 10 batches of the run); theory says 20 ms.")

    def test_an_interval_that_is_too_narrow_is_called_so(self):
        near_full = labs.queue.draw(arrivals_per_s=47.5).text
        assert "theory says 380 ms. A queue at this load remembers about 1,482 mails" in near_full
        assert "too narrow" not in labs.queue.draw(arrivals_per_s=40.0).text

    def test_overload_has_no_interval_and_no_theory(self):
        drawn = labs.queue.draw(arrivals_per_s=60.0)
        assert "load 1.2. More work arrives than can be done" in drawn.text
        assert "load 1. As much work arrives as can be done" in labs.queue.draw(arrivals_per_s=50).text
        assert "theory says" not in drawn.text
        assert "no steady wait from here on" in drawn.html

    def test_an_overloaded_queue_is_shown_up_to_the_last_arrival(self):
        model = queue_lab.simulate(DEFAULTS | {"arrivals_per_s": 60.0}, 1)
        last_s = model.run.deliveries.published_s[-1]
        (shown_s,) = re.findall(r"From 0 s to ([\d.]+) s", labs.queue.draw(arrivals_per_s=60.0).text)
        assert float(shown_s) == pytest.approx(last_s, abs=0.05)
        assert model.run.ended_s > last_s + 1

    def test_a_pinned_run_is_a_grey_queue_and_a_point(self):
        drawn = labs.queue.draw(arrivals_per_s=47.5, pinned={"arrivals_per_s": 40.0})
        assert "grayscale" in drawn.html
        assert "Pinned, in grey: 40 mails per second, 20 ms each, 1 server, variability 1." in drawn.text
        assert "pinned: 0.0" in drawn.text
        assert "grayscale" not in labs.queue.draw(arrivals_per_s=47.5).html

    @pytest.mark.parametrize("corner", CORNERS, ids=lambda corner: "-".join(f"{value:g}" for value in corner.values()))
    def test_every_extreme_is_drawn_and_told_in_numbers_for_people(self, corner):
        drawn = labs.queue.draw(**corner)
        assert drawn.html.count("<svg") == 2
        assert not re.search(r"nan|inf\b", drawn.text)
        assert not re.search(r"\de[+-]?\d", drawn.text.split("\n")[0])

    def test_values_outside_the_sliders_are_refused(self):
        with pytest.raises(ConfigurationError, match="servers is 0; give a number from 1 to 6"):
            labs.queue.draw(servers=0)


def test_the_widget_follows_its_sliders():
    box = labs.queue()
    box.fields["arrivals_per_s"].value = 47.5
    assert box.wait(60)
    assert "theory says 380 ms" in box.picture.value
    box.ten_seeds.click()
    assert box.wait(60)
    assert "10 repeats of mean wait: mean" in box.spread.value
    assert "10 repeats of 95th percentile of waits: mean" in box.spread.value


@pytest.mark.long
def test_a_pinned_setting_is_compared_seed_by_seed():
    drawn = labs.queue.draw_ten_seeds(arrivals_per_s=40.0, service_ms=19, pinned={"arrivals_per_s": 40.0})
    now, before = (labs.queue.ten_seeds(arrivals_per_s=40.0, service_ms=ms)[0].values for ms in (19, 20))
    found = paired_interval(now, before)
    apart = independent_half_width(now, before)
    assert "Mean wait, now minus pinned, 10 pairs with the same seeds" in drawn.text
    assert f"interval {found.low:.3g} to {found.high:.3g}: zero is outside, now is lower" in drawn.text
    assert f"it would be ± {apart:.3g}" in drawn.text
    assert apart / found.half_width >= 2.0


@pytest.mark.long
def test_how_many_runs_it_takes_is_shown():
    found = labs.queue.run_count(arrivals_per_s=40.0)
    assert found.met
    assert found.n == found.looks[-1]
    values = [labs.queue.metrics[0].measure(labs.queue.simulate(labs.queue.values({}), 1 + i)) for i in range(found.n)]
    assert found.intervals[-1] == mean_interval(values)
    assert found.intervals[found.looks[-2] - 2].relative_half_width > 0.1
    told = labs.queue.counted(found, labs.queue.values({})).text
    assert f"{found.n} runs are enough" in told
    assert "Theory says 0.08 s for the long run" in told
