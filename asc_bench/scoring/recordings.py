"""Predictions of the pieces that a recording was cut into, as one prediction of the recording."""

from __future__ import annotations

import numpy as np
import pandas as pd

from asc_bench.errors import DataError
from asc_bench.scoring.accuracy import label_ranks
from asc_bench.scoring.statistic import EPSILON, ScoredClips

RECORDING = "recording"
"""Column that names the recording of each piece, on one device."""

_OF_A_RUN = ["fold", "repeat", RECORDING]
_SHARED = ["stratum", "scene", "location", "label"]


def whole_recordings(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each recording: the geometric mean of the probabilities of its pieces, divided by its sum.

    The mean of the log probabilities ranks classes as their sum does, the product rule for independent pieces. The
    pieces of a recording are much alike, though, and the product would make them surer than they are together;
    the mean leaves equal pieces as sure as one. Probabilities below ``EPSILON`` count as that.

    Parameters
    ----------
    rows : DataFrame
        Of ``counted_predictions``, with the column `RECORDING`.

    Returns
    -------
    DataFrame
        The same columns, sorted by fold, recording and repeat; ``clip_id`` is that of the recording.

    Raises
    ------
    DataError
        If pieces of one recording differ in their label, location or stratum.
    """
    rows = rows.sort_values(_OF_A_RUN, kind="stable", ignore_index=True)
    starts = np.flatnonzero(~rows.duplicated(_OF_A_RUN).to_numpy())
    n_pieces = np.diff([*starts, len(rows)])
    first = rows.iloc[starts].reset_index(drop=True)
    for name in _SHARED:
        differs = rows[name].to_numpy(object) != np.repeat(first[name].to_numpy(object), n_pieces)
        if differs.any():
            row = rows.iloc[int(differs.argmax())]
            raise DataError(
                f"recording {row[RECORDING]!r} has pieces with different {name}s, such as clip {row['clip_id']!r} "
                f"with {row[name]!r}; recording_id must be equal for clips of one recording only"
            )
    clips = ScoredClips(rows["label_rank"].to_numpy(), rows["probabilities"].to_numpy())
    logs = np.log(np.clip(clips.probabilities, EPSILON, 1.0))
    mean = np.exp(np.add.reduceat(logs, starts, axis=0) / n_pieces[:, np.newaxis])
    mean /= mean.sum(axis=1, keepdims=True)
    found = first.assign(
        clip_id=first[RECORDING],
        label_rank=label_ranks(mean, clips.label[starts]),
        probabilities=pd.Series(list(mean), dtype=object),
    )
    return found.sort_values(["fold", "clip_id", "repeat"], kind="stable", ignore_index=True)
