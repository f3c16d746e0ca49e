"""JupyterLab as a learner meets it: a server on 127.0.0.1, a page in Chromium, and what the page shows.

`LabServer` starts JupyterLab with settings of its own and ends it again. `JupyterPage` opens a notebook, runs all
cells, moves sliders by keyboard and measures how long a picture takes to follow. It collects what should never happen:
errors in the browser's console and requests to any other host.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import ConsoleMessage, Error, Page, Route, expect

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DATA = ROOT / "data"
RUN_ALL_S = 300.0
FOLLOW_S = 60.0

KERNELSPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}

OPENED = """async ([name]) => {
    const app = window.jupyterapp;
    await app.restored;
    const opened = await app.commands.execute('docmanager:open', {path: name, factory: 'Notebook'});
    await opened.context.ready;
    await opened.context.sessionContext.ready;
}"""

RAN = """async ([seconds]) => {
    const ran = window.jupyterapp.commands.execute('notebook:run-all-cells');
    const late = new Promise(done => setTimeout(() => done('late'), seconds * 1000));
    return await Promise.race([ran.then(() => 'idle'), late]);
}"""

CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"

CLOSED = "async () => { await window.jupyterapp.commands.execute('kernelmenu:shutdown'); }"

LEFT = """async () => {
    for (const widget of [...window.jupyterapp.shell.widgets('main')].filter(one => one.context)) {
        await widget.context.sessionContext.shutdown();
        widget.context.model.dirty = false;
        widget.close();
    }
}"""

WATCH = """([picture, seconds]) => {
    const find = () => document.querySelector(picture);
    const before = find().innerHTML;
    window.edasimFollowed = new Promise(done => {
        let pressed = performance.now();
        const watcher = new MutationObserver(() => {
            if (!find() || find().innerHTML === before) return;
            watcher.disconnect();
            requestAnimationFrame(() => done(performance.now() - pressed));
        });
        document.addEventListener('keydown', () => { pressed = performance.now(); }, {once: true, capture: true});
        watcher.observe(find().parentNode, {childList: true, subtree: true, attributes: true, characterData: true});
        setTimeout(() => { watcher.disconnect(); done(null); }, seconds * 1000);
    });
}"""


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
"""The smallest lab: a slider, and a bar that is as long as it says."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str, within_s: float = 60.0) -> str:
    """What `url` answers, asked again until it answers."""
    give_up_at_s = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError as error:
            if time.monotonic() > give_up_at_s:
                raise TimeoutError(f"{url} did not answer within {within_s:.0f} s") from error
            time.sleep(0.1)


