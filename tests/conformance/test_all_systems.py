"""Every registered system keeps its contract: a new one is covered without a new test."""

from __future__ import annotations

import pytest

from asc_bench.experiment.conformance import CHECKS, examine, subject
from asc_bench.experiment.source import Source
from asc_bench.registry import systems


@pytest.mark.parametrize("name", systems().names())
def test_contract(name: str, tiny: Source) -> None:
    outcomes = list(examine(subject(name, tiny)))
    assert len(outcomes) == len(CHECKS)
    assert not [o for o in outcomes if not o.passed]
