"""The clip table: the one schema that every layout writes and every protocol reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.data.audio import file_sample_rate_hz, read_audio
from asc_bench.errors import ConfigError, DataError
from asc_bench.names import near

CLIP_COLUMNS: Mapping[str, str] = {
    "clip_id": "str",
    "path": "str",
    "start_s": "float64",
    "duration_s": "float64",
    "scene": "str",
    "coarse": "str",
    "device": "str",
    "city": "str",
    "location": "str",
    "recording_id": "str",
}
"""Columns of a clip table and their types.

``clip_id`` is unique; ``path`` is absolute; ``start_s`` and ``duration_s`` delimit the clip in its file, in
seconds; ``coarse``, ``device`` and ``city`` are ``""`` where a data set has none; ``location`` is the unit of
independence (recording spot, or source recording) and never ``""``; ``recording_id`` is equal for clips of one
instant recorded in parallel on several devices.
"""

EXTRA_COLUMNS: Mapping[str, str] = {"source": "str", "flag": "str", "views": "str", "heard_s": "float64"}
"""Columns that only some clip tables have: the first three those of joined data sets.

``source`` names the data set of the clip; ``flag`` says what is unusual about its energy (see
``asc_bench.data.levels``), ``""`` where nothing is; ``views`` names the waveforms that a clip is given as (see
``asc_bench.data.views``), separated by blanks, ``""`` for one that is mixed down to a single one; ``heard_s`` is
there where some clips were published shorter than ``duration_s``: so many seconds are read, and silence follows.
"""

EVENT_COLUMNS: Mapping[str, str] = {"clip_id": "str", "onset_s": "float64", "offset_s": "float64", "label": "str"}
"""Columns of a table of events and their types; times count from the start of the clip, in seconds."""

_MAY_BE_EMPTY = {"coarse", "device", "city", "flag", "views"}


def clip_table(rows: Sequence[Mapping[str, object]] | pd.DataFrame) -> pd.DataFrame:
    """Make a validated clip table, one row per clip: the columns of ``CLIP_COLUMNS``, and ``EXTRA_COLUMNS`` if any.

    Raises
    ------
    DataError
        For missing or unknown columns, repeated clip ids, empty obligatory cells or impossible times.
    """
    frame = pd.DataFrame(rows)
    columns = {**CLIP_COLUMNS, **{c: kind for c, kind in EXTRA_COLUMNS.items() if c in frame.columns}}
    missing, unknown = set(columns) - set(frame.columns), set(frame.columns) - set(columns)
    if missing or unknown:
        raise DataError(f"clip table: missing columns {sorted(missing)}, unknown columns {sorted(unknown)}")
    frame = frame[list(columns)].astype(columns).reset_index(drop=True)
    if frame.empty:
        raise DataError("clip table: no clip at all")
    repeated = frame.loc[frame["clip_id"].duplicated(), "clip_id"]
    if len(repeated):
        raise DataError(f"clip table: {len(repeated)} repeated clip ids, the first is {repeated.iloc[0]!r}")
    for column in (c for c, kind in columns.items() if kind == "str" and c not in _MAY_BE_EMPTY):
        empty = frame[column].isna() | (frame[column] == "")
        if empty.any():
            raise DataError(f"clip table: {column} is empty for clip {frame['clip_id'][empty].iloc[0]!r}")
    wrong = ~((frame["start_s"] >= 0) & (frame["duration_s"] > 0))
    if wrong.any():
        row = frame[wrong].iloc[0]
        raise DataError(f"clip {row['clip_id']!r}: start_s {row['start_s']}, duration_s {row['duration_s']}")
    if "heard_s" in frame:
        wrong = ~((frame["heard_s"] > 0) & (frame["heard_s"] <= frame["duration_s"]))
        if wrong.any():
            row = frame[wrong].iloc[0]
            raise DataError(f"clip {row['clip_id']!r}: heard_s {row['heard_s']}, duration_s {row['duration_s']}")
    return frame


def event_table(rows: Sequence[Mapping[str, object]] | pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Make a validated table of events: the columns of ``EVENT_COLUMNS``, one row per event; it may be empty.

    Parameters
    ----------
    rows : sequence of mapping or DataFrame
        Events.
    clips : DataFrame
        Clip table that holds their clips.

    Raises
    ------
    DataError
        For other columns, an unknown clip, an event without a label, or one that does not lie in its clip.
    """
    frame = pd.DataFrame(rows, columns=None if len(rows) else list(EVENT_COLUMNS))
    if set(frame.columns) != set(EVENT_COLUMNS):
        raise DataError(f"events: the columns are {list(frame.columns)}, they should be {list(EVENT_COLUMNS)}")
    frame = frame[list(EVENT_COLUMNS)].astype(EVENT_COLUMNS).reset_index(drop=True)
    duration_s = frame["clip_id"].map(clips.set_index("clip_id")["duration_s"]).astype("float64")
    inside = (frame["onset_s"] >= 0) & (frame["offset_s"] > frame["onset_s"]) & (frame["offset_s"] <= duration_s)
    wrong = ~inside | (frame["label"] == "")
    if wrong.any():
        event = frame[wrong].iloc[0]
        raise DataError(
            f"event {event['label']!r} from {event['onset_s']} s to {event['offset_s']} s "
            f"does not lie in a clip {event['clip_id']!r}"
        )
    return frame


