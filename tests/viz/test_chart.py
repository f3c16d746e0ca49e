"""Charts: axes, ticks, and step lines of any length in a bounded number of points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.viz import chart
from edasim.viz.chart import Axis, Scale


def test_linear_and_logarithmic_pixels():
    assert Axis(0, 10, 100, 200, "t").px([0, 5, 10, 20]).tolist() == [100, 150, 200, 200]
    assert Axis(1, 100, 300, 100, "w", scale=Scale.LOG).px([1, 10, 100]).tolist() == [300, 200, 100]


def test_ticks_are_round():
    assert Axis(0, 9.64, 0, 1, "t").ticks(5) == [0, 2, 4, 6, 8]
    assert Axis(0.0003, 2, 0, 1, "w", scale=Scale.LOG).ticks() == [0.001, 0.01, 0.1, 1.0]
    assert Axis(0, 1, 0, 1, "wait", "s").name == "wait (s)"


def test_ticks_of_a_narrow_window_differ():
    axis = Axis(5.0, 5.008, 0, 1, "t")
    assert axis.words(axis.ticks(4)) == ["5.000", "5.002", "5.004", "5.006", "5.008"]


@given(st.floats(1e-9, 1e9))
def test_nice_steps_are_at_least_as_large_and_at_most_three_times(step):
    assert step * (1 - 1e-6) <= chart.nice(step) <= 2.6 * step


@pytest.mark.long
@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50)), min_size=1, max_size=300))
def test_reduced_step_lines_keep_what_a_pixel_column_can_show(changes):
    times, levels = (np.array(v, dtype=float) for v in zip(*sorted(changes), strict=True))
    axis = Axis(0, 100, 0, 20, "t")
    x, y = chart.step_columns(times, levels, axis)
    assert len(x) <= 2 + 4 * 21
    assert np.all(np.diff(x) >= 0)
    assert y.max() == max(0.0, levels.max())
    assert y[-1] == levels[-1]
    for column in np.unique(np.floor(axis.px(times))):
        inside = levels[np.floor(axis.px(times)) == column]
        drawn = y[x == column]
        assert drawn.max() >= inside.max()
        assert drawn.min() <= inside.min()


def test_a_line_without_changes_is_flat():
    x, y = chart.step_columns(np.array([]), np.array([]), Axis(0, 1, 10, 90, "t"), before=3.0)
    assert (x.tolist(), y.tolist()) == ([10, 90], [3, 3])


@pytest.mark.parametrize(("changes", "width"), [(10, "1.2"), (4000, "0.4")])
def test_an_outline_that_goes_up_and_down_all_the_time_is_thin(changes, width):
    times, levels = np.linspace(0, 100, changes), np.arange(changes) % 2
    drawn = chart.step_line(times, levels, Axis(0, 100, 0, 200, "t"), Axis(0, 1, 40, 0, "n"), role="waiting")
    assert f'stroke-width="{width}"' in drawn


def test_bars_close_on_the_ground():
    path = chart.bars([0, 1, 2], [4, 2], Axis(0, 2, 0, 20, "w"), Axis(0, 4, 40, 0, "n"), fill="#fff")
    assert 'd="M0.0,40.0L0.0,0.0L10.0,0.0L10.0,20.0L20.0,20.0L20.0,40.0Z"' in path


@pytest.mark.parametrize("anchor", ["start", "end", "middle"])
def test_a_post_carries_its_words(anchor):
    assert ">p95 0.3 s</text>" in chart.post(50, 0, 40, "p95 0.3 s", anchor=anchor)


def test_axes_have_ticks_numbers_names_and_grids_if_wanted():
    across, up = Axis(0, 4, 0, 80, "time", "s"), Axis(0, 2, 40, 0, "waiting")
    plain, lined = chart.axis_across(across, 40, about=4), chart.axis_across(across, 40, grid_to=0, about=4)
    assert plain.count("v4") == lined.count("v4") == 5
    assert lined.count("V0") == 5
    assert ">time (s)</text>" in plain
    assert chart.axis_up(up, 0).count("<path") == 0
    assert chart.axis_up(up, 0, grid_to=80, about=2).count("H80") == 3
