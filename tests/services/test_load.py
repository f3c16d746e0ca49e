"""Arrivals: their law, their rate, how they end, and what recordings are refused.

Statistical tests use fixed seeds; each has a false-alarm rate of 1e-5 (about 15 of them: 2e-4 for the file).
"""

import collections
import inspect
import itertools
import math
import pickle
import tracemalloc
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from edasim.errors import ConfigurationError, EdasimError, StateError, UnknownNameError
from edasim.kernel import times
from edasim.services import load, rhythms

FALSE_ALARM = 1e-5
TRACES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "traces"
"""Public recordings that may lie beside the checkout; they are not part of the project."""

BURSTY = load.Bursty(rate_low_per_s=2.0, rate_high_per_s=30.0, mean_low_s=3.0, mean_high_s=1.0)
DIURNAL = load.Diurnal(mean_per_s=5.0, peak_ratio=1.8, period_s=100.0, peak_at_s=30.0)
ENDLESS = {
    "poisson": load.Poisson(rate_per_s=40.0),
    "constant": load.Constant(rate_per_s=40.0),
    "renewal": load.Renewal(gap=times.with_scv(0.025, 0.5)),
    "bursty": BURSTY,
    "bursty, silent between": load.Bursty(rate_low_per_s=0.0, rate_high_per_s=5.0, mean_low_s=0.3, mean_high_s=0.1),
    "diurnal": DIURNAL,
    "steps": load.Steps(rates_per_s=[20.0, 0.0, 40.0], each_s=3.0),
}
ENDING = {
    "trace": load.Trace(times_s=[0.0, 0.5, 0.5, 2.0]),
    "first": load.Poisson(rate_per_s=40.0).first(100),
    "until": BURSTY.until(20.0),
}
EVERY = ENDLESS | ENDING


def arrivals(of, count=None, seed=1):
    return list(itertools.islice(of.arrivals_s(np.random.default_rng(seed)), count))


def interval(values):
    """The mean of independent values, and the half-width of its interval at the file's false-alarm rate."""
    values = np.asarray(values)
    return values.mean(), stats.t.isf(FALSE_ALARM / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))


@pytest.mark.parametrize("name", EVERY)
class TestEveryLoad:
    def test_instants_are_python_floats_that_never_decrease(self, name):
        instants = arrivals(EVERY[name], 10_000)
        assert all(type(instant) is float for instant in instants)
        assert instants[0] >= 0.0
        assert all(earlier <= later for earlier, later in itertools.pairwise(instants))

    def test_the_same_generator_gives_the_same_instants(self, name):
        assert arrivals(EVERY[name], 1_000) == arrivals(EVERY[name], 1_000)

    def test_is_equal_by_value_hashable_and_can_be_sent_away(self, name):
        copy = pickle.loads(pickle.dumps(EVERY[name]))
        assert copy == EVERY[name]
        assert hash(copy) == hash(EVERY[name])

    def test_is_a_load(self, name):
        assert load.check_load("load", EVERY[name]) is EVERY[name]

    def test_says_what_it_is(self, name):
        assert len(EVERY[name].describe()) > 15

    def test_says_whether_it_ends(self, name):
        assert EVERY[name].endless is (name in ENDLESS)


class TestPoisson:
    def test_gaps_are_exponential(self):
        """20,000 gaps; a distance of 0.022 between the distribution functions would be seen nine times of ten."""
        gaps = np.diff(arrivals(load.Poisson(rate_per_s=40.0), 20_000), prepend=0.0)
        assert stats.kstest(gaps, stats.expon(scale=1 / 40).cdf).pvalue > FALSE_ALARM

    def test_counts_of_separate_seconds_have_the_mean_and_the_variance_of_poisson(self):
        counts = np.histogram(arrivals(load.Poisson(rate_per_s=8.0).until(4_000.0)), bins=4_000, range=(0, 4_000))[0]
        assert stats.chi2.sf(counts.var(ddof=0) * 4_000 / 8.0, 4_000) > FALSE_ALARM / 2
        assert stats.chi2.cdf(counts.var(ddof=0) * 4_000 / 8.0, 4_000) > FALSE_ALARM / 2
        mean, half_width = interval(counts)
        assert abs(mean - 8.0) <= half_width < 0.03 * 8.0

    def test_its_numbers_are_the_running_sums_of_the_stream(self):
        gaps = np.random.default_rng(1).exponential(0.025, 10_000).tolist()
        assert arrivals(load.Poisson(rate_per_s=40.0), 10_000) == list(itertools.accumulate(gaps))


