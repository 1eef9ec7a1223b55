"""DCASE 2019 Task 1, subtask B: mismatched devices, in ten cities of which one is not trained on."""

from __future__ import annotations

from ._mobile import MobileProtocol
from ._references import PublishedReferences


class Dcase2019(MobileProtocol):
    """The official development fold; 1,030 clips of device A are in no part of it, as published."""

    name = "dcase2019"
    title = "DCASE 2019 Task 1B, development fold 1"
    datasets = ("tau-urban-2019-mobile",)
    references = PublishedReferences("dcase_systems", protocol="dcase2019")
    notes = f"{MobileProtocol.notes} Milan is tested on, not trained on."