@contextlib.contextmanager
def process(command: list[str], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process and its children, ended together; what they print goes to `log`."""
    with log.open("wb") as printed:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, start_new_session=True, **options
        )
        try:
            yield started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGTERM)
            try:
                started.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(started.pid, signal.SIGKILL)
                started.wait(timeout=15)


def private_settings(home: Path) -> dict[str, str]:
    """The environment of a JupyterLab that neither reads nor writes the settings of whoever runs the tests."""
    home.mkdir(parents=True, exist_ok=True)
    private = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
    }
    return os.environ | {name: str(path) for name, path in private.items()}


class LabServer:
    """A running JupyterLab: where its notebooks lie and how to reach it."""

    def __init__(self, folder: Path, port: int, token: str) -> None:
        self.folder = folder
        self.address = f"http://127.0.0.1:{port}"
        self.token = token

    def url(self, path: str) -> str:
        """The full address of `path`, with the token that lets one in."""
        return f"{self.address}{path}?token={self.token}"

    def write(self, name: str, *sources: str) -> None:
        """Stores a notebook with a title and these code cells."""
        cells = [new_markdown_cell("# What does the browser show?"), *map(new_code_cell, sources)]
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC}), self.folder / name)

    @classmethod
    @contextlib.contextmanager
    def started(cls, notebooks: list[Path], home: Path) -> Iterator[LabServer]:
        """A server over copies of `notebooks` in `home`, with the data beside them; it ends with the block."""
        server = cls(home / "notebooks", free_port(), secrets.token_hex(16))
        server.folder.mkdir(parents=True)
        (home / "data").symlink_to(DATA)
        for notebook in notebooks:
            shutil.copy(notebook, server.folder)
        options = {
            "ip": "127.0.0.1",
            "port": server.address.rpartition(":")[2],
            "ServerApp.port_retries": "0",
            "ServerApp.root_dir": str(server.folder),
            "IdentityProvider.token": server.token,
            "LabApp.expose_app_in_browser": "True",
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *flags]
        log = home / "server.log"
        with process(command, log, env=private_settings(home), cwd=server.folder):
            try:
                fetch(server.url("/api/status"))
            except TimeoutError as error:
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}") from error
            yield server


class JupyterPage:
    """A notebook in a browser. Several can use the same page in turn, if each leaves it."""

    def __init__(self, page: Page, server: LabServer, screenshots: Path) -> None:
        self.page = page
        self.server = server
        self.screenshots = screenshots
        self.console_errors: list[str] = []
        self.strangers: list[str] = []
        self.elsewhere = re.compile(rf"^https?://(?!{re.escape(server.address.removeprefix('http://'))})")
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.route(self.elsewhere, self._stranger)

    def _console(self, message: ConsoleMessage) -> None:
        """Keeps errors, but not that of Jupyter's own list of kernels.

        jupyter_server answers 500 to whoever asks for the list at the instant at which a kernel starts, whose
        `last_activity` is still None (`MappingKernelManager.kernel_model`); JupyterLab asks again by itself.
        """
        address = message.location.get("url", "")
        is_list_of_kernels = "status of 500" in message.text and urlsplit(address).path == "/api/kernels"
        if message.type == "error" and not is_list_of_kernels:
            self.console_errors.append(f"{message.text} ({address})")

    def _page_error(self, error: Error) -> None:
        self.console_errors.append(str(error))

    def _stranger(self, route: Route) -> None:
        self.strangers.append(route.request.url)
        route.abort()

    def open(self, name: str) -> None:
        """Opens the notebook `name` and waits for its kernel; loads JupyterLab if the page does not show it yet."""
        if not self.page.url.startswith(self.server.address):
            self.page.goto(self.server.url("/lab"))
            self.page.wait_for_function("() => window.jupyterapp !== undefined")
        self.page.evaluate(OPENED, [name])
        expect(self.page.get_by_role("dialog")).to_have_count(0)

    def run_all(self, within_s: float = RUN_ALL_S) -> None:
        """Runs all cells and waits until the kernel is idle again."""
        if self.page.evaluate(RAN, [within_s]) != "idle":
            raise TimeoutError(f"the cells still run after {within_s:.0f} s")

    def close(self) -> None:
        """Shuts the notebook's kernel down."""
        self.page.evaluate(CLOSED)

    def leave(self) -> None:
        """Closes all notebooks, ends their kernels and listens no longer: JupyterLab as it was when it was loaded."""
        if self.page.url.startswith(self.server.address):
            self.page.evaluate(LEFT)
            expect(self.page.locator(".jp-NotebookPanel")).to_have_count(0)
        self.page.remove_listener("console", self._console)
        self.page.remove_listener("pageerror", self._page_error)
        self.page.unroute(self.elsewhere)

    def outputs(self) -> list[dict[str, Any]]:
        """The outputs of all cells, in order."""
        return [output for cell in self.page.evaluate(CELLS) for output in cell.get("outputs", [])]

    def cell_errors(self) -> list[str]:
        """What cells raised, and what they or their widgets' callbacks wrote to the error stream."""
        raised = [f"{found['ename']}: {found['evalue']}" for found in self.outputs() if found["output_type"] == "error"]
        written = ["".join(found["text"]) for found in self.outputs() if found.get("name") == "stderr"]
        return raised + written

    def slider(self, label: str) -> Any:
        """The handle of the slider whose description is `label`."""
        box = self.page.locator(".widget-slider", has=self.page.get_by_text(label, exact=True))
        return box.locator(".noUi-handle")

    def follow_ms(self, label: str, picture: str, moves: int = 1, within_s: float = FOLLOW_S) -> list[float]:
        """Moves a slider by keyboard, step by step; milliseconds from each key to the next frame with a new picture.

        `picture` is a CSS selector of one element. Raises `AssertionError` if a move leaves it as it was.
        """
        handle = self.slider(label)
        handle.scroll_into_view_if_needed()
        handle.focus()
        taken_ms = []
        for move in range(moves):
            self.page.evaluate(WATCH, [picture, within_s])
            self.page.keyboard.press("ArrowRight")
            followed_ms = self.page.evaluate("() => window.edasimFollowed")
            assert followed_ms is not None, f"move {move + 1} of {label!r}: the picture did not change"
            taken_ms.append(float(followed_ms))
        return taken_ms

    def screenshot(self, name: str) -> Path:
        """A picture of what the browser shows now."""
        path = self.screenshots / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def assert_healthy(self) -> None:
        """No cell failed, the console holds no error, and nothing was asked of another host."""
        assert not (found := self.cell_errors()), found
        assert not self.console_errors, self.console_errors
        assert not self.strangers, self.strangers