class TestConstant:
    def test_the_kth_arrival_comes_at_exactly_k_gaps(self):
        assert arrivals(load.Constant(rate_per_s=10.0), 4) == [0.1, 0.2, 0.3, 0.4]
        assert arrivals(load.Constant(rate_per_s=10.0), 10_000)[-1] == 1000.0


class TestRenewal:
    def test_gaps_are_those_drawn(self):
        gap = times.HyperExponential(mean_s=0.5, scv=3.0)
        draw = gap.draws(np.random.default_rng(1))
        assert arrivals(load.Renewal(gap=gap), 1_000) == list(itertools.accumulate(draw() for _ in range(1_000)))

    def test_recorded_gaps_are_used_in_order_and_run_out_with_a_reason(self):
        instants = load.Renewal(gap=times.Trace(values_s=[1.0, 2.0])).arrivals_s(np.random.default_rng(1))
        assert [next(instants), next(instants)] == [1.0, 3.0]
        with pytest.raises(StateError, match="used up after 2 values"):
            next(instants)

    def test_rate_is_one_over_the_mean_gap(self):
        assert load.Renewal(gap=times.Constant(value_s=0.25)).mean_per_s == 4.0

    def test_gaps_of_0_are_refused(self):
        with pytest.raises(ConfigurationError, match=r"Renewal\.gap is .*mean above 0"):
            load.Renewal(gap=times.Constant(value_s=0.0))


