"""Logs of runs while they are computed: in CSV, for TensorBoard, for Weights & Biases, or wherever a class writes.

A log never decides what becomes of a run: where it fails it is left off, with a warning. It is written anew
whenever its run is begun; a training that is taken up from a checkpoint gives the rows before it once more.
"""

from __future__ import annotations

import csv
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from asc_bench.errors import ConfigError
from asc_bench.labels import LabelSpace
from asc_bench.names import near
from asc_bench.protocol import Protocol as ScoredProtocol
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.store import StoredRun
from asc_bench.scoring.decisions import segment_runs
from asc_bench.scoring.rows import clip_rows, lacking_levels, segment_rows
from asc_bench.training.history import HistoryRow

LOGS = "logs"
"""Folder of the results in which logs lie: a folder for each kind, and in it those of the runs."""

_log = logging.getLogger("asc_bench")


class Tracker(Protocol):
    """Where one run is logged. It is made with an empty folder of its own and what is known of the run."""

    def row(self, part: str, row: HistoryRow) -> None:
        """Log a moment of a training; ``part`` names the training, which is one of several in some systems."""

    def scores(self, scores: Mapping[str, float]) -> None:
        """Log the scores on the test clips, by measure; percent as fractions."""

    def close(self) -> None:
        """Write what is left; nothing comes after it."""


class CsvTracker:
    """``log.csv``: a line for each value, with the columns part, step, name and value."""

    def __init__(self, folder: Path, about: Mapping[str, object]) -> None:
        self._file = (folder / "log.csv").open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._write([("part", "step", "name", "value")])

    def row(self, part: str, row: HistoryRow) -> None:
        """See `Tracker`."""
        self._write((part, row.step, name, value) for name, value in row.values().items())

    def scores(self, scores: Mapping[str, float]) -> None:
        """See `Tracker`; the part is ``test``, without a step."""
        self._write(("test", "", name, value) for name, value in scores.items())

    def close(self) -> None:
        """See `Tracker`."""
        self._file.close()

    def _write(self, lines: Iterable[tuple[object, ...]]) -> None:
        self._writer.writerows(lines)
        self._file.flush()  # whoever follows the file sees whole lines


class TensorBoardTracker:
    """An event file: ``part/name`` over the steps of each part, and ``test/measure`` at the last step."""

    def __init__(self, folder: Path, about: Mapping[str, object]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))
        self._writer.add_text("run", "\n".join(f"- {name}: {value}" for name, value in about.items()))
        self._last = 0

    def row(self, part: str, row: HistoryRow) -> None:
        """See `Tracker`."""
        self._last = row.step
        for name, value in row.values().items():
            self._writer.add_scalar(f"{part}/{name}", value, row.step)
        self._writer.flush()

    def scores(self, scores: Mapping[str, float]) -> None:
        """See `Tracker`."""
        for name, value in scores.items():
            self._writer.add_scalar(f"test/{name}", value, self._last)

    def close(self) -> None:
        """See `Tracker`."""
        self._writer.close()


class WandbTracker:
    """A run of Weights & Biases, offline unless ``WANDB_MODE`` says otherwise; ``wandb sync`` sends it later."""

    def __init__(self, folder: Path, about: Mapping[str, object]) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        wandb: Any = import_module("wandb")
        quiet = wandb.Settings(
            silent=True, console="off", x_disable_stats=True, save_code=False, disable_git=True, disable_code=True
        )
        self._run: Any = wandb.init(
            mode=os.environ.get("WANDB_MODE", "offline"),
            dir=str(folder),
            project=os.environ.get("WANDB_PROJECT", "asc-bench"),
            id=str(about["key"])[:24],
            name=str(about["run"]),
            config=dict(about),
            reinit="create_new",
            settings=quiet,
        )
        self._parts: set[str] = set()

    def row(self, part: str, row: HistoryRow) -> None:
        """See `Tracker`; each part has a step of its own, since wandb's must not go back."""
        if part not in self._parts:
            self._parts.add(part)
            self._run.define_metric(f"{part}/step")
            self._run.define_metric(f"{part}/*", step_metric=f"{part}/step")
        self._run.log({f"{part}/step": row.step, **{f"{part}/{n}": value for n, value in row.values().items()}})

    def scores(self, scores: Mapping[str, float]) -> None:
        """See `Tracker`; they are the run's summary."""
        self._run.summary.update({f"test/{name}": value for name, value in scores.items()})

    def close(self) -> None:
        """See `Tracker`."""
        self._run.finish()


