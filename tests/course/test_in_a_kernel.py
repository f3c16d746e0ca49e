"""A prediction in a real Jupyter kernel without a browser: what is shown, and where the answer is kept."""

import json
import os

import pytest
from jupyter_client.manager import KernelManager

from edasim.course.answers import WIDGET_VIEW
from edasim.course.record import FILE_NAME


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def kernel(folder, tmp_path_factory):
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=folder, env={**os.environ, "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def shown(kernel, code):
    told = []

    def hear(message):
        if message["msg_type"] in ("execute_result", "display_data"):
            told.append(message["content"]["data"])
        assert message["msg_type"] not in ("stream", "error"), message["content"]

    reply = kernel.execute_interactive(code, output_hook=hear, timeout=120)
    assert reply["content"]["status"] == "ok", reply["content"]
    return told


def test_a_prediction_shows_a_form_with_text_and_html_for_those_who_cannot_use_it(kernel, folder):
    (bundle,) = shown(kernel, "from edasim import course\ncourse.predict('02.wait_at_95')")
    assert set(bundle) == {"text/plain", "text/html", WIDGET_VIEW}
    assert bundle["text/plain"].startswith("? Your prediction: Load goes from 80 %")
    assert not (folder / FILE_NAME).exists()


def test_the_answer_is_kept_in_the_notebooks_folder_and_the_text_stays_the_same(kernel, folder):
    (before,) = shown(kernel, "from edasim import course\ncourse.predict('02.wait_at_95')")
    shown(
        kernel,
        "_, field, button, _ = course.predict('02.wait_at_95').form().children\n"
        "field.value = '19 % longer'\nbutton.click()",
    )
    kept = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    assert kept["predictions"]["02.wait_at_95"] == {"answer": "19 % longer"}
    (after,) = shown(kernel, "course.predict('02.wait_at_95')")
    assert after["text/plain"] == before["text/plain"]
    assert after["text/html"] == before["text/html"]
    (revealed,) = shown(kernel, "course.predict.reveal('02.wait_at_95')")
    assert "You said: 19 % longer." in revealed["text/plain"]


def test_an_error_in_a_cell_is_told_with_its_line(kernel):
    cell = "from edasim import course\ndef mine(*_, n):\n    n = 0\n    return 1 / n\ncourse.check('00.compare', mine)"
    (bundle,) = shown(kernel, cell)
    assert "Your code raised ZeroDivisionError: division by zero, in line 4: return 1 / n" in bundle["text/plain"]
