"""DCASE Task 1 with one device: subtasks A of 2018 and 2019, and three classes in 2020 (Mesaros and Heittola)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asc_bench.api import Dataset, Fold, LabelSpace, Limits, Measure, Protocol, official_folds, tut_mobile, urban

from ._references import PublishedReferences

VALIDATION_FRACTION = 0.15
TABLES = ("dcase_urban_baselines", "dcase_systems")
"""Published numbers of the official baselines, and of other systems on the development folds."""

LIMITS = Limits(
    n_bytes=500 * 1024,
    counted="n_nonzero_outside_batch_norm",
    remark="That a kilobyte was 1,024 bytes is a guess. Batch normalisations and front ends did not count.",
    source="DCASE 2020 Task 1B; model_size_calculation.py of github.com/toni-heittola/dcase2020_task1_baseline",
)


def by_scene(*scenes: str) -> Iterator[Measure]:
    """Accuracy of the clips of each scene, as a table of its own."""
    for scene in scenes:
        yield Measure(f"accuracy, {scene}", strata="scene", of=(scene,), group=scene)


class _UrbanProtocol(Protocol):
    """The official development fold of device A."""

    labels = LabelSpace.from_map(tut_mobile.COARSE_OF_SCENE, coarse=urban.THREE_CLASSES)
    clip_duration_s = 10.0
    devices = urban.DEVICES
    measures = (Measure("accuracy"), *by_scene(*tut_mobile.COARSE_OF_SCENE))
    notes = (
        "Accuracy: mean over the ten class accuracies. Binaural recordings are mixed down to one channel. About "
        "15 % of each scene's training clips, by whole locations, are held out for validation."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        return official_folds(self.clips(dataset), dataset.splits, validation_fraction=VALIDATION_FRACTION)


class Dcase2018A(_UrbanProtocol):
    """Six cities, the same ones in training and test."""

    name = "dcase2018a"
    title = "DCASE 2018 Task 1A, development fold 1"
    datasets = ("tut-urban-2018",)
    references = PublishedReferences(*TABLES, protocol="dcase2018a")


class Dcase2019A(_UrbanProtocol):
    """Ten cities, of which Milan is tested and not trained on; 1,030 clips are in no part, as published."""

    name = "dcase2019a"
    title = "DCASE 2019 Task 1A, development fold 1"
    datasets = ("tau-urban-2019",)
    references = PublishedReferences(*TABLES, protocol="dcase2019a")
    notes = f"{_UrbanProtocol.notes} Milan is tested on, not trained on."


class Dcase2020ThreeClass(_UrbanProtocol):
    """The fold of 2019 with three classes; models had 500 KB of non-zero parameters at most."""

    name = "dcase2020-3class"
    title = "DCASE 2020 Task 1B, three classes, development fold 1"
    datasets = ("tau-2020-3class",)
    labels = LabelSpace(fine=urban.THREE_CLASSES)
    measures = (
        Measure("accuracy"),
        Measure("log loss", average="clips", statistic="log-loss"),
        *by_scene(*urban.THREE_CLASSES),
        *(
            Measure(f"log loss, {label}", "scene", (label,), "clips", statistic="log-loss", group=label)
            for label in urban.THREE_CLASSES
        ),
    )
    limits = LIMITS
    references = PublishedReferences(*TABLES, protocol="dcase2020-3class")
    notes = (
        "Accuracy: mean over the three class accuracies; log loss: mean over clips. Binaural recordings are mixed "
        "down to one channel. About 15 % of each class's training clips, by whole locations, are held out for "
        "validation. Milan is tested on, not trained on."
    )
