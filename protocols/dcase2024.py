"""DCASE 2024 and 2025 Task 1: training on a part of the clips of 2022 (Schmid et al. 2024, 2025)."""

from __future__ import annotations

from ._references import PublishedReferences
from ._tau_mobile import LIMITS_2024, LIMITS_2025, TABLES, TauSecondsProtocol, mobile_measures


class _Dcase2024(TauSecondsProtocol):
    measures = mobile_measures(on_devices="clips", in_seconds=True)
    limits = LIMITS_2024


class Dcase2024Split5(_Dcase2024):
    """Trained on 5 % of the clips; the challenge ranked by the mean accuracy of the five protocols."""

    name = "dcase2024-5"
    title = "DCASE 2024 Task 1, 5 % of the training clips"
    training = "split5"
    mean_of, part = "dcase2024", "5 %"
    references = PublishedReferences(*TABLES, protocol="dcase2024-5")


class Dcase2024Split10(_Dcase2024):
    """Trained on 10 % of the clips."""

    name = "dcase2024-10"
    title = "DCASE 2024 Task 1, 10 % of the training clips"
    training = "split10"
    mean_of, part = "dcase2024", "10 %"
    references = PublishedReferences(*TABLES, protocol="dcase2024-10")


class Dcase2024Split25(_Dcase2024):
    """Trained on 25 % of the clips."""

    name = "dcase2024-25"
    title = "DCASE 2024 Task 1, 25 % of the training clips"
    training = "split25"
    mean_of, part = "dcase2024", "25 %"
    references = PublishedReferences(*TABLES, protocol="dcase2024-25")


class Dcase2024Split50(_Dcase2024):
    """Trained on 50 % of the clips."""

    name = "dcase2024-50"
    title = "DCASE 2024 Task 1, 50 % of the training clips"
    training = "split50"
    mean_of, part = "dcase2024", "50 %"
    references = PublishedReferences(*TABLES, protocol="dcase2024-50")


class Dcase2024Split100(_Dcase2024):
    """Trained on all clips of the fold of 2022."""

    name = "dcase2024-100"
    title = "DCASE 2024 Task 1, all training clips"
    mean_of, part = "dcase2024", "100 %"
    references = PublishedReferences(*TABLES, protocol="dcase2024-100")


class Dcase2025(_Dcase2024):
    """Trained on the 25 % list of 2024; a system may use the device of a test clip, ``unknown`` for S4 to S6."""

    name = "dcase2025"
    title = "DCASE 2025 Task 1, 25 % of the training clips"
    training = "split25"
    limits = LIMITS_2025
    references = PublishedReferences(*TABLES, protocol="dcase2025")
    notes = (
        f"{TauSecondsProtocol.notes} The rules let a system use the device of a test clip, unknown for S4 to S6."
    )
