"""Examples in docstrings run and say what they print."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["asc_bench.scoring.statistic", "asc_bench.scoring.measure"])
def test_examples(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted and not found.failed
