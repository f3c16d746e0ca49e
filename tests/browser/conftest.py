"""A browser and a JupyterLab for the tests of this folder.

They need Chromium. Where there is none they are skipped, or fail if EDASIM_REQUIRE_BROWSER=1 (as in CI). Screenshots go
to the folder that EDASIM_SCREENSHOTS names, else to a temporary one.
"""

import os
import shutil
from pathlib import Path

import pytest
from jupyter_page import CHAPTERS, JupyterPage, LabServer
from playwright.sync_api import expect, sync_playwright

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 120_000
"""How long a condition may take to come true: on a loaded machine, everything comes late."""


@pytest.fixture(scope="session")
def chromium():
    """The path of the installed Chromium."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None and os.environ.get("EDASIM_REQUIRE_BROWSER") == "1":
        pytest.fail("EDASIM_REQUIRE_BROWSER=1, but there is no Chromium; on Debian: apt-get install chromium")
    if found is None:
        pytest.skip("no Chromium is installed (on Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="session")
def browser(chromium):
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        expect.set_options(timeout=PATIENCE_MS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def server(chromium, tmp_path_factory):
    """JupyterLab over copies of the chapters."""
    with LabServer.started(CHAPTERS, tmp_path_factory.mktemp("jupyter")) as started:
        yield started


@pytest.fixture(scope="session")
def profile(browser):
    """A profile of the browser, for one page in which the notebooks are opened and closed, as a learner does."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="no-preference")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def lab(profile, server, tmp_path):
    """JupyterLab with no notebook open. Loading it takes longer than most tests, so they share a page that is well."""
    screenshots = Path(os.environ.get("EDASIM_SCREENSHOTS", tmp_path))
    screenshots.mkdir(parents=True, exist_ok=True)
    used = JupyterPage(profile.pages[0] if profile.pages else profile.new_page(), server, screenshots)
    yield used
    try:
        used.leave()
    except Exception:
        used.page.close()  # the next test loads another one
        raise


@pytest.fixture
def run(lab, server, request):
    """Opens a notebook of these cells in JupyterLab and runs it."""

    def opened(*sources):
        name = f"{request.node.name}.ipynb"
        server.write(name, *sources)
        lab.open(name)
        lab.run_all()
        return lab

    yield opened
    lab.close()
