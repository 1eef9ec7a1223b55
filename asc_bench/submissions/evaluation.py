"""The evaluation set of a challenge: files without labels, and what a fitted system says of them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed

from asc_bench.bench.examples import by_level, encode_devices
from asc_bench.clips import Clips, Features
from asc_bench.data.audio import stated_facts
from asc_bench.data.file_formats import FileFormat, channels_in_words, in_khz
from asc_bench.data.layouts.listing import read_list
from asc_bench.errors import DataError, SystemFailure
from asc_bench.features.clip import clip_features
from asc_bench.labels import FINE
from asc_bench.scoring.predictions import checked_probabilities
from asc_bench.submissions.years import SEPARATOR
from asc_bench.systems.base import System

LISTS = ("evaluation_setup/fold1_test.csv", "meta.csv")
"""Where the list of files may lie, the first one that is there counts."""
_AT_A_TIME = 512
_OTHERS = {",": "comma", ";": "semicolon"}
"""What a list of files is not separated by."""
_LONGER_BY_S = 0.1
"""How much longer than its clip a file may be, as in ``file_formats.csv``."""


@dataclass(frozen=True)
class EvaluationFile:
    """One file.

    Attributes
    ----------
    name : str
        As the list has it.
    path : Path
        Where it lies.
    device : str
        Recording device in capital letters, ``UNKNOWN``, or empty where the list has none.
    """

    name: str
    path: Path
    device: str


def evaluation_files(folder: Path) -> list[EvaluationFile]:
    """The files of an evaluation set, in the order of its list.

    Raises
    ------
    DataError
        If there is no list or it has no column of file names, or a file is missing.
    """
    path = next((folder / name for name in LISTS if (folder / name).is_file()), None)
    if path is None:
        raise DataError(f"{folder} is no evaluation set: there is neither {' nor '.join(LISTS)}")
    header, *rows = list_rows(path) or [[]]
    if not rows or "filename" not in header:
        raise DataError(f"{path}: there is no row, or no column 'filename'")
    wrong = next((row for row in rows if len(row) != len(header)), None)
    if wrong is not None:
        raise DataError(f"{path}: the row of {wrong[0]!r} has {len(wrong)} cells instead of {len(header)}")
    table = [dict(zip(header, row, strict=True)) for row in rows]
    twice, n = Counter(row["filename"] for row in table).most_common(1)[0]
    if n > 1:
        raise DataError(f"{path}: {twice!r} stands in {n} rows")
    found = [
        EvaluationFile(row["filename"], folder / row["filename"], row.get("device_id", "").upper()) for row in table
    ]
    missing = [one for one in found if not one.path.is_file()]
    if missing:
        raise DataError(f"{folder} lacks {len(missing)} of {len(found)} files, such as {missing[0].name}")
    return found


def list_rows(path: Path) -> list[list[str]]:
    """Cells of a list of files, separated by tabs, without empty lines.

    Raises
    ------
    DataError
        If it cannot be read, or is separated by something else.
    """
    try:
        text = io.StringIO(read_list(path), newline="")
        rows = [row for row in csv.reader(text, delimiter=SEPARATOR, strict=True) if row]
    except (FileNotFoundError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for row in rows:
        mark = next((name for mark, name in _OTHERS.items() if len(row) == 1 and mark in row[0]), None)
        if mark is not None:
            raise DataError(f"{path}: {row[0]!r} is separated by {mark}; lists of files are separated by tabs")
    return rows


def predict_files(
    system: System,
    files: Sequence[EvaluationFile],
    *,
    published: FileFormat | None = None,
    n_jobs: int = 1,
    progress: Callable[[float, str], None] = lambda fraction, text: None,
) -> npt.NDArray[np.float32]:
    """Probabilities of scenes, each clip read as those of the development set are.

    Parameters
    ----------
    system : System
        Fitted. If it is given the recording device at test time, the list has to name the devices.
    files : sequence of EvaluationFile
        What is predicted.
    published : FileFormat, optional
        Of the development set, whose rate and channels the files must have.
    n_jobs : int
        Processes that read files.
    progress : callable
        Told how far it is.

    Returns
    -------
    float32 array, shape (n_files, n_classes)

    Raises
    ------
    DataError
        If a file cannot be read, is longer than the clips of the system's task or of another rate or number of
        channels than published, or a device is needed and not named.
    SystemFailure
        If the system predicts no scenes, or what are no probabilities.
    """
    told = system.needs_device == "test"
    if told and not all(one.device for one in files):
        raise DataError(f"{system.card.name} uses the recording device, and the list of files has no device_id")
    front_end, duration_s = system.front_end(), system.task.clip_duration_s
    _check_format(system.card.name, files, duration_s, published)
    found = []
    with Parallel(n_jobs=n_jobs) as pool:
        for start in range(0, len(files), _AT_A_TIME):
            progress(start / len(files), f"{start:,} of {len(files):,} files")
            part = files[start : start + _AT_A_TIME]
            read = delayed(clip_features)
            arrays = pool(read(one.path, front_end, start_s=0.0, duration_s=duration_s) for one in part)
            device = encode_devices([one.device for one in part], system.task.devices) if told else None
            clips = Clips(Features(np.stack(arrays), np.arange(len(part))), device)
            levels = by_level(system.predict(clips), system.task.labels)
            if FINE not in levels:
                raise SystemFailure(f"{system.card.name} predicts no scenes")
            names = pd.Series([one.name for one in part])
            found.append(checked_probabilities(FINE, levels[FINE], len(system.task.labels.fine), names))
    return np.concatenate(found)


def _check_format(
    system: str, files: Sequence[EvaluationFile], duration_s: float, published: FileFormat | None
) -> None:
    """Refuse files whose headers tell that they are of another set than the system is meant for.

    What cannot be read is refused by whoever reads it.
    """
    different: dict[str, list[str]] = {}
    for one in files:
        facts = stated_facts(one.path)
        if facts is None:
            continue
        if facts.duration_s > duration_s + _LONGER_BY_S:
            what = f"longer than the clips of {duration_s:g} s that {system} hears ({facts.duration_s:.4g} s)"
        elif published and published.rate_hz not in (None, facts.sample_rate_hz):
            wanted = in_khz(published.rate_hz)
            what = f"at {in_khz(facts.sample_rate_hz)} instead of the {wanted} of the development set"
        elif published and published.n_channels not in (None, facts.n_channels):
            found, wanted = channels_in_words(facts.n_channels), channels_in_words(published.n_channels)
            what = f"{found} instead of {wanted} as in the development set"
        else:
            continue
        different.setdefault(what, []).append(one.name)
    if different:
        found_in = "; ".join(f"{len(names)} are {what}, such as {names[0]}" for what, names in different.items())
        raise DataError(f"of {len(files)} files {found_in}: is this the evaluation set of another year?")
