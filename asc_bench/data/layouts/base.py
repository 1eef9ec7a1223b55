"""The contract of a layout: how one data set lies on disk, and how it becomes a clip table."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from asc_bench.data.computed import Progress
from asc_bench.data.layouts.counts import Counts, clip_shortfalls, fold_shortfalls, synthetic_counts
from asc_bench.data.manifest import Dataset, Split, clip_table
from asc_bench.data.official_lists import compare_lists, known_digests
from asc_bench.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Layout(ABC):
    """Base of every layout: of published data sets (`OfficialLayout`) and of folders of one's own.

    Attributes
    ----------
    name : str
        Name on the command line.
    title : str
        Name in tables and messages.
    folders : tuple of str
        Accepted folder names.
    homepage, licence : str
        Where it comes from and on which terms.
    archives : str or None
        Data set name in ``resources/archives.csv``, for downloads; None if there is no archive.
    nature : str
        What its sounds are, for messages.
    binaural : bool
        Whether every recording has two channels, one for each ear.
    by_hand : str
        Command that unpacks what cannot be fetched by asc-bench, with DIR for the folder of data sets; else empty.
    landmarks : tuple of str
        Files or folders below the data set's folder, any one of which shows that it is this folder.
    namespace : str
        What the locations are numbers of, where several data sets share them, such as "freesound"; else empty.
    derived_from : tuple of str
        Layouts from any one of which this data set is computed; empty for one that was published as it is.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    homepage: str
    licence: str
    archives: str | None
    nature: str = "real recordings"
    derived_from: tuple[str, ...] = ()
    binaural: bool = False
    namespace: str = ""
    landmarks: tuple[str, ...] = ()
    by_hand: str = ""

    @abstractmethod
    def read(self, root: Path) -> Dataset:
        """Read the lists under ``root``, the data set's own folder, and give every clip that they name.

        Raises
        ------
        DataError
            If lists are missing, malformed or contradict each other; the message names file, line and value.
        """

    def longest_s(self, clips: pd.DataFrame) -> Iterable[float]:
        """How long the file of each clip may be, in seconds: as long as what is heard of it."""
        return clips["heard_s" if "heard_s" in clips else "duration_s"].tolist()

    def place(self, roots: Sequence[Path]) -> Path | None:
        """The data set's folder: below one of the roots, or a root itself; or None.

        The first that holds a landmark is taken, also where an archive was unpacked into a folder of its own name.
        If none does, it is the first that is not empty, for an error that names what is missing in it.
        """
        there = self.places(roots)
        if there:
            return there[0]
        plain = [folder for root in roots for folder in self._plain(root) if folder.is_dir()]
        return next((folder for folder in plain if not _is_empty(folder)), next(iter(plain), None))

    def places(self, roots: Sequence[Path]) -> list[Path]:
        """Every folder of the data set, in the order of the roots: those that hold a landmark."""
        found = []
        for root in roots:
            plain = list(self._plain(root))
            found += [f for f in plain if self._holds(f)]
            found += [f / inner for f in plain for inner in self.folders if self._holds(f / inner)]
        return list(dict.fromkeys(found))

    def _plain(self, root: Path) -> list[Path]:
        # A root given as "." or through a parent has no telling name before it is made absolute.
        itself = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow a link and lose its name
        return ([itself] if itself.name in self.folders else []) + [itself / folder for folder in self.folders]

    def _holds(self, folder: Path) -> bool:
        return any((folder / name).exists() for name in self.landmarks)

    def derive(self, source: Dataset, root: Path, *, n_jobs: int, progress: Progress) -> Path:
        """Compute this data set from another one, unless that was done before.

        Parameters
        ----------
        source : Dataset
            Complete and indexed, one of ``derived_from``.
        root : Path
            Folder below which the data set's own folder is made.
        n_jobs : int
            Processes to write with; the files do not depend on it.
        progress : callable
            Given the finished fraction, from 0 to 1, and a message.

        Returns
        -------
        Path
            The data set's folder, for ``read``.

        Raises
        ------
        ConfigError
            If this data set is not a derived one.
        StoreError
            If there is no room, or the folder cannot be written.
        """
        raise ConfigError(f"{self.name} is not computed from {source.name} or from any other data set")


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError:  # whoever reads it says why it cannot be listed
        return False


