"""What a run in progress says of itself, left in a small file beside its checkpoints for whoever watches."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from asc_bench.runs.plan import RunSpec
from asc_bench.runs.store import ResultsStore, StoredRun

HEARTBEAT = "progress.txt"
POLL_S = 0.5


class Monitor(Protocol):
    """Informed of what happens while runs are computed."""

    def progress(self, spec: RunSpec, fraction: float, text: str) -> None:
        """``fraction`` of this run is done."""

    def finished(self, spec: RunSpec, run: StoredRun) -> None:
        """This run is stored, done or failed."""

    def say(self, text: str) -> None:
        """One line about all of them."""


class Heartbeat:
    """A progress callback that leaves its last word in a small file, at most twice a second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = 0.0

    def __call__(self, fraction: float, text: str) -> None:
        now = time.monotonic()
        if now - self._last >= POLL_S and self.path.parent.exists():
            self._last = now
            self.path.write_text(f"{fraction:.4f} {text}", encoding="utf-8", errors="backslashreplace")


def read_heartbeat(path: Path) -> tuple[float, str] | None:
    """What a run in progress said last, or None."""
    try:
        fraction, _, text = path.read_text(encoding="utf-8", errors="replace").partition(" ")
        return float(fraction), text
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def watching(specs: Sequence[RunSpec], store: ResultsStore, monitor: Monitor) -> Iterator[None]:
    """Pass on what runs in other processes say, from a thread."""
    stop = threading.Event()
    by_folder = {store.scratch(spec): spec for spec in specs}

    def watch() -> None:
        while not stop.wait(POLL_S):
            # Only runs in progress have a folder there.
            for folder in store.in_progress():
                beat = read_heartbeat(folder / HEARTBEAT) if folder in by_folder else None
                if beat is not None:
                    monitor.progress(by_folder[folder], *beat)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