class TestBursty:
    def test_mean_and_dispersion_of_counts_match_the_formula(self):
        """400 runs of 40 s; the half-widths show what biases of mean and variance would be seen."""
        counts = [len(arrivals(BURSTY.until(40.0), seed=seed)) for seed in range(400)]
        mean, half_width = interval(counts)
        assert BURSTY.mean_per_s == 9.0
        assert abs(mean - 9.0 * 40) <= half_width < 0.06 * 360
        variance, half_width = interval((np.array(counts) - 360.0) ** 2)
        assert abs(variance - 360.0 * BURSTY.dispersion(40.0)) <= half_width < 0.35 * variance

    def test_it_is_stationary_from_the_start(self):
        """The first half second has the mean of any other; 4,000 runs."""
        mean, half_width = interval([len(arrivals(BURSTY.until(0.5), seed=seed)) for seed in range(4_000)])
        assert abs(mean - 4.5) <= half_width < 0.6

    def test_gaps_within_a_state_that_never_ends_are_exponential(self):
        steady = load.Bursty(rate_low_per_s=7.0, rate_high_per_s=7.0, mean_low_s=0.1, mean_high_s=0.2)
        gaps = np.diff(arrivals(steady, 20_000), prepend=0.0)
        assert stats.kstest(gaps, stats.expon(scale=1 / 7).cdf).pvalue > FALSE_ALARM
        assert steady.dispersion() == 1.0

    def test_silent_times_separate_bursts_of_the_right_length(self):
        """An interrupted Poisson process is a renewal process with hyper-exponential gaps (Kuczura, 1973)."""
        on_off = load.Bursty(rate_low_per_s=0.0, rate_high_per_s=20.0, mean_low_s=2.0, mean_high_s=0.5)
        gaps = np.diff(arrivals(on_off, 20_001))
        fast, slow, share = interrupted_poisson(rate=20.0, end_on=2.0, end_off=0.5)
        pvalue = stats.kstest(gaps, lambda t: 1 - share * np.exp(-fast * t) - (1 - share) * np.exp(-slow * t)).pvalue
        assert pvalue > FALSE_ALARM

    def test_dispersion_grows_with_the_window_from_1_to_its_limit(self):
        windows = [1e-9, 0.1, 1.0, 10.0, 1e6]
        values = [BURSTY.dispersion(window_s) for window_s in windows]
        assert values == sorted(values)
        assert values[0] == pytest.approx(1.0)
        assert values[-1] == pytest.approx(BURSTY.dispersion(), rel=1e-5)

    def test_dispersion_is_the_integral_of_the_autocovariance_of_the_rate(self):
        """Var N(t) = mean·t + 2∫(t-u)·cov(u)du, here with cov(u) = variance of the rate · e^(-switching·u)."""
        variance, switching, window = 0.25 * 0.75 * 28.0**2, 1 / 3 + 1.0, 2.5
        integral, _ = integrate.quad(lambda u: (window - u) * variance * math.exp(-switching * u), 0, window)
        assert BURSTY.dispersion(window) == pytest.approx(1 + 2 * integral / (9.0 * window), rel=1e-9)

    def test_made_from_mean_and_dispersion_it_has_them(self):
        made = load.Bursty.with_dispersion(12.0, dispersion=6.0, swing_ratio=0.5)
        assert made.mean_per_s == pytest.approx(12.0)
        assert made.dispersion() == pytest.approx(6.0)
        assert (made.rate_low_per_s, made.rate_high_per_s) == (6.0, 18.0)

    def test_stays_far_shorter_than_gaps_average_out(self):
        """Switching a thousand times per arrival looks Poisson at the mean rate; 2,000 gaps."""
        flicker = load.Bursty(rate_low_per_s=0.5, rate_high_per_s=1.5, mean_low_s=5e-4, mean_high_s=5e-4)
        gaps = np.diff(arrivals(flicker, 2_000), prepend=0.0)
        assert stats.kstest(gaps, stats.expon.cdf).pvalue > FALSE_ALARM

    def test_arrivals_are_moved_to_where_the_expected_count_reaches_them(self):
        """Rate 2 for a second, 0 for a second, then 4: unit-rate instants 1, 2.4, 4, 6 become 0.5, 2.1, 2.5, 3."""
        stays = iter([(np.array([1.0, 2.0]), np.array([2.0, 2.0])), (np.array([4.0]), np.array([10.0]))])
        moved = list(rhythms.moved(iter([np.array([1.0, 2.4]), np.array([4.0, 6.0])]), stays))
        assert np.concatenate(moved) == pytest.approx([0.5, 2.1, 2.5, 3.0])

    def test_rounding_at_the_end_of_a_stay_does_not_turn_time_back(self):
        """Here interpolation lands one unit in the last place beyond the end of the stay, found by search."""
        ends_s = np.array([4.4435682738928115, 11.4558456555051, 12.4558456555051])
        expected = np.array([1.1537361263381463, 3.742881751269743, 4.742881751269743])
        unit_rate = np.array([math.nextafter(expected[1], 0.0), expected[1]])
        together = np.concatenate(list(rhythms.moved(iter([unit_rate]), iter([(ends_s, expected)]))))
        apart = np.concatenate(list(rhythms.moved(iter([unit_rate[:1], unit_rate[1:]]), iter([(ends_s, expected)]))))
        assert together[0] == together[1] == 11.455845655505101
        assert np.array_equal(apart, together)

    def test_a_long_run_forgets_the_stays_that_are_over(self):
        """60,000 arrivals over 600,000 stays in less memory than one number per stay would take."""
        flicker = load.Bursty(rate_low_per_s=0.0, rate_high_per_s=0.2, mean_low_s=1.0, mean_high_s=1.0)
        instants = flicker.arrivals_s(np.random.default_rng(1))
        next(instants)
        tracemalloc.start()
        collections.deque(itertools.islice(instants, 60_000), maxlen=0)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < 8 * 600_000


