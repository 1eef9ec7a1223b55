"""The feature cache: one array for all clips of a table, computed once and keyed by content."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from filelock import Timeout

from asc_bench.errors import ConfigError, DataError
from asc_bench.features.clip import clip_features
from asc_bench.features.entry import (
    PARTIAL,
    DamagedEntry,
    WriteRow,
    new_entry,
    open_entry,
    partial_of,
    quarantine,
)
from asc_bench.features.frontends import FrontEnd, parts_of
from asc_bench.files import locked
from asc_bench.own_code import is_own, own_code

if TYPE_CHECKING:
    from asc_bench.features.deform import Deformation

Progress = Callable[[float, str], None]

_LIBRARIES = ("librosa", "numpy", "scipy", "soundfile", "soxr")
"""Libraries that have a say in the numbers. Their major versions are part of the key."""

_log = logging.getLogger("asc_bench")


@dataclass(frozen=True)
class FeatureArray:
    """Features of all clips of a table.

    Attributes
    ----------
    array : float32 array, shape (n_clips, *front_end.shape(duration_s))
        Read-only and mapped into memory, in the order of the table.
    key : str
        sha256 of all that the numbers depend on.
    folder : Path
        The cache entry; its ``meta.json`` lists the parts of the key.
    """

    array: npt.NDArray[np.float32]
    key: str
    folder: Path


def feature_array(
    clips: pd.DataFrame,
    front_end: FrontEnd,
    *,
    file_digests: Mapping[str, str],
    cache: Path,
    n_jobs: int = 2,
    progress: Progress = lambda fraction, message: None,
    content: str = "",
) -> FeatureArray:
    """Take the features of a clip table from the cache, or compute them there first.

    Two processes that want the same entry compute it once: the second waits. A damaged entry is moved to
    ``<cache>/quarantine``, reported as a warning and computed again. Digests are checked once per process.

    Parameters
    ----------
    clips : DataFrame
        Clip table; all clips must be equally long. A column ``deformation``, if there is one, holds what is done
        to the waveform of a row before the front end sees it (a ``Deformation``, or None). A column ``view`` says
        which waveform of a binaural recording a row is (see ``asc_bench.data.views``), ``""`` for the mean.
    front_end : FrontEnd
        What turns a waveform into features.
    file_digests : mapping
        sha256 by path of every audio file, as in ``Dataset.file_digests``.
    cache : Path
        Root of the cache; entries lie in ``<cache>/features``.
    n_jobs : int
        Threads. Decoding, resampling and the transform hold no interpreter lock, and threads start at once.
    progress : callable
        Called with the fraction done and a few words.
    content : str
        What ``content_digest`` gives for the table, where it is known already.

    Raises
    ------
    DataError
        For clips of different length, files that were not indexed or cannot be read.
    SystemFailure
        If the front end gives another shape than it announces, or values that are not finite.
    StoreError
        If the cache cannot be written.
    """
    if n_jobs < 1:
        raise ConfigError(f"n_jobs is {n_jobs}, must be at least 1")
    duration_s = _common_duration(clips)
    parts = feature_key_parts(clips, front_end, file_digests=file_digests, content=content)
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    try:
        shape = (len(clips), *front_end.shape(duration_s))
    except DataError as error:
        raise DataError(f"clips of {duration_s} s do not suit {type(front_end).__name__}: {error}") from None
    expected = {"key": key, "parts": parts, "shape": list(shape), "dtype": "float32", "n_clips": len(clips)}
    folder = cache / "features" / f"{type(front_end).__name__.lower()}-{key[:16]}"
    try:
        array = open_entry(folder, expected)
    except DamagedEntry:
        array = None  # looked at again below, where no other process can be repairing it
    if array is None:
        with _locked(folder, progress):
            array = _open_or_quarantine(folder, expected, cache / "quarantine")
            if array is None:
                _remove_leftovers(folder)
                with new_entry(folder, expected, shape=shape) as write:
                    _extract(clips, front_end, write, n_jobs=n_jobs, progress=progress)
                array = open_entry(folder, expected)
    assert array is not None
    return FeatureArray(array=array, key=key, folder=folder)


def feature_key_parts(
    clips: pd.DataFrame, front_end: FrontEnd, *, file_digests: Mapping[str, str], content: str = ""
) -> dict[str, object]:
    """All that the features depend on, as JSON: settings, source code, libraries, content of the clips.

    Paths and labels are left out: moving or relabelling a data set recomputes nothing. Parameters are those of
    ``feature_array``.

    Raises
    ------
    DataError
        For a file without a digest.
    ConfigError
        If the front end's settings or source code cannot be read.
    """
    from asc_bench.data import audio
    from asc_bench.data import views as binaural
    from asc_bench.features import deform

    try:
        settings = json.loads(json.dumps(front_end.key()))
    except TypeError as error:
        raise ConfigError(f"{type(front_end).__name__}: settings must be JSON values: {error}") from None
    modules = {c.__module__ for part in parts_of(front_end) for c in type(part).__mro__ if issubclass(c, FrontEnd)}
    return {
        "front_end": settings,
        "source": {name: _source_digest(name) for name in sorted(modules | {audio.__name__})} | _foreign(modules),
        "libraries": dict(_major_versions()),
        "clips": content or content_digest(clips, file_digests=file_digests),
        **({"deformations": _package_digest(deform)} if any(_deformations(clips)) else {}),
        **({"views": _source_digest(binaural.__name__)} if any(_views(clips)) else {}),
    }


def content_digest(clips: pd.DataFrame, *, file_digests: Mapping[str, str]) -> str:
    """sha256 over what is heard in every row of a clip table; parameters and errors as for ``feature_array``."""
    content = hashlib.sha256()
    columns = (clips["path"], clips["start_s"], clips["duration_s"])
    of_rows = zip(*columns, _heard(clips), _deformations(clips), _views(clips), strict=True)
    for path, start_s, duration_s, heard_s, deformation, view in of_rows:
        if path not in file_digests:
            raise DataError(f"{path} was not indexed, so its features cannot be cached")
        change = ("" if deformation is None else f" {deformation!r}") + (f" view {view}" if view else "")
        change += f" heard {float(heard_s)!r}" if heard_s != duration_s else ""
        content.update(f"{file_digests[path]} {float(start_s)!r} {float(duration_s)!r}{change}\n".encode())
    return content.hexdigest()


@cache
def _major_versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, version(name).split(".")[0]) for name in _LIBRARIES)


def _deformations(clips: pd.DataFrame) -> list[Deformation | None]:
    """What is done to each clip; nothing where the table does not say."""
    return clips["deformation"].tolist() if "deformation" in clips else [None] * len(clips)


def _views(clips: pd.DataFrame) -> list[str]:
    """Which waveform each row is; the mean of all channels where the table does not say."""
    return clips["view"].tolist() if "view" in clips else [""] * len(clips)


def _heard(clips: pd.DataFrame) -> list[float]:
    """Seconds of each clip that are read; all of it where the table does not say."""
    heard_s: list[float] = clips["heard_s" if "heard_s" in clips else "duration_s"].tolist()
    return heard_s


def _package_digest(package: ModuleType) -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(package.__path__[0]).glob("*.py")):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _foreign(modules: Collection[str]) -> dict[str, str]:
    """Code outside the harness that the front end's modules import, and data files beside it."""
    files = [Path(str(sys.modules[name].__file__)) for name in modules if hasattr(sys.modules[name], "__file__")]
    return {name: digest for file in files if is_own(file) for name, digest in own_code(file).items()}


