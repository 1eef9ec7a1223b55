"""Joined data sets: cutting, names, energy flags."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from asc_bench.data import levels
from asc_bench.data.joined import join_datasets
from asc_bench.data.levels import FLOOR_DB, clip_levels, flag_clips, flags_of
from asc_bench.data.manifest import Dataset, clip_table
from asc_bench.errors import DataError

RATE_HZ = 8000


def quiet_progress(fraction: float, message: str) -> None:
    pass


def dataset(root: Path, name: str, durations_s: dict[str, float], **changes: object) -> Dataset:
    rows = [
        {
            "clip_id": clip,
            "path": str(root / name / f"{clip}.wav"),
            "start_s": 0.0,
            "duration_s": duration_s,
            "scene": f"label-{clip}",
            "coarse": "",
            "device": "",
            "city": "",
            "location": f"place-{clip}",
            "recording_id": clip,
        }
        for clip, duration_s in durations_s.items()
    ]
    table = clip_table(rows)
    digests = {path: f"{name}-{i}" for i, path in enumerate(table["path"])}
    return replace(Dataset(name, root / name, table, (), file_digests=digests), **changes)


def test_recordings_are_cut_whole(tmp_path: Path) -> None:
    long, short = dataset(tmp_path, "long", {"x": 30.0, "y": 10.0}), dataset(tmp_path, "short", {"x": 5.0})
    whole = join_datasets({"a": [long], "b": [short]}, duration_s=5.0)
    table = whole.clips
    assert table["clip_id"].tolist() == [*(f"a/x@{s}" for s in range(0, 30, 5)), "a/y@0", "a/y@5", "b/x"]
    assert table["start_s"].tolist() == [0, 5, 10, 15, 20, 25, 0, 5, 0]
    assert set(table["duration_s"]) == {5.0}
    assert table["source"].tolist() == ["a"] * 8 + ["b"]
    assert table["recording_id"].tolist() == ["a/x"] * 6 + ["a/y"] * 2 + ["b/x"]
    assert table["location"].tolist() == ["a/place-x"] * 6 + ["a/place-y"] * 2 + ["b/place-x"]
    assert (whole.name, whole.sources, whole.complete) == ("a+b", ("a", "b"), True)
    assert [part.name for part in whole.parts] == ["long", "short"]


def test_a_remainder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"set: 'x' is 12 s long, not a whole number of clips of 5 s; its end"):
        join_datasets({"a": [dataset(tmp_path, "set", {"x": 12.0})]}, duration_s=5.0)


def test_what_is_missing_in_a_part_is_missing_in_the_whole(tmp_path: Path) -> None:
    part = dataset(tmp_path, "set", {"x": 10.0, "y": 5.0}, missing=("x",), shortfalls=("in all: 2, 3 official",))
    whole = join_datasets({"a": [part], "b": [dataset(tmp_path, "other", {"x": 5.0})]}, duration_s=5.0)
    assert whole.missing == ("a/x@0", "a/x@5")
    assert whole.shortfalls == ("set: in all: 2, 3 official",)
    assert not whole.complete


def test_synthetic_sets_are_not_joined_with_recordings(tmp_path: Path) -> None:
    parts = {"a": [dataset(tmp_path, "set", {"x": 5.0})], "b": [dataset(tmp_path, "t", {"x": 5.0}, synthetic=True)]}
    with pytest.raises(DataError, match=r"synthetic and real recordings cannot be joined; .*set is real"):
        join_datasets(parts, duration_s=5.0)


def test_the_digest_tells_which_sources_were_joined(tmp_path: Path) -> None:
    a, b = dataset(tmp_path, "set", {"x": 5.0}), dataset(tmp_path, "other", {"y": 5.0})
    digests = {
        join_datasets(parts, duration_s=5.0).digest()
        for parts in ({"a": [a]}, {"b": [a]}, {"a": [a], "b": [b]}, {"a": [a, b]})
    }
    assert len(digests) == 4


def test_levels_of_known_signals() -> None:
    """A sine of amplitude A has a mean square of A squared over two."""
    t = np.arange(5 * RATE_HZ) / RATE_HZ
    sine = 0.5 * np.sin(2 * np.pi * 100 * t)
    loudest, share = clip_levels(sine, RATE_HZ)
    assert loudest == pytest.approx(10 * np.log10(0.125), abs=1e-6) and share == 1.0
    assert clip_levels(np.stack([sine, 0 * sine], axis=1), RATE_HZ)[0] == pytest.approx(loudest - 3.0103, abs=1e-3)
    click = np.where((t >= 2.0) & (t < 2.5), sine, 0.0)
    assert clip_levels(click, RATE_HZ) == (pytest.approx(loudest, abs=1e-6), pytest.approx(0.1))
    assert clip_levels(np.zeros(5 * RATE_HZ), RATE_HZ) == (FLOOR_DB, 0.0)
    rest = clip_levels(np.append(sine, np.full(7, 0.5)), RATE_HZ)
    assert rest[1] == 1.0, "samples beyond the last whole frame belong to it"
    with pytest.raises(DataError, match="are less than a frame"):
        clip_levels(np.zeros(10), RATE_HZ)


def test_flags_at_the_thresholds() -> None:
    """Quiet is relative to the clip's own source; transient to the clip itself."""
    levels = pd.DataFrame(
        {
            "loudest_db": [-20.0, -20.0, -59.9, -60.0, -70.0, -70.0, -70.0, FLOOR_DB],
            "active_share": [1.0, 0.49, 0.5, 1.0, 1.0, 1.0, 0.1, 0.0],
        }
    )
    source = pd.Series(["a"] * 4 + ["b"] * 4)
    # The medians are -39.95 and -70.
    assert flags_of(levels, source).tolist() == ["", "transient", "", "", "", "", "transient", "quiet"]
    louder = levels.assign(loudest_db=[-20.0, -20.0, -20.0, -60.0, -70.0, -70.0, -70.0, -109.9])
    assert flags_of(louder, source).tolist()[3] == "quiet"
    assert flags_of(louder, source).tolist()[7] == "transient"


