"""Calibration: known hand-overs are found again, and tables that cannot tell anything are refused by row."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edasim import RabbitMQ, Service, Simulation, Source, load
from edasim.brokers import Calibration, calibrate
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.experiments import Recording
from edasim.kernel import times

MEASURED = Path(__file__).parents[2] / "data" / "measured"
THREE = {"published_s": [0.0, 0.0, 0.0], "started_s": [0.25, 1.5, 2.75], "finished_s": [1.25, 2.5, 3.75]}
"""Three messages, all there from the beginning, a service of 1 s and a hand-over of 0.25 s."""


def found(**columns: Any) -> Calibration:
    return calibrate(THREE | columns, least_waiting=2)


class TestWhatATableTells:
    def test_three_messages_tell_hand_over_and_service(self):
        told = found()
        assert (told.handover_s, told.handover.n, told.pickup_s) == (0.25, 2, None)
        assert (told.mean_service_s, told.service_cv) == (1.0, 0.0)
        assert told.recorded == {"handover_s": 0.25, "service_time": times.Trace(values_s=[1.0, 1.0, 1.0])}
        assert told.fitted == {"handover_s": 0.25, "service_time": times.Constant(value_s=1.0)}
        assert str(told) == (
            "hand-over 250.000 ± 0.000 ms (2 waiting messages), service 1000.0 ms with coefficient of variation 0.00"
        )

    def test_a_message_that_found_its_consumer_idle_tells_the_pick_up(self):
        told = found(
            published_s=[0.0, 0.0, 0.0, 5.0], started_s=[0.25, 1.5, 2.75, 5.5], finished_s=[1.25, 2.5, 3.75, 6.0]
        )
        assert (told.handover_s, told.handover.n, told.pickup_s) == (0.25, 2, 0.5)
        assert "pick-up 500.00 ms at an idle consumer" in str(told)

    def test_each_consumer_hands_over_to_itself(self):
        """1 starts at 0.25 and 1.5 s, 2 at 0.5 and 2.0 s: their hand-overs are 0.25 and 0.5 s."""
        rows = {
            "consumer": [1, 2, 1, 2],
            "published_s": [0.0] * 4,
            "started_s": [0.25, 0.5, 1.5, 2.0],
            "finished_s": [1.25, 1.5, 2.5, 3.0],
        }
        told = calibrate(rows, least_waiting=2)
        assert (told.handover_s, told.handover.n) == (0.375, 2)
        assert 0.25 in told.handover
        assert 0.5 in told.handover

    @pytest.mark.parametrize("column", [{"redelivered": [0, 0, 0, 1]}, {"attempt": [1, 1, 1, 2]}])
    def test_what_came_back_tells_its_service_time_only(self, column: dict[str, list[int]]):
        told = found(
            published_s=[0.0] * 4, started_s=[0.25, 1.5, 2.75, 30.0], finished_s=[1.25, 2.5, 3.75, 33.0], **column
        )
        assert (told.handover_s, told.handover.n) == (0.25, 2)
        assert told.service_time.values_s == (1.0, 1.0, 1.0, 3.0)

    def test_a_file_a_frame_and_a_mapping_are_the_same(self, tmp_path: Path):
        frame = pd.DataFrame(THREE)
        frame.to_csv(tmp_path / "three.csv.gz", index=False)
        assert found() == calibrate(frame, least_waiting=2) == calibrate(tmp_path / "three.csv.gz", least_waiting=2)


class TestRoundTrip:
    def test_the_hand_over_of_a_simulated_queue_is_found_again(self):
        sim = Simulation(seed=3)
        queue = RabbitMQ().start(sim).declare_queue("work")
        usual = times.Gamma(mean_s=0.02, scv=0.5)
        Service("w", of=queue.consume(prefetch=1), nodes=2, service_time=usual, handover_s=0.0006)
        Source("src", load=load.First(load=load.Poisson(rate_per_s=85.0), count=2_000), to=queue)
        told = calibrate(sim.run().messages())
        assert told.handover_s == pytest.approx(0.0006, abs=1e-12)
        assert told.mean_service_s == pytest.approx(0.02, rel=0.08)  # 5 standard errors
        assert told.service_time.scv == pytest.approx(0.5, abs=0.12)

    def test_the_intervals_hold_the_true_hand_over_as_often_as_they_say(self):
        """Exponential hand-overs of 0.5 ms, 60 tables: below 51 of 60 would happen once in 1,200 times by chance."""
        held = 0
        for seed in range(60):
            rng = np.random.default_rng(seed)
            published_s = np.cumsum(rng.exponential(0.025, 800))
            services_s, handovers_s = rng.exponential(0.02, 800), rng.exponential(0.0005, 800)
            started_s, ended_s = np.empty(800), 0.0
            for row in range(800):
                started_s[row] = max(published_s[row], ended_s) + handovers_s[row]
                ended_s = started_s[row] + services_s[row]
            columns = {"published_s": published_s, "started_s": started_s, "finished_s": started_s + services_s}
            held += 0.0005 in calibrate(columns).handover
        assert held >= 51

    def test_a_calibrated_model_predicts_the_other_half_of_a_measured_run(self):
        measured = pd.read_csv(MEASURED / "jetstream_mm1_load80_a.csv.gz")
        half = len(measured) // 2
        first, whole = calibrate(measured.head(half)), calibrate(measured)
        recording = Recording(*(measured[name].to_numpy() for name in THREE))
        assert recording.predict(handover_s=first.handover_s).median_error_s <= 0.001
        assert whole.handover_s == pytest.approx(first.handover_s, rel=0.1)
        assert whole.service_cv == pytest.approx(1.0, abs=0.03)  # its services were drawn from an exponential


class TestRefusals:
    def test_a_missing_column_is_named(self):
        rows = {name: column for name, column in THREE.items() if name != "started_s"}
        with pytest.raises(UnknownNameError, match=r"no column of the measured table 'started_s'; known: published_s"):
            calibrate(rows)

    @pytest.mark.parametrize(
        ("columns", "sentence"),
        [
            (
                {"finished_s": [1.25, float("nan"), 3.75]},
                r"table.finished_s\[1\] is nan; leave out the deliveries that",
            ),
            ({"published_s": [0.0, 0.0, "late"]}, r"table.published_s\[2\] is 'late'; give a number of seconds"),
            ({"published_s": [0.0, 2.0, 0.0]}, r"table.started_s\[1\] is 1.5; .*published_s of this row is 2.0"),
            ({"finished_s": [1.25, 1.4, 3.75]}, r"table.finished_s\[1\] is 1.4; give times of one clock; started_s"),
            (
                {"started_s": [0.25, 2.75, 1.5], "finished_s": [1.25, 3.75, 2.5]},
                r"table.started_s\[2\] is 1.5; row 1 of the same consumer is from 2.75 to 3.75 s; sort the table by",
            ),
            ({"started_s": [0.25, 1.0, 2.75]}, r"table.started_s\[1\] is 1.0; .* several messages at once"),
            ({"consumer": ["a", None, "a"]}, r"table.consumer\[1\] is None; name the consumer"),
            ({"redelivered": [0, 0, float("inf")]}, r"table.redelivered\[2\] is inf"),
            (
                {"finished_s": [1.25, 2.5]},
                r"table.finished_s is 'an array of shape \(2,\)'; give each column the 3 rows",
            ),
        ],
    )
    def test_a_bad_row_is_named_with_its_value_and_a_remedy(self, columns: dict[str, list[Any]], sentence: str):
        with pytest.raises(ConfigurationError, match=sentence):
            found(**columns)

    def test_too_few_waiting_messages_say_how_to_measure_more(self):
        remedy = r"2 of 3 messages .* were waiting .*; measure longer or at a higher load .* at least 30 of them"
        with pytest.raises(ConfigurationError, match=remedy):
            calibrate(THREE)
        with pytest.raises(ConfigurationError, match="0 of 0 messages"):
            calibrate({name: [] for name in THREE})

    @pytest.mark.parametrize("rows", [7, [0.0, 0.25, 1.25], None])
    def test_what_is_no_table_is_refused(self, rows: Any):
        with pytest.raises(ConfigurationError, match="give a DataFrame, a mapping of columns or the path of a CSV"):
            calibrate(rows)

    def test_a_bound_below_two_is_refused(self):
        with pytest.raises(ConfigurationError, match="least_waiting is 1; give a whole number of at least 2"):
            calibrate(THREE, least_waiting=1)
