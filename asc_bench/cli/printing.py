"""Where the command line prints: no other module of ``cli`` writes to the terminal."""

from __future__ import annotations

import io
import sys
import traceback
from types import TracebackType

from asc_bench.printable import DEGRADED, printable, printable_warnings


def echo(text: object = "", *, err: bool = False) -> None:
    """Print text on stdout, or stderr, with whatever would steer the terminal made visible."""
    print(printable(text), file=sys.stderr if err else sys.stdout, flush=True)


def guard_terminal() -> None:
    """Let warnings and tracebacks steer no terminal, and write what its encoding lacks as simpler characters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=DEGRADED)
    sys.excepthook = _traceback
    printable_warnings()


def _traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    echo("".join(traceback.format_exception(kind, error, where)).rstrip(), err=True)
