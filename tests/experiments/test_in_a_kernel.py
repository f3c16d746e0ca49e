"""Progress in a real Jupyter kernel, without a browser: what the page would get is read, the kernel is interrupted.

That is what the button does in JupyterLab; `tests/browser/test_progress.py` presses it.
"""

import os
import time
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

HERE = str(Path(__file__).parent)
VIEW = "application/vnd.jupyter.widget-view+json"
CELL = f"""
import sys, warnings
sys.path.insert(0, {HERE!r})
from breaking import MM1
from edasim.experiments import progress, replicate
warnings.simplefilter("ignore")
progress.QUIET_S = 0.2
result = replicate(MM1, 100_000, "mail.mean_wait_s", workers=1)
print(result.is_partial, result.n > 0)
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    manager = KernelManager(kernel_name="python3")
    folder = tmp_path_factory.mktemp("notebook")
    manager.start_kernel(cwd=folder, env={**os.environ, "IPYTHONDIR": str(folder / "ipython")})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def messages(kernel, until, within_s=60.0):
    """What the kernel publishes, up to the first message that `until` accepts."""
    seen, deadline_s = [], time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        seen.append(kernel.get_iopub_msg(timeout=within_s))
        if until(seen[-1]):
            return seen
    raise AssertionError(f"waited in vain; {len(seen)} messages came")


def values(comm, published):
    """The values that a widget is given in these messages."""
    told = [message["content"] for message in published if message["msg_type"] == "comm_msg"]
    states = [content["data"].get("state", {}) for content in told if content["comm_id"] == comm]
    return [state["value"] for state in states if "value" in state]


def test_a_bar_appears_and_an_interrupt_keeps_what_is_done(kernel):
    manager, client = kernel
    asked = client.execute(CELL)
    before = messages(client, lambda message: message["msg_type"] == "display_data")
    assert set(before[-1]["content"]["data"]) == {VIEW}
    states = {
        message["content"]["comm_id"]: message["content"]["data"]["state"]
        for message in before
        if message["msg_type"] == "comm_open"
    }
    comms = {state["_model_name"]: comm for comm, state in states.items()}
    assert "interrupt-kernel" in states[comms["HTMLModel"]]["value"]
    after = messages(client, lambda message: values(comms["IntProgressModel"], [message]))
    after += messages(client, lambda message: values(comms["IntProgressModel"], [message]))
    manager.interrupt_kernel()
    after += messages(
        client,
        lambda message: (
            message["content"].get("execution_state") == "idle" and message["parent_header"].get("msg_id") == asked
        ),
    )
    printed = "".join(message["content"]["text"] for message in after if message["msg_type"] == "stream")
    assert printed == "True True\n"
    assert [message for message in after if message["msg_type"] == "error"] == []
    bars = values(comms["IntProgressModel"], after)
    assert bars == sorted(bars)
    assert len(bars) > 1
    sentences = values(comms["LabelModel"], after)
    assert sentences[-1].endswith("of 100000 runs")
