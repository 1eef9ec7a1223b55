"""A protocol on a data set: clips, folds, and what the runs on it may know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.bench.augmentation import Augmentation, expanded
from asc_bench.bench.completeness import faults, first_of_all, without_missing
from asc_bench.bench.waveforms import waveform_rows, waveform_table
from asc_bench.clips import UNKNOWN_DEVICE
from asc_bench.data.manifest import Dataset
from asc_bench.data.official_lists import crossing
from asc_bench.errors import DataError
from asc_bench.features.cache import FeatureArray, Progress, content_digest, feature_array
from asc_bench.features.frontends import FrontEnd
from asc_bench.names import slug
from asc_bench.protocol import Fold, Protocol
from asc_bench.registry import protocol_of, protocols
from asc_bench.systems.base import MultiLabelTask, Task


class Selection(StrEnum):
    """What may be chosen on which clips: a part of every run key and, but for ``OWN``, of every table title.

    ``OWN``: a system that chooses something does so on the protocol's validation clips; the others train on
    these clips as well. ``HELD_OUT``: no system trains on them, so that all have seen the same clips.
    ``TEST``: chosen on the test split, trained on the whole official training split, as some papers did.
    """

    OWN = "own"
    HELD_OUT = "held-out"
    TEST = "test"


@dataclass(frozen=True, repr=False)
class Bench:
    """A protocol on a data set: everything a run needs that is not the system."""

    protocol: Protocol
    dataset: Dataset
    clips: pd.DataFrame
    folds: tuple[Fold, ...]

    @classmethod
    def of(cls, protocol: Protocol, dataset: Dataset, *, allow_missing_training: float = 0.0) -> Bench:
        """Apply a protocol to an indexed data set.

        Parameters
        ----------
        protocol : Protocol
            What is done.
        dataset : Dataset
            What it is done on.
        allow_missing_training : float
            Fraction of the training and validation clips that are left out if their files are missing.

        Raises
        ------
        IncompleteDataError
            If files or lists are missing and no folds can be made of the rest, or more is missing than allowed.
        DataError
            If a fold names clips twice or clips that the clip table lacks, or has clips of one location both for
            testing and for training or validation, where neither the protocol nor the published folds do.
        """
        try:
            clips = protocol.clips(dataset)
            folds = tuple(protocol.folds(dataset))
        except DataError as error:
            raise first_of_all(protocol.name, dataset, error) from error
        known = set(clips["clip_id"])
        for fold in folds:
            ids = [*fold.train, *fold.validation, *fold.test]
            if len(set(ids)) != len(ids):
                twice = next(clip for clip, n in Counter(ids).items() if n > 1)
                raise DataError(
                    f"{protocol.name}, {fold.name}: clip ID {twice!r} is in more than one split "
                    "(train/validation/test), or twice in one"
                )
            unknown = set(ids) - known
            if unknown:
                raise DataError(f"{protocol.name}, {fold.name}: unknown clip ID {min(unknown)!r}")
            if protocol.keeps_locations and dataset.official and not dataset.unofficial_split:
                _refuse_crossing(protocol, dataset, clips, fold)
        if allow_missing_training and dataset.missing and not dataset.shortfalls:
            dataset, clips, folds = without_missing(
                protocol.name, dataset, clips, folds, limit=allow_missing_training
            )
        return cls(protocol, dataset, clips, folds)

    def __repr__(self) -> str:
        """In short, as that of a data set."""
        folds = ", ".join(fold.name for fold in self.folds)
        return f"<{self.protocol.name} ({len(self.clips)} clips; folds {folds}) on {self.dataset!r}>"

    def __reduce__(self) -> tuple[Callable[..., Bench], tuple[object, ...]]:
        """Travel to a worker with the protocol's name, since it may have to load the plug-in first.

        A protocol that is not registered travels as it is.
        """
        registered = protocols().found.get(self.protocol.name) is type(self.protocol)
        sent = self.protocol.name if registered else self.protocol
        return _rebuild, (sent, self.dataset, self.clips, self.folds)

    def divided(self, folds: tuple[Fold, ...]) -> Bench:
        """The same clips with other folds; what was read of the clips is not read again."""
        other = replace(self, folds=folds)
        kept = ("rows", "data_digest", "waveforms", "_waveform_rows", "_contents", "_columns")
        vars(other).update({name: vars(self)[name] for name in kept if name in vars(self)})
        return other

    @property
    def tag(self) -> str:
        """Folder name that keeps results of different data apart."""
        kind = f"synthetic-{self.dataset.root.parent.name}" if self.dataset.synthetic else self.dataset.name
        if self.dataset.synthetic and self.dataset.sources:
            kind = f"{kind}-{self.dataset.name}"
        if self.dataset.missing_training[0]:
            kind = f"{kind}-without-{self.dataset.missing_training[0]}"
        named = self.protocol.name if kind == self.protocol.name else f"{self.protocol.name}-{kind}"
        named += "-unofficial-split" if self.dataset.unofficial_split else ""
        return slug(named + ("-unofficial-files" if self.dataset.unofficial_files else ""))

    def tagged(self, selection: Selection, augmentation: Augmentation | None = None) -> str:
        """Folder name that keeps runs of another selection or with augmentation apart, too."""
        chosen = "" if selection is Selection.OWN else f"-selection-{selection}"
        return f"{self.tag}{chosen}" + (f"-augment-{slug(str(augmentation))}" if augmentation else "")

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row of each clip id in the clip table."""
        return {clip_id: row for row, clip_id in enumerate(self.clips["clip_id"])}

    @cached_property
    def data_digest(self) -> str:
        """`Dataset.digest`, computed once: it reads the whole clip table."""
        return self.dataset.digest()

    @cached_property
    def waveforms(self) -> pd.DataFrame:
        """What features are made of, row by row of every feature array: the clips, or several views of each."""
        return waveform_table(self.clips)

    def feature_rows(self, clip_ids: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows of these clips in a feature array, and for each row the number of its clip among them."""
        rows = [self._waveform_rows[c] for c in clip_ids]
        none = np.empty(0, dtype=np.int64)
        return np.concatenate([none, *rows]), np.repeat(np.arange(len(rows)), [len(r) for r in rows])

    @cached_property
    def _waveform_rows(self) -> Mapping[str, npt.NDArray[np.int64]]:
        return waveform_rows(self.clips)

    def features(
        self,
        front_end: FrontEnd,
        *,
        cache: Path,
        n_jobs: int = 2,
        augmentation: Augmentation | None = None,
        progress: Progress = lambda fraction, message: None,
    ) -> FeatureArray:
        """Features of ``waveforms``, or of the deformed copies of an augmentation, from the cache.

        The table is read through once, not for each run; the code of the front end may change meanwhile.
        Parameters and errors are those of ``feature_array``.
        """
        table = self.copies(augmentation)[0] if augmentation else self.waveforms
        digests = self.dataset.file_digests
        if augmentation not in self._contents:
            self._contents[augmentation] = content_digest(table, file_digests=digests)
        return feature_array(
            table,
            front_end,
            file_digests=digests,
            cache=cache,
            n_jobs=n_jobs,
            progress=progress,
            content=self._contents[augmentation],
        )

    @cached_property
    def _contents(self) -> dict[Augmentation | None, str]:
        return {}

    def copies(self, augmentation: Augmentation) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """The table of deformed copies, and the first row of each clip in it; see ``expanded``."""
        if augmentation not in self._copies:
            self._copies[augmentation] = expanded(self.waveforms, self.folds, augmentation)
        return self._copies[augmentation]

    @cached_property
    def _copies(self) -> dict[Augmentation, tuple[pd.DataFrame, Mapping[str, int]]]:
        return {}

    def select(self, clip_ids: Sequence[str]) -> pd.DataFrame:
        """Clip table rows of these clips, in this order."""
        return self.clips.iloc[[self.rows[c] for c in clip_ids]].reset_index(drop=True)

    def column(self, name: str, clip_ids: Sequence[str]) -> npt.NDArray[np.object_]:
        """What one column of the clip table says of these clips, in this order."""
        if name not in self._columns:
            self._columns[name] = self.clips[name].to_numpy(dtype=object)
        return self._columns[name][[self.rows[c] for c in clip_ids]]

    @cached_property
    def _columns(self) -> dict[str, npt.NDArray[np.object_]]:
        return {}

    def task(self, fold: Fold) -> Task:
        """What a system may know before it is built."""
        return task_of(self.protocol, sorted(set(self.column("device", fold.train)) - {""}))

    def expected(self) -> dict[str, dict[str, int]]:
        """Test clips by fold and device (``""`` where there is none)."""
        return self._expected

    @cached_property
    def _expected(self) -> dict[str, dict[str, int]]:
        return {
            fold.name: {str(d): int(n) for d, n in self.select(fold.test)["device"].value_counts().items()}
            for fold in self.folds
        }

    def faults(self) -> tuple[str, ...]:
        """Why no score may come from this data set; empty when it is complete."""
        return faults(self.dataset)


def _refuse_crossing(protocol: Protocol, dataset: Dataset, clips: pd.DataFrame, fold: Fold) -> None:
    both = set(crossing(clips, (*fold.train, *fold.validation), fold.test)) - dataset.shared_locations
    if both:
        raise DataError(
            f"{protocol.name}, {fold.name}: {len(both)} locations have clips for testing and for training or "
            f"validation, such as {min(both)}; clips of one place on both sides make the numbers too good. "
            "A protocol that means to divide locations says keeps_locations = False"
        )


def task_of(protocol: Protocol | type[Protocol], devices: Sequence[str]) -> Task:
    """The task of a protocol whose training clips were recorded by these devices, in order."""
    kind = MultiLabelTask if protocol.multi_label else Task
    unknown = (UNKNOWN_DEVICE,) if protocol.hides_unseen_devices else ()
    return kind(protocol.labels, (*devices, *unknown), protocol.clip_duration_s)


def _rebuild(protocol: str | Protocol, dataset: Dataset, clips: pd.DataFrame, folds: tuple[Fold, ...]) -> Bench:
    return Bench(protocol_of(protocol), dataset, clips, folds)