def interrupted_poisson(rate, end_on, end_off):
    """The two rates and the share of the first in the gaps of a Poisson process that is on and off at random."""
    total = rate + end_on + end_off
    root = math.sqrt(total**2 - 4 * rate * end_off)
    fast, slow = (total + root) / 2, (total - root) / 2
    return fast, slow, (rate - slow) / (fast - slow)


class TestDiurnal:
    def test_the_rate_follows_the_cosine_over_the_period(self):
        """60 periods in 20 bins, Poisson counts against the integral of the rate: chi-square at 1e-5."""
        phase = np.array(arrivals(DIURNAL.until(6_000.0))) % 100.0
        counts, edges = np.histogram(phase, bins=20, range=(0.0, 100.0))
        expected = [60 * integrate.quad(DIURNAL.rates_per_s, low, high)[0] for low, high in itertools.pairwise(edges)]
        assert stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), 20) > FALSE_ALARM
        assert counts.argmax() in {5, 6}

    def test_moved_to_its_own_clock_it_is_a_unit_rate_poisson_process(self):
        """The time-rescaling theorem; 20,000 gaps."""
        at = np.array(arrivals(DIURNAL, 20_000))
        turn = 2 * math.pi / 100.0
        expected = 5.0 * (at + 0.8 / turn * (np.sin(turn * (at - 30.0)) + math.sin(turn * 30.0)))
        assert stats.kstest(np.diff(expected, prepend=0.0), stats.expon.cdf).pvalue > FALSE_ALARM

    def test_rates_at_peak_and_trough(self):
        assert DIURNAL.rates_per_s([30.0, 80.0, 130.0]) == pytest.approx([9.0, 1.0, 9.0])
        assert load.Diurnal(mean_per_s=5.0, peak_ratio=2.0).rates_per_s(43_200.0) == pytest.approx(0.0)

    def test_without_a_peak_it_is_poisson_at_the_mean_rate(self):
        flat = load.Diurnal(mean_per_s=3.0, peak_ratio=1.0)
        gaps = np.diff(arrivals(flat, 20_000), prepend=0.0)
        assert stats.kstest(gaps, stats.expon(scale=1 / 3).cdf).pvalue > FALSE_ALARM


class TestSteps:
    CLIMB = load.Steps(rates_per_s=[30.0, 0.0, 60.0], each_s=100.0)

    def test_moved_to_its_own_clock_it_is_a_unit_rate_poisson_process(self):
        """A Kolmogorov-Smirnov test of the gaps, at the false-alarm rate of this file."""
        instants_s = np.array(arrivals(self.CLIMB.until(400.0)))
        expected = np.interp(instants_s, [0.0, 100.0, 200.0, 400.0], [0.0, 3_000.0, 3_000.0, 15_000.0])
        assert stats.kstest(np.diff(expected, prepend=0.0), "expon").pvalue > FALSE_ALARM
        assert not ((instants_s > 100.0) & (instants_s < 200.0)).any()

    def test_the_last_rate_stays(self):
        assert self.CLIMB.mean_per_s == 60.0
        late = sum(instant_s > 4_000.0 for instant_s in arrivals(self.CLIMB.until(4_100.0), seed=3))
        assert abs(late - 6_000.0) < stats.norm.isf(FALSE_ALARM / 2) * math.sqrt(6_000.0)

    @pytest.mark.parametrize("rates_per_s", [[], "12", [1.0, 0.0], [-1.0, 2.0], 5.0])
    def test_rates_that_cannot_be_are_refused(self, rates_per_s):
        with pytest.raises(ConfigurationError, match=r"Steps\.rates_per_s"):
            load.Steps(rates_per_s=rates_per_s, each_s=1.0)


