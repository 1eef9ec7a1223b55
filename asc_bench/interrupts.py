"""Ctrl-C reaches every process of a terminal; only the one that the user started should answer it."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from asc_bench.printable import printable_warnings

P = ParamSpec("P")
R = TypeVar("R")


class Terminated(KeyboardInterrupt):
    """The command was asked to end by SIGTERM, as `kill`, `timeout` and batch systems do."""


def end_on_sigterm() -> None:
    """Let SIGTERM end a command as Ctrl-C does: its workers are stopped, and files are whole."""

    def end(_: int, __: object) -> None:
        raise Terminated

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)


@contextlib.contextmanager
def deaf_children() -> Iterator[None]:
    """Start processes inside that never hear Ctrl-C, not even while Python itself starts in them.

    They inherit the signal mask of the thread that starts them. One that comes meanwhile is answered afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def undisturbed(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a worker process, which leaves Ctrl-C to its parent: that one ends the workers."""
    in_worker = multiprocessing.current_process().name != "MainProcess"
    if in_worker and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if in_worker:
        printable_warnings()  # its standard error is the terminal of the command
    return function(*args, **kwargs)
