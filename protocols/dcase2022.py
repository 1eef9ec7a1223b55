"""DCASE 2022 and 2023 Task 1: clips of one second (Martin-Morato et al. 2022)."""

from __future__ import annotations

from ._references import PublishedReferences
from ._tau_mobile import LIMITS_2022, TABLES, TauSecondsProtocol, mobile_measures


class Dcase2022(TauSecondsProtocol):
    """The official development fold, the one of 2020 in seconds, ranked by log loss."""

    name = "dcase2022"
    title = "DCASE 2022 Task 1, development fold 1"
    measures = mobile_measures(on_devices="macro", primary="log loss", in_seconds=True)
    limits = LIMITS_2022
    references = PublishedReferences(*TABLES, protocol="dcase2022")


class Dcase2023(TauSecondsProtocol):
    """The lists of 2022; the challenge ranked by ranks of accuracy, memory and operations, here it is accuracy."""

    name = "dcase2023"
    title = "DCASE 2023 Task 1, development fold 1"
    measures = mobile_measures(on_devices="macro", in_seconds=True)
    limits = LIMITS_2022
    references = PublishedReferences(*TABLES, protocol="dcase2023")
