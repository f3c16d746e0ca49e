"""A lab without its widget: the static twin, ten seeds, and the table of labs."""

import dataclasses
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from edasim import labs
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.labs import Metric, Spread
from edasim.labs.resilience_lab import ResilienceLab
from edasim.labs.spread import Compared
from edasim.theory import paired_interval
from edasim.viz import Picture


class TestDraw:
    def test_it_draws_the_defaults_with_the_first_seed(self, tiny):
        assert isinstance(tiny.lab.draw(), Picture)
        assert tiny.simulated == [({"arrivals_per_s": 40, "service_s": 0.02, "order": "fifo"}, 1)]

    def test_values_and_seed_change_the_picture_and_nothing_else_does(self, tiny):
        drawn = [tiny.lab.draw(), tiny.lab.draw(arrivals_per_s=45), tiny.lab.draw(seed=2)]
        assert len({picture.svg for picture in drawn}) == 3
        assert tiny.lab.draw() == drawn[0]

    def test_a_pinned_run_is_drawn_behind(self, tiny):
        compared = tiny.lab.draw(arrivals_per_s=45, pinned={"arrivals_per_s": 30})
        assert 'class="pinned"' in compared.svg
        assert "The pinned run:" in compared.text

    def test_an_unknown_or_wrong_value_is_refused_before_anything_is_simulated(self, tiny):
        with pytest.raises(UnknownNameError, match="did you mean 'arrivals_per_s'"):
            tiny.lab.draw(arrival_per_s=30)
        with pytest.raises(ConfigurationError, match="arrivals_per_s is 50; give a number from 10 to 49 per second"):
            tiny.lab.draw(arrivals_per_s=50)
        with pytest.raises(ConfigurationError, match="seed is -1"):
            tiny.lab.draw(seed=-1)
        assert tiny.simulated == []


class TestTenSeeds:
    def test_each_seed_is_run_once_and_the_spread_says_n(self, tiny):
        (spread,) = tiny.lab.ten_seeds(arrivals_per_s=30, seed=5)
        assert [seed for _, seed in tiny.simulated] == list(range(5, 15))
        assert spread.seeds == tuple(range(5, 15))
        assert len(set(spread.values)) == 10
        assert spread.interval.n == 10
        assert spread.text.startswith("mean wait, 10 runs with seeds 5 to 14: single runs from ")
        assert "(95 %, n = 10) s; theory says 0.03 s, " in spread.text

    def test_values_are_those_of_single_runs(self, tiny):
        (spread,) = tiny.lab.ten_seeds()
        assert [f"Mean wait {1000 * value:.3f} ms" for value in spread.values] == [
            tiny.lab.draw(seed=seed).alt for seed in spread.seeds
        ]

    def test_its_picture_shows_ten_dots_and_says_the_same(self, tiny):
        (spread,) = tiny.lab.ten_seeds()
        drawn = spread.to_picture()
        assert drawn.svg.count("<circle") == 10
        assert drawn.text == spread.text

    def test_the_button_has_a_static_twin(self, tiny):
        (spread,) = tiny.lab.ten_seeds(arrivals_per_s=30)
        assert tiny.lab.draw_ten_seeds(arrivals_per_s=30) == spread.to_picture()

    def test_a_lab_may_draw_its_repeats_in_one_picture_and_several_stand_under_each_other_otherwise(self, tiny):
        two = dataclasses.replace(tiny.lab, metrics=tiny.lab.metrics * 2)
        drawn = two.draw_ten_seeds()
        assert drawn.html.count("<svg") == 2
        assert len(drawn.text.splitlines()) == 2
        own = dataclasses.replace(two, repeats=lambda spreads: spreads[1].to_picture())
        assert own.draw_ten_seeds() == two.ten_seeds()[1].to_picture()

    def test_a_run_without_its_number_is_named(self):
        with pytest.raises(ConfigurationError, match=r"mean wait is nan with seed 8; run longer"):
            Spread(label="mean wait", unit="s", seeds=(7, 8), values=(0.1, float("nan")))

    def test_without_a_truth_none_is_claimed(self):
        spread = Spread(label="queue", unit="", seeds=(1, 2), values=(1.0, 2.0))
        assert "theory" not in spread.text
        assert spread.text.endswith("(95 %, n = 2).")


