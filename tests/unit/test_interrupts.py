"""Ctrl-C and the processes that a command starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from asc_bench.interrupts import deaf_children


@pytest.fixture(autouse=True)
def _hears_interrupts() -> Iterator[None]:
    """Where the tests run in the background of a shell, they and their children ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_child_never_hears_it_from_its_first_moment_on() -> None:
    code = "import time; time.sleep(1); print('lived')"
    with deaf_children():
        deaf = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    hearing = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(20):  # also before Python has begun
        for child in (deaf, hearing):
            os.kill(child.pid, signal.SIGINT)
        time.sleep(0.01)
    assert deaf.communicate()[0] == "lived\n"
    assert hearing.communicate()[0] == ""


def test_one_that_comes_meanwhile_is_answered_afterwards() -> None:
    answered = False
    try:
        with deaf_children():
            os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        answered = True
    assert answered
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_sigterm_ends_a_command_as_an_interruption() -> None:
    code = (
        "import os, signal\nfrom asc_bench.interrupts import Terminated, end_on_sigterm\nend_on_sigterm()\n"
        "try:\n    os.kill(os.getpid(), signal.SIGTERM)\n"
        "except KeyboardInterrupt as error:\n    print(type(error).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Terminated\n"
