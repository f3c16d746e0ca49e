"""Recorded runs with several consumers beside their simulation, and the picture of both."""

import csv
import gzip
import io
import re
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edasim.errors import ConfigurationError, UnknownNameError
from edasim.experiments import replay
from edasim.viz import beside, measured_runs_svg

MEASURED = Path(__file__).parents[2] / "data" / "measured"

BY_HAND = """consumer,sequence,published_s,started_s,finished_s,redelivered
0,0,0.0,0.0,1.0,0
1,1,0.1,0.1,0.6,0
1,2,0.2,0.7,1.2,0
0,3,0.3,1.1,1.6,0
"""


def recording(text=BY_HAND):
    rows = list(csv.DictReader(io.StringIO(text)))
    return replay.ManyConsumers("by-hand", {name: [float(row[name]) for row in rows] for name in rows[0]})


def test_arrivals_and_services_are_the_recorded_ones_and_the_model_decides_who_serves():
    """Two consumers; the hand-over of 0.1 s is what lies between the ends and the starts of 2 and 3."""
    told = recording().replay(partial(replay.rabbitmq_queue, prefetch=1), handover_s=0.1)
    assert told.simulated.sequence.tolist() == [0, 1, 2, 3]
    assert told.simulated.started_s.tolist() == pytest.approx([0.1, 0.2, 0.8, 1.2])
    without = recording().replay(partial(replay.rabbitmq_queue, prefetch=1), handover_s=0.0)
    assert without.simulated.started_s.tolist() == pytest.approx([0.0, 0.1, 0.6, 1.0])
    assert told.measured.waits_s.tolist() == pytest.approx([0.0, 0.0, 0.5, 0.8])
    assert told.median_error_s == pytest.approx(0.1)
    assert (
        str(told) == "by-hand: mean wait 325.0 ms measured, 425.0 ms simulated; half of the 4 messages within 100.0 ms"
    )


def test_a_killed_consumers_message_comes_again():
    told = recording().replay(partial(replay.rabbitmq_queue, prefetch=1), handover_s=0.0, killed="0.0", kill_s=0.5)
    assert told.simulated.handed_out_again == (0,)
    assert told.simulated.waits_s[0] == pytest.approx(0.6)


def test_the_backlog_is_published_minus_started():
    assert recording().measured.backlog(np.array([0.0, 0.25, 0.75, 1.2])).tolist() == [0, 1, 1, 0]


def test_a_missing_column_is_named():
    with pytest.raises(UnknownNameError, match="redelivered"):
        replay.ManyConsumers("bad", {name: [0.0] for name in replay.COLUMNS[:-1]})


@pytest.fixture(scope="module")
def runs():
    return replay.measured_runs(MEASURED, seeds=2)


@pytest.mark.long
@pytest.mark.rule("RMQ-10", "NAT-18")
def test_shared_queues_are_predicted_message_by_message(runs):
    for told in (runs.prefetch_1, runs.prefetch_20, runs.pulled):
        assert told.median_error_s < 0.0005
        assert told.simulated.waits_s.mean() == pytest.approx(told.measured.waits_s.mean(), rel=0.03)
    ratio = runs.prefetch_20.simulated.waits_s.mean() / runs.prefetch_1.simulated.waits_s.mean()
    assert 4.0 < ratio < 4.7


@pytest.mark.long
@pytest.mark.rule("RMQ-13", "NAT-11")
def test_what_a_killed_consumer_held_comes_back_as_measured(runs):
    for told, at_s in ((runs.killed_rabbitmq, 12.2), (runs.killed_jetstream, 41.86)):
        for each in (told.measured, told.simulated):
            back = each.handed_out_again
            assert list(back) == sorted(back)
            assert float(each.started_s[each.again].min()) == pytest.approx(at_s, abs=0.1)
    assert len(runs.killed_rabbitmq.simulated.handed_out_again) == 10
    assert "came back 7 in order (1116 to 1122) measured" in str(runs)


@pytest.mark.long
def test_the_picture_has_every_run_and_says_its_numbers(runs):
    drawn = measured_runs_svg(runs)
    assert drawn.svg.count(f'stroke="{beside.GREY}" stroke-width="6"') == 1 + 5
    assert "at most 795 waiting measured" in drawn.text
    apart = int(re.search(r"never more than (\d+) apart", drawn.text)[1])
    assert apart <= 3
    assert "queue group mean wait 110 ms measured" in drawn.text
    ET.fromstring(drawn.svg)


def test_a_panel_without_points_and_no_panel_are_refused():
    one = (np.array([1.0]), np.array([1.0]))
    panel = beside.Panel("empty", ("x", "s"), ("y", ""), (beside.Pair("", one, ()),), "nothing")
    with pytest.raises(ConfigurationError, match="nothing to draw"):
        beside.beside_svg([panel], "alt")
    with pytest.raises(ConfigurationError, match="there is no panel"):
        beside.beside_svg([], "alt")


GAP_S, SERVICE_S, HANDOVER_S = 0.1, 0.25, 0.01
FILES = (
    "rabbitmq_4consumers_prefetch1_a",
    "rabbitmq_4consumers_prefetch20_a",
    "rabbitmq_kill_prefetch10_a",
    "rabbitmq_burst_a",
    "jetstream_4consumers_a",
    "jetstream_kill_batch10_a",
    "natsgroup_2consumers_load80_a",
)


@pytest.fixture
def folder(tmp_path):
    """Recordings by the clock: a message each 0.1 s, two consumers in turn, 0.25 s each, 0.01 s between two."""
    for name in FILES:
        lines, free_s = [",".join(replay.COLUMNS)], [0.0, 0.0]
        for sequence in range(150):
            published_s, consumer = GAP_S * sequence, sequence % 2
            started_s = max(published_s, free_s[consumer] + HANDOVER_S)
            free_s[consumer] = started_s + SERVICE_S
            again = int("kill" in name and 95 <= sequence < 98)
            lines.append(f"{consumer},{sequence},{published_s},{started_s},{free_s[consumer]},{again}")
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return tmp_path


def test_a_folder_of_recordings_is_replayed_and_drawn(folder):
    runs = replay.measured_runs(folder, seeds=2)
    assert runs.prefetch_1.handover_s == pytest.approx(HANDOVER_S)
    assert runs.prefetch_1.median_error_s < 1.5 * HANDOVER_S
    assert len(runs.group) == 2
    assert runs.killed_rabbitmq.measured.handed_out_again == (95, 96, 97)
    assert runs.killed_jetstream.simulated.started_s[runs.killed_jetstream.simulated.again].min() > 35.0
    assert "rabbitmq_kill_prefetch10_a: came back 3 in order (95 to 97) measured, 10 in order" in str(runs)
    drawn = measured_runs_svg(runs)
    titles = [line.partition(":")[0] for line in drawn.text.splitlines()]
    assert titles[1:3] == ["RabbitMQ, four consumers", "NATS"]
    assert len(titles) == 6
    assert drawn.svg.count("<g fill=") >= 4, "what was begun around each kill is drawn as dots"
    ET.fromstring(drawn.svg)


def test_a_high_level_has_no_zero_line():
    """A curve far from zero is drawn in its own range."""
    high = (np.array([0.0, 1.0]), np.array([1000.0, 1010.0]))
    panel = beside.Panel("high", ("x", "s"), ("y", ""), (beside.Pair("it", high, (high,)),), "far up")
    assert ">1,000<" in beside.beside_svg([panel], "alt").svg