class TestLab:
    def test_a_lab_is_frozen_and_checked(self, tiny):
        with pytest.raises(dataclasses.FrozenInstanceError):
            tiny.lab.title = "other"
        wrongs = {"simulate": 3, "picture": None, "metrics": ("wait",), "title": "", "controls": ()}
        for field, wrong in wrongs.items():
            with pytest.raises(ConfigurationError, match=rf"Lab\.{field}"):
                dataclasses.replace(tiny.lab, **{field: wrong})
        with pytest.raises(ConfigurationError, match=r"Metric\.measure"):
            Metric(label="x", unit="s", measure="mean")

    def test_values_are_told_with_units_and_seed(self, tiny):
        words = tiny.lab.in_words(tiny.lab.values({}), 3)
        assert words == "arrivals 40 per second, service s 0.02 s, order fifo, seed 3"


class TestTable:
    def test_labs_are_loaded_by_name_when_they_are_used(self, tiny, monkeypatch):
        monkeypatch.setattr(labs, "LABS", {"tiny": "tiny_lab"})
        monkeypatch.setitem(sys.modules, "edasim.labs.tiny_lab", types.SimpleNamespace(LAB=tiny.lab))
        assert labs.tiny is tiny.lab
        assert labs.names() == ("tiny",)
        assert "tiny" in dir(labs)
        with pytest.raises(AttributeError, match="there is no lab 'tony'; did you mean 'tiny'"):
            _ = labs.tony
        assert not hasattr(labs, "nothing")

    @pytest.mark.long
    def test_every_lab_of_the_table_is_a_lab_with_a_static_twin(self):
        for name in labs.names():
            lab = getattr(labs, name)
            assert isinstance(lab, labs.Lab | ResilienceLab)
            assert labs.LABS[name].endswith("_lab")
            assert isinstance(lab.draw(), Picture)


def test_drawing_needs_no_ipywidgets(tmp_path):
    program = """
import sys
sys.modules["ipywidgets"] = None
sys.path.insert(0, sys.argv[1])
from conftest import TinyLab
lab = TinyLab().lab
print(lab.draw().text, lab.ten_seeds()[0].to_picture().text)
assert not {"pandas", "matplotlib", "networkx", "IPython"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "mean wait, 10 runs" in done.stdout


class TestRunCount:
    def test_a_lab_without_a_wanted_width_says_so(self, tiny):
        with pytest.raises(ConfigurationError, match="does not say how many runs it takes"):
            tiny.lab.run_count()

    def test_runs_are_made_until_the_rule_is_content(self, tiny):
        lab = dataclasses.replace(tiny.lab, wanted_ratio=0.4)
        found = lab.run_count(arrivals_per_s=20)
        assert found.met
        assert [seed for _, seed in tiny.simulated] == list(range(1, found.n + 1))
        assert "about 90 % of cases" in lab.draw_run_count(arrivals_per_s=20).text

    def test_it_gives_up_at_the_most_runs(self, tiny, monkeypatch):
        monkeypatch.setattr("edasim.labs.lab.MOST_RUNS", 12)
        assert "12 runs are not yet enough" in dataclasses.replace(tiny.lab, wanted_ratio=0.01).draw_run_count().text


class TestPinnedTenSeeds:
    def test_the_difference_is_that_of_pairs_with_the_same_seed(self, tiny):
        drawn = tiny.lab.draw_ten_seeds(arrivals_per_s=30, pinned={"arrivals_per_s": 25})
        (now,), (before,) = tiny.lab.ten_seeds(arrivals_per_s=30), tiny.lab.ten_seeds(arrivals_per_s=25)
        compared = Compared(now=now, pinned=before)
        assert compared.interval == paired_interval(now.values, before.values)
        assert drawn.text == f"{now.text}\n{compared.to_picture().text}"

    def test_pairs_without_the_same_seeds_are_refused(self, tiny):
        (one,), (other,) = tiny.lab.ten_seeds(seed=1), tiny.lab.ten_seeds(seed=2)
        with pytest.raises(ConfigurationError, match="give the seeds"):
            Compared(now=one, pinned=other)

    def test_settings_that_never_differ_justify_no_verdict(self, tiny):
        (one,) = tiny.lab.ten_seeds()
        assert "no pair differs" in Compared(now=one, pinned=one).to_picture().text