def _source_digest(module: str) -> str:
    try:
        return hashlib.sha256(inspect.getsource(sys.modules[module]).encode()).hexdigest()
    except (OSError, TypeError) as error:
        raise ConfigError(f"module {module} has no source code: define front ends in a file ({error})") from None


def _common_duration(clips: pd.DataFrame) -> float:
    if clips.empty:
        raise DataError("no clip to compute features of")
    durations_s = clips["duration_s"].to_numpy()
    differs = durations_s != durations_s[0]
    if differs.any():
        other = int(np.argmax(differs))
        raise DataError(
            "clips of one feature array must be equally long: "
            f"{clips['clip_id'].iloc[0]!r} has {durations_s[0]} s, "
            f"{clips['clip_id'].iloc[other]!r} has {durations_s[other]} s"
        )
    return float(durations_s[0])


@contextmanager
def _locked(folder: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock of an entry. The operating system frees it when its holder dies."""
    path = _lock_path(folder)
    with ExitStack() as held:
        try:
            held.enter_context(locked(path, wait=False))
        except Timeout:
            progress(0.0, "features: waiting for another process that computes them")
            held.enter_context(locked(path))
        yield


def _lock_path(folder: Path) -> Path:
    return folder.with_name(folder.name + ".lock")


def _open_or_quarantine(folder: Path, expected: Mapping[str, object], into: Path) -> npt.NDArray[np.float32] | None:
    try:
        return open_entry(folder, expected)
    except DamagedEntry as damage:
        aside = quarantine(folder, into)
        _log.warning("features %s are damaged (%s): moved to %s, computed again", folder, damage, aside)
        return None


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left of other entries: half-written ones whose lock nobody holds."""
    for partial in folder.parent.glob(f"*{PARTIAL}"):
        if partial == partial_of(folder):
            continue
        try:
            with locked(_lock_path(partial.with_suffix("")), wait=False):
                shutil.rmtree(partial, ignore_errors=True)
        except Timeout:
            _log.debug("%s is being written by another process", partial)


def _extract(
    clips: pd.DataFrame,
    front_end: FrontEnd,
    write: WriteRow,
    *,
    n_jobs: int,
    progress: Progress,
) -> None:
    from threadpoolctl import threadpool_limits

    columns = [clips[name].tolist() for name in ("clip_id", "path", "start_s", "duration_s")]
    rows = list(zip(*columns, _heard(clips), _deformations(clips), _views(clips), strict=True))

    def extract(index: int) -> None:
        clip_id, path, start_s, duration_s, heard_s, deformation, view = rows[index]
        changed = (f", {view}" if view else "") + (f", {deformation.name}" if deformation is not None else "")
        features = clip_features(
            Path(path),
            front_end,
            start_s=start_s,
            duration_s=duration_s,
            heard_s=heard_s,
            where=f"{path} (clip {clip_id!r}{changed})",
            deformation=deformation,
            view=view,
        )
        write(index, features)

    # BLAS threads inside these threads would fight for the same cores: on two busy ones, 1.6 ms become 50 ms.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_jobs) as pool:
        try:
            tasks = [pool.submit(extract, index) for index in range(len(rows))]
            for n_done, task in enumerate(as_completed(tasks), start=1):
                task.result()
                progress(n_done / len(rows), f"features: {n_done} of {len(rows)} clips")
        finally:
            pool.shutdown(cancel_futures=True)
