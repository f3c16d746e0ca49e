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


@pytest.fixture
def lab(browser, server, tmp_path):
    """A fresh page, with a fresh profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="no-preference")
    screenshots = Path(os.environ.get("EDASIM_SCREENSHOTS", tmp_path))
    screenshots.mkdir(parents=True, exist_ok=True)
    context.set_default_timeout(PATIENCE_MS)
    yield JupyterPage(context.new_page(), server, screenshots)
    context.close()
