"""What is shown while something takes long: rich bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self
from typing import Protocol as Contract

from asc_bench.runs.parallel import Monitor
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.settings import Progress
from asc_bench.runs.store import StoredRun

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Watcher(Monitor, Contract):
    """Shows what happens from the first look at the recordings to the last run."""

    def phase(self, title: str) -> contextlib.AbstractContextManager[Progress]:
        """A step of preparation begins; it reports through the callback that is given."""

    def expect(self, n_runs: int) -> None:
        """So many runs are computed now."""

    def say(self, text: str) -> None:
        """One line."""


class Unwatched:
    """A watcher that shows nothing."""

    def phase(self, title: str) -> contextlib.AbstractContextManager[Progress]:
        """See `Watcher`."""
        return contextlib.nullcontext(lambda fraction, text: None)

    def expect(self, n_runs: int) -> None:
        """See `Watcher`."""

    def say(self, text: str) -> None:
        """See `Watcher`."""

    def progress(self, spec: RunSpec, fraction: float, text: str) -> None:
        """See `Monitor`."""

    def finished(self, spec: RunSpec, run: StoredRun) -> None:
        """See `Monitor`."""


def console(*, stderr: bool = True) -> Console:
    """Progress and messages go to stderr, so that stdout holds the table alone."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


class Screen:
    """Bars for the whole and for each run in progress; the harness' warnings are shown between them.

    Parameters
    ----------
    quiet : bool
        Show nothing but warnings.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.logging import RichHandler
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self.console = console()
        self.quiet = quiet
        self._bars: Bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=quiet or not self.console.is_terminal,
        )
        self._runs: dict[str, TaskID] = {}
        self._overall: TaskID | None = None
        self._done = 0
        self._handler = RichHandler(console=self.console, show_time=False, show_path=False, show_level=False)

    def __enter__(self) -> Self:
        logging.getLogger("asc_bench").addHandler(self._handler)
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._bars.stop()
        logging.getLogger("asc_bench").removeHandler(self._handler)

    def say(self, text: str) -> None:
        """One line above the bars, unless quiet."""
        if not self.quiet:
            self.console.print(text, markup=False)

    @contextlib.contextmanager
    def phase(self, title: str) -> Iterator[Phase]:
        """A bar for one step of preparation."""
        task = self._bars.add_task(title, total=1.0, note="")
        try:
            yield Phase(self._bars, task)
        finally:
            self._bars.remove_task(task)

    def expect(self, n_runs: int) -> None:
        """Begin the overall bar."""
        self._overall = self._bars.add_task("all runs", total=float(n_runs), note="")

    def progress(self, spec: RunSpec, fraction: float, text: str) -> None:
        """Move the bar of one run, and the overall one with it."""
        if spec.key not in self._runs:
            self._runs[spec.key] = self._bars.add_task(spec.title, total=1.0, note="")
        self._bars.update(self._runs[spec.key], completed=min(fraction, 1.0), note=text)
        self._move_overall()

    def finished(self, spec: RunSpec, run: StoredRun) -> None:
        """Replace the bar of a run by a line."""
        if spec.key in self._runs:
            self._bars.remove_task(self._runs.pop(spec.key))
        self._done += 1
        self._move_overall()
        if run.done:
            seconds = sum(run.manifest["durations_s"].values())
            self.say(f"  done    {spec.title} ({seconds:.1f} s)")
        else:
            error = run.manifest["error"]
            first_line = str(error["message"]).splitlines()[0] if error["message"] else ""
            self.say(f"  FAILED  {spec.title}: {error['type']}: {first_line} (traceback in {run.folder})")

    def _move_overall(self) -> None:
        if self._overall is not None:
            under_way = sum(self._bars.tasks[self._bars.task_ids.index(t)].completed for t in self._runs.values())
            self._bars.update(self._overall, completed=self._done + under_way)


class Phase:
    """Progress callback of one step; a bar is moved at most ten times a second."""

    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars = bars
        self._task = task
        self._last = 0.0

    def __call__(self, fraction: float, text: str) -> None:
        now = time.monotonic()
        if now - self._last > 0.1 or fraction >= 1:
            self._last = now
            self._bars.update(self._task, completed=fraction, note=text)