def csv_text(table: pd.DataFrame) -> str:
    """What ``table.to_csv(index=False, float_format="%.9g")`` gives of text and floating point columns, sooner.

    Cells that need quotes are left to pandas.
    """
    n_rows, n_columns = table.shape
    if n_columns > 1 and not table.isna().to_numpy().any():
        columns = []
        for name in table.columns:
            values = table[name].tolist()
            if pd.api.types.is_float_dtype(table[name].dtype):
                texts = {value: f"{value:.9g}" for value in set(values)}
                values = [texts[value] for value in values]
            columns.append(values)
        text = "\n".join([",".join(table.columns), *map(",".join, zip(*columns, strict=True)), ""])
        plain = text.count(",") == (n_rows + 1) * (n_columns - 1) and text.count("\n") == n_rows + 1
        if plain and '"' not in text and "\r" not in text:
            return text
    return str(table.to_csv(index=False, float_format="%.9g"))


@dataclass(frozen=True)
class Split:
    """One official fold: clip ids for training and for testing, disjoint."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        both = set(self.train) & set(self.test)
        if both:
            raise DataError(f"{self.name}: {len(both)} clips are in train and in test, such as {min(both)!r}")


@dataclass(frozen=True, repr=False)
class Dataset:
    """A data set as found on disk.

    Attributes
    ----------
    name : str
        Layout name, such as ``tut-urban-2018-mobile``.
    root : Path
        The folder that was read.
    clips : DataFrame
        Clip table of every clip of the official lists, present or not.
    splits : tuple of Split
        Official folds.
    missing : tuple of str
        Clip ids whose audio file does not exist. Such a data set is incomplete: no score comes from it.
    shortfalls : tuple of str
        What the counts should be and are, one sentence each, where they differ from the official ones.
    binaural : bool
        Whether every recording has two channels, one for each ear.
    events : DataFrame or None
        Strong labels, with the columns of ``EVENT_COLUMNS``, of the clips that have them; a clip may have several
        events at once, or none. None for a data set without strong labels.
    synthetic : bool
        Whether the folder is a synthetic dataset, written by ``asc_bench.synthetic``.
    file_digests : mapping
        sha256 by absolute path, filled in by ``asc_bench.data.index``.
    sources : tuple of str
        For joined data sets what was joined (see ``asc_bench.data.joined``); ``root`` is then the first one's.
    parts : tuple of Dataset
        For joined data sets these, as they were read.
    official : bool
        Whether it is a published data set, held against official counts; false for a folder of the user's.
    caveats : tuple of str
        Sentences that every table made from it must show.
    elsewhere : tuple of Path
        Further folders of the same data set that were found and not read.
    missing_training : (int, int)
        How many training and validation clips were left out since their files are missing, and of how many.
    split_faults : tuple of str
        Why its folds are not the official ones, one sentence each (see ``asc_bench.data.official_lists``); those
        about counts stand in ``shortfalls`` as well.
    unofficial_split : bool
        Whether such folds were accepted.
    lists : str
        What is known of its lists, a few words.
    shared_locations : frozenset of str
        Locations on both sides of a fold, as published.
    files : str
        What its files are and whether that is as published, a few words; empty before they were looked into.
    unofficial_files : bool
        Whether files were accepted that are not as published.
    remarks : tuple of str
        What is odd about its files and bears on no number, one sentence each: said whenever it is opened.
    """

    name: str
    root: Path
    clips: pd.DataFrame
    splits: tuple[Split, ...]
    missing: tuple[str, ...] = ()
    shortfalls: tuple[str, ...] = ()
    synthetic: bool = False
    file_digests: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    parts: tuple[Dataset, ...] = ()
    binaural: bool = False
    events: pd.DataFrame | None = None
    official: bool = True
    caveats: tuple[str, ...] = ()
    elsewhere: tuple[Path, ...] = ()
    missing_training: tuple[int, int] = (0, 0)
    split_faults: tuple[str, ...] = ()
    unofficial_split: bool = False
    lists: str = ""
    shared_locations: frozenset[str] = frozenset()
    files: str = ""
    unofficial_files: bool = False
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """In short: the lists of clips may be long."""
        kind = ", SYNTHETIC" if self.synthetic else ""
        state = "" if self.complete else ", INCOMPLETE"
        return f"<{self.name} in {self.root}: {len(self.clips)} clips, {len(self.splits)} splits{kind}{state}>"

    @property
    def complete(self) -> bool:
        """Whether every official clip is there and every count is the official one."""
        return not self.missing and not self.shortfalls

    def audio(self, clip_id: str, *, sample_rate_hz: int | None = None) -> tuple[npt.NDArray[np.float32], int]:
        """The waveform of a clip, mixed down to mono.

        Parameters
        ----------
        clip_id : str
            Of the clip table.
        sample_rate_hz : int, optional
            By default that of the file.

        Returns
        -------
        waveform : float32 array, shape (n_samples,)
            Full scale is 1.
        sample_rate_hz : int
            Its rate.

        Raises
        ------
        ConfigError
            For an unknown clip, with the near ones.
        DataError
            If the file cannot be read.
        """
        rows = self.clips[self.clips["clip_id"] == clip_id]
        if rows.empty:
            raise ConfigError(f"{self.name} has no clip {clip_id!r}{near(clip_id, self.clips['clip_id'])}")
        clip = rows.iloc[0]
        rate_hz = sample_rate_hz or file_sample_rate_hz(Path(clip["path"]))
        length_s = float(clip["heard_s"] if "heard_s" in rows else clip["duration_s"])
        return (
            read_audio(Path(clip["path"]), sample_rate_hz=rate_hz, start_s=clip["start_s"], duration_s=length_s),
            rate_hz,
        )

    def digest(self) -> str:
        """sha256 over clip table, splits, events if any, and audio content; independent of where the folder lies.

        Raises
        ------
        DataError
            If the audio was not indexed yet.
        """
        table = self.clips.copy()
        try:
            table["path"] = [self.file_digests[p] for p in self.clips["path"].tolist()]
        except KeyError as error:
            raise DataError(f"{self.name}: {error.args[0]} was not indexed") from None
        whole = hashlib.sha256(csv_text(table).encode())
        for split in self.splits:
            for part in (split.name, "train", *split.train, "test", *split.test):
                whole.update(part.encode() + b"\0")
        if self.events is not None:
            whole.update(self.events.to_csv(index=False, float_format="%.9g").encode())
        return whole.hexdigest()