class TestEnds:
    def test_first_gives_at_most_that_many(self):
        whole = load.Poisson(rate_per_s=40.0)
        assert arrivals(whole.first(3_000)) == arrivals(whole, 3_000)
        assert arrivals(load.Trace(times_s=[0.0, 1.0]).first(5)) == [0.0, 1.0]

    def test_until_leaves_out_the_instant_itself(self):
        assert arrivals(load.Constant(rate_per_s=10.0).until(0.3)) == [0.1, 0.2]

    def test_ends_can_be_combined_and_keep_the_rate(self):
        both = load.Constant(rate_per_s=10.0).first(100).until(0.5)
        assert arrivals(both) == [0.1, 0.2, 0.3, 0.4]
        assert both.mean_per_s == 10.0
        assert both.describe() == "until 0.5 s: the first 100 of: an arrival every 0.1 s"

    def test_a_load_of_your_own_can_be_ended_as_well(self):
        class Twice:
            mean_per_s = 2.0
            endless = False

            def arrivals_s(self, _rng):
                return iter([0.0, 1.0])

            def describe(self):
                return "two arrivals"

        assert arrivals(load.First(load=Twice(), count=1)) == [0.0]


class TestTrace:
    def test_gives_the_recorded_instants_and_their_rate(self):
        trace = load.Trace(times_s=np.array([1, 1, 4]))
        assert arrivals(trace) == [1.0, 1.0, 4.0]
        assert trace.mean_per_s == 0.75
        assert load.Trace(times_s=[0.0, 0.0]).mean_per_s == math.inf

    @pytest.mark.parametrize(
        ("instants", "message"),
        [
            ([0.0, 2.0, 1.0, 0.5], r"Trace\.times_s\[2\] is 1.0, earlier than 2.0 before it; sort the instants"),
            ([0.0, math.nan], r"Trace\.times_s\[1\] is nan; give finite numbers of at least 0"),
            ([-1.0, 0.0], r"Trace\.times_s\[0\] is -1.0"),
            ([], r"Trace\.times_s has shape \(0,\)"),
            (["now"], r"Trace\.times_s\[0\] is 'now'"),
        ],
    )
    def test_refuses_what_is_no_recording(self, instants, message):
        with pytest.raises(ConfigurationError, match=message):
            load.Trace(times_s=instants)

    def test_shows_a_long_recording_shortened(self):
        assert repr(load.Trace(times_s=range(3))) == "Trace(times_s=(0.0, 1.0, 2.0))"
        assert len(repr(load.Trace(times_s=range(1000)))) < 90


class TestTraceFromCsv:
    @pytest.mark.parametrize(
        ("text", "instants"),
        [
            ("at\n100\n100.5\n102\n", (0.0, 0.5, 2.0)),
            ("at\n1700000000000000001\n1700000000000000003\n", (0.0, 2.0)),
            ("at\n2023-11-16 18:15:46.6805900\n2023-11-16 18:15:50\n", (0.0, 3.31941)),
            ("at\n2023-11-16T00:00:00+01:00\n2023-11-16T00:00:00Z\n", (0.0, 3600.0)),
            ("other,at\nx,7\ny,9\n", (0.0, 2.0)),
        ],
        ids=["seconds", "large whole numbers", "timestamps", "offsets", "other columns"],
    )
    def test_reads_seconds_and_timestamps_and_starts_at_0(self, tmp_path, text, instants):
        path = tmp_path / "recorded.csv"
        path.write_text(text)
        assert load.Trace.from_csv(path, "at").times_s == pytest.approx(instants, abs=1e-9)

    def test_reads_compressed_files_and_replays_faster(self, tmp_path):
        import gzip

        path = tmp_path / "recorded.csv.gz"
        path.write_bytes(gzip.compress(b"at\n5\n6\n9\n"))
        assert load.Trace.from_csv(str(path), "at", rate_ratio=2.0).times_s == (0.0, 0.5, 2.0)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("at\n1\nlater\n3\n", r"recorded\.csv\[1\] is 'later'; give seconds or ISO 8601 timestamps in every row"),
            ("at,b\n2023-11-16,1\n,2\n", r"recorded\.csv\[1\] is nan"),
            ("at\ntomorrow\n2023-11-16\n", r"recorded\.csv\[0\] is 'tomorrow'"),
            ("at\n1\ninf\n", r"recorded\.csv\[1\] is inf"),
            ("at\nTrue\nFalse\n", r"recorded\.csv\[0\] is True"),
            ("at\n3\n2\n", r"recorded\.csv\[1\] is 2, earlier than 3 before it; sort the file by this column"),
            ("at\n", r"column 'at' of .*recorded\.csv has no rows"),
            ("", r"column 'at' of .*recorded\.csv cannot be read: .*; give the path of a CSV file"),
        ],
    )
    def test_names_file_row_and_value_of_what_it_cannot_use(self, tmp_path, text, message):
        path = tmp_path / "recorded.csv"
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=message):
            load.Trace.from_csv(path, "at")

    def test_names_the_columns_that_there_are(self, tmp_path):
        path = tmp_path / "recorded.csv"
        path.write_text("TIMESTAMP,tokens\n1,2\n")
        with pytest.raises(UnknownNameError, match="did you mean 'TIMESTAMP'") as caught:
            load.Trace.from_csv(path, "TIMESTAMPS")
        assert caught.value.known == ("TIMESTAMP", "tokens")

    @pytest.mark.parametrize("content", [None, b"no gzip"], ids=["missing", "damaged"])
    def test_says_that_a_file_cannot_be_read(self, tmp_path, content):
        path = tmp_path / "recorded.csv.gz"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="cannot be read") as caught:
            load.Trace.from_csv(path, "at")
        assert caught.value.value == path

    @pytest.mark.parametrize("rate_ratio", [0.0, -1.0, math.nan])
    def test_refuses_a_rate_ratio_that_stops_time(self, tmp_path, rate_ratio):
        with pytest.raises(ConfigurationError, match="rate_ratio is"):
            load.Trace.from_csv(tmp_path / "recorded.csv", "at", rate_ratio=rate_ratio)


