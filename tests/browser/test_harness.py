"""The browser tests can see: a lab that works passes them, and each kind of broken lab fails them."""

import pytest
from jupyter_page import LAB

BROKEN = LAB.replace("width = 100 * load.value", "width = 100 / (load.value < 0.25)")
"""Draws at first; its callback fails as soon as the slider moves."""


def test_a_lab_follows_its_slider(run):
    lab = run(LAB)
    taken_ms = lab.follow_ms("load", ".picture svg", moves=5)
    assert len(taken_ms) == 5
    assert all(taken > 0 for taken in taken_ms)
    assert lab.page.locator(".picture rect").get_attribute("width") == "70"
    lab.assert_healthy()
    assert lab.screenshot("harness").stat().st_size > 10_000


def test_a_lab_whose_callback_fails_is_caught(run):
    lab = run(BROKEN)
    lab.assert_healthy()
    with pytest.raises(AssertionError, match="the picture did not change"):
        lab.follow_ms("load", ".picture svg", within_s=2)


def test_a_cell_that_raises_is_caught(run):
    lab = run("1 / 0")
    assert lab.cell_errors() == ["ZeroDivisionError: division by zero"]
    with pytest.raises(AssertionError):
        lab.assert_healthy()


def test_an_error_in_the_console_is_caught(run):
    lab = run("from IPython.display import Javascript\nJavascript('console.error(\"broken\")')")
    assert "broken" in "".join(lab.console_errors)
    with pytest.raises(AssertionError):
        lab.assert_healthy()


def test_a_request_to_another_host_is_caught(run):
    lab = run('from IPython.display import HTML\nHTML(\'<img src="http://elsewhere.invalid/x.png" alt="a picture">\')')
    lab.page.wait_for_function("() => document.querySelector('img[alt=\"a picture\"]')?.complete")
    assert lab.strangers == ["http://elsewhere.invalid/x.png"]


def test_cells_that_never_end_are_caught(lab, server):
    server.write("endless.ipynb", "import time\ntime.sleep(60)")
    lab.open("endless.ipynb")
    with pytest.raises(TimeoutError, match="still run"):
        lab.run_all(within_s=1)
    lab.close()


def test_jupyterlab_takes_the_shipped_settings(run):
    lab = run("1 + 1")
    lab.page.wait_for_function("() => window.jupyterapp.serviceManager.kernels.commsOverSubshells === 'disabled'")
    assert lab.page.locator(".Toastify__toast").count() == 0
    lab.assert_healthy()
