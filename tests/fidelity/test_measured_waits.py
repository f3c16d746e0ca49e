"""Waits measured on RabbitMQ and JetStream, predicted message by message from the other half of the run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edasim.experiments import Recording

MEASURED = Path(__file__).parents[2] / "data" / "measured"


@pytest.mark.parametrize(
    ("file", "largest_median_error_s"),
    [
        ("rabbitmq_mm1_load80_a", 0.001),
        ("jetstream_mm1_load80_a", 0.001),
        ("rabbitmq_mm1_load90_a", 0.020),
        ("jetstream_mm1_load90_a", 0.020),
    ],
)
def test_the_second_half_is_predicted_from_the_first(
    file: str, largest_median_error_s: float, told_waits: Callable[..., None]
) -> None:
    recording = Recording.read(MEASURED / f"{file}.csv.gz")
    prediction = recording.predict()
    without = recording.predict(handover_s=0.0)
    told_waits(file, prediction.measured_s, prediction.predicted_s)
    assert 0.0004 < prediction.handover_s < 0.0008
    assert prediction.median_error_s <= largest_median_error_s
    assert without.median_error_s > 4 * prediction.median_error_s


def test_half_a_millisecond_makes_the_wait_a_fifth_longer() -> None:
    recording = Recording.read(MEASURED / "rabbitmq_mm1_load80_a.csv.gz")
    with_handover = recording.predict().predicted_s.mean()
    without = recording.predict(handover_s=0.0).predicted_s.mean()
    assert 1.12 < with_handover / without < 1.25
