"""Every registered system keeps its contract: a new one is covered without a new test."""

from __future__ import annotations

import pytest

from asc_bench.bench.source import Source
from asc_bench.conformance import checks_of, examine, subject
from asc_bench.registry import remark, systems

HEAVY = (
    "bc-resnet", "bc-resnet-mod", "beats", "caa-net", "cnn-ensemble-member", "cnn-ivector", "cp-mobile",
    "cp-resnet", "cp-resnet-128k", "dcase2018-baseline", "dcase2021-baseline", "dcase2022-baseline",
    "dcase2024-baseline", "dcase2025-baseline", "efficientat", "hierarchical-cnn", "mla", "n-cnn", "nac", "panns",
    "passt", "raw-cnn", "sample-cnn", "tf-sepnet",
)  # fmt: skip
"""Seven seconds to a minute each, and no longer contracts than those of the others: SB-CNN stands for networks."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in HEAVY else n for n in systems().names()]
)
def test_contract(name: str, tiny: Source) -> None:
    cls = systems().get(name)
    if note := remark(cls):
        pytest.skip(note)
    outcomes = list(examine(subject(name, tiny)))
    assert len(outcomes) == len(checks_of(cls))
    assert not [o for o in outcomes if not o.passed]
