"""A folder of recordings of one's own, and a table that labels them: any data set without a line of code."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from asc_bench.data.audio import MISSING_END, stated_length_s
from asc_bench.data.foreign import is_side_car
from asc_bench.data.layouts.base import Layout
from asc_bench.data.layouts.listing import label_twins, read_list, refuse_formula
from asc_bench.data.manifest import Dataset, Split, clip_table
from asc_bench.data.nearby import near_path
from asc_bench.data.official_lists import crossing
from asc_bench.errors import ConfigError, DataError
from asc_bench.names import near, slug

N_FOLDS = 5
SUFFIXES = (".wav", ".flac", ".ogg")
"""Endings that a name in the table may lack."""
PARTS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "val", "valid"), "validation"),
    **dict.fromkeys(("test", "testing", "evaluation", "eval"), "test"),
}
"""Values of the fold column that name a part of one fixed split."""
INDEPENDENT = (
    "Clips are taken as independent, since the table names no recording location: clips of one place may be on "
    "both sides of a split, which raises scores, and the intervals are too narrow then."
)

_log = logging.getLogger("asc_bench")

_UTF8 = sys.getfilesystemencoding() == "utf-8"
_ENCODED = (
    "" if _UTF8 else f"; file names are {sys.getfilesystemencoding()} here: set PYTHONUTF8=1 if theirs are UTF-8"
)


@dataclass(frozen=True)
class FolderLayout(Layout):
    """Audio files in a folder, and a table (comma, semicolon or tab separated) with a row for each.

    Parameters
    ----------
    folder : Path
        Holds the audio files, at any depth.
    csv : str
        The table, absolute or relative to the folder.
    label : str
        Column of the class.
    file : str
        Column of the file's path, relative to the folder (or to ``audio`` in it); its ending may be left out. By
        default the one column that names an audio file in its first row.
    location : str
        Column of the recording location, the unit of independence; a session, a site or a source recording. Without
        it every table says that clips are taken as independent.
    device, city : str
        Columns of the recording device and of the city.
    fold : str
        Column of numbers or names, each of which is tested once while the others train; or of ``train``,
        ``validation`` and ``test``. Without it five folds are made by location, with about equal shares of each
        class.
    audio : str
        Folder below ``folder`` that the paths begin in.
    clip_duration_s : float, optional
        Seconds of each file that are used; by default the length of the longest. Shorter clips are followed by
        silence.
    n_folds : int
        Folds that are made where there is no column of them.
    name, title : str
        By default from the name of the folder. The name is also that of the protocol.

    Raises
    ------
    ConfigError
        For a column that is named twice, and numbers out of range.

    Examples
    --------
    >>> corpus = FolderLayout("my-corpus", csv="meta.csv", label="scene", location="site")
    >>> corpus.name
    'my-corpus'
    """

    folder: str | Path
    csv: str = field(kw_only=True)
    label: str = field(kw_only=True)
    file: str = field(default="", kw_only=True)
    location: str = field(default="", kw_only=True)
    device: str = field(default="", kw_only=True)
    city: str = field(default="", kw_only=True)
    fold: str = field(default="", kw_only=True)
    audio: str = field(default="", kw_only=True)
    clip_duration_s: float | None = field(default=None, kw_only=True)
    n_folds: int = field(default=N_FOLDS, kw_only=True)
    name: str = field(default="", kw_only=True)
    title: str = field(default="", kw_only=True)
    folders: tuple[str, ...] = field(default=(), kw_only=True)
    homepage: str = field(default="", kw_only=True)
    licence: str = field(default="your own", kw_only=True)
    archives: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        given = Path(self.folder).expanduser().absolute().name
        name = self.name or re.sub(r"[^a-z0-9]+", "-", given.lower()).strip("-") or slug(given)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "title", self.title or given)
        object.__setattr__(self, "folders", (given,))
        named = [c for c in (self.label, self.file, self.location, self.device, self.city, self.fold) if c]
        twice = next((c for c in named if named.count(c) > 1), None)
        if twice is not None:
            raise ConfigError(f"{self.name}: the column {twice!r} is named for two things")
        if self.clip_duration_s is not None and not 0 < self.clip_duration_s < 3600:
            raise ConfigError(f"{self.name}: clip_duration_s is {self.clip_duration_s}, must be in 0 to 3600")
        if self.n_folds < 2:
            raise ConfigError(f"{self.name}: n_folds is {self.n_folds}, must be at least 2")

    def place(self, roots: Sequence[Path]) -> Path | None:
        """The folder itself, wherever other data sets lie."""
        return self.folder_path if self.folder_path.is_dir() else None

    @property
    def folder_path(self) -> Path:
        """The folder, absolute."""
        return Path(self.folder).expanduser().absolute()

    def read(self, root: Path) -> Dataset:
        """Read the table, and of each audio file the header.

        Raises
        ------
        DataError
            For a table that cannot be read, empty cells, files that are named twice or lead out of the folder,
            fewer than two classes, classes that are tested and not trained on, and locations in two folds; the
            message names the line or the value.
        ConfigError
            For a column that the table does not have, with the near ones.
        """
        root = root.absolute()
        if not root.is_dir():
            raise DataError(f"{self.name}: {root} is not a folder")
        table = self._table(root)
        paths = self._paths(root, table)
        missing = [not path.is_file() for path in paths]
        if all(missing):
            raise DataError(
                f"{self.csv_path(root)}: none of the {len(paths)} files is there, such as {paths[0]}; is "
                f"{self.file!r} the column of the file names, and do they begin in {root / self.audio}?"
                f"{near_path(paths[0])}"
            )
        ids = _clip_ids(root / self.audio, paths)
        heard_s, longest_s = self._lengths(paths)
        clips = pd.DataFrame(
            {
                "clip_id": ids,
                "path": [str(path) for path in paths],
                "start_s": 0.0,
                "duration_s": longest_s,
                "scene": table[self.label],
                "coarse": "",
                "device": table[self.device] if self.device else "",
                "city": table[self.city] if self.city else "",
                "location": table[self.location] if self.location else ids,
                "recording_id": ids,
                **({"heard_s": heard_s} if (heard_s < (1 - MISSING_END) * longest_s).any() else {}),
            }
        )
        clips = clip_table(clips)
        self._warn_of_unlisted(root, paths)
        splits = self._splits(root, clips, table[self.fold].tolist() if self.fold else None)
        return Dataset(
            name=self.name,
            root=root,
            clips=clips,
            splits=splits,
            missing=tuple(clip for clip, absent in zip(ids, missing, strict=True) if absent),
            official=False,
            caveats=tuple(_on_both_sides(clips, splits)) if self.location else (INDEPENDENT,),
        )

    def csv_path(self, root: Path) -> Path:
        """Where the table lies."""
        return root / Path(self.csv).expanduser()

    def validation_ids(self, dataset: Dataset) -> tuple[str, ...]:
        """Clips that the fold column gives for validation; empty where it does not."""
        if not self.fold:
            return ()
        values = self._table(dataset.root)[self.fold]
        chosen = values.str.lower().map(PARTS) == "validation"
        return tuple(dataset.clips["clip_id"][chosen.to_numpy()])

    def _table(self, root: Path) -> pd.DataFrame:
        path = self.csv_path(root)
        try:
            text = read_list(path)
            separator = max(",;\t", key=text.partition("\n")[0].count)
            table = pd.read_csv(io.StringIO(text, newline=""), sep=separator, dtype=str, keep_default_na=False)
        except FileNotFoundError:
            raise DataError(
                f"{path} is not there: name the table that labels the files of {root}.{near_path(path)}"
            ) from None
        except ValueError as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        table.columns = table.columns.str.strip()
        if table.empty:
            raise DataError(f"{path} has no row below its header")
        asked = {"label": self.label, "file": self.file, "location": self.location, "device": self.device}
        asked |= {"city": self.city, "fold": self.fold}
        for what, column in asked.items():
            if column and column not in table.columns:
                raise ConfigError(f"{path} has no column {column!r} for the {what}{near(column, table.columns)}")
        table = pd.DataFrame({name: table[name].fillna("").str.strip() for name in table.columns})
        for column in filter(None, asked.values()):
            empty = table[column] == ""
            if empty.any():
                raise DataError(f"{path}, line {int(empty.argmax()) + 2}: the column {column!r} is empty")
            for line, value in enumerate(table[column], start=2):
                refuse_formula(value, f"{path}, line {line}")
        labels = table[self.label].tolist()
        twins = label_twins(labels)
        if twins:
            here, before = twins
            raise DataError(
                f"{path}, line {here + 2}: the class {labels[here]!r} differs from {labels[before]!r} in line "
                f"{before + 2} in case, blanks, hyphens or accents only; write one of them"
            )
        return table

    def _paths(self, root: Path, table: pd.DataFrame) -> list[Path]:
        """The file of each row, whether it is there or not."""
        base = root / self.audio
        if not base.is_dir():
            raise DataError(f"{base} is not a folder")
        column = self.file or self._file_column(root, base, table)
        paths = [_found(base, name) for name in table[column]]
        where = self.csv_path(root)
        lines: dict[Path, int] = {}
        for line, path in enumerate(paths, start=2):
            if not path.resolve().is_relative_to(base.resolve()):
                raise DataError(f"{where}, line {line}: {table[column].iloc[line - 2]!r} leads out of {base}")
            if path in lines:
                raise DataError(f"{where}, line {line}: {path.name!r} stands already in line {lines[path]}")
            lines[path] = line
        return paths

    def _file_column(self, root: Path, base: Path, table: pd.DataFrame) -> str:
        """The column that names files, found by those that are there."""
        naming = [c for c in table.columns if any(_found(base, name).is_file() for name in table[c].head(20))]
        if len(naming) == 1:
            return str(naming[0])
        found = f"the columns {', '.join(naming)} name files" if naming else "no column names files that are there"
        raise DataError(
            f"{self.csv_path(root)}: {found}; say which one does, and in which folder below {root} names begin. "
            f"Columns are {', '.join(table.columns)}{_ENCODED}"
        )

    def _lengths(self, paths: Sequence[Path]) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
        """Seconds that are used of each file, and of a clip; a file that cannot be read is left to the index."""
        stated = np.array([stated_length_s(path) or np.nan for path in paths])
        known = stated[~np.isnan(stated)]
        longest_s = self.clip_duration_s or (float(known.max()) if len(known) else 1.0)
        return np.minimum(np.where(np.isnan(stated), longest_s, stated), longest_s), longest_s

    def _splits(self, root: Path, clips: pd.DataFrame, values: Sequence[str] | None) -> tuple[Split, ...]:
        where = self.csv_path(root)
        if clips["scene"].nunique() < 2:
            raise DataError(f"{where}: the column {self.label!r} has one class only, {clips['scene'].iloc[0]!r}")
        if values is None:
            splits = _made_folds(clips, self.n_folds, where)
        elif {value.lower() for value in values} <= set(PARTS):
            splits = _fixed_split(clips, [PARTS[value.lower()] for value in values])
        else:
            _refuse_spread(clips, values, where)
            splits = tuple(
                _held_out(clips, pd.Series(values) == value, _fold_name(value)) for value in _ordered(values)
            )
        if not splits or not all(split.train and split.test for split in splits):
            raise DataError(f"{where}: the column {self.fold!r} gives no split with training and test clips")
        scene = dict(zip(clips["clip_id"], clips["scene"], strict=True))
        for split in splits:
            untrained = sorted({scene[c] for c in split.test} - {scene[c] for c in split.train})
            if untrained:
                one = "fold" if self.fold else "location" if self.location else "clip"
                raise DataError(
                    f"{where}, {split.name}: the class {untrained[0]!r} is tested and not trained on, as all its "
                    f"clips are of one {one}; record it elsewhere, leave it out or give a column of folds"
                )
        return splits

    def _warn_of_unlisted(self, root: Path, paths: Sequence[Path]) -> None:
        listed = {str(path) for path in paths}
        found = (p for p in (root / self.audio).rglob("*") if p.suffix.lower() in SUFFIXES)
        audio = (p for p in found if not any(map(is_side_car, p.relative_to(root).parts)))
        n_unlisted = sum(str(path) not in listed for path in audio)
        if n_unlisted:
            _log.warning("%s: %d audio files are not in %s and are not used", self.name, n_unlisted, self.csv)


def _found(base: Path, name: str) -> Path:
    """The file of a name whose ending may be left out, and whose slashes may be those of Windows."""
    path = base / name
    if "\\" in name and not path.is_file():
        return _found(base, name.replace("\\", "/"))
    if name and not path.is_file() and path.suffix.lower() not in SUFFIXES:
        for suffix in SUFFIXES:
            if (longer := path.with_name(path.name + suffix)).is_file():
                return longer
    return path


def _clip_ids(base: Path, paths: Sequence[Path]) -> list[str]:
    """Paths below the folder, without their endings where these tell nothing."""
    whole = [path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix() for path in paths]
    short = [name.removesuffix(path.suffix) for name, path in zip(whole, paths, strict=True)]
    return short if len(set(short)) == len(short) else whole


def _ordered(values: Sequence[str]) -> list[str]:
    """Numbers by size, names by letters."""
    return sorted(set(values), key=lambda v: (0, int(v), v) if v.isdecimal() else (1, 0, v))


def _fold_name(value: str) -> str:
    return f"fold{value}" if value.isdecimal() else value


def _held_out(clips: pd.DataFrame, tested: pd.Series[bool], name: str) -> Split:
    ids = clips["clip_id"]
    return Split(name, train=tuple(ids[~tested.to_numpy()]), test=tuple(ids[tested.to_numpy()]))


def _on_both_sides(clips: pd.DataFrame, splits: Sequence[Split]) -> Iterator[str]:
    """A sentence for each split that a location is on both sides of."""
    for split in splits:
        places = crossing(clips, split.train, split.test)
        if places:
            yield (
                f"{split.name}: {len(places)} locations have clips both in training and in test, such as "
                f"{places[0]}, which raises scores."
            )


def _refuse_spread(clips: pd.DataFrame, fold: Sequence[str], where: Path) -> None:
    """Refuse folds that divide a location."""
    numbers = pd.Series(list(fold), index=clips.index)
    spread = numbers.groupby(clips["location"]).nunique()
    if (spread > 1).any():
        crossing = ", ".join(sorted(spread.index[spread > 1])[:5])
        raise DataError(f"{where}: source recordings lie in more than one fold: {crossing}")


def _fixed_split(clips: pd.DataFrame, parts: Sequence[str]) -> tuple[Split, ...]:
    tested = pd.Series(parts) == "test"
    return (_held_out(clips, tested, "split"),)


def _made_folds(clips: pd.DataFrame, n_folds: int, where: Path) -> tuple[Split, ...]:
    """Folds by location, with about the same share of each class in all."""
    from sklearn.model_selection import StratifiedGroupKFold

    n_locations = clips["location"].nunique()
    if n_locations < n_folds:
        raise DataError(f"{where}: {n_locations} locations are too few for {n_folds} folds")
    order = clips.sort_values("clip_id", ignore_index=True)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0)
    found: list[Split] = []
    for i, (_, test) in enumerate(folds.split(order, order["scene"], order["location"]), start=1):
        tested = clips["clip_id"].isin(order["clip_id"].iloc[test])
        found.append(_held_out(clips, tested, f"fold{i}"))
    return tuple(found)