def test_flags_of_files_are_kept_and_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=30 * RATE_HZ)
    noise[25 * RATE_HZ :] = 0.0
    noise[10 * RATE_HZ : 14 * RATE_HZ] *= 1e-3
    (tmp_path / "set").mkdir()
    soundfile.write(tmp_path / "set" / "x.wav", noise, RATE_HZ)
    part = dataset(tmp_path, "set", {"x": 30.0, "absent": 5.0}, missing=("absent",))
    joined = join_datasets({"a": [part]}, duration_s=5.0)
    arguments = {"cache": tmp_path / "cache", "n_jobs": 1, "progress": quiet_progress}
    flagged = flag_clips(joined, **arguments)
    assert flagged.clips["flag"].tolist() == ["", "", "transient", "", "", "quiet", ""]
    assert flagged.clips["clip_id"].tolist() == joined.clips["clip_id"].tolist()
    assert flagged.digest() != joined.digest()
    with monkeypatch.context() as patch:
        patch.setattr(soundfile, "read", lambda *a, **k: pytest.fail("levels were measured again"))
        assert flag_clips(joined, **arguments).clips.equals(flagged.clips)
    (kept,) = (tmp_path / "cache" / "levels").iterdir()
    sound = kept.read_bytes()
    kept.write_bytes(sound[:100])
    assert flag_clips(joined, **arguments).clips.equals(flagged.clips), "a damaged table is measured again"
    measured = pd.read_parquet(io.BytesIO(sound))
    for place in range(len(sound)):
        kept.write_bytes(sound[:place] + bytes([sound[place] ^ 16]) + sound[place + 1 :])
        found = levels._load(kept, len(measured))
        assert found is None or found.equals(measured), f"a flipped bit of byte {place} went unnoticed"
