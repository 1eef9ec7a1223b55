"""DCASE 2020 and 2021 Task 1, subtask A: clips of ten seconds from mismatched devices (Heittola et al. 2020)."""

from __future__ import annotations

from ._references import PublishedReferences
from ._tau_mobile import LIMITS_2021, TABLES, TauMobileProtocol, mobile_measures


class Dcase2020(TauMobileProtocol):
    """The official development fold, ranked by accuracy."""

    name = "dcase2020"
    title = "DCASE 2020 Task 1A, development fold 1"
    datasets = ("tau-2020-mobile",)
    clip_duration_s = 10.0
    measures = mobile_measures(on_devices="macro")
    references = PublishedReferences(*TABLES, protocol="dcase2020")


class Dcase2021(TauMobileProtocol):
    """The lists of 2020, ranked by log loss; models had 128 kB at most."""

    name = "dcase2021"
    title = "DCASE 2021 Task 1A, development fold 1"
    datasets = ("tau-2020-mobile",)
    clip_duration_s = 10.0
    measures = mobile_measures(on_devices="macro", primary="log loss")
    limits = LIMITS_2021
    references = PublishedReferences(*TABLES, protocol="dcase2021")
