"""The audio index: every file of a data set read, decoded and digested once, before anything is trained."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed

from asc_bench.data.audio import MISSING_END, OFFICIALLY_SHORT, AudioFacts, inspect_audio
from asc_bench.data.file_formats import wrong_rate_hint
from asc_bench.data.indexfile import COLUMNS, STATE, load_index, save_index
from asc_bench.data.manifest import Dataset
from asc_bench.errors import DataError

MISSING_FILE_DIGEST = "missing"
"""Stands for the sha256 of a file that does not exist: an incomplete data set has a digest of its own."""

N_LISTED = 20

_FAULT = COLUMNS.index("fault")
_MOST_TOGETHER = 32
"""Files that a thread inspects before it hands over what it found."""

Progress = Callable[[float, str], None]


def _ignore(fraction: float, message: str) -> None:
    pass


def inspect_dataset(
    dataset: Dataset, *, cache: Path, n_jobs: int = 2, progress: Progress = _ignore
) -> tuple[Dataset, dict[str, AudioFacts]]:
    """Inspect every audio file that exists.

    Files that did not change since the last time are not read again. Files that ``Dataset.missing`` names get
    the digest ``"missing"``.

    Parameters
    ----------
    dataset : Dataset
        As read by its layout.
    cache : Path
        Cache root; the index of each data-set folder is one Parquet file in ``cache/index``.
    n_jobs : int
        Threads; decoding and hashing run outside the interpreter lock.
    progress : callable
        Given the fraction done and a few words.

    Returns
    -------
    dataset : Dataset
        With its ``file_digests``.
    facts : dict
        What was found, by path.

    Raises
    ------
    DataError
        If any file is faulty or too short for its clips; the message lists the first 20 of them, each with
        its fault, and says how many there are.
    """
    absent = set(dataset.missing)
    ends = _clip_ends(dataset.clips[~dataset.clips["clip_id"].isin(absent)])
    facts = _up_to_date(dataset, list(ends.index), cache=cache, n_jobs=n_jobs, progress=progress)
    faults = {path: fault for path, fault in _faults(facts, ends) if fault}
    if faults:
        raise DataError(_listing(dataset, faults, len(facts)))
    every = dataset.clips["path"].tolist()
    digests = {path: facts[path].sha256 if path in facts else MISSING_FILE_DIGEST for path in every}
    return replace(dataset, file_digests=digests), facts


def _up_to_date(
    dataset: Dataset, paths: Sequence[str], *, cache: Path, n_jobs: int, progress: Progress
) -> dict[str, AudioFacts]:
    """What was found in every file: what is stored where the file is as it was, and else a new inspection.

    The time of the last change of the inode catches what size and modification time do not: files of equal length
    that were swapped, or unpacked again with the times of the archive.
    """
    stored, complaint = load_index(cache, dataset.root)
    if complaint is not None:
        progress(0.0, complaint)
    now = {p: _stat(p) for p in paths}
    # A fault is never taken from the cache: the disk may have been the culprit.
    facts = {
        path: AudioFacts._make((*row[len(STATE) : _FAULT], None, *row[_FAULT + 1 :]))
        for path in paths
        if (row := stored.get(path)) is not None and row[: len(STATE)] == now[path] and not row[_FAULT]
    }
    stale = [p for p in paths if p not in facts]
    if not stale:
        progress(1.0, f"{len(paths)} audio files unchanged")
        return facts
    try:
        for n_done, (path, found) in enumerate(_inspect_all(stale, n_jobs), start=1):
            facts[path] = found
            stored[path] = (*now[path], *found._replace(fault=found.fault or ""))
            progress(n_done / len(stale), f"{n_done} of {len(stale)} audio files checked")
    finally:
        # Also when interrupted: the next call goes on from here.
        save_index(cache, dataset.root, stored)
    return {p: facts[p] for p in paths}


def _inspect_all(paths: Sequence[str], n_jobs: int) -> Iterable[tuple[str, AudioFacts]]:
    def inspect(some: Sequence[str]) -> list[tuple[str, AudioFacts]]:
        return [(path, inspect_audio(Path(path))) for path in some]

    # Handing out a task takes as long as inspecting a file of one second.
    n_together = min(_MOST_TOGETHER, max(1, len(paths) // (8 * n_jobs)))
    parallel = Parallel(n_jobs=n_jobs, backend="threading", return_as="generator_unordered")
    chunks = (paths[i : i + n_together] for i in range(0, len(paths), n_together))
    found: Iterable[list[tuple[str, AudioFacts]]] = parallel(delayed(inspect)(some) for some in chunks)
    return (facts for some in found for facts in some)


def _stat(path: str) -> tuple[int, int, int]:
    """Size and times; a file that cannot be asked is left to ``inspect_audio``, which says why."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - ten thousand of these; Path costs three times as much
    except OSError:
        return 0, 0, 0
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _clip_ends(clips: pd.DataFrame) -> pd.DataFrame:
    """For each path the end of its last clip and how much of that may be missing, both in seconds."""
    heard_s = clips["heard_s"] if "heard_s" in clips else clips["duration_s"]
    ends = pd.DataFrame(
        {"path": clips["path"], "end_s": clips["start_s"] + heard_s, "spare_s": MISSING_END * heard_s}
    )
    return ends.sort_values("end_s").drop_duplicates("path", keep="last").set_index("path").sort_index()


def _faults(found: dict[str, AudioFacts], ends: pd.DataFrame) -> Iterable[tuple[str, str | None]]:
    for path, end_s, spare_s in zip(
        ends.index.tolist(), ends["end_s"].tolist(), ends["spare_s"].tolist(), strict=True
    ):
        facts = found[path]
        # Half a frame: clip ends are rounded to frames when they are read.
        tolerated_s = spare_s + 0.5 / max(facts.sample_rate_hz, 1)
        too_short = facts.duration_s < end_s - tolerated_s and facts.sha256 not in OFFICIALLY_SHORT
        if facts.fault is None and too_short:
            hint = wrong_rate_hint(facts.n_frames, end_s, facts.sample_rate_hz)
            yield path, f"is too short: {facts.duration_s:.4f} s, its clip ends at {end_s:g} s{hint}"
        else:
            yield path, facts.fault


def _listing(dataset: Dataset, faults: dict[str, str], n_files: int) -> str:
    lines = [f"{dataset.name}: {len(faults)} of {n_files} audio files cannot be used:"]
    lines += [f"  {path}: {fault}" for path, fault in list(faults.items())[:N_LISTED]]
    if len(faults) > N_LISTED:
        lines.append(f"  ... and {len(faults) - N_LISTED} more")
    n_missing = len(dataset.missing)
    lacking = [*dataset.shortfalls, *([f"{n_missing} audio files are missing"] if n_missing else [])]
    lines[:0] = [f"{dataset.name}: incomplete: {fault}" for fault in lacking]
    official = "Restore these files from the official archive"
    own = "Repair these files or leave them out of the table"
    lines.append(f"{official if dataset.official else own}; nothing was trained.")
    return "\n".join(lines)
