"""The form of a prediction, driven from Python as a learner would drive it."""

import ipywidgets as widgets
import pytest

from edasim import course
from edasim.course import record


def parts(prediction):
    asked, field, button, status = prediction.form().children
    return asked, field, button, status


class TestChoices:
    def test_nothing_is_chosen_until_the_learner_chooses(self, notebook):
        asked, field, button, status = parts(course.predict("02.wait_at_95"))
        assert isinstance(field, widgets.RadioButtons)
        assert field.value is None
        assert "Load goes from 80 % to 95 %" in asked.value
        button.click()
        assert "Nothing is chosen yet" in status.value
        assert list(notebook.iterdir()) == []

    def test_keeping_commits_closes_the_form_and_says_so(self, notebook):
        _, field, button, status = parts(course.predict("02.wait_at_95"))
        field.value = "19 % longer"
        button.click()
        assert field.disabled
        assert button.disabled
        assert "✓ You said: 19 % longer." in status.value
        assert 'role="status"' in status.value
        assert record.load(notebook).predictions["02.wait_at_95"]["answer"] == "19 % longer"

    def test_a_later_form_shows_what_was_kept_and_is_closed(self, notebook):
        course.predict("02.wait_at_95", answer="b")
        _, field, button, status = parts(course.predict("02.wait_at_95"))
        assert (field.value, field.disabled, button.disabled) == ("19 % longer", True, True)
        assert "✓ You said: 19 % longer." in status.value

    def test_two_forms_of_one_question_cannot_disagree(self, notebook):
        first, second = parts(course.predict("02.wait_at_95")), parts(course.predict("02.wait_at_95"))
        first[1].value = "19 % longer"
        first[2].click()
        second[1].value = "twice as long"
        second[2].click()
        assert "Not kept: you have already said" in second[3].value
        assert "&#x27;19 % longer&#x27;" in second[3].value

    def test_the_form_keeps_in_the_folder_in_which_it_was_asked(self, notebook, tmp_path_factory, monkeypatch):
        _, field, button, _ = parts(course.predict("02.wait_at_95"))
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        field.value = "twice as long"
        button.click()
        assert "02.wait_at_95" in record.load(notebook).predictions


class TestNumbers:
    def test_the_unit_stands_in_the_label_and_no_answer_is_suggested(self, notebook):
        _, field, _, _ = parts(course.predict.number("mine.wait", "How long?", "s"))
        assert (field.description, field.value) == ("Number (s):", "")

    @pytest.mark.parametrize("typed", ["soon", "0,5", "5 kg"])
    def test_what_is_no_number_is_explained_and_the_form_stays_open(self, notebook, typed):
        _, field, button, status = parts(course.predict.number("mine.wait", "How long?", "s"))
        field.value = typed
        button.click()
        assert "Not kept: answer is" in status.value
        assert not field.disabled

    def test_a_number_with_a_unit_is_kept_in_the_units_of_the_question(self, notebook):
        _, field, button, status = parts(course.predict.number("mine.wait", "How long?", "s"))
        field.value = "250 ms"
        button.click()
        assert "You said: 0.25 s." in status.value
        again = parts(course.predict.number("mine.wait", "How long?", "s"))
        assert (again[1].value, again[1].disabled) == ("0.25", True)


def test_a_question_cannot_smuggle_markup_into_the_form(notebook):
    asked, *_ = parts(course.predict("mine.x", "<script>x</script>?", ["a1", "b1"]))
    assert "<script>" not in asked.value
