"""A lab in a real Jupyter kernel without a browser: what the page would send is sent, what it would get is read.

Kernel subshells and threads would show here. Times are not asserted; the browser test does that.
"""

import json
import os
import time
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

HERE = str(Path(__file__).parent)
CELL = f"""
import sys
sys.path.insert(0, {HERE!r})
from conftest import TinyLab
box = TinyLab().lab()
print(box.fields["arrivals_per_s"].comm.comm_id, box.picture.comm.comm_id, box.pin.comm.comm_id)
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
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def printed(kernel, code):
    told = []

    def hear(message):
        if message["msg_type"] == "stream":
            told.append(message["content"]["text"])

    reply = kernel.execute_interactive(code, output_hook=hear, timeout=120)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(told)


def send(kernel, comm, data):
    kernel.shell_channel.send(kernel.session.msg("comm_msg", {"comm_id": comm, "data": data}))


def move(kernel, comm, value):
    send(kernel, comm, {"method": "update", "state": {"value": value}, "buffer_paths": []})


def pictures(kernel, comm, until, timeout_s=30.0):
    """The values that the picture is given until one contains `until`; anything printed or raised fails the test."""
    seen, deadline = [], time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        message = kernel.get_iopub_msg(timeout=timeout_s)
        assert message["msg_type"] not in ("stream", "error"), message["content"]
        content = message["content"]
        if message["msg_type"] == "comm_msg" and content["comm_id"] == comm:
            value = content["data"].get("state", {}).get("value")
            if value is not None:
                seen.append(value)
                if until in value:
                    return seen
    raise AssertionError(f"no picture with {until!r}; {len(seen)} pictures came")


def test_a_burst_of_slider_messages_ends_with_the_last_picture(kernel):
    slider, _, _ = printed(kernel, CELL).split()
    for value in [20 + step % 25 for step in range(100)]:
        move(kernel, slider, value)
    move(kernel, slider, 48)
    expected = json.loads(printed(kernel, "import json; print(json.dumps(TinyLab().lab.draw(arrivals_per_s=48).alt))"))
    shown = printed(kernel, "assert box.wait(60); print(box.picture.value)")
    assert expected in shown
    assert 'data-state="ready"' in shown


def test_pictures_reach_the_page_one_for_each_unhurried_move(kernel):
    slider, picture, _ = printed(kernel, CELL).split()
    for generation, value in enumerate((30, 35, 45), start=1):
        move(kernel, slider, value)
        assert len(pictures(kernel, picture, until=f'data-generation="{generation}" data-state="ready"')) == 1


def test_a_click_on_pin_and_an_error_reach_the_page(kernel):
    _, picture, pin = printed(kernel, CELL).split()
    send(kernel, pin, {"method": "custom", "content": {"event": "click"}})
    assert 'class="pinned"' in pictures(kernel, picture, until='data-generation="1"')[-1]
    order = printed(kernel, "print(box.fields['order'].comm.comm_id)").strip()
    send(kernel, order, {"method": "update", "state": {"index": 1}, "buffer_paths": []})
    assert "order is" in pictures(kernel, picture, until='data-generation="2" data-state="error"')[-1]
