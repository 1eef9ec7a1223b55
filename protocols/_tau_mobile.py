"""What the DCASE subtasks on TAU Urban Acoustic Scenes Mobile have in common, 2020 to 2025."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import pandas as pd

from asc_bench.api import (
    Dataset,
    Fold,
    LabelSpace,
    Limits,
    Measure,
    Protocol,
    Split,
    official_folds,
    tau_mobile,
    tut_mobile,
)

TABLES = ("dcase_mobile_baselines", "dcase_systems")
"""Published numbers of the official baselines, and of other systems on the development fold."""

VALIDATION_FRACTION = 0.15

_MACS = 30_000_000
LIMITS_2021 = Limits(
    n_bytes=128_000,
    counted="n_nonzero",
    remark="Statistics of batch normalisations count; a kilobyte was 1,000 bytes in the rules, and 1,024 in the "
    "printout of the challenge's script.",
    source="DCASE 2021 Task 1A; github.com/marmoi/dcase2021_task1a_baseline",
)
LIMITS_2022 = Limits(
    n_parameters=128_000,
    n_macs=_MACS,
    remark="The parameters were to be 8-bit integers, which is not checked here.",
    source="DCASE 2022 and 2023 Task 1; github.com/AlbertoAncilotto/NeSsi",
)
LIMITS_2024 = Limits(
    n_bytes=128_000, n_macs=_MACS, source="DCASE 2024 Task 1; github.com/CPJKU/dcase2024_task1_baseline"
)
LIMITS_2025 = replace(
    LIMITS_2024,
    per_device_model=True,
    source="DCASE 2025 Task 1; complexity.py of the challenge's inference package",
)

_ACCURACY = Measure("accuracy")
_LOG_LOSS = Measure("log loss", average="clips", statistic="log-loss")


def mobile_measures(
    *,
    on_devices: Literal["macro", "clips"],
    primary: Literal["accuracy", "log loss"] = "accuracy",
    in_seconds: bool = False,
) -> tuple[Measure, ...]:
    """Measures of one year.

    Parameters
    ----------
    on_devices : {"macro", "clips"}
        Of the accuracy on a device or a group of devices: mean over classes, or over clips. On all clips it is the
        mean over classes in every year. Log losses are means over clips.
    primary : {"accuracy", "log loss"}
        What systems are compared by.
    in_seconds : bool
        Clips are the seconds of recordings of ten, which are scored as wholes as well.
    """
    first = (_ACCURACY, _LOG_LOSS) if primary == "accuracy" else (_LOG_LOSS, _ACCURACY)
    groups = (
        Measure(name, strata="device", of=devices, average=on_devices, pooled=True)
        for name, devices in tau_mobile.GROUPS.items()
    )
    by_device = (
        measure
        for device in tau_mobile.DEVICES
        for measure in (
            Measure(f"accuracy, {device}", strata="device", of=(device,), average=on_devices, group=device),
            replace(_LOG_LOSS, name=f"log loss, {device}", strata="device", of=(device,), group=device),
        )
    )
    whole = (replace(m, name=f"{m.name}, 10 s", aggregate="recording") for m in first) if in_seconds else ()
    return (*first, *groups, *whole, *by_device)


class TauMobileProtocol(Protocol):
    """Ten urban scenes on nine devices, three of which are only tested; the clips of one training list."""

    labels = LabelSpace.from_map(tut_mobile.COARSE_OF_SCENE, coarse=("indoor", "outdoor", "transportation"))
    devices = tau_mobile.DEVICES[:6]
    hides_unseen_devices = True
    training: ClassVar[str] = "fold1"
    """Training list: ``fold1``, or one of 2024 and 2025, such as ``split25``."""
    published_note = (
        "Published numbers tend to be higher, since many of these systems were chosen on the test clips and not on "
        "validation clips from training locations."
    )
    notes = (
        "Accuracy: mean over the ten class accuracies of all test clips, whatever their device. Real: A, B, C; "
        "seen: S1 to S3; unseen: S4 to S6, which are not trained on. About 15 % of each scene's training clips, by "
        "whole locations, are held out for validation."
    )

    def clips(self, dataset: Dataset) -> pd.DataFrame:
        """See ``Protocol.clips``; without the clips that are in neither part, many of them from test locations."""
        split = self._split(dataset)
        used = {*split.train, *split.test}
        kept = [clip in used for clip in dataset.clips["clip_id"].tolist()]
        return super().clips(replace(dataset, clips=dataset.clips[kept].reset_index(drop=True)))

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        split = replace(self._split(dataset), name="fold1")
        return official_folds(self.clips(dataset), [split], validation_fraction=VALIDATION_FRACTION)

    def _split(self, dataset: Dataset) -> Split:
        return tau_mobile.training_list(dataset, self.training)


class TauSecondsProtocol(TauMobileProtocol):
    """The same recordings as files of one second."""

    datasets = ("tau-2022-mobile",)
    clip_duration_s = 1.0
    notes = (
        f"{TauMobileProtocol.notes} 10 s: the ten seconds of a recording on one device as one clip, by the "
        "geometric mean of their probabilities; no challenge ranked by it."
    )
