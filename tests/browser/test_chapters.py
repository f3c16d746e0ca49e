"""Each chapter, as a learner opens it: all cells run, no error anywhere, and a look at the page."""

import pytest
from jupyter_page import CHAPTERS
from playwright.sync_api import expect


@pytest.mark.long
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_each_chapter_runs_in_jupyterlab(lab, chapter):
    lab.open(chapter.name)
    lab.run_all()
    lab.screenshot(chapter.stem)
    lab.assert_healthy()
    lab.close()


@pytest.mark.long
def test_every_slider_tells_a_screen_reader_its_name(lab):
    """ipywidgets leaves the handles without one; the labs give it to them."""
    lab.open("02-queues-under-load.ipynb")
    lab.run_all()
    handles = lab.page.get_by_role("slider")
    for name in ("arrivals (per second)", "mean service (ms)", "servers", "variability"):
        expect(handles.and_(lab.page.get_by_label(name, exact=True))).to_have_count(1)
    lab.close()