MakesTracker = Callable[[Path, Mapping[str, object]], Tracker]

TRACKERS: dict[str, MakesTracker] = {"csv": CsvTracker, "tensorboard": TensorBoardTracker, "wandb": WandbTracker}
"""Kinds of logs by name. Beside csv each is also the name of the package that it needs, and of the extra."""


def check_trackers(names: Iterable[str]) -> tuple[str, ...]:
    """Kinds of logs, each once.

    Raises
    ------
    ConfigError
        For a name that there is not, with the near ones, or one whose package is not installed.
    """
    chosen = tuple(dict.fromkeys(names))
    for name in chosen:
        if name not in TRACKERS:
            raise ConfigError(f"log is {name!r}{near(name, list(TRACKERS))}")
        if name != "csv" and find_spec(name) is None:
            raise ConfigError(f"log {name!r} needs the package {name}: pip install 'asc-bench[{name}]'")
    return chosen


class RunLog:
    """All logs of one run; a context that closes them.

    Parameters
    ----------
    names : iterable of str
        From ``check_trackers``.
    results : Path
        Folder of the results.
    spec : RunSpec
        The run.
    """

    def __init__(self, names: Iterable[str], results: Path, spec: RunSpec) -> None:
        self._title = spec.title
        about = {
            "run": f"{spec.title}, repeat {spec.repeat}",
            "protocol": spec.protocol,
            "system": str(spec.variant),
            "fold": spec.fold,
            "repeat": spec.repeat,
            "seed": spec.seed,
            "budget": str(spec.budget),
            "selection": str(spec.selection),
            "augmentation": str(spec.augmentation or ""),
            "key": spec.key,
        }
        self._open: dict[str, Tracker] = {}
        for name in names:
            self._try(name, partial(self._begin, name, results / LOGS / name / spec.folder, about))

    def _begin(self, name: str, folder: Path, about: Mapping[str, object]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._open[name] = TRACKERS[name](folder.absolute(), about)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name, tracker in list(self._open.items()):
            self._try(name, tracker.close)
        self._open.clear()

    def row(self, part: str, row: HistoryRow) -> None:
        """See `Tracker`."""
        for name, tracker in list(self._open.items()):
            self._try(name, partial(tracker.row, part, row))

    def finished(self, run: StoredRun, protocol: ScoredProtocol) -> None:
        """Log the scores of a run that is stored; one that failed has none."""
        if not self._open or not run.done:
            return
        try:
            scores = scores_of(run, protocol)
        except Exception as error:  # noqa: BLE001 - the run is stored, and tables will say what is wrong with it
            _log.warning("%s: its scores could not be logged: %s: %s", self._title, type(error).__name__, error)
            return
        for name, tracker in list(self._open.items()):
            self._try(name, partial(tracker.scores, scores))

    def _try(self, name: str, what: Callable[[], None]) -> None:
        try:
            what()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - other people's code, on disks that may be full
            self._open.pop(name, None)
            _log.warning(
                "%s: its log %s failed and is left off: %s: %s", self._title, name, type(error).__name__, error
            )


def scores_of(run: StoredRun, protocol: ScoredProtocol) -> dict[str, float]:
    """Every measure of one run on its test clips that has a value there; percent as fractions."""
    labels: LabelSpace = protocol.labels
    found: dict[str, float] = {}
    for measure in protocol.measures_on(run.manifest.get("sources", ())):
        if protocol.multi_label:
            value = segment_rows(segment_runs([(run.manifest, run.segments)], labels), measure).value()
        elif lacking_levels(run.predictions, measure):
            continue
        else:
            value = clip_rows(run.predictions, measure).value()
        if not math.isnan(value):  # as of devices that the fold does not test
            found[measure.name] = value
    return found
