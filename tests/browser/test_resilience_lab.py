"""The resilience lab as a learner uses it: nothing is judged before a prediction, then the fault moves by keyboard."""

import pytest
from playwright.sync_api import expect


@pytest.mark.long
def test_predict_then_see_then_explore_by_keyboard(run):
    lab = run("from edasim import labs\n\nlabs.resilience()")
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
