"""LITIS Rouen, TUT Acoustic Scenes 2017, DARES-G1 and ESC-50 merged into one task (Abrol and Sharma 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from asc_bench.api import (
    COARSE,
    FINE,
    QUIET,
    VIEWS,
    DataError,
    Dataset,
    Fold,
    LabelSpace,
    Measure,
    Protocol,
    check_disjoint,
    cut_validation,
    merged_label,
    taxonomy,
)

SOURCES = {
    "litis-rouen": ("litis-rouen",),
    "tut-2017": ("tut-2017-development", "tut-2017-evaluation"),
    "dares-g1": ("dares-g1",),
    "esc-50": ("esc-50",),
}
TAXONOMY_NAME = {
    "litis-rouen": "litis_rouen",
    "tut-2017": "dcase2017",
    "dares-g1": "dares_g1_presumed",
    "esc-50": "esc50",
}
"""How the taxonomy calls the sources."""

TEST_FRACTION, VALIDATION_FRACTION = 0.2, 0.15


class MergedLabels:
    """The 70 fine and 8 coarse classes, read when they are asked for."""

    def __init__(self) -> None:
        self._labels: LabelSpace | None = None

    def __get__(self, instance: object, owner: type) -> LabelSpace:
        if self._labels is None:
            table = taxonomy()
            pairs = dict(zip(table["fine_label"], table["coarse_label"], strict=True))
            self._labels = LabelSpace.from_map(pairs)
        return self._labels


class MergedMeasures:
    """Top-1 and top-3 at both levels, overall and by source; they hold the label space, so they are read late."""

    def __get__(self, instance: object, owner: type[Protocol]) -> tuple[Measure, ...]:
        labels = owner.labels
        overall = tuple(
            measure
            for name, level, derived in (
                ("fine", FINE, None),
                ("coarse", COARSE, None),
                ("coarse from fine", COARSE, labels),
            )
            for k in (1, 3)
            for measure in (Measure(f"{name} top-{k}", level=level, top_k=k, derived=derived),)
        )
        agreement = Measure("heads agree", average="clips", level=COARSE, derived=labels, statistic="agreement")
        by_source = tuple(
            replace(measure, name=f"{measure.name}, {source}", strata="source", of=(source,), group=source)
            for source in SOURCES
            for measure in overall
        )
        return (*overall, agreement, *by_source)


class Merged(Protocol):
    """All four sources, or those that are chosen, in clips of 5 s with a fine and a coarse class."""

    name = "merged"
    title = "Merged taxonomy, 70 fine and 8 coarse classes"
    datasets = tuple(layout for layouts in SOURCES.values() for layout in layouts)
    sources = SOURCES
    labels = MergedLabels()
    clip_duration_s = 5.0
    views = VIEWS
    measures = MergedMeasures()
    notes = (
        "Recordings are cut to clips of 5 s without overlap. The taxonomy is a proposal that meets every count and "
        "example of the paper, whose own list is not to be had; the labels of DARES-G1 in it are presumed. "
        "Accuracy is the mean over the fine (or coarse) classes of the test clips; the paper's "
        '"average classification accuracy" may mean that, or the mean over clips. Coarse from fine maps the fine '
        "prediction up: a coarse class ranks by its most probable fine class. Heads agree: share of clips whose "
        "coarse prediction is the class above the fine prediction. "
        "One division, seeded: about 20 % of the clips of each source and fine class are for testing, 15 % of the "
        "rest for validation, by whole recording locations (for ESC-50 source recordings, for LITIS Rouen derived "
        "ones). The paper combines the official divisions and does not say how large its evaluation set is; the "
        "official divisions are not used here. A class with one location in a source is not tested on that source. "
        "Clips whose loudest 0.1 s lie 40 dB below what is usual in their source are flagged quiet: they are not "
        "trained or validated on, but tested. Clips of which less than half lies within 30 dB of their loudest "
        "0.1 s are flagged transient, and used. The paper discarded segments without sound after listening. "
        "Clips of binaural recordings (TUT, DARES-G1) are given as four waveforms, left, right, half the sum and "
        "half the difference: four examples in training; for the clip's prediction their probabilities are "
        "averaged (a guess)."
    )

    def clips(self, dataset: Dataset) -> pd.DataFrame:
        """See ``Protocol.clips``; labels become classes of the taxonomy, and an unknown one is an error."""
        return super().clips(replace(dataset, clips=mapped(dataset.clips)))

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        table = self.clips(dataset)
        # Stratified by source, too: else a class would be tested in one source and trained in another.
        strata = table.assign(scene=table["source"] + ", " + table["scene"])
        rest, test = cut_validation(strata, list(table["clip_id"]), fraction=TEST_FRACTION, seed=0)
        train, validation = cut_validation(strata, rest, fraction=VALIDATION_FRACTION, seed=1)
        quiet = set(table.loc[table["flag"] == QUIET, "clip_id"])
        fold = Fold(
            "fold1",
            train=tuple(clip for clip in train if clip not in quiet),
            validation=tuple(clip for clip in validation if clip not in quiet),
            test=test,
        )
        check_disjoint(table, fold, parts=("train", "validation", "test"))
        _check_trained(table, fold)
        return [fold]


def mapped(table: pd.DataFrame) -> pd.DataFrame:
    """Clips with the fine class of the taxonomy instead of the source's label.

    Raises
    ------
    DataError
        For a label that the taxonomy does not map, naming the first clip that has it.
    """
    known = taxonomy().set_index(["source_dataset", "source_label"])["fine_label"].to_dict()
    fine: dict[tuple[str, str], str] = {}
    for source, label in table[["source", "scene"]].drop_duplicates().itertuples(index=False):
        name = TAXONOMY_NAME[source]
        try:
            fine[source, label] = known.get((name, label)) or merged_label(name, label)[0]
        except DataError as error:
            clip = table.loc[(table["source"] == source) & (table["scene"] == label), "clip_id"].iloc[0]
            raise DataError(f"clip {clip!r}: {error}") from None
    return table.assign(scene=[fine[pair] for pair in zip(table["source"], table["scene"], strict=True)])


def _check_trained(table: pd.DataFrame, fold: Fold) -> None:
    """Refuse a division that tests a class which nothing is left to train on."""
    scene = dict(zip(table["clip_id"], table["scene"], strict=True))
    untrained = {scene[clip] for clip in fold.test} - {scene[clip] for clip in fold.train}
    if untrained:
        raise DataError(f"merged: class {min(untrained)!r} is tested, but all its training clips are quiet")
