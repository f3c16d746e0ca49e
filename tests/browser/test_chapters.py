"""Each chapter, as a learner opens it: all cells run, no error anywhere, and a look at the page."""

import pytest
from jupyter_page import CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_each_chapter_runs_in_jupyterlab(lab, chapter):
    lab.open(chapter.name)
    lab.run_all()
    lab.screenshot(chapter.stem)
    lab.assert_healthy()
    lab.close()
