"""ESC-10 through three simulated devices: the setting of DCASE 2018 Task 1B on recordings that anyone can get."""

from __future__ import annotations

from collections.abc import Sequence

from asc_bench.api import Dataset, Fold, Protocol, check_disjoint, official_folds

from ._mobile import MobileProtocol
from .esc import VALIDATION_FRACTION, Esc10


class Esc10Devices(Protocol):
    """Trained mostly on device A and tested on A, B and C, in the five official folds.

    A device's accuracy pools its 400 test clips over the folds. They are 8 of each class and fold, so it is the
    mean over folds as well as the mean over classes.
    """

    name = "esc10-devices"
    title = "ESC-10 through three simulated devices, five official folds"
    datasets = ("esc-10-devices",)
    labels = Esc10.labels
    clip_duration_s = 5.0
    devices = MobileProtocol.devices
    measures = MobileProtocol.measures
    notes = (
        "The recordings are real, the devices are simulated: each recording was played to a model of three "
        "devices (response, gain, noise, compression) that imitates no real one. Device A has all 320 training "
        "clips of a fold; B and C have 44 to 48 of them, those of one source recording of each class and other "
        "fold, recorded in parallel. All three have all 80 test clips. Accuracy on a device is taken over its "
        "400 test clips of the five folds, equal to the mean over folds. The three versions of a recording "
        "are not independent: intervals and tests resample source recordings with all their clips and devices. "
        "About 15 % of each class's training clips, by whole source recordings, and at least one source that "
        "all devices recorded, are held out for validation."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``; no source recording is on two sides, whatever the device."""
        table = self.clips(dataset)
        trained = {clip for split in dataset.splits for clip in split.train}
        elsewhere = table["clip_id"].isin(trained) & (table["device"] != "A")
        parallel = table["location"].isin(set(table.loc[elsewhere, "location"]))
        # Parallel recordings are few: cut alike with the others, most classes would be validated on A alone.
        strata = table.assign(scene=table["scene"] + parallel.map({True: ", parallel", False: ""}))
        folds = official_folds(strata, dataset.splits, validation_fraction=VALIDATION_FRACTION)
        for fold in folds:
            check_disjoint(table, fold, parts=("train", "validation", "test"))
        return folds
