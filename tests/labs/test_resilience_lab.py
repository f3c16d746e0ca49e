"""The resilience lab: predict first, what it draws and says, every choice that it offers, and its widget."""

import time
from xml.etree import ElementTree

import pytest

from edasim import labs
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.failures import Outcome
from edasim.labs.resilience_lab import GUESSES, PREDICT
from edasim.labs.resilience_systems import CALM, systems

LOST, TWICE, KEPT = "something is lost", "something is done twice", "every promise is kept"
LEDGER = {"system": "ledger with a standby", "at_ms": 100, "for_s": 5.0}


def outcome(**values):
    lab = labs.resilience
    return lab.simulate(lab.values({"guess": KEPT, **values}), 1).outcome


class TestPrediction:
    def test_nothing_is_judged_before_it(self):
        told = labs.resilience.draw().text
        assert "Say first what the oracle will find" in told
        assert "The oracle:" not in told
        assert "mail/0 writes mail cached" in told

    @pytest.mark.parametrize(("guess", "said"), [(LOST, "Right."), (TWICE, "Who said “done” before it was")])
    def test_it_is_shown_beside_the_verdict(self, guess, said):
        told = labs.resilience.draw(guess=guess).text.splitlines()
        assert told[1].startswith(f"The oracle: lost. You said: {guess}. ")
        assert said in told[1]
        assert told[2] == "lost: mail.welcome.requested of u-0 to mail: lost"

    def test_every_outcome_can_be_predicted_in_one_way(self):
        offered = [outcome for guess in GUESSES.values() for outcome in guess]
        assert sorted(offered, key=str) == sorted(Outcome, key=str)


class TestVerdicts:
    def test_the_fault_moves_along_the_story_and_the_verdict_changes_between_two_steps(self):
        assert [outcome(at_ms=at_ms).value for at_ms in (10, 25, 40, 50, 200)] == [
            "survived", "lost", "lost", "survived", "survived",
        ]  # fmt: skip

    def test_the_inbox_loses_and_both_tables_together_do_not(self):
        shop = {"system": "order shop", "at_ms": 60}
        outcomes = [outcome(**shop, protection=each).value for each in systems()["order shop"].versions]
        assert outcomes == ["survived", "stuck", "survived", "survived"]
        later = [outcome(**{**shop, "at_ms": 80}, protection=each).value for each in systems()["order shop"].versions]
        assert later == ["duplicated", "survived", "survived", "survived"]

    def test_a_crash_does_not_show_what_a_pause_shows(self):
        assert outcome(**LEDGER, fault="the leader crashes") is Outcome.SURVIVED
        assert outcome(**LEDGER, fault="the leader stands still") is Outcome.VIOLATED
        assert outcome(**LEDGER, fault="the leader stands still", protection="fencing token") is Outcome.SURVIVED

    def test_without_a_fault_every_promise_is_kept(self):
        assert outcome(fault=CALM) is Outcome.SURVIVED
        assert "nothing fails" in labs.resilience.draw(fault=CALM, guess=KEPT).alt

    @pytest.mark.long
    @pytest.mark.parametrize("name", systems())
    def test_every_choice_of_every_system_is_drawn_and_judged(self, name):
        system = systems()[name]
        lab = labs.resilience
        for protection in system.versions:
            for fault in system.faults:
                promise = list(system.promises)[len(fault) % len(system.promises)]
                values = {"system": name, "protection": protection, "fault": fault, "promise": promise}
                model = lab.simulate(lab.values({**values, "at_ms": 130, "for_s": 0.5, "guess": KEPT}), 1)
                assert model.found is not None
                drawn = lab.picture(model, None)
                ElementTree.fromstring(f"<all>{drawn.svg or drawn.html}</all>")


