"""DCASE 2024 and 2025 Task 1: training on a part of the clips of 2022 (Schmid et al. 2024, 2025)."""

from __future__ import annotations

from ._references import PublishedReferences
from ._tau_mobile import LIMITS_2024, LIMITS_2025, TABLE, TauMobileProtocol, mobile_measures


class _Dcase2024(TauMobileProtocol):
    datasets = ("tau-2022-mobile",)
    clip_duration_s = 1.0
    measures = mobile_measures(on_devices="clips")
    limits = LIMITS_2024


class Dcase2024Split5(_Dcase2024):
    """Trained on 5 % of the clips; the challenge ranked by the mean accuracy of the five protocols."""

    name = "dcase2024-5"
    title = "DCASE 2024 Task 1, 5 % of the training clips"
    training = "split5"
    references = PublishedReferences(TABLE, protocol="dcase2024-5")


class Dcase2024Split10(_Dcase2024):
    """Trained on 10 % of the clips."""

    name = "dcase2024-10"
    title = "DCASE 2024 Task 1, 10 % of the training clips"
    training = "split10"
    references = PublishedReferences(TABLE, protocol="dcase2024-10")


class Dcase2024Split25(_Dcase2024):
    """Trained on 25 % of the clips."""

    name = "dcase2024-25"
    title = "DCASE 2024 Task 1, 25 % of the training clips"
    training = "split25"
    references = PublishedReferences(TABLE, protocol="dcase2024-25")


class Dcase2024Split50(_Dcase2024):
    """Trained on 50 % of the clips."""

    name = "dcase2024-50"
    title = "DCASE 2024 Task 1, 50 % of the training clips"
    training = "split50"
    references = PublishedReferences(TABLE, protocol="dcase2024-50")


class Dcase2024Split100(_Dcase2024):
    """Trained on all clips of the fold of 2022."""

    name = "dcase2024-100"
    title = "DCASE 2024 Task 1, all training clips"
    references = PublishedReferences(TABLE, protocol="dcase2024-100")


class Dcase2025(_Dcase2024):
    """Trained on the 25 % list of 2024; a system may use the device of a test clip, ``unknown`` for S4 to S6."""

    name = "dcase2025"
    title = "DCASE 2025 Task 1, 25 % of the training clips"
    training = "split25"
    limits = LIMITS_2025
    references = PublishedReferences(TABLE, protocol="dcase2025")
    notes = f"{TauMobileProtocol.notes} The rules let a system use the device of a test clip, unknown for S4 to S6."
