"""DCASE 2018 Task 1, subtask B: scenes recorded with mismatched devices (Mesaros et al. 2018)."""

from __future__ import annotations

from ._mobile import MobileProtocol


class Dcase2018(MobileProtocol):
    """The official development fold."""

    name = "dcase2018"
    title = "DCASE 2018 Task 1B, development fold 1"
    datasets = ("tut-urban-2018-mobile",)
