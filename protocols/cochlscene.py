"""CochlScene: thirteen scenes from the phones of 831 people, official parts (Jeong and Park, APSIPA 2022)."""

from __future__ import annotations

from collections.abc import Sequence

from asc_bench.api import DataError, Dataset, Fold, LabelSpace, Measure, Protocol, check_disjoint, cochlscene


class CochlScene(Protocol):
    """The official training, validation and test part; no user is in two of them."""

    name = "cochlscene"
    title = "CochlScene, official parts"
    datasets = ("cochlscene",)
    labels = LabelSpace(fine=cochlscene.CLASSES)
    clip_duration_s = 10.0
    # People record several scenes: they are resampled as they are, not scene by scene.
    measures = (Measure("accuracy", average="clips", clusters="any"),)
    notes = (
        "Accuracy over all test clips. Training, validation and test are the official parts, which share no user; "
        "intervals and tests resample users (n_locations counts them)."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``; the validation part is the official one."""
        table = self.clips(dataset)
        path_of = dict(zip(table["clip_id"], table["path"], strict=True))
        folds = []
        for split in dataset.splits:
            held = {clip for clip in split.train if cochlscene.part_of(path_of[clip]) == cochlscene.VALIDATION}
            if not held or len(held) == len(split.train):
                raise DataError(
                    f"{split.name}: {len(held)} of {len(split.train)} clips that are not tested are in "
                    f"{cochlscene.VALIDATION}; restore the folders of the archive"
                )
            fold = Fold(
                split.name,
                train=tuple(clip for clip in split.train if clip not in held),
                validation=tuple(clip for clip in split.train if clip in held),
                test=split.test,
            )
            check_disjoint(table, fold, "location")
            folds.append(fold)
        return folds
