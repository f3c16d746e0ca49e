"""The widget of a lab, driven from Python as a hand on a slider would drive it."""

import dataclasses
import re
import threading

import ipywidgets as widgets
import pytest

from edasim.labs.view import LabBox


def state(box):
    return re.match(r'<div class="edasim-lab" data-generation="(\d+)" data-state="(\w+)">', box.picture.value).groups()


def text_of(widget):
    if hasattr(widget, "children"):
        return "".join(text_of(child) for child in widget.children)
    return str(widget.value) if isinstance(widget, widgets.HTML) else widget.description


class TestFirstSight:
    def test_the_picture_is_there_before_anything_moves(self, tiny):
        box = tiny.lab()
        assert isinstance(box, widgets.VBox)
        assert state(box) == ("0", "ready")
        assert 'role="img" aria-label="Mean wait' in box.picture.value
        assert "In words: Mean wait" in box.picture.value

    def test_it_shows_what_the_static_twin_draws(self, tiny):
        assert tiny.lab.draw().to_html() in tiny.lab().picture.value

    def test_labels_have_units_and_each_control_its_question(self, tiny):
        told = text_of(tiny.lab())
        for words in ("arrivals (per second)", "How far can you push them?", "Who is next?", "Pin", "Ten seeds"):
            assert words in told
        assert "How long does a mail wait &lt;here&gt;?" in told

    def test_a_slider_is_told_its_name_and_a_choice_has_one_already(self, tiny):
        told = text_of(tiny.lab())
        assert told.count("data-name=") == sum(
            isinstance(field, widgets.IntSlider | widgets.FloatSlider | widgets.SelectionSlider)
            for field in tiny.lab().fields.values()
        )
        assert '<img alt="" hidden' in told
        assert 'data-name="arrivals (per second)"' in told

    def test_a_lab_without_numbers_has_no_ten_seeds(self, tiny):
        tiny.lab = type(tiny.lab)(
            title="?", controls=tiny.lab.controls, simulate=tiny.simulate, picture=tiny.lab.picture, metrics=()
        )
        assert "Ten seeds" not in text_of(tiny.lab())


