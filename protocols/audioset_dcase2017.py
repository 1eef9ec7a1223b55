"""DCASE 2017 task 4 as a target of transfer learning: several labels a clip (Abrol and Sharma 2020, V.B)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pandas as pd

from asc_bench.api import (
    DataError,
    Dataset,
    Fold,
    LabelSpace,
    Protocol,
    Split,
    check_disjoint,
    dcase2017_task4,
    official_folds,
    tags,
)

VALIDATION_FRACTION = 0.15


class AudiosetDcase2017(Protocol):
    """Trained on weak labels, tested on the strong labels of the development set's testing part."""

    name = "audioset-dcase2017"
    title = "DCASE 2017 task 4, AudioSet for smart cars, testing set"
    datasets = ("audioset-dcase2017",)
    labels = LabelSpace.from_map(dcase2017_task4.COARSE_OF_LABEL, coarse=("Warning", "Vehicle"))
    multi_label = True
    clip_duration_s = 10.0
    measures = ()
    tested: ClassVar[str] = dcase2017_task4.TESTING
    notes = (
        "A clip has one to several of 17 labels, which belong to two coarse classes. Training clips have weak "
        "labels, test clips strong ones. The paper does not say whether it was evaluated on the testing set or on "
        "the later evaluation set of the task; the latter is a protocol of its own. Validation: about 15 % of the "
        "training clips, by whole videos, stratified by that label of a clip which fewest training clips have."
    )

    def clips(self, dataset: Dataset) -> pd.DataFrame:
        """See ``Protocol.clips``; only the clips that are trained or tested on. ``coarse`` joins labels, too."""
        split = self._split(dataset)
        ours = {*split.train, *split.test}
        table = dataset.clips[dataset.clips["clip_id"].isin(ours)].reset_index(drop=True)
        return table.assign(coarse=[self._coarse(scene) for scene in table["scene"]])

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``; no video is on two sides."""
        split, table = self._split(dataset), self.clips(dataset)
        trained = table["clip_id"].isin(set(split.train))
        n_clips = table.loc[trained, "scene"].map(tags.separated).explode().value_counts().to_dict()
        # Whole combinations of labels would be too many strata, and most of them too small.
        rarest = [
            min(tags.separated(scene), key=lambda label: (n_clips.get(label, 0), label)) for scene in table["scene"]
        ]
        strata = table.assign(scene=rarest)
        (fold,) = official_folds(strata, [split], validation_fraction=VALIDATION_FRACTION)
        check_disjoint(table, fold, parts=("train", "validation", "test"))
        return [fold]

    def _split(self, dataset: Dataset) -> Split:
        for split in dataset.splits:
            if split.name == self.tested:
                return split
        raise DataError(
            f"{dataset.root}: has no {self.tested} set; its lists and its recordings in audio/ make one"
        )

    def _coarse(self, scene: str) -> str:
        fine = self.labels.encode(tags.separated(scene))
        return tags.joined(self.labels.coarse[i] for i in sorted(set(self.labels.to_coarse(fine).tolist())))


class AudiosetDcase2017Evaluation(AudiosetDcase2017):
    """The same training clips, tested on the evaluation set that was published after the challenge."""

    name = "audioset-dcase2017-evaluation"
    title = "DCASE 2017 task 4, AudioSet for smart cars, evaluation set"
    tested: ClassVar[str] = dcase2017_task4.EVALUATION