class TestPictures:
    def test_a_pinned_story_stands_in_grey_and_is_told(self):
        picture = labs.resilience.draw(protection="acknowledge last", guess=LOST, pinned={"guess": LOST})
        assert "grey: pinned, acknowledge first" in picture.svg
        assert "Pinned, in grey: registration on the memory bus, acknowledge first" in picture.text

    @pytest.mark.long
    def test_the_crowd_says_how_often_and_how_long(self):
        crowd = labs.resilience.crowd(system="order shop", protection="inbox", for_s=2.0)
        assert crowd.in_time_without_ratio.mean == 1.0
        assert 0.5 < crowd.in_time_ratio.mean < 1.0
        told = crowd.to_picture().text
        assert "stock crashes at 5 s and is back after 2 s" in told
        assert "Broken promises per run: " in told
        ElementTree.fromstring(crowd.to_picture().svg)

    @pytest.mark.long
    def test_a_species_has_a_crowd_with_faults_of_its_own(self):
        crowd = labs.resilience.crowd(system="zoo: acknowledges first")
        assert len(crowd.faults) == 3
        assert crowd.findings.mean > 0.0
        repaired = labs.resilience.crowd(system="zoo: acknowledges first", protection="repaired")
        assert repaired.findings.mean == 0.0

    @pytest.mark.long
    def test_a_move_is_quick_enough_for_a_slider(self):
        labs.resilience.draw(guess=LOST)
        taken_s = []
        for at_ms in range(20, 45, 5):
            begin_s = time.process_time()
            labs.resilience.draw(guess=LOST, at_ms=at_ms)
            taken_s.append(time.process_time() - begin_s)
        assert min(taken_s) < 0.15

    def test_a_story_that_is_too_long_for_a_matrix_says_so(self):
        with pytest.raises(ConfigurationError, match="too many steps for a matrix"):
            labs.resilience.draw_matrix(system="zoo: queue without an end")

    def test_what_a_system_does_not_have_is_refused_by_its_name(self):
        with pytest.raises(ConfigurationError, match="protection is 'outbox'"):
            labs.resilience.draw(protection="outbox")
        with pytest.raises(UnknownNameError, match="there is no system 'order shops'"):
            labs.resilience.draw(system="order shops")
        with pytest.raises(UnknownNameError, match="did you mean 'guess'"):
            labs.resilience.draw(gues=LOST)


class TestWidget:
    def test_a_choice_takes_the_prediction_back_and_a_slider_does_not(self):
        box = labs.resilience()
        box.fields["guess"].value = LOST
        box.fields["at_ms"].value = 60
        assert box.wait(20)
        assert box.fields["guess"].value == LOST
        assert "Every promise was kept" in box.picture.value
        box.fields["protection"].value = "acknowledge last"
        assert box.wait(20)
        assert box.fields["guess"].value == PREDICT
        assert "Say first what the oracle will find" in box.picture.value
        assert box.score == [True]
        box.fields["guess"].value = LOST
        assert box.wait(20)
        assert box.score == [True, False]
        assert "1 of 2 right" in box.status.value

    def test_another_system_brings_its_own_choices(self):
        box = labs.resilience()
        box.fields["system"].value = "ledger with a standby"
        assert box.wait(20)
        assert box.fields["protection"].options == ("plain store", "fencing token")
        assert "the leader stands still" in box.fields["fault"].options
        assert 'data-state="ready"' in box.picture.value
        assert [field.value for field in (box.fields["protection"], box.fields["guess"])] == ["plain store", PREDICT]

    def test_the_buttons_put_matrix_and_crowd_below_and_a_move_takes_them_away(self):
        box = labs.resilience()
        box.fields["system"].value = "order shop"
        box.every_step.click()
        assert box.wait(60)
        assert "12 of" not in box.below.value
        assert "What a crash at every step" not in box.below.value
        assert "after a crash at every step" in box.below.value
        box.fields["at_ms"].value = 65
        assert box.wait(20)
        assert box.below.value == ""

    def test_progress_is_told_while_a_matrix_is_made(self):
        told = []
        lab = labs.resilience
        lab.matrix(
            lab.values({"system": "order shop"}), 1, labs.lab.UNHURRIED, lambda done, of: told.append((done, of))
        )
        assert told == [(done, 42) for done in range(1, 43)]

    def test_pin_keeps_the_story_that_is_shown(self):
        box = labs.resilience()
        box.pin.click()
        box.fields["protection"].value = "acknowledge last"
        assert box.wait(20)
        assert "grey: pinned, acknowledge first" in box.picture.value
        box.pin.click()
        assert box.wait(20)
        assert (box.pinned, box.pin.description) == (None, "Pin")

    def test_an_error_is_shown_in_words(self):
        box = labs.resilience()
        box.fields["system"].value = "zoo: never acknowledges"
        box.every_step.click()
        assert box.wait(20)
        assert "nowhere to crash" in box.picture.value

    def test_each_control_has_its_question_and_the_sliders_their_names(self):
        box = labs.resilience()
        told = "".join(text_of(child) for child in box.children)
        for words in (
            "Between which two steps does the verdict change?",
            "What will the oracle find?",
            "2 · Against what",
        ):
            assert words in told
        assert told.count("data-name=") == 2
        assert 'data-name="fault after (ms)"' in told


def text_of(widget):
    if hasattr(widget, "children"):
        return "".join(text_of(child) for child in widget.children)
    return str(getattr(widget, "value", ""))
