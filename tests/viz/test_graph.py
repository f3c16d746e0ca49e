"""Who talks to whom: columns from left to right, loops cut, echoes drawn apart."""

from hypothesis import given
from hypothesis import strategies as st

from edasim.viz.graph import Flow, arrange
from edasim.viz.stage import set_up

NAMES = "abcdef"


def columns(flows, groups):
    return {(station.name, station.echo): station.column for station in arrange(flows, groups).stations}


def test_a_line():
    assert columns([Flow("a", 0, 3), Flow("b", 1, 3)], ["b", "c"]) == {
        ("a", False): 0,
        ("b", False): 1,
        ("c", False): 2,
    }


def test_a_publisher_that_hears_the_answer_is_drawn_twice():
    graph = arrange([Flow("a", 0, 3), Flow("b", 1, 3)], ["b", "a"])
    assert [(s.name, s.echo, s.lanes, s.column) for s in graph.stations] == [
        ("a", False, [], 0), ("b", False, [0], 1), ("a", True, [1], 2),
    ]  # fmt: skip
    assert not any(arrow.returns for arrow in graph.arrows)


def test_a_retry_leads_back():
    graph = arrange([Flow("a", 0, 3), Flow("b", 1, 1)], ["b", "b"])
    assert [arrow.returns for arrow in graph.arrows] == [False, True]
    assert len(graph.stations) == 2


def test_an_arrow_over_a_column_takes_a_place_in_it():
    graph = arrange([Flow("a", 0, 1), Flow("b", 1, 1), Flow("a", 1, 1)], ["b", "c"])
    assert graph.passes == {2: (3,)}
    assert 3 in graph.order[1]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 5)), min_size=1, max_size=15, unique=True))
def test_every_layout_is_drawable(pairs):
    flows = [Flow(origin, lane, 1) for origin, lane in pairs]
    graph = arrange(flows, NAMES)
    for flow, arrow in zip(flows, graph.arrows, strict=True):
        assert graph.stations[arrow.origin].name == flow.origin
        assert graph.stations[arrow.target].name == NAMES[flow.lane]
        ahead = graph.stations[arrow.target].column > graph.stations[arrow.origin].column
        assert ahead or arrow.returns
    stage = set_up(graph, dict.fromkeys(range(6), 30), [2] * len(graph.stations))
    assert len(stage.paths) == len(flows)
    for one in stage.blocks:
        assert 0 <= one.x < one.right <= stage.width
        assert 0 <= one.y < one.bottom <= stage.height
        for other in stage.blocks:
            apart = one.right <= other.x or other.right <= one.x or one.bottom <= other.y or other.bottom <= one.y
            assert one is other or apart
