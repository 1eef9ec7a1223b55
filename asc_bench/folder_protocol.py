"""The protocol of a folder of one's own: its classes, its folds, accuracy over all test clips and by device."""

from __future__ import annotations

from collections.abc import Sequence

from asc_bench.data.layouts.folder import FolderLayout
from asc_bench.data.manifest import Dataset
from asc_bench.data.splits import check_disjoint
from asc_bench.data.store import read_layout
from asc_bench.folds import official_folds
from asc_bench.labels import LabelSpace
from asc_bench.protocol import Fold, Protocol
from asc_bench.scoring.measure import Clusters, Measure

VALIDATION_FRACTION = 0.15


class FolderProtocol(Protocol):
    """Every class of the table, every fold, and the mean over classes of the accuracy.

    About 15 % of each class's training clips, by whole locations, are held out for validation where the table does
    not name validation clips itself.

    Parameters
    ----------
    layout : FolderLayout
        Its table is read, and the header of each audio file.

    Raises
    ------
    ConfigError, DataError
        As ``FolderLayout.read``.
    """

    def __init__(self, layout: FolderLayout) -> None:
        dataset = read_layout(layout, layout.folder_path)
        clips = dataset.clips
        devices = sorted(set(clips["device"]) - {""})
        mixed = (clips.groupby("location")["scene"].nunique() > 1).any()
        clusters: Clusters = "any" if mixed else "scene"
        self.layout = layout
        self.name = layout.name
        self.title = f"{layout.title}, {_kind(layout, dataset)}"
        self.datasets = (layout,)
        self.labels = LabelSpace(tuple(sorted(set(clips["scene"]))))
        self.clip_duration_s = float(clips["duration_s"].iloc[0])
        self.measures = (
            Measure("accuracy", clusters=clusters),
            *(
                Measure(device, strata="device", of=(device,), clusters=clusters)
                for device in devices[1:] and devices
            ),
        )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        chosen = set(self.layout.validation_ids(dataset))
        if not chosen:
            return official_folds(self.clips(dataset), dataset.splits, validation_fraction=VALIDATION_FRACTION)
        folds = []
        for split in dataset.splits:
            train, validation = (
                tuple(c for c in split.train if (c in chosen) is wanted) for wanted in (False, True)
            )
            fold = Fold(split.name, train=train, validation=validation, test=split.test)
            check_disjoint(dataset.clips, fold, "location")
            folds.append(fold)
        return folds


def _kind(layout: FolderLayout, dataset: Dataset) -> str:
    n = len(dataset.splits)
    if n == 1:
        return "one split"
    return f"{n} folds" if layout.fold else f"{n} folds by {'location' if layout.location else 'clip'}"
