"""Every registered system keeps its contract: a new one is covered without a new test."""

from __future__ import annotations

import pytest

from asc_bench.experiment.conformance import checks_of, examine, subject
from asc_bench.experiment.source import Source
from asc_bench.registry import remark, systems


@pytest.mark.parametrize("name", systems().names())
def test_contract(name: str, tiny: Source) -> None:
    cls = systems().get(name)
    if note := remark(cls):
        pytest.skip(note)
    outcomes = list(examine(subject(name, tiny)))
    assert len(outcomes) == len(checks_of(cls))
    assert not [o for o in outcomes if not o.passed]
