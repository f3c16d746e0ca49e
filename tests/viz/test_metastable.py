"""Pictures of the metastable map and of hysteresis, drawn from results made by hand."""

from xml.etree import ElementTree

from edasim import viz
from edasim.experiments import Aftermath, Hysteresis, MapCell, MetastableMap, Provenance, Turn
from edasim.theory import proportion_interval


def cell(load_per_s, trigger, back, expected=Aftermath.RECOVERS):
    answered = (1.0,) * back + (0.0,) * (4 - back)
    return MapCell(load_per_s, trigger, answered, proportion_interval(back, 4), expected)


def drawn(cells, trigger="fault_s", vulnerable=5.0):
    return MetastableMap(
        cells=cells,
        loads_per_s=tuple(sorted({each.load_per_s for each in cells})),
        triggers=tuple(dict.fromkeys(each.trigger for each in cells)),
        trigger=trigger,
        until_s=20.0,
        window_s=5.0,
        level=0.95,
        vulnerable_from_per_s=vulnerable,
        provenance=Provenance(),
        failures=(),
    )


def test_a_map_says_each_verdict_in_words_and_marks():
    found = drawn((cell(4.0, 0.0, 4), cell(4.0, 8.0, 4), cell(9.0, 0.0, 3), cell(9.0, 8.0, 0, Aftermath.STAYS_DOWN)))
    picture = viz.metastable_map(found)
    ElementTree.fromstring(picture.svg)
    for words in ("recovers", "stays down", "undecided", "3 of 4; expected: back", "vulnerable from 5 per s on"):
        assert words in picture.svg
    assert picture.alt == "Is it back long after the fault? recovers 2, stays down 1, undecided 1"
    vulnerable, at_4, at_9 = picture.text.splitlines()[1:]
    assert vulnerable == "Without chance, loads are vulnerable from 5 per s on."
    assert at_4.startswith("At 4 per s nothing on the map keeps it down. Fault of 0 s: recovers (4 of 4 runs back);")
    assert at_9 == (
        "At 9 per s a fault of 8 s keeps it down. Fault of 0 s: undecided (3 of 4 runs back, without chance back); "
        "fault of 8 s: stays down (0 of 4 runs back)."
    )


def test_a_map_of_capacities_says_so():
    picture = viz.metastable_map(
        drawn((cell(9.0, 8.0, 4, None), cell(9.0, 2.0, 0, None)), "fault_capacity_per_s", None)
    )
    assert "At 9 per s a capacity cut to 2 per s keeps it down." in picture.text
    assert "vulnerable" not in picture.svg
    assert "expected" not in picture.svg


def ways(turns):
    return Hysteresis(
        loads_per_s=(5.0, 10.0),
        up=((1.0, 1.0), (0.2, 0.0)),
        down=((1.0, 0.5), (0.2, 0.0)),
        turns=turns,
        hold_s=20.0,
        level=0.95,
        provenance=Provenance(),
    )


def test_hysteresis_says_where_it_turns():
    picture = viz.hysteresis(ways((Turn(10.0, 5.0), Turn(10.0, 4.0))))
    ElementTree.fromstring(picture.svg)
    assert picture.alt == (
        "The way up and the way down: goodput comes back at a load lower by 5.5 per s than it collapsed at"
    )
    assert "It is back at 4.5 ± 6.35 per s (95 %, 2 runs)." in picture.text
    assert "At 5 per s: 1 answered on the way up, 0.75 on the way down." in picture.text
    for words in ("way up", "way down", "collapses at 10", "back at 4.5"):
        assert words in picture.svg


def test_a_system_that_never_turned_has_no_posts():
    picture = viz.hysteresis(ways((Turn(None, None), Turn(None, None))))
    assert "no run collapsed and came back" in picture.alt
    assert "collapses at" not in picture.svg
