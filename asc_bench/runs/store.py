"""Finished runs on disk: one folder each, renamed into place when whole, checked when read.

A manifest holds a digest of itself and of every other file. Where a stored run takes the place of a computation,
all of them are compared. A list of runs trusts the manifests, of which there may be ten thousand, and compares the
predictions of a run once they are asked for.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from filelock import Timeout

from asc_bench.bench.keys import digest
from asc_bench.errors import StoreError
from asc_bench.files import locked, publish_folder, temporary_beside, writing
from asc_bench.labels import LabelSpace
from asc_bench.names import require_text
from asc_bench.runs.plan import RunSpec
from asc_bench.scoring.predictions import read_predictions, write_predictions
from asc_bench.scoring.segment_predictions import read_segment_predictions, write_segment_predictions
from asc_bench.training.history import HISTORY_COLUMNS

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
PREDICTIONS = "predictions.parquet"
SEGMENTS = "segments.parquet"
HISTORY = "history.csv"
TRACEBACK = "traceback.txt"
WEIGHTS = "weights"
NOT_SAVED = "not_saved"
"""Manifest entry of a run whose weights were asked for: why its system cannot be saved."""
PART = "part_of_a_fold"
"""Manifest entry of a run of a teacher on a part of a fold."""

_log = logging.getLogger("asc_bench")


@dataclass(frozen=True)
class StoredRun:
    """A run that was read back, and whose manifest was found whole."""

    folder: Path
    manifest: Mapping[str, Any]

    @cached_property
    def intact(self) -> bool:
        """Whether its predictions are those that were stored; if they are not, it is put aside, with a warning."""
        files = self.manifest.get("files", {})
        fault = _fault(self.folder, {name: files[name] for name in files if not name.startswith(f"{WEIGHTS}/")})
        if fault:
            _put_aside(self.folder, fault)
        return not fault

    @property
    def done(self) -> bool:
        """Whether it has predictions (a failed run has a traceback instead)."""
        return bool(self.manifest["status"] == "done")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per split, label level and clip; raises StoreError if they are not what was stored."""
        return read_predictions(self._sound(PREDICTIONS))

    @cached_property
    def segments(self) -> pd.DataFrame:
        """Of a run on clips with several labels: one row per split, level, clip and segment; as ``predictions``."""
        return read_segment_predictions(self._sound(SEGMENTS))

    @cached_property
    def history(self) -> pd.DataFrame:
        """How its networks were trained, columns `HISTORY_COLUMNS`; empty if it trained none or noted nothing."""
        if HISTORY not in self.manifest.get("files", {}):
            return pd.DataFrame(columns=list(HISTORY_COLUMNS))
        read = pd.read_csv(self._sound(HISTORY), dtype=str)  # numbers that pandas reads itself may lose a digit
        kinds = dict.fromkeys(HISTORY_COLUMNS[1:], float) | {"step": int, "epoch": int}
        return read.astype(kinds)

    @property
    def traceback(self) -> str:
        """Of a failed run; empty for any other, and where it cannot be read."""
        if self.manifest["status"] != "failed":
            return ""
        with suppress(OSError):
            return (self.folder / TRACEBACK).read_text(encoding="utf-8", errors="replace")
        return ""

    def sharing(self, other: StoredRun | None) -> StoredRun:
        """The same, holding what its manifest has in common with another's once: that is most of it."""
        return self if other is None else replace(self, manifest=_sharing(self.manifest, other.manifest))

    def _sound(self, name: str) -> Path:
        if not self.intact:
            raise StoreError(f"{self.folder}: the stored run was damaged and put aside; compute it again")
        return self.folder / name

    @property
    def weights(self) -> Path | None:
        """The folder that ``System.save`` wrote, or None if the weights were not kept."""
        kept = any(name.startswith(f"{WEIGHTS}/") for name in self.manifest.get("files", ()))
        return self.folder / WEIGHTS if kept else None


