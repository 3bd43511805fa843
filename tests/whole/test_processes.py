"""Test the tests themselves: no process outlives its test, and Ctrl-C works even if a shell made it ignored."""

import signal
import subprocess
import sys
import time

import psutil
import pytest
from helpers.processes import children, kill_all

LEFT: list["subprocess.Popen[bytes]"] = []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to an ancestor")
def test_an_orphan_is_found_and_ended() -> None:
    before = set(children())
    subprocess.run(["sh", "-c", "sleep 1000 & exit"], check=True, stdout=subprocess.DEVNULL)
    (orphan,) = set(children()) - before
    kill_all([orphan])
    assert not psutil.pid_exists(orphan.pid)


@pytest.mark.parametrize("half", ["starts a process", "finds it ended"])
def test_a_process_ends_with_the_test_that_started_it(half: str) -> None:
    if half == "starts a process":
        LEFT.append(subprocess.Popen(["sleep", "1000"]))
    else:
        LEFT.pop().wait(timeout=10)


def test_interrupts_reach_tests_and_what_they_start() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    child = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(1000)"], stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == -signal.SIGINT
