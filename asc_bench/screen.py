"""What is shown while something takes long: bars on a terminal, one text in a notebook, lines elsewhere."""

from __future__ import annotations

import contextlib
import importlib
import logging
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from typing import Protocol as Contract

from asc_bench.names import count
from asc_bench.printable import printable
from asc_bench.runs.durations import TimeLeft, in_words
from asc_bench.runs.heartbeat import Monitor
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.settings import Progress
from asc_bench.runs.store import StoredRun

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID
    from rich.table import Column


_LONG_BAR = 96
"""Columns of a terminal in which there is room for long bars."""
_TAKEN = 62
"""Columns that a long bar and the figures behind it take."""
_SHORTEST_NOTE = 12
"""Columns without which no note is shown beside a bar."""


class Watcher(Monitor, Contract):
    """Shows what happens from the first look at the recordings to the last run."""

    def phase(self, title: str) -> contextlib.AbstractContextManager[Progress]:
        """A step of preparation begins; it reports through the callback that is given."""

    def expect(self, time_left: TimeLeft) -> None:
        """These runs are computed now."""

    def say(self, text: str) -> None:
        """One line."""


class Unwatched:
    """A watcher that shows nothing."""

    def phase(self, title: str) -> contextlib.AbstractContextManager[Progress]:
        """See `Watcher`."""
        return contextlib.nullcontext(lambda fraction, text: None)

    def expect(self, time_left: TimeLeft) -> None:
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
        from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        self.console = console()
        self.quiet = quiet
        width = self.console.width
        columns: list[str | ProgressColumn] = [
            TextColumn("{task.description}", markup=False, table_column=_one_line(max(12, width // 3))),
            BarColumn(bar_width=24 if width >= _LONG_BAR else 8),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False, table_column=_one_line(None)),
        ]
        room = width - width // 3 - _TAKEN
        if room >= _SHORTEST_NOTE:
            columns.append(TextColumn("{task.fields[note]}", markup=False, table_column=_one_line(room)))
        self._bars: Bars = RichProgress(
            *columns,
            console=self.console,
            transient=True,
            disable=quiet or not self.console.is_terminal,
        )
        self._runs: dict[str, TaskID] = {}
        self._overall: TaskID | None = None
        self._done = 0
        self._time_left = TimeLeft()
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
            self.console.print(printable(text), markup=False)

    @contextlib.contextmanager
    def phase(self, title: str) -> Iterator[Phase]:
        """A bar for one step of preparation."""
        task = self._bars.add_task(printable(title), total=1.0, note="", left="")
        try:
            yield Phase(self._bars, task)
        finally:
            self._bars.remove_task(task)

    def expect(self, time_left: TimeLeft) -> None:
        """Begin the overall bar."""
        self._time_left = time_left
        self._overall = self._bars.add_task("all runs", total=float(len(time_left.specs)), note="", left="")

    def progress(self, spec: RunSpec, fraction: float, text: str) -> None:
        """Move the bar of one run, and the overall one with it."""
        self._time_left.progress(spec, fraction)
        if spec.key not in self._runs:
            self._runs[spec.key] = self._bars.add_task(printable(spec.title), total=1.0, note="", left="")
        self._bars.update(self._runs[spec.key], completed=min(fraction, 1.0), note=printable(text))
        self._move_overall()

    def finished(self, spec: RunSpec, run: StoredRun) -> None:
        """Replace the bar of a run by a line."""
        if spec.key in self._runs:
            self._bars.remove_task(self._runs.pop(spec.key))
        self._done += 1
        seconds = sum(run.manifest["durations_s"].values())
        self._time_left.finished(spec, seconds)
        self._move_overall()
        if run.done:
            self.say(f"  done    {spec.title} ({seconds:.1f} s){self._counted()}")
        else:
            self.say(_failure(spec, run))

    def _counted(self) -> str:
        """How many runs are left and for how long, where no bar shows it."""
        n_left = len(self._time_left.specs) - self._done
        if n_left <= 0 or not self._bars.disable:
            return ""
        return f"; {count(n_left, 'run')} left{_about(self._time_left.left())}"

    def _move_overall(self) -> None:
        if self._overall is not None:
            under_way = sum(self._bars.tasks[self._bars.task_ids.index(t)].completed for t in self._runs.values())
            n_left = len(self._time_left.specs) - self._done
            left = f"left{_about(self._time_left.left())}" if n_left else ""
            self._bars.update(self._overall, completed=self._done + under_way, left=left)


def _one_line(width: int | None) -> Column:
    """A column of bars whose texts are cut where there is no room."""
    from rich.table import Column

    return Column(no_wrap=True, overflow="ellipsis", max_width=width)


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
            self._bars.update(self._task, completed=fraction, note=printable(text))


class Page:
    """In a notebook: one text below the cell that is written anew, and ends as a line for all runs that are done.

    Warnings and failed runs have lines of their own.

    Parameters
    ----------
    quiet : bool
        Show nothing but warnings.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._lines: list[str] = []
        self._now = ""
        self._n_runs = self._done = self._failed = 0
        self._time_left = TimeLeft()
        self._id = ""
        self._last = self._started = 0.0
        self._handler = _Lines(self._warn)
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> Self:
        logging.getLogger("asc_bench").addHandler(self._handler)
        self._filters.__enter__()
        # tqdm says so when torch imports it, whoever shows the progress.
        warnings.filterwarnings("ignore", message="IProgress not found")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._filters.__exit__(kind, error, _)
        logging.getLogger("asc_bench").removeHandler(self._handler)
        if not self.quiet and (self._lines or self._now):
            self._now = self._counted() if self._n_runs else ""
            self._write()

    def say(self, text: str) -> None:
        """One line above the one that changes, unless quiet."""
        if not self.quiet:
            self._warn(text)

    @contextlib.contextmanager
    def phase(self, title: str) -> Iterator[Callable[[float, str], None]]:
        """Show how far a step of preparation is."""
        yield lambda fraction, text: self._show(f"{title}: {100 * fraction:.0f} % {text}")
        self._now = ""

    def expect(self, time_left: TimeLeft) -> None:
        """Begin to count runs."""
        self._time_left, self._n_runs, self._started = time_left, len(time_left.specs), time.monotonic()
        self._show(self._counted())

    def progress(self, spec: RunSpec, fraction: float, text: str) -> None:
        """Show how far a run is."""
        self._time_left.progress(spec, fraction)
        self._show(f"{self._counted()}; {spec.title}: {100 * fraction:.0f} % {text}")

    def finished(self, spec: RunSpec, run: StoredRun) -> None:
        """Count a run; a failed one gets a line."""
        self._done += 1
        self._time_left.finished(spec, sum(run.manifest["durations_s"].values()))
        if run.done:
            self._show(self._counted())
        else:
            self._failed += 1
            self.say(_failure(spec, run))

    def _counted(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        seconds = time.monotonic() - self._started
        left = f", left{_about(self._time_left.left())}" if self._done < self._n_runs else ""
        return f"  {self._done} of {self._n_runs} runs computed{failed} ({seconds:.0f} s{left})"

    def _warn(self, line: str) -> None:
        self._lines.append(printable(line))
        self._write()

    def _show(self, text: str) -> None:
        """Change the last line, at most twice a second."""
        self._now = printable(text.rstrip())
        if not self.quiet and time.monotonic() - self._last >= 0.5:
            self._write()

    def _write(self) -> None:
        ipython: Any = importlib.import_module("IPython.display")
        self._last = time.monotonic()
        text = {"text/plain": "\n".join(filter(None, (*self._lines, self._now if not self.quiet else "")))}
        if self._id:
            ipython.update_display(text, raw=True, display_id=self._id)
        else:
            self._id = uuid.uuid4().hex
            ipython.display(text, raw=True, display_id=self._id)


class _Lines(logging.Handler):
    """Gives the text of each message of the harness to a function."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record.getMessage())


def screen(*, quiet: bool = False) -> Screen | Page:
    """What suits the place: a page in a notebook, else bars or lines."""
    return Page(quiet=quiet) if console().is_jupyter else Screen(quiet=quiet)


def _about(seconds: float | None) -> str:
    return ": time unknown" if seconds is None else f": about {in_words(seconds)}"


def _failure(spec: RunSpec, run: StoredRun) -> str:
    error = run.manifest["error"]
    first_line = str(error["message"]).splitlines()[0] if error["message"] else ""
    return f"  FAILED  {spec.title}: {error['type']}: {first_line} (traceback in {run.folder})"