class Place(Protocol):
    """Where a run is kept, such as a `RunSpec`: a key, and a folder below ``results/runs``."""

    @property
    def key(self) -> str:
        """sha256 over all that the predictions depend on."""

    @property
    def folder(self) -> str:
        """Data, budget, system and run, divided by slashes."""


class ResultsStore:
    """The folder ``results``: ``runs/`` (kept), ``scratch/`` (checkpoints), ``locks/``, ``quarantine/``, ``logs/``.

    Parameters
    ----------
    root : Path
        Made on the first write.

    Raises
    ------
    ConfigError
        If its name is no text.
    """

    def __init__(self, root: Path) -> None:
        require_text(root, what="results folder")
        self.root = root
        self.runs = root / "runs"

    def scratch(self, spec: Place) -> Path:
        """Where a run in progress keeps its checkpoints; survives a kill, is gone once the run is done."""
        return self.root / "scratch" / spec.key[:24]

    def in_progress(self) -> list[Path]:
        """Every folder that ``scratch`` named and that is there, those of killed processes among them."""
        folder = self.root / "scratch"
        return list(folder.iterdir()) if folder.is_dir() else []

    def lock(self, spec: RunSpec, *, wait: bool = True) -> AbstractContextManager[None]:
        """Held by the process that computes this run; raises as `asc_bench.files.locked`."""
        return locked(self.root / "locks" / f"{spec.key[:24]}.lock", wait=wait)

    def require_locks(self) -> None:
        """Raise StoreError if the file system of the results refuses locks: before hours are spent on features."""
        with suppress(Timeout), locked(self.root / "locks" / "probe.lock", wait=False):
            pass

    def load(self, spec: RunSpec, *, with_weights: bool = False, whole: bool = True) -> StoredRun | None:
        """The stored run of this key, or None. A damaged folder is put aside and counts as absent.

        Parameters
        ----------
        spec : RunSpec
            Which run.
        with_weights : bool
            A finished run without weights counts as absent too, and stays where it is. One whose system
            cannot be saved does not: computing it again would give no weights either.
        whole : bool
            Compare every file with its digest; if false, that of the manifest alone.
        """
        folder = self.runs / spec.folder
        run = self._read(folder, whole=whole)
        if run is not None and run.manifest["key"] != spec.key:
            _put_aside(folder, f"its key is {run.manifest['key'][:12]}")
            return None
        if with_weights and run is not None and run.done and run.weights is None and NOT_SAVED not in run.manifest:
            return None
        return run

    def iterate(self, tag: str = "*", budget: str = "*", system: str = "*") -> Iterator[StoredRun]:
        """Every run whose manifest is whole, oldest first; its predictions are checked when they are asked for."""
        folders = [
            p.parent for p in self.runs.glob(f"{tag}/{budget}/{system}/*/{MANIFEST}") if not _hidden(p.parent)
        ]
        found = [run for folder in folders if (run := self._read(folder, whole=False)) is not None]
        yield from sorted(found, key=lambda run: str(run.manifest["finished"]))

    def publish(
        self,
        spec: Place,
        manifest: Mapping[str, object],
        *,
        predictions: pd.DataFrame | None = None,
        segments: pd.DataFrame | None = None,
        labels: LabelSpace | None = None,
        history: pd.DataFrame | None = None,
        traceback: str | None = None,
        weights: Path | None = None,
    ) -> StoredRun:
        """Write a run and rename it into place. Its scratch folder goes then.

        The files of the folder ``weights`` are moved into the run, as ``weights/``.

        Raises
        ------
        StoreError
            If it cannot be written; an earlier result of the same run is untouched then.
        """
        target = self.runs / spec.folder
        temporary = temporary_beside(target)
        with writing(target):
            temporary.mkdir(parents=True)
            try:
                if predictions is not None and labels is not None:
                    write_predictions(predictions, temporary / PREDICTIONS, labels)
                if segments is not None and labels is not None:
                    write_segment_predictions(segments, temporary / SEGMENTS, labels)
                if history is not None and len(history):
                    history.to_csv(temporary / HISTORY, index=False)
                if traceback is not None:
                    (temporary / TRACEBACK).write_text(traceback, encoding="utf-8", errors="backslashreplace")
                if weights is not None:
                    shutil.move(weights, temporary / WEIGHTS)
                written = sorted(p for p in temporary.rglob("*") if p.is_file())
                files = {p.relative_to(temporary).as_posix(): _sha256(p) for p in written}
                content = {"schema_version": SCHEMA_VERSION, **manifest, "files": files}
                content["digest"] = digest(content)
                (temporary / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
                publish_folder(temporary, target)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        shutil.rmtree(self.scratch(spec), ignore_errors=True)
        return StoredRun(target, content)

    def forget(self, specs: Iterable[RunSpec]) -> None:
        """Remove stored runs and their checkpoints, so that they are computed again."""
        for spec in specs:
            for folder in (self.runs / spec.folder, self.scratch(spec)):
                with writing(folder):
                    if folder.exists():
                        shutil.rmtree(folder)

    def sweep(self) -> None:
        """Remove unfinished folders that killed processes left: those of runs whose lock nobody holds."""
        for path in self.runs.glob("*/*/*/.*.tmp"):
            key = path.name.partition(".tmp")[0].rpartition(".")[0].rpartition("-")[2]
            with suppress(Timeout), ExitStack() as held:
                for lock in (self.root / "locks").glob(f"{key}*.lock"):
                    held.enter_context(locked(lock, wait=False))
                shutil.rmtree(path, ignore_errors=True)

    def _read(self, folder: Path, *, whole: bool) -> StoredRun | None:
        if not folder.is_dir():
            return None
        try:
            return read_run(folder, whole=whole)
        except DamagedRunError as error:
            _put_aside(folder, str(error))
            return None


class DamagedRunError(Exception):
    """What a folder of a run holds is not what was stored."""


def read_run(folder: Path, *, whole: bool) -> StoredRun:
    """Read a run and leave it where it is.

    Parameters
    ----------
    folder : Path
        Of the run.
    whole : bool
        Compare every file with its digest; if false, that of the manifest alone.

    Raises
    ------
    DamagedRunError
        If a digest does not fit, or a file is missing or no manifest.
    StoreError
        If it was written by a newer asc-bench.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        stated = manifest.pop("digest")
        if manifest["schema_version"] > SCHEMA_VERSION:
            raise StoreError(
                f"{folder} was written by a newer asc-bench (schema {manifest['schema_version']}); update",
                path=folder,
            )
        if digest(manifest) != stated:
            raise ValueError("the manifest was changed")
        fault = _fault(folder, manifest["files"]) if whole else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fault = f"{type(error).__name__}: {error}"
    if fault:
        raise DamagedRunError(fault)
    return StoredRun(folder, {**manifest, "digest": stated})


def _fault(folder: Path, files: Mapping[str, str]) -> str:
    """The first file that was changed or lost; empty if every one has the digest that is noted."""
    for name, sha256 in files.items():
        try:
            if _sha256(folder / name) != sha256:
                return f"{name} was changed"
        except OSError as error:
            return f"{type(error).__name__}: {error}"
    return ""


def _sharing(mine: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same values as ``mine``, those that are equal there and of the same type as objects of ``other``."""
    shared = {}
    for name, value in mine.items():
        theirs = other.get(name)
        if isinstance(value, Mapping) and isinstance(theirs, Mapping):
            value = _sharing(value, theirs)
        elif type(value) is type(theirs) and repr(value) == repr(theirs):
            value = theirs
        shared[sys.intern(name)] = value
    equal = shared.keys() == other.keys() and all(value is other[name] for name, value in shared.items())
    return other if equal else shared


def _put_aside(folder: Path, reason: str) -> None:
    """Move a run from ``runs/<data>/<budget>/<system>/`` to ``quarantine/``."""
    place = folder.parents[4] / "quarantine" / f"{folder.parent.name}-{folder.name}-{time.time_ns()}"
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(place)
    _log.warning("damaged result put aside: %s (%s); it will be computed again", place, reason)


def _hidden(folder: Path) -> bool:
    return folder.name.startswith(".")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