class TestMoving:
    def test_a_slider_changes_the_picture_to_that_of_its_value(self, tiny):
        box = tiny.lab()
        before = box.picture.value
        box.fields["arrivals_per_s"].value = 45
        assert box.wait(60)
        assert box.picture.value != before
        assert state(box) == ("1", "ready")
        assert tiny.lab.draw(arrivals_per_s=45).to_html() in box.picture.value

    def test_another_seed_is_another_run(self, tiny):
        box = tiny.lab()
        box.seed.value = 9
        assert box.wait(60)
        assert tiny.lab.draw(seed=9).to_html() in box.picture.value

    def test_of_a_burst_of_a_hundred_moves_few_are_computed_and_the_last_is_shown(self, tiny):
        box = tiny.lab()
        gate = threading.Event()
        tiny.before = lambda values, seed: gate.wait(60)
        box.fields["arrivals_per_s"].value = 10
        for move in range(100):
            box.fields["arrivals_per_s"].value = 11 + move % 38
        gate.set()
        assert box.wait(60)
        assert len(tiny.simulated) <= 3
        assert state(box) == ("101", "ready")
        assert tiny.lab.draw(arrivals_per_s=11 + 99 % 38).to_html() in box.picture.value

    def test_moves_from_several_threads_end_with_what_the_sliders_say(self, tiny):
        box = tiny.lab()

        def move(values):
            for value in values:
                box.fields["arrivals_per_s"].value = value

        threads = [threading.Thread(target=move, args=(range(low, 49),)) for low in (10, 12, 15)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert box.wait(60)
        shown = box.fields["arrivals_per_s"].value
        assert tiny.lab.draw(arrivals_per_s=shown).to_html() in box.picture.value

    def test_a_slow_computation_is_announced_quietly_and_the_sign_goes_away(self, tiny):
        box = tiny.lab()
        seen = []
        tiny.before = lambda values, seed: (box._announce(1), seen.append((box.status.value, box.picture._dom_classes)))
        box.fields["arrivals_per_s"].value = 45
        assert box.wait(60)
        status, classes = seen[0]
        assert "computing" in status
        assert "edasim-lab-computing" in classes
        assert "computing" not in box.status.value
        assert "edasim-lab-computing" not in box.picture._dom_classes


class TestErrors:
    def test_an_error_is_shown_as_text_that_names_the_field(self, tiny):
        box = tiny.lab()
        box.fields["order"].value = "lifo"
        assert box.wait(60)
        assert state(box) == ("1", "error")
        assert 'role="alert"' in box.picture.value
        assert "order: order is &#x27;lifo&#x27;; give &#x27;fifo&#x27;" in box.picture.value

    def test_the_lab_goes_on_after_an_error(self, tiny):
        box = tiny.lab()
        box.fields["order"].value = "lifo"
        assert box.wait(60)
        box.fields["order"].value = "fifo"
        assert box.wait(60)
        assert state(box) == ("2", "ready")

    def test_a_bug_of_the_lab_is_shown_as_well_even_at_first_sight(self, tiny):
        def broken(values, seed):
            raise KeyError("wait<s>")

        tiny.before = broken
        box = tiny.lab()
        assert state(box) == ("0", "error")
        assert "KeyError: &#x27;wait&lt;s&gt;&#x27;" in box.picture.value
        with pytest.raises(KeyError):
            tiny.lab.draw()


class TestPin:
    def test_a_pinned_run_stays_in_grey_behind_what_comes_after(self, tiny):
        box = tiny.lab()
        box.pin.click()
        assert box.wait(60)
        box.fields["arrivals_per_s"].value = 45
        assert box.wait(60)
        assert tiny.lab.draw(arrivals_per_s=45, pinned={}).to_html() in box.picture.value
        assert "Pinned, in grey: arrivals 40 per second, service s 0.02 s, order fifo, seed 1." in box.status.value
        assert box.pin.description == "Unpin"

    def test_the_pinned_run_is_not_simulated_again(self, tiny):
        box = tiny.lab()
        box.pin.click()
        assert box.wait(60)
        box.fields["arrivals_per_s"].value = 45
        assert box.wait(60)
        assert [values["arrivals_per_s"] for values, _ in tiny.simulated] == [40, 40, 45]

    def test_letting_go_brings_the_plain_picture_back(self, tiny):
        box = tiny.lab()
        box.pin.click()
        box.pin.click()
        assert box.wait(60)
        assert box.picture.value.endswith(f"{tiny.lab.draw().to_html()}</div>")
        assert "Pinned" not in box.status.value
        assert box.pin.description == "Pin"

    def test_where_nothing_was_ever_shown_there_is_nothing_to_pin(self, tiny):
        def broken(values, seed):
            raise KeyError("wait")

        tiny.before = broken
        box = tiny.lab()
        box.pin.click()
        assert box.wait(60)
        assert (box.pinned, box.pin.description) == (None, "Pin")


class TestTenSeeds:
    def test_the_button_shows_dots_interval_and_n(self, tiny):
        box = tiny.lab()
        box.ten_seeds.click()
        assert box.wait(60)
        (spread,) = tiny.lab.ten_seeds()
        assert spread.to_picture().to_html() == box.spread.value
        assert box.spread.value.count("<circle") == 10
        assert "n = 10" in box.spread.value
        assert state(box) == ("1", "ready")

    def test_a_move_afterwards_takes_the_old_spread_away(self, tiny):
        box = tiny.lab()
        box.ten_seeds.click()
        assert box.wait(60)
        box.fields["arrivals_per_s"].value = 45
        assert box.wait(60)
        assert box.spread.value == ""

    def test_a_move_in_the_middle_ends_the_ten_seeds(self, tiny):
        box = tiny.lab()
        tiny.simulated.clear()

        def move_at_seed_three(values, seed):
            if seed == 3 and values["arrivals_per_s"] == 40:
                box.fields["arrivals_per_s"].value = 45

        tiny.before = move_at_seed_three
        box.ten_seeds.click()
        assert box.wait(60)
        run = [(values["arrivals_per_s"], seed) for values, seed in tiny.simulated]
        assert run == [(40, 1), (40, 1), (40, 2), (40, 3), (45, 1)]
        assert state(box) == ("2", "ready")

    def test_the_picture_follows_even_if_the_button_comes_right_after_a_move(self, tiny):
        tasks = []
        box = LabBox(tiny.lab, start=tasks.append)
        box.fields["arrivals_per_s"].value = 45
        box.ten_seeds.click()
        assert len(tasks) == 1
        tasks[0]()
        assert tiny.lab.draw(arrivals_per_s=45).to_html() in box.picture.value
        assert "seeds 1 to 10" in box.spread.value


class TestTenSeedsWithSomethingPinned:
    def test_the_paired_interval_stands_below_the_spread(self, tiny):
        box = tiny.lab()
        box.fields["arrivals_per_s"].value = 30
        assert box.wait(60)
        box.pin.click()
        box.fields["arrivals_per_s"].value = 25
        box.ten_seeds.click()
        assert box.wait(60)
        drawn = tiny.lab.draw_ten_seeds(arrivals_per_s=25, pinned={"arrivals_per_s": 30})
        assert box.spread.value == drawn.to_html()
        assert "now minus pinned, 10 pairs with the same seeds" in box.spread.value


class TestHowManyRuns:
    def test_the_button_is_there_only_where_the_lab_knows_what_is_wanted(self, tiny):
        assert "How many runs?" not in text_of(tiny.lab())
        box = dataclasses.replace(tiny.lab, wanted_ratio=0.4)()
        assert "How many runs?" in text_of(box)
        box.run_count.click()
        assert box.wait(60)
        assert box.spread.value == box.lab.draw_run_count().to_html()
        assert state(box) == ("1", "ready")

    def test_a_move_in_the_middle_ends_it(self, tiny):
        box = dataclasses.replace(tiny.lab, wanted_ratio=0.001)()
        tiny.before = lambda values, seed: seed == 5 and setattr(box.fields["arrivals_per_s"], "value", 11)
        box.run_count.click()
        assert box.wait(60)
        assert box.spread.value == ""
        assert max(seed for _, seed in tiny.simulated) == 5
