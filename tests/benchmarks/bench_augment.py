"""Deformed clips per second: CPU time of each family on one core, and features of copies with two workers.

Usage: ``python tests/benchmarks/bench_augment.py [--clips 40]``. Clips are 5 s of noise with a swelling tone,
written as 16-bit WAV for the second part.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import soundfile
from tabulate import tabulate
from threadpoolctl import threadpool_limits

from asc_bench.features.cache import feature_array
from asc_bench.features.deform import FAMILIES, VARIANTS, time_stretch
from asc_bench.features.frontends import FrontEnd, Waveform, caa_net_log_mel

DURATION_S = 5
N_REPEATS = 3
FRONT_ENDS: dict[str, FrontEnd] = {
    "log-mel, 44.1 kHz": caa_net_log_mel(),
    "waveform, 16 kHz": Waveform(sample_rate_hz=16_000),
}


def clip(sample_rate_hz: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Noise with a tone that comes and goes."""
    rng = np.random.default_rng(seed)
    t = np.arange(DURATION_S * sample_rate_hz) / sample_rate_hz
    tone = np.sin(2 * np.pi * 440 * t) * np.sin(np.pi * t / DURATION_S) ** 2
    return np.asarray(0.05 * rng.standard_normal(len(t)) + 0.2 * tone, dtype=np.float32)


def cpu_ms(call: Callable[[], object]) -> float:
    """CPU time of a call, the best of several: other work on the machine only adds to it."""
    call()
    found = []
    for _ in range(N_REPEATS):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return 1e3 * min(found)


def families(sample_rate_hz: int) -> dict[str, float]:
    """Mean CPU time of each family's variants, and of librosa's phase vocoder, in milliseconds."""
    from librosa import effects

    sound = clip(sample_rate_hz)
    found = {
        family: float(np.mean([cpu_ms(lambda v=v: v(sound, sample_rate_hz=sample_rate_hz)) for v in variants]))
        for family, variants in FAMILIES.items()
    }
    rates = [v.rate for v in FAMILIES["ts"]]
    found["time_stretch"] = float(
        np.mean([cpu_ms(lambda r=r: time_stretch(sound, rate=r, sample_rate_hz=sample_rate_hz)) for r in rates])
    )
    found["librosa"] = float(np.mean([cpu_ms(lambda r=r: effects.time_stretch(sound, rate=r)) for r in rates]))
    return found


def copies_per_s(folder: Path, front_end: FrontEnd, n_clips: int) -> tuple[float, float]:
    """Copies per second of wall time and per second of CPU time, decoded, deformed, transformed and stored."""
    rows = []
    for i in range(n_clips):
        path = folder / f"{i}.wav"
        soundfile.write(path, clip(44_100, seed=i), 44_100)
        variant = list(VARIANTS.values())[i % len(VARIANTS)].seeded(i)
        row = {"clip_id": str(i), "path": str(path), "start_s": 0.0, "duration_s": float(DURATION_S)}
        rows.append(row | {"deformation": variant})
    table = pd.DataFrame(rows)
    digests = {path: path for path in table["path"]}
    feature_array(table.iloc[:20], front_end, file_digests=digests, cache=folder / "warm")
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    feature_array(table, front_end, file_digests=digests, cache=folder / "cold", n_jobs=2)
    return n_clips / (time.perf_counter() - wall_s), n_clips / (time.process_time() - cpu_s)


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=40, help="clips of the second part, all variants in turn")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        at = {rate_hz: families(rate_hz) for rate_hz in (44_100, 16_000)}
    rows = [(name, *(at[rate_hz][name] for rate_hz in at)) for name in next(iter(at.values()))]
    print(tabulate(rows, headers=("ms of CPU for 5 s", *(f"{hz} Hz" for hz in at)), floatfmt=".1f"))
    print()
    speeds = []
    for name, front_end in FRONT_ENDS.items():
        with tempfile.TemporaryDirectory() as folder:
            speeds.append((name, *copies_per_s(Path(folder), front_end, arguments.clips)))
    print(tabulate(speeds, headers=("copies of 5 s", "per s, 2 workers", "per s of CPU"), floatfmt=".0f"))


if __name__ == "__main__":
    main()