@dataclass(frozen=True, kw_only=True)
class OfficialLayout(Layout):
    """Base of the layouts of published data sets, which are held against official numbers. No audio file is opened.

    A missing audio file or a wrong count makes the data set incomplete and is named in ``Dataset.missing`` and
    ``Dataset.shortfalls``. Lists that contradict each other, the file names or the official format are an
    error.

    Attributes
    ----------
    clip_duration_s : float
        Nominal length of every clip, in seconds.
    scenes : tuple of str
        Every scene that may occur.
    counts : Counts
        Official numbers.
    unit : str
        What ``location`` is in its clip table, a word for messages.
    independent : bool
        Whether no location is on both sides of an official fold, but for those of ``shared``; false where that is
        not known.
    shared : frozenset of str
        Locations that are on both sides of an official fold.
    """

    clip_duration_s: float
    scenes: tuple[str, ...]
    counts: Counts
    unit: str = "location"
    independent: bool = True
    shared: frozenset[str] = frozenset()

    def expected(self, counts: Counts, splits: Sequence[Split]) -> Counts:
        """The counts, official or stated by a synthetic dataset, that the lists that were read are held against."""
        return counts

    def dataset(
        self,
        root: Path,
        clips: pd.DataFrame,
        splits: Sequence[Split],
        *,
        file_names: Collection[str],
        extra: Sequence[str] = (),
        moved: Sequence[str] = (),
    ) -> Dataset:
        """Put together what ``read`` returns.

        Parameters
        ----------
        root : Path
            Absolute folder of the data set.
        clips : DataFrame
            Columns of ``CLIP_COLUMNS``, but for ``coarse``; without ``start_s`` every clip starts its file.
        splits : sequence of Split
            Official folds.
        file_names : collection of str
            Names of the audio files that exist.
        extra : sequence of str
            Further shortfalls that only the layout can see.
        moved : sequence of str
            Clips that are in another part than in the official folds, where their names tell.
        """
        stated = synthetic_counts(root, self.name)
        counts = self.expected(stated or self.counts, splits)
        table = clip_table(clips.assign(coarse="", start_s=clips.get("start_s", 0.0)))
        listed = zip(table["clip_id"].tolist(), table["path"].tolist(), strict=True)
        in_all = clip_shortfalls(table, counts, self.scenes)
        in_folds = fold_shortfalls(table, splits, counts, self.scenes)
        lists = compare_lists(
            table,
            splits,
            stated.digests if stated else known_digests(self.name),
            origin="those of the synthetic dataset" if stated else "the official ones",
            unit=self.unit,
            independent=self.independent,
            shared=() if stated else self.shared,
            moved=moved,
            counted=not (in_all or in_folds or extra),
        )
        return Dataset(
            name=self.name,
            root=root,
            clips=table,
            splits=tuple(splits),
            missing=tuple(clip for clip, path in listed if path.rpartition("/")[2] not in file_names),
            shortfalls=(*in_all, *in_folds, *extra),
            synthetic=stated is not None,
            binaural=self.binaural,
            split_faults=(*in_folds, *lists.faults),
            lists=lists.summary,
            shared_locations=frozenset() if stated else self.shared,
        )


def folds_by_number(clips: pd.DataFrame, fold: Sequence[int]) -> tuple[Split, ...]:
    """Cross-validation folds: each number is the test part once, the others train."""
    numbers = pd.Series(list(fold), index=clips.index)
    return tuple(
        Split(
            f"fold{number}",
            train=tuple(clips.loc[numbers != number, "clip_id"]),
            test=tuple(clips.loc[numbers == number, "clip_id"]),
        )
        for number in sorted(set(fold))
    )
