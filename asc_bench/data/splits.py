"""Validation splits: cut from the training part by whole recording locations, and the guard over them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import pandas as pd

from asc_bench.errors import ConfigError, DataError


class Divided(Protocol):
    """A fold with its three parts, as ``asc_bench.protocol.Fold`` is."""

    @property
    def name(self) -> str:
        """Name of the fold."""

    @property
    def train(self) -> tuple[str, ...]:
        """Clip ids."""

    @property
    def validation(self) -> tuple[str, ...]:
        """Clip ids."""

    @property
    def test(self) -> tuple[str, ...]:
        """Clip ids."""


def cut_validation(
    table: pd.DataFrame, train_ids: Sequence[str], *, fraction: float, seed: int, by: str = "location"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cut a validation split off a training split, by whole groups, with about the same share of every scene.

    Scene by scene, groups are taken in an order drawn by hashing as long as each brings the scene nearer to
    ``fraction`` of its clips. A scene with two or more groups gives at least one (the smallest, if all are
    too large) and keeps at least one; a scene with a single group stays in training as a whole.

    Parameters
    ----------
    table : DataFrame
        Clip table that contains the training clips.
    train_ids : sequence of str
        Clips to divide, in any order.
    fraction : float
        Wanted share of validation, between 0 and 1.
    seed : int
        Changes which groups are taken.
    by : str
        Column whose values are kept together.

    Returns
    -------
    (train_ids, validation_ids) : tuples of str
        Disjoint, each sorted. Neither depends on the order of ``table`` or of ``train_ids``.

    Raises
    ------
    ConfigError
        For a fraction outside (0, 1) or an unknown column.
    DataError
        If a clip is not in the table, a recording lies in two groups, or no scene has a group to spare.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"fraction of the validation split is {fraction}, it must lie between 0 and 1")
    clips = _rows(table, train_ids, by).sort_values("clip_id")
    cut = _Cut(scenes_of={str(g): tuple(rows.unique()) for g, rows in clips.groupby(by)["scene"]})
    order = {group: hashlib.sha256(f"{seed}\0{group}".encode()).digest() for group in cut.scenes_of}
    for _, of_scene in clips.groupby("scene"):
        n_clips = {str(group): int(n) for group, n in of_scene[by].value_counts().items()}
        wanted = fraction * len(of_scene)
        n_taken = sum(n for group, n in n_clips.items() if group in cut.taken)
        for group in sorted(n_clips, key=order.__getitem__):
            nearer = abs(n_taken + n_clips[group] - wanted) < abs(n_taken - wanted)
            if nearer and cut.can_spare(group):
                cut.take(group)
                n_taken += n_clips[group]
        spare = [group for group in n_clips if cut.can_spare(group)]
        if n_taken == 0 and spare:
            cut.take(min((n_clips[group], order[group], group) for group in spare)[2])
    if not cut.taken:
        raise DataError(f"no validation split can be cut: every scene has clips of a single {by} only")
    in_validation = clips[by].isin(cut.taken)
    return tuple(clips.loc[~in_validation, "clip_id"]), tuple(clips.loc[in_validation, "clip_id"])


class _Cut:
    """Groups taken for validation so far, and how many each scene has left for training."""

    def __init__(self, scenes_of: Mapping[str, tuple[str, ...]]) -> None:
        self.scenes_of = scenes_of
        self.taken: set[str] = set()
        self._n_left = Counter(scene for scenes in scenes_of.values() for scene in scenes)

    def can_spare(self, group: str) -> bool:
        """Whether every scene recorded there keeps another group for training."""
        return group not in self.taken and all(self._n_left[scene] > 1 for scene in self.scenes_of[group])

    def take(self, group: str) -> None:
        self.taken.add(group)
        self._n_left.subtract(self.scenes_of[group])


def check_disjoint(
    table: pd.DataFrame,
    fold: Divided,
    by: str = "location",
    *,
    parts: Sequence[str] = ("train", "validation"),
) -> None:
    """Make sure that no group has clips in two parts of a fold.

    Parameters
    ----------
    table : DataFrame
        Clip table.
    fold : Divided
        What to check.
    by : str
        Column whose values must not cross.
    parts : sequence of {"train", "validation", "test"}
        Parts to check against each other.

    Raises
    ------
    DataError
        Naming the groups that cross.
    """
    groups = {part: set(_rows(table, getattr(fold, part), by)[by]) for part in parts}
    for i, first in enumerate(parts):
        for second in parts[i + 1 :]:
            crossing = sorted(groups[first] & groups[second])
            if crossing:
                shown = ", ".join(crossing[:10]) + (", ..." if len(crossing) > 10 else "")
                raise DataError(
                    f"{fold.name}: {len(crossing)} values of {by} are in {first} and in {second}: {shown}; "
                    "clips of one place on both sides make the numbers too good"
                )


def _rows(table: pd.DataFrame, ids: Sequence[str], by: str) -> pd.DataFrame:
    """Rows of the given clips, in table order; no parallel recording may lie in two groups."""
    if by not in table.columns:
        raise ConfigError(f"the clip table has no column {by!r}; there are {', '.join(table.columns)}")
    wanted = set(ids)
    rows = table[table["clip_id"].isin(wanted)]
    if len(rows) != len(wanted):
        unknown = min(wanted - set(rows["clip_id"]))
        raise DataError(f"clip {unknown!r} is not in the clip table")
    spread = rows.groupby("recording_id")[by].nunique()
    if (spread > 1).any():
        raise DataError(
            f"recording {spread.index[spread > 1][0]!r} lies in more than one {by}: the clip table is wrong"
        )
    return rows
