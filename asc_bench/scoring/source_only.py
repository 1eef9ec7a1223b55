"""What one gets right who knows only which source a clip is from: the floor of a task joined from several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.labels import COARSE, FINE, LabelSpace
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.predictions import prediction_frame
from asc_bench.scoring.rows import clip_rows
from asc_bench.scoring.statistic import Accuracy

ClassCounts = Mapping[str, Mapping[str, int]]
"""Source to fine class to number of clips."""


def class_counts(clips: pd.DataFrame) -> dict[str, dict[str, int]]:
    """How many clips of each source have which fine class, from a clip table with ``source`` and ``scene``."""
    return {
        str(source): {str(scene): int(n) for scene, n in scenes.value_counts().sort_index().items()}
        for source, scenes in clips.groupby("source", sort=False)["scene"]
    }


def source_alone(
    predictions: pd.DataFrame,
    trained: Mapping[str, ClassCounts],
    labels: LabelSpace,
    measures: Sequence[Measure],
) -> dict[str, float]:
    """Every accuracy of a guess that ranks the classes by how many training clips of the source have them.

    So the first guess is the most frequent class of the clip's source (ties: lower class index), at each level
    counted anew. The shares are scored as a system's probabilities are, by the same measures.

    Parameters
    ----------
    predictions : DataFrame
        From ``stack_runs``, of any systems that are complete; only the clips are read from it.
    trained : mapping
        Fold to ``class_counts`` of all clips that its systems may learn from.
    labels : LabelSpace
        Classes.
    measures : sequence of Measure
        An agreement between two heads has no meaning here and is left out.

    Returns
    -------
    dict of str to float
        By name of the measure, in 0 to 1; empty if the test clips are of one source, or if ``trained`` lacks a
        fold (runs stored before it was counted).
    """
    test = predictions[predictions["split"] == "test"].drop_duplicates(["fold", "clip_id"])
    if "source" not in test.columns or test["source"].nunique() < 2 or not set(test["fold"]) <= set(trained):
        return {}
    frames = []
    for fold, clips in test.groupby("fold", sort=False):
        shares = {
            source: _shares(trained[str(fold)].get(source, {}), labels) for source in clips["source"].unique()
        }
        given = {level: np.stack([shares[source][level] for source in clips["source"]]) for level in labels.levels}
        frames.append(prediction_frame(clips, labels, given, split="test").assign(fold=fold))
    guessed = pd.concat(frames, ignore_index=True)
    accuracies = [wanted for wanted in measures if isinstance(wanted.scored_by, Accuracy)]
    return {wanted.name: clip_rows(guessed, wanted).value() for wanted in accuracies}


def _shares(counts: Mapping[str, int], labels: LabelSpace) -> dict[str, npt.NDArray[np.float64]]:
    """Share of each class among the clips of a source, by level; a source without clips tells nothing."""
    fine = np.array([counts.get(scene, 0) for scene in labels.fine])
    found = {FINE: fine}
    if labels.coarse:
        # Summed as whole numbers: shares would differ in the last bit where the counts are equal.
        found[COARSE] = np.bincount(labels.coarse_of, weights=fine, minlength=len(labels.coarse)).astype(int)
    return {level: n / n.sum() if n.any() else np.full(len(n), 1 / len(n)) for level, n in found.items()}