@pytest.mark.skipif(not TRACES.is_dir(), reason="the public recordings do not lie beside the checkout")
class TestPublicRecordings:
    def test_requests_to_a_conversational_service_load_in_one_line(self):
        """AzurePublicDataset, LLM inference traces of 2023 (CC BY 4.0)."""
        requests = load.Trace.from_csv(TRACES / "azure_llm_conv_2023.csv.gz", "TIMESTAMP")
        gaps = np.diff(requests.times_s)
        assert len(requests.times_s) == 19_366
        assert requests.mean_per_s == pytest.approx(5.53, abs=0.005)
        assert gaps.std() / gaps.mean() == pytest.approx(1.09, abs=0.005)
        counts = np.histogram(requests.times_s, bins=np.arange(0.0, 3500.1, 10.0))[0]
        assert counts.var() / counts.mean() == pytest.approx(3.9, abs=0.1)

    def test_half_hours_of_taxi_rides_are_a_regular_recording(self):
        """Numenta Anomaly Benchmark (MIT)."""
        rides = load.Trace.from_csv(TRACES / "nab_nyc_taxi.csv.gz", "timestamp")
        assert set(np.diff(rides.times_s)) == {1800.0}


class TestClosed:
    def test_is_a_load_without_instants(self):
        loop = load.Closed(users=20, think_time=times.Exponential(mean_s=3.0))
        assert load.check_load("load", loop) is loop
        assert not isinstance(loop, load.Arrivals)
        assert loop.describe() == "20 users who wait for each answer and then think (exponential with mean 3 s)"

    def test_cannot_be_ended_as_arrivals_are(self):
        loop = load.Closed(users=1, think_time=times.Constant(value_s=1.0))
        with pytest.raises(ConfigurationError, match=r"First\.load is Closed"):
            load.First(load=loop, count=3)


