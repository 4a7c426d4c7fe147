# SPDX-License-Identifier: Apache-2.0
"""cmd/demo, what it shows: all of it true, and nothing of it left behind however it ends."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import pytest
from processes import wait_until

DEMO = pathlib.Path(__file__).resolve().parents[1] / "support" / "demo.py"


@pytest.fixture
def demo(request):
    """Starts the demo with a folder of its own for everything it makes; gives (process, folder, output so far)."""
    folder = pathlib.Path(os.environ.get("LEASEHOLD_TMP", "/tmp")) / f"demo-{os.getpid()}-{request.node.name[:20]}"
    folder.mkdir(mode=0o755)
    started = []

    def start(*arguments):
        output = open(folder.with_suffix(".out"), "w+")
        process = subprocess.Popen([sys.executable, DEMO, *arguments], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, env={**os.environ, "LEASEHOLD_TMP": str(folder)})
        started.append((process, output))
        return process, lambda: pathlib.Path(output.name).read_text()

    start.folder = folder
    yield start
    for process, output in started:
        process.kill()
        process.wait()
        output.close()
        os.unlink(output.name)
    folder.rmdir()  # fails, and so the test, if anything is left in it


def ports(text):
    return {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)}


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("which", [[], ["--mysql"]])
def test_everything_shown_is_true_and_nothing_is_left(demo, which):
    process, output = demo(*which, "--once")
    assert process.wait(120) == 0, output()
    assert "NO " not in output() and output().count("  yes  ") >= 8, output()
    assert len(ports(output())) == 2 and not [port for port in ports(output()) if listening(port)]
    assert list(demo.folder.iterdir()) == []


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_stays_until_it_is_told_to_end_and_then_removes_everything(demo, number, code):
    process, output = demo()
    wait_until(lambda: "until Ctrl-C" in output() or process.poll() is not None, 120, "the demo staying")
    assert process.poll() is None, output()
    wait_until(lambda: "the log" in output(), 10, "the last line")
    wait_until(lambda: all(listening(port) for port in ports(output())), 10, "everything that is named listening")
    process.send_signal(number)
    assert process.wait(60) == code, output()
    assert not [port for port in ports(output()) if listening(port)]
    assert list(demo.folder.iterdir()) == []


def test_an_interruption_in_the_middle_leaves_nothing_either(demo):
    process, output = demo()
    wait_until(lambda: "100 clients" in output() or process.poll() is not None, 60, "the first show")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130, output()
    assert not [port for port in ports(output()) if listening(port)]
    assert list(demo.folder.iterdir()) == []
