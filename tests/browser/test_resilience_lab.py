"""The resilience lab as a learner uses it: nothing is judged before a prediction, then the fault moves by keyboard."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import expect

KERNELSPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
NOTEBOOK = "resilience-lab.ipynb"


@pytest.mark.long
def test_predict_then_see_then_explore_by_keyboard(lab, server):
    cells = [new_markdown_cell("# What do we lose?"), new_code_cell("from edasim import labs\n\nlabs.resilience()")]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC}), server.folder / NOTEBOOK)
    lab.open(NOTEBOOK)
    lab.run_all()
    story = lab.page.locator(".edasim-lab")
    expect(story).to_contain_text("Say first what the oracle will find")
    lab.page.get_by_label("you say").select_option("something is lost")
    expect(story).to_contain_text("You said: something is lost. Right.")
    assert all(taken_ms > 0 for taken_ms in lab.follow_ms("fault after (ms)", ".edasim-lab", moves=2))
    expect(story).to_contain_text("Every promise was kept")
    for name in ("fault after (ms)", "lasts (s)"):
        expect(lab.page.get_by_role("slider").and_(lab.page.get_by_label(name, exact=True))).to_have_count(1)
    lab.page.get_by_label("protection").select_option("acknowledge last")
    expect(story).to_contain_text("Say first what the oracle will find")
    lab.screenshot("resilience-lab")
    lab.assert_healthy()
    lab.close()
