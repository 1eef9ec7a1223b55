"""Real recordings and official lists, where ASC_BENCH_DATA names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from asc_bench.data.store import data_roots, find_dataset
from asc_bench.errors import DataError


def real_esc10() -> Path:
    """Folder of the real ESC-10; skips the test with the reason where it is absent."""
    try:
        return find_dataset("esc-10", data_roots())
    except DataError as error:
        pytest.skip(str(error).splitlines()[0])


def real_tau_lists() -> Path:
    """Folder of the official lists of TAU Urban Acoustic Scenes Mobile; skips the test where it is absent."""
    folder = next((place for root in data_roots() if (place := root / "tau-lists").is_dir()), None)
    if folder is None:
        pytest.skip("the official TAU Mobile lists were not found: there is no folder tau-lists in ASC_BENCH_DATA")
    return folder
