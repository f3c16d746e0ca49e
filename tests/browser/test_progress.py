"""A long experiment in JupyterLab: its bar appears, and its button stops the busy cell and keeps what is done."""

from playwright.sync_api import expect

CELL = """
import warnings
import edasim as eda
warnings.simplefilter("ignore")
queue = eda.scenarios.SingleQueue(messages=2000)
result = eda.experiments.replicate(queue, 50_000, "mail.mean_wait_s", workers=1)
print("partial", result.is_partial, "with an interval", result.interval().half_width > 0)
"""


def test_the_button_stops_a_busy_cell_and_keeps_what_is_done(lab):
    lab.server.write("long.ipynb", CELL)
    lab.open("long.ipynb")
    lab.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    expect(lab.page.locator(".widget-hprogress")).to_be_visible()
    expect(lab.page.get_by_text("of 50000 runs")).to_be_visible()
    lab.screenshot("progress")
    lab.page.locator("button[data-commandlinker-command]").click()
    expect(lab.page.get_by_text("partial True with an interval True")).to_be_visible()
    expect(lab.page.locator(".widget-hprogress")).to_be_hidden()
    lab.screenshot("stopped")
    lab.close()
    lab.assert_healthy()
