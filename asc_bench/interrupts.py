"""Ctrl-C reaches every process of a terminal; only the one that the user started should answer it."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from asc_bench.printable import printable_warnings

P = ParamSpec("P")
R = TypeVar("R")


def leave_interrupts_to_the_parent() -> None:
    """In a worker process that has just begun: ignore Ctrl-C, also while modules of its first call are loaded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    printable_warnings()  # its standard error is the terminal of the command


def undisturbed(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a worker process, which leaves Ctrl-C to its parent: that one ends the workers."""
    in_worker = multiprocessing.current_process().name != "MainProcess"
    if in_worker and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if in_worker:
        printable_warnings()  # its standard error is the terminal of the command
    return function(*args, **kwargs)
