"""Which clips are nearly silent, and which hold only a short event: the energy of every clip, measured once.

The level of a frame is its mean square over time and channels, in dB re full scale. Two thresholds are taken:

- a clip is *quiet* if its loudest frame lies 40 dB or more below the median loudest frame of its source, since
  sources differ in gain; there is hardly anything to be heard in it;
- a clip is *transient* if fewer than half of its frames lie within 30 dB of its own loudest one.

No clip is dropped here: clips are marked, and a protocol says what becomes of them.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from asc_bench.data.container import decodable
from asc_bench.data.manifest import Dataset
from asc_bench.errors import DataError
from asc_bench.files import write_atomic

Progress = Callable[[float, str], None]

FRAME_S = 0.1
QUIET_DB = 40.0
ACTIVE_DB = 30.0
TRANSIENT_SHARE = 0.5
QUIET, TRANSIENT = "quiet", "transient"
FLOOR_DB = -140.0
"""Level of digital silence."""

VERSION = 1
"""Raised with every change of what is measured; older files are then measured anew."""

_COLUMNS = ["loudest_db", "active_share"]


def flag_clips(dataset: Dataset, *, cache: Path, n_jobs: int, progress: Progress) -> Dataset:
    """Joined data sets with their ``flag`` filled in; clips whose file is missing keep none.

    Parameters
    ----------
    dataset : Dataset
        From ``join_datasets``, indexed.
    cache : Path
        Root of the cache; levels are kept in ``cache/levels``, by the content of the files.
    n_jobs : int
        Threads.
    progress : callable
        Given the fraction done and a few words.

    Raises
    ------
    DataError
        If a file cannot be read.
    StoreError
        If the cache cannot be written.
    """
    from dataclasses import replace

    there = dataset.clips[~dataset.clips["clip_id"].isin(set(dataset.missing))]
    levels = _cached(there, dataset, cache=cache, n_jobs=n_jobs, progress=progress)
    flags = flags_of(levels, there["source"])
    return replace(dataset, clips=dataset.clips.assign(flag=flags.reindex(dataset.clips.index, fill_value="")))


def flags_of(levels: pd.DataFrame, source: pd.Series) -> pd.Series:
    """``"quiet"``, ``"transient"`` or ``""`` for each clip; a quiet clip is not called transient.

    Parameters
    ----------
    levels : DataFrame
        ``loudest_db`` and ``active_share``, one row per clip.
    source : Series
        Source of each clip.
    """
    usual_db = levels["loudest_db"].groupby(source).transform("median")
    quiet = levels["loudest_db"] <= np.maximum(usual_db - QUIET_DB, FLOOR_DB)
    transient = levels["active_share"] < TRANSIENT_SHARE
    return pd.Series(np.select([quiet, transient], [QUIET, TRANSIENT], default=""), levels.index, dtype="str")


def clip_levels(samples: npt.NDArray[np.floating], sample_rate_hz: int) -> tuple[float, float]:
    """Level of the loudest frame, in dB re full scale, and the share of frames within 30 dB of it.

    Parameters
    ----------
    samples : float array, shape (n_samples,) or (n_samples, n_channels)
        At least one frame of 0.1 s; a rest that fills no frame belongs to the last one.
    sample_rate_hz : int
        Sample rate.
    """
    power = np.square(samples, dtype=np.float64)
    power = power.mean(axis=1) if power.ndim == 2 else power
    n = round(FRAME_S * sample_rate_hz)
    if len(power) < n:
        raise DataError(f"{len(power)} samples at {sample_rate_hz} Hz are less than a frame of {FRAME_S} s")
    starts = np.arange(0, len(power) - n + 1, n)
    frames = np.add.reduceat(power, starts) / np.diff(np.append(starts, len(power)))
    loudest = float(frames.max())
    if loudest <= 10.0 ** (FLOOR_DB / 10):
        return FLOOR_DB, 0.0
    return 10.0 * float(np.log10(loudest)), float(np.mean(frames >= loudest * 10.0 ** (-ACTIVE_DB / 10)))


def _cached(clips: pd.DataFrame, dataset: Dataset, *, cache: Path, n_jobs: int, progress: Progress) -> pd.DataFrame:
    """Levels of all clips, from the cache if exactly these were measured before."""
    asked = pd.DataFrame(
        {
            "sha256": [dataset.file_digests[path] for path in clips["path"]],
            "start_s": clips["start_s"].to_numpy(),
            "duration_s": clips["duration_s"].to_numpy(),
        }
    )
    key = hashlib.sha256(f"{VERSION}\n{asked.to_csv(index=False, float_format='%.6f')}".encode()).hexdigest()
    path = cache / "levels" / f"{key[:32]}.parquet"
    stored = _load(path, len(clips))
    if stored is None:
        stored = _measure(clips, n_jobs=n_jobs, progress=progress)
        buffer = io.BytesIO()
        stored.to_parquet(buffer, index=False, write_page_checksum=True)
        write_atomic(path, buffer.getvalue())
    return stored.set_axis(clips.index)


def _load(path: Path, n_clips: int) -> pd.DataFrame | None:
    """A stored table, or None if it is absent or damaged: it is then measured again."""
    try:
        table: pd.DataFrame = pq.read_table(path, page_checksum_verification=True).to_pandas(ignore_metadata=True)
    except (OSError, ValueError, pa.ArrowException):
        return None
    whole = list(table.columns) == _COLUMNS and len(table) == n_clips and bool(np.isfinite(table).all(axis=None))
    return table if whole else None


def _measure(clips: pd.DataFrame, *, n_jobs: int, progress: Progress) -> pd.DataFrame:
    groups = [(Path(str(path)), rows) for path, rows in clips.groupby("path", sort=False)]
    found = pd.DataFrame(np.nan, index=clips.index, columns=_COLUMNS)
    with ThreadPoolExecutor(n_jobs) as pool:
        try:
            tasks = {pool.submit(_of_file, path, rows): rows.index for path, rows in groups}
            for n_done, task in enumerate(as_completed(tasks), start=1):
                found.loc[tasks[task]] = task.result()
                progress(n_done / len(tasks), f"energy: {n_done} of {len(tasks)} files")
        finally:
            pool.shutdown(cancel_futures=True)
    return found.reset_index(drop=True)


def _of_file(path: Path, rows: pd.DataFrame) -> Sequence[tuple[float, float]]:
    """Levels of all clips of a file, which is decoded once; what is missing at its end counts as silence."""
    import soundfile

    try:
        samples, rate_hz = soundfile.read(decodable(path), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    levels = []
    for start_s, duration_s in zip(rows["start_s"], rows["duration_s"], strict=True):
        first, n = round(start_s * rate_hz), round(duration_s * rate_hz)
        clip = samples[first : first + n]
        levels.append(clip_levels(np.pad(clip, ((0, n - len(clip)), (0, 0))), rate_hz))
    return levels