@pytest.mark.parametrize(
    ("make", "given_fields", "message"),
    [
        (load.Poisson, {"rate_per_s": 0.0}, r"Poisson\.rate_per_s is 0.0; give a positive"),
        (load.Poisson, {"rate": 1.0}, r"no field of Poisson 'rate'"),
        (load.Constant, {"rate_per_s": math.inf}, r"Constant\.rate_per_s is inf"),
        (load.Renewal, {"gap": 0.1}, r"Renewal\.gap is 0.1; give a distribution of eda.times"),
        (
            load.Diurnal,
            {"mean_per_s": 1.0, "peak_ratio": 2.5},
            r"Diurnal\.peak_ratio is 2.5; give peak over mean, from 1 to 2",
        ),
        (load.Diurnal, {"mean_per_s": 1.0, "peak_ratio": 1.5, "period_s": 0.0}, r"Diurnal\.period_s is 0.0"),
        (load.Closed, {"users": 0, "think_time": times.Constant(value_s=1.0)}, r"Closed\.users is 0"),
        (load.Closed, {"users": 3, "think_time": 5.0}, r"Closed\.think_time is 5.0"),
        (load.First, {"load": load.Poisson(rate_per_s=1.0), "count": 0}, r"First\.count is 0"),
        (load.First, {"load": load.Poisson, "count": 3}, r"First\.load is <class"),
        (load.Until, {"load": load.Poisson(rate_per_s=1.0), "until_s": 0.0}, r"Until\.until_s is 0.0"),
        (
            load.Bursty,
            {"rate_low_per_s": 3.0, "rate_high_per_s": 2.0, "mean_low_s": 1.0, "mean_high_s": 1.0},
            r"Bursty\.rate_high_per_s is 2.0; give at least the low rate, 3",
        ),
    ],
)
def test_wrong_fields_are_refused_with_a_remedy(make, given_fields, message):
    with pytest.raises(EdasimError, match=message):
        make(**given_fields)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((0.0, 2.0, 0.5), "mean_per_s is 0.0"),
        ((1.0, 1.0, 0.5), "dispersion is 1.0"),
        ((1.0, 2.0, 1.5), "swing_ratio is 1.5"),
    ],
)
def test_bursts_that_cannot_be_are_refused(numbers, message):
    with pytest.raises(ConfigurationError, match=message):
        load.Bursty.with_dispersion(*numbers)


EXTREMES = [5e-324, 1e-308, 1e-12, 1.0, 1e12, 1e308]


def diurnal(mean_per_s, period_s, peak_at_s):
    return load.Diurnal(mean_per_s=mean_per_s, peak_ratio=2.0, period_s=period_s, peak_at_s=peak_at_s)


@pytest.mark.parametrize("make", [load.Bursty.with_dispersion, load.Bursty, diurnal, load.Poisson, load.Constant])
def test_extreme_numbers_are_refused_or_give_arrivals_at_once(make):
    """Each field at each extreme, the others at 1 or at an extreme as well: no hang, no overflow, no division by 0."""
    names = [f.name for f in fields(make)] if is_dataclass(make) else list(inspect.signature(make).parameters)
    made = 0
    for given_values in itertools.product(EXTREMES, repeat=len(names)):
        try:
            arriving = make(**dict(zip(names, given_values, strict=True)))
        except ConfigurationError:
            continue
        made += 1
        instants = np.array(arrivals(arriving, 3))
        assert np.isfinite(instants).all()
        assert (np.diff(instants) >= 0.0).all()
        assert 0.0 < arriving.mean_per_s < math.inf
    assert made > 0


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: load.Bursty(rate_low_per_s=0.0, rate_high_per_s=1.0, mean_low_s=1.0, mean_high_s=1e-6),
            "longer stays",
        ),
        (lambda: diurnal(1.0, 1e12, 0.0), "1e[+]12 arrivals per period"),
        (lambda: diurnal(1.0, 1.0, 1e13), "peak_at_s is 10000000000000.0; give at most 1e[+]12"),
        (lambda: load.Renewal(gap=times.Constant(value_s=1e-300)), "gap.mean_s is 1e-300"),
        (lambda: BURSTY.dispersion(0.0), "window_s is 0.0"),
    ],
)
def test_what_would_never_end_says_why(make, told):
    with pytest.raises(ConfigurationError, match=told):
        make()


@pytest.mark.parametrize("value", [40.0, "poisson", load.Poisson, None])
def test_what_is_no_load_is_refused(value):
    with pytest.raises(ConfigurationError, match=r"Source\.load is .*give arrivals of eda.load"):
        load.check_load("Source.load", value)
