"""Training on deformed copies of the clips: which copies, their rows in the feature cache, their labels.

The copies are made before the front end, once, and cached: every system is given features of the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.bench import keys
from asc_bench.bench.seeds import derive_seed
from asc_bench.clips import Features, LabelledClips
from asc_bench.errors import ConfigError
from asc_bench.features.deform import FAMILIES, VARIANTS, Deformation
from asc_bench.names import near
from asc_bench.protocol import Fold

ALL = "all"
_COLUMNS = ["clip_id", "path", "start_s", "duration_s"]


@dataclass(frozen=True)
class Augmentation:
    """Deformed copies of each training clip, trained on beside the clip itself.

    Attributes
    ----------
    names : tuple of str
        Variants to choose from, in the order of ``VARIANTS``.
    n_each : int
        How many of them each clip gets, chosen by a seed of the clip's id: the same for every system, fold and
        repeat. A larger number adds variants to those of a smaller one.
    """

    names: tuple[str, ...]
    n_each: int

    @classmethod
    def parse(cls, text: str) -> Augmentation:
        """Read a number of variants for each clip, ``all``, or names of families and variants.

        Raises
        ------
        ConfigError
            For a number that is not among 1 to 20, and for unknown names, with the near ones.

        Examples
        --------
        >>> str(Augmentation.parse("ts-1.07, ts-0.81,drc-radio,ts-0.93,ts-1.23"))
        'ts,drc-radio'
        """
        every = tuple(VARIANTS)
        if re.fullmatch(r"[+-]?[0-9.]+", text.strip()):
            if not text.strip().isdecimal() or not 1 <= int(text) <= len(every):
                raise ConfigError(f"--augment is {text!r}; a number of variants must be among 1 to {len(every)}")
            return cls(every, int(text))
        wanted = [name.strip() for name in text.split(",") if name.strip()]
        known = [ALL, *FAMILIES, *VARIANTS]
        for name in wanted:
            if name.isdecimal():
                raise ConfigError(f"--augment is {text!r}; give either a number of variants or names")
            if name not in known:
                raise ConfigError(f"there is no augmentation {name!r}{near(name, known)}")
        if not wanted:
            raise ConfigError(f"--augment names nothing; give 1 to {len(every)}, {', '.join([ALL, *FAMILIES])}")
        names = tuple(n for n, v in VARIANTS.items() if {n, v.family, ALL} & set(wanted))
        return cls(names, len(names))

    def __str__(self) -> str:
        """The shortest text that ``parse`` reads as this."""
        if len(self.names) == len(VARIANTS):
            return ALL if self.n_each == len(VARIANTS) else str(self.n_each)
        parts: list[str] = []
        for family, variants in FAMILIES.items():
            of_it = [v.name for v in variants if v.name in self.names]
            parts += [family] if len(of_it) == len(variants) else of_it
        return ",".join(parts)

    def of(self, clip_id: str) -> tuple[Deformation, ...]:
        """The deformations of one clip, in the order of ``VARIANTS``."""
        seed = derive_seed(part="augmentation", clip=clip_id)
        order = np.random.default_rng(seed).permutation(len(self.names))
        chosen = {self.names[i] for i in order[: self.n_each].tolist()}
        return tuple(v.seeded(seed + i) for i, (name, v) in enumerate(VARIANTS.items()) if name in chosen)

    def key_part(self, fold: Fold) -> Mapping[str, object]:
        """What a run key holds of it: the choice, clip by clip, and the code of the deformations."""
        return {
            "choice": str(self),
            "chosen": keys.digest([[repr(d) for d in self.of(clip)] for clip in (*fold.train, *fold.validation)]),
            "code": keys.NUMERICS["deformations"],
        }


def expanded(
    clips: pd.DataFrame, folds: tuple[Fold, ...], augmentation: Augmentation
) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """The clip table of the augmented feature array.

    Parameters
    ----------
    clips : DataFrame
        Clip table of the protocol; a clip that is given as several waveforms has that many rows in a row.
    folds : tuple of Fold
        All folds, so that they share one array.
    augmentation : Augmentation
        Which copies.

    Returns
    -------
    table : DataFrame
        For each clip that some fold trains on (or chooses on): the clip, then its ``n_each`` copies; the column
        ``deformation`` tells what is done to it. Clips that are only tested on are not in it.
    first_row : mapping
        Row of each of those clips, of its first waveform; its copies follow, then its other waveforms.
    """
    trained = {clip for fold in folds for clip in (*fold.train, *fold.validation)}
    columns = [*_COLUMNS, *(["view"] if "view" in clips.columns else [])]
    originals = clips.loc[clips["clip_id"].isin(trained), columns]
    n_rows = 1 + augmentation.n_each
    table = originals.iloc[np.repeat(np.arange(len(originals)), n_rows)].reset_index(drop=True)
    changes: list[Deformation | None] = []
    for clip in originals["clip_id"]:
        changes += [None, *augmentation.of(clip)]
    table["deformation"] = pd.Series(changes, dtype=object)
    first_row: dict[str, int] = {}
    for i, clip in enumerate(originals["clip_id"]):
        first_row.setdefault(clip, i * n_rows)
    return table, first_row


def with_copies(
    train: LabelledClips,
    ids: tuple[str, ...],
    *,
    array: npt.NDArray[np.float32],
    first_row: Mapping[str, int],
    n_each: int,
    owner: npt.NDArray[np.int64],
) -> LabelledClips:
    """Training clips, each followed by its copies, which keep its labels, device and location.

    Parameters
    ----------
    train : LabelledClips
        The clips themselves.
    ids : tuple of str
        Their ids, in the order of ``owner``.
    array : array, shape (n_rows, ...)
        Features of ``expanded``.
    first_row : mapping
        From ``expanded``.
    n_each : int
        Copies of each waveform.
    owner : int array, shape (len(train),)
        For each waveform the number of its clip among ``ids``; those of one clip stand together.
    """
    n = 1 + n_each
    n_waveforms = np.bincount(owner, minlength=len(ids))
    rows = [first_row[clip] + np.arange(k * n) for clip, k in zip(ids, n_waveforms.tolist(), strict=True)]
    return LabelledClips(
        Features(array, np.concatenate(rows)),
        None if train.device is None else np.repeat(train.device, n),
        {level: np.repeat(classes, n) for level, classes in train.labels.items()},
        None if train.location is None else np.repeat(train.location, n),
        None if train.device_names is None else np.repeat(train.device_names, n),
    )
