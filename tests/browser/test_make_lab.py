"""`NO_BROWSER=1 make lab` prints an address, and JupyterLab answers there with the chapters."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from jupyter_page import CHAPTERS, fetch, free_port, private_settings, process

ROOT = Path(__file__).resolve().parents[2]


def printed_address(running, log, port, within_s=60.0):
    """The address with its token, as soon as it is printed by a process that goes on running."""
    give_up_at_s = time.monotonic() + within_s
    while running.poll() is None and time.monotonic() < give_up_at_s:
        found = re.search(rf"http://127\.0\.0\.1:{port}(/\S*)\?token=(\w+)", log.read_text())
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"no address was printed:\n{log.read_text()}")


@pytest.fixture
def make():
    """make, in a checkout whose .venv is built (the test would build it otherwise)."""
    found = shutil.which("make")
    if found is None:
        pytest.skip("make is not installed")
    if subprocess.run([found, "--question", ".venv/.built"], cwd=ROOT, check=False).returncode:
        pytest.skip("the .venv of this checkout is not built by make")
    return found


def test_make_lab_serves_the_chapters_at_the_printed_address(make, tmp_path):
    port, log = free_port(), tmp_path / "log"
    # a make that runs the tests side by side holds output back until a target is done, and tells so by MAKEFLAGS
    settings = private_settings(tmp_path / "home") | {"NO_BROWSER": "1", "PORT": str(port), "MAKEFLAGS": ""}
    with process([make, "lab"], log, cwd=ROOT, env=settings) as running:
        address = printed_address(running, log, port)
        assert "JupyterLab" in fetch(address[0])
        listed = json.loads(fetch(f"http://127.0.0.1:{port}/api/contents?token={address[2]}"))
    names = {entry["name"] for entry in listed["content"]}
    assert {path.name for path in CHAPTERS} <= names
