"""Official folds of a data set, each with a validation split of its own."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from asc_bench.data.manifest import Split
from asc_bench.data.splits import check_disjoint, cut_validation
from asc_bench.errors import DataError
from asc_bench.protocol import Fold


def official_folds(
    table: pd.DataFrame,
    splits: Sequence[Split],
    *,
    validation_fraction: float,
    seed: int = 0,
    by: str = "location",
) -> list[Fold]:
    """Cut validation off every official training split and check that no group is on both sides.

    Parameters
    ----------
    table : DataFrame
        The protocol's clip table; clips of ``splits`` that are not in it are left out.
    splits : sequence of Split
        Official train and test parts.
    validation_fraction : float
        Share of each scene's training clips.
    seed : int
        Changes the cut; part of the protocol, not of a run.
    by : str
        Column whose values are kept together.

    Raises
    ------
    DataError
        If a split has no training or no test clip in the table, or if groups cross.
    """
    known = set(table["clip_id"])
    folds = []
    for split in splits:
        train, test = (tuple(c for c in ids if c in known) for ids in (split.train, split.test))
        if not train or not test:
            raise DataError(f"{split.name}: {len(train)} training and {len(test)} test clips in the clip table")
        kept, validation = cut_validation(table, train, fraction=validation_fraction, seed=seed, by=by)
        fold = Fold(split.name, train=kept, validation=validation, test=test)
        check_disjoint(table, fold, by)
        folds.append(fold)
    return folds
