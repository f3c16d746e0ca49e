"""The browser tests can see: a lab that works passes them, and each kind of broken lab fails them."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KERNELSPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}

LAB = """
import ipywidgets as widgets
load = widgets.FloatSlider(description="load", min=0.1, max=0.9, step=0.1, value=0.2)
picture = widgets.HTML()
picture.add_class("picture")
def draw(change=None):
    width = 100 * load.value
    picture.value = f'<svg role="img" aria-label="a bar" height="20"><rect width="{width:.0f}" height="20"/></svg>'
load.observe(draw, "value")
draw()
display(widgets.VBox([load, picture]))
"""
BROKEN = LAB.replace("width = 100 * load.value", "width = 100 / (load.value < 0.25)")
"""Draws at first; its callback fails as soon as the slider moves."""


def write(server, name, *sources):
    """Stores a notebook with these code cells where the server finds it."""
    cells = [new_markdown_cell("# Does the harness see?"), *map(new_code_cell, sources)]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC}), server.folder / name)


@pytest.fixture
def run(lab, server, request):
    """Opens a notebook of these cells in JupyterLab and runs it."""

    def opened(*sources):
        name = f"{request.node.name}.ipynb"
        write(server, name, *sources)
        lab.open(name)
        lab.run_all()
        return lab

    yield opened
    lab.close()


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
    write(server, "endless.ipynb", "import time\ntime.sleep(60)")
    lab.open("endless.ipynb")
    with pytest.raises(TimeoutError, match="still run"):
        lab.run_all(within_s=1)
    lab.close()


def test_jupyterlab_takes_the_shipped_settings(run):
    lab = run("1 + 1")
    lab.page.wait_for_function("() => window.jupyterapp.serviceManager.kernels.commsOverSubshells === 'disabled'")
    assert lab.page.locator(".Toastify__toast").count() == 0
    lab.assert_healthy()
