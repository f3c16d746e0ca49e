"""Each chapter keeps the rules of a chapter, and the rules catch what breaks them."""

import copy
import json
from pathlib import Path

import chapter_rules
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
CHAPTERS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_chapter_keeps_the_rules(path):
    assert chapter_rules.problems(json.loads(path.read_text(encoding="utf-8"))) == []


def markdown(name, source):
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": [source]}


def code(name, source, printed=None):
    outputs = [] if printed is None else [{"output_type": "stream", "name": "stdout", "text": [printed]}]
    tags = {} if printed is None else {"tags": ["nbval-check-output"]}
    return {"cell_type": "code", "id": name, "metadata": tags, "source": [source], "outputs": outputs}


GOOD = {
    "metadata": {"kernelspec": {"name": "python3"}},
    "cells": [
        markdown("title", "# Why is it so?"),
        code("predict", "said = course.predict('How long?', ['short', 'long'])"),
        markdown("prose", "word " * 1500 + "![a queue of four](queue.svg)"),
        code("model", "print(scenario.run(seed=1))", printed="80 ms"),
        code("exercises", "course.check('a', said)\ncheck.choice('b', said)\ncheck.run('c', said)"),
    ],
}


def test_a_good_chapter_breaks_no_rule():
    assert chapter_rules.problems(GOOD) == []


@pytest.mark.parametrize(
    ("cell", "changes", "expected"),
    [
        (0, {"source": ["# Why it is so"]}, "title is not a question"),
        (1, {"source": ["said = 1"]}, "no prediction"),
        (1, {"source": ["scenario.run(seed=2)\nsaid = 1"]}, "no prediction"),
        (0, {"cell_type": "code", "outputs": [], "source": ["scenario.run(seed=2)"]}, "before the prediction"),
        (2, {"source": ["too short"]}, "words; the budget"),
        (2, {"source": ["word " * 2600]}, "words; the budget"),
        (2, {"source": ["word " * 1500 + "![](queue.svg)"]}, "without alt text"),
        (2, {"source": ["word " * 1500 + "<img src='queue.svg' alt=''>"]}, "without alt text"),
        (3, {"source": ["x = 1\n" * 121]}, "lines of code"),
        (3, {"source": ["%matplotlib inline"]}, "not plain Python"),
        (3, {"source": ["class Mine:\n    pass"]}, "class definition"),
        (3, {"metadata": {}}, "stores an output but is not tagged"),
        (3, {"metadata": {}, "outputs": []}, "asserts nothing"),
        (3, {"outputs": []}, "stores no output"),
        (3, {"outputs": [{"output_type": "error", "ename": "ValueError"}]}, "more than text"),
        (3, {"outputs": [{"output_type": "stream", "name": "stderr", "text": ["Warning"]}]}, "more than text"),
        (3, {"outputs": [{"output_type": "display_data", "data": {"image/png": "iVBO"}}]}, "more than text"),
        (3, {"outputs": [{"output_type": "display_data", "data": {"text/html": "<svg/>"}}]}, "more than text"),
        (3, {"outputs": [{"output_type": "stream", "text": ["saved in /home/ada/mail"]}]}, "path of one machine"),
        (4, {"source": ["course.check('a', said)"]}, "1 checks"),
        (4, {"id": "title"}, "without an id of their own"),
        (4, {"id": ""}, "without an id of their own"),
    ],
)
def test_each_rule_catches_its_offence(cell, changes, expected):
    notebook = copy.deepcopy(GOOD)
    notebook["cells"][cell] |= changes
    assert expected in "; ".join(chapter_rules.problems(notebook))


def test_a_notebook_without_a_kernel_is_caught():
    assert "kernelspec" in chapter_rules.problems(GOOD | {"metadata": {}})[0]
