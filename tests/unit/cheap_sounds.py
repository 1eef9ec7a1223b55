"""Synthetic datasets with noise in place of their sounds, for tests of lists, formats and folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from asc_bench.bench.source import Source
from asc_bench.synthetic import write_synthetic

_MAKE = {
    "mobile": "synthesise_scene",
    "recordings": "synthesise_scene",
    "urban": "synthesise_scene",
    "cochlscene": "synthesise_scene",
    "esc_sets": "synthesise_esc",
}
"""What makes the sounds, by module of `asc_bench.synthetic`."""


def hiss(
    scene: str, *, duration_s: float, sample_rate_hz: int, recipe: object = None, **seeds: int
) -> npt.NDArray[np.float32]:
    """A tenth of a second of noise again and again; other seeds, other noise."""
    noise = np.random.default_rng(list(seeds.values())).standard_normal(4410, dtype=np.float32)
    return np.resize(noise * np.float32(0.1), round(duration_s * sample_rate_hz))


def _at_another_level(
    wave: npt.NDArray[np.float32], *, rng: np.random.Generator, **_: object
) -> npt.NDArray[np.float32]:
    return wave * np.float32(rng.uniform(0.5, 1.0))


def write_hissing(name: str, root: Path) -> Path:
    """The smallest set of a layout, as `write_synthetic` writes it, without the sounds of scenes and devices."""
    with pytest.MonkeyPatch.context() as patch:
        for module, function in _MAKE.items():
            patch.setattr(f"asc_bench.synthetic.{module}.{function}", hiss)
            if module != "esc_sets":
                patch.setattr(f"asc_bench.synthetic.{module}.apply_device", _at_another_level)
        return write_synthetic(name, root, size="tiny", n_jobs=1)


def hissing_source(name: str, cache: Path) -> Source:
    """Where `write_hissing` has written the set of a layout already."""
    write_hissing(name, cache / "synthetic" / "tiny")
    return Source(synthetic=True, synthetic_size="tiny", cache=cache)
