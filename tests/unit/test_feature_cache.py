"""The feature cache: right values, right key, and never a damaged or half-written entry."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import soundfile

from asc_bench.data.audio import read_audio
from asc_bench.data.manifest import clip_table
from asc_bench.errors import ConfigError, DataError, StoreError, SystemFailure
from asc_bench.features import entry
from asc_bench.features.cache import FeatureArray, feature_array, feature_key_parts
from asc_bench.features.frontends import FrontEnd, LogMel, Waveform

N_CLIPS = 6
RATE_HZ = 8000
LOG_MEL = LogMel(
    sample_rate_hz=RATE_HZ, n_fft=256, window_length=256, hop_length=128, n_mels=8, fmin_hz=0, fmax_hz=4000
)


@dataclass(frozen=True)
class Recordings:
    clips: pd.DataFrame
    digests: Mapping[str, str]
    cache: Path

    def features(self, front_end: FrontEnd = LOG_MEL, *, n_jobs: int = 2) -> FeatureArray:
        return feature_array(self.clips, front_end, file_digests=self.digests, cache=self.cache, n_jobs=n_jobs)

    def expected(self, front_end: FrontEnd = LOG_MEL) -> npt.NDArray[np.float32]:
        """What the cache must hold: each clip read and transformed on its own."""
        columns = zip(self.clips["path"], self.clips["start_s"], self.clips["duration_s"], strict=True)
        waveforms = [
            read_audio(Path(p), sample_rate_hz=front_end.sample_rate_hz, start_s=s, duration_s=d)
            for p, s, d in columns
        ]
        return np.stack([front_end(w) for w in waveforms])

    @property
    def leftovers(self) -> list[str]:
        return sorted(p.name for p in self.cache.rglob("*.partial"))

    @property
    def quarantined(self) -> list[Path]:
        return sorted((self.cache / "quarantine").glob("*"))


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    """Two clips of half a second out of each of three files."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(N_CLIPS // 2):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal((RATE_HZ, 2)), RATE_HZ)
        for start_s in (0.5, 0.0):
            rows.append(
                {
                    "clip_id": f"{number}-{start_s}",
                    "path": str(path),
                    "start_s": start_s,
                    "duration_s": 0.5,
                    "scene": "park",
                    "coarse": "",
                    "device": "a",
                    "city": "",
                    "location": str(number),
                    "recording_id": f"{number}-{start_s}",
                }
            )
    clips = clip_table(rows)
    return Recordings(clips, {p: digest(p) for p in clips["path"].unique()}, tmp_path / "cache")


@dataclass(frozen=True, kw_only=True)
class Counting(Waveform):
    """Counts how often it is called."""

    calls: ClassVar[list[int]] = []

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self.calls.append(len(waveform))
        return super().__call__(waveform)


COUNTING = Counting(sample_rate_hz=RATE_HZ)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """As in a new process: nothing verified yet, nothing counted."""
    entry._digest_of_state.cache_clear()
    Counting.calls.clear()
    yield


@pytest.mark.parametrize("front_end", [LOG_MEL, replace(LOG_MEL, sample_rate_hz=16_000), COUNTING])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_rows_are_the_clips_in_order(recordings: Recordings, front_end: FrontEnd, n_jobs: int) -> None:
    features = recordings.features(front_end, n_jobs=n_jobs)
    assert features.array.dtype == np.float32
    assert features.array.shape == (N_CLIPS, *front_end.shape(0.5))
    np.testing.assert_array_equal(features.array, recordings.expected(front_end))
    assert isinstance(features.array, np.memmap)
    assert not features.array.flags.writeable
    assert recordings.leftovers == []


def test_second_call_computes_nothing(recordings: Recordings) -> None:
    first = recordings.features(COUNTING)
    assert len(Counting.calls) == N_CLIPS
    second = recordings.features(COUNTING)
    assert len(Counting.calls) == N_CLIPS
    assert (first.key, first.folder) == (second.key, second.folder)
    np.testing.assert_array_equal(first.array, second.array)


def test_progress_ends_at_one(recordings: Recordings) -> None:
    seen: list[tuple[float, str]] = []
    feature_array(
        recordings.clips,
        LOG_MEL,
        file_digests=recordings.digests,
        cache=recordings.cache,
        progress=lambda fraction, message: seen.append((fraction, message)),
    )
    assert [fraction for fraction, _ in seen] == pytest.approx(np.arange(1, N_CLIPS + 1) / N_CLIPS)
    assert seen[-1][1] == "features: 6 of 6 clips"


def test_moved_and_relabelled_clips_are_reused(recordings: Recordings, tmp_path: Path) -> None:
    recordings.features(COUNTING)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in recordings.digests:
        shutil.copy(path, elsewhere)
    moved = recordings.clips.assign(
        path=[str(elsewhere / Path(p).name) for p in recordings.clips["path"]], scene="tram", device="b"
    )
    again = feature_array(
        moved,
        COUNTING,
        file_digests={p: digest(p) for p in moved["path"]},
        cache=recordings.cache,
        n_jobs=1,
    )
    assert len(Counting.calls) == N_CLIPS
    np.testing.assert_array_equal(again.array, recordings.expected(COUNTING))


def test_all_that_changes_the_numbers_changes_the_key(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "own_front_end.py"
    lines = [
        "from asc_bench.features.frontends import Waveform",
        "class Own(Waveform):",
        "    def __call__(self, waveform):",
        "        return super().__call__(waveform) * 1",
    ]
    source.write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module("own_front_end")
    del sys.modules["own_front_end"]
    clips, digests = recordings.clips, recordings.digests

    def key(table: pd.DataFrame, front_end: FrontEnd, of: Mapping[str, str] = digests) -> str:
        return json.dumps(feature_key_parts(table, front_end, file_digests=of), sort_keys=True)

    first_path = clips["path"].iloc[0]
    keys = [
        key(clips, LOG_MEL),
        key(clips, replace(LOG_MEL, hop_length=127)),
        key(clips, Waveform(sample_rate_hz=RATE_HZ)),
        key(clips, LOG_MEL, {**digests, first_path: "0" * 64}),
        key(clips.assign(start_s=clips["start_s"] + 1e-3), LOG_MEL),
        key(clips.assign(duration_s=0.25), LOG_MEL),
        key(clips.iloc[::-1], LOG_MEL),
        key(clips.iloc[:-1], LOG_MEL),
    ]
    monkeypatch.setitem(sys.modules, "own_front_end", own)
    keys.append(key(clips, own.Own(sample_rate_hz=RATE_HZ)))
    source.write_text("\n".join([*lines[:-1], lines[-1].replace("* 1", "* 0.5")]))
    own = importlib.reload(own)
    keys.append(key(clips, own.Own(sample_rate_hz=RATE_HZ)))
    assert len(set(keys)) == len(keys)


def flip_a_bit(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 16
    path.write_bytes(content)


def swap(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def change_meta(folder: Path, **fields: object) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, **fields}))


def put_file_for_folder(folder: Path, other: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(HTML)


HTML = b"<!DOCTYPE html><title>502 Bad Gateway</title>"
Fault = Callable[[Path, Path], object]
FAULTS: dict[str, Fault] = {
    "bit of the data flipped": lambda e, o: flip_a_bit(e / "features.npy", -5),
    "bit of the header flipped": lambda e, o: flip_a_bit(e / "features.npy", 30),
    "cut to nothing": lambda e, o: os.truncate(e / "features.npy", 0),
    "cut to half": lambda e, o: os.truncate(e / "features.npy", (e / "features.npy").stat().st_size // 2),
    "data of another entry": lambda e, o: swap(e / "features.npy", o / "features.npy"),
    "folder of another entry": swap,
    "HTML for data": lambda e, o: (e / "features.npy").write_bytes(HTML),
    "data lost": lambda e, o: (e / "features.npy").unlink(),
    "HTML for meta.json": lambda e, o: (e / "meta.json").write_bytes(HTML),
    "meta.json not text": lambda e, o: (e / "meta.json").write_bytes(b"\xff\xfe\x00"),
    "meta.json a list": lambda e, o: (e / "meta.json").write_text("[]"),
    "meta.json cut": lambda e, o: os.truncate(e / "meta.json", 40),
    "meta.json lost": lambda e, o: (e / "meta.json").unlink(),
    "meta.json of another shape": lambda e, o: change_meta(e, shape=[1, 2]),
    "meta.json without digest": lambda e, o: change_meta(e, digest=None),
    "a file for the folder": put_file_for_folder,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damage_is_found_set_aside_and_repaired(
    recordings: Recordings, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    features = recordings.features(COUNTING)
    other = feature_array(
        recordings.clips.iloc[::-1], COUNTING, file_digests=recordings.digests, cache=recordings.cache
    )
    Counting.calls.clear()
    FAULTS[fault](features.folder, other.folder)
    with caplog.at_level(logging.WARNING, logger="asc_bench"):
        repaired = recordings.features(COUNTING)
    assert len(Counting.calls) == N_CLIPS
    np.testing.assert_array_equal(repaired.array, recordings.expected(COUNTING))
    assert [p.name.startswith(features.folder.name) for p in recordings.quarantined] == [True]
    assert str(recordings.quarantined[0]) in caplog.text
    assert "computed again" in caplog.text


def test_damage_that_left_the_time_of_change_alone_is_found_by_the_next_process(
    recordings: Recordings,
) -> None:
    features = recordings.features()
    data = features.folder / "features.npy"
    times = (data.stat().st_atime_ns, data.stat().st_mtime_ns)
    flip_a_bit(data, -1)
    os.utime(data, ns=times)
    entry._digest_of_state.cache_clear()
    np.testing.assert_array_equal(recordings.features().array, recordings.expected())
    assert len(recordings.quarantined) == 1


def test_no_pickle_is_loaded(recordings: Recordings) -> None:
    """Not even from an entry whose digest is right."""
    features = recordings.features()
    np.save(features.folder / "features.npy", np.array([{}], dtype=object), allow_pickle=True)
    change_meta(features.folder, digest=entry.block_digest(features.folder / "features.npy"))
    np.testing.assert_array_equal(recordings.features().array, recordings.expected())
    assert len(recordings.quarantined) == 1


def test_digest_covers_every_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: hashlib over the blocks, here of 64 bytes, the last one short."""
    monkeypatch.setattr(entry, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(entry, "_READ_BYTES", 16)
    content = np.random.default_rng(0).bytes(1000)
    path = tmp_path / "file"
    path.write_bytes(content)
    blocks = [hashlib.sha256(content[i : i + 64]).digest() for i in range(0, 1000, 64)]
    assert entry.block_digest(path) == hashlib.sha256(b"".join(blocks)).hexdigest()


FRAGILE = """
import os, signal
from dataclasses import dataclass
from pathlib import Path
from asc_bench.features.frontends import Waveform

@dataclass(frozen=True, kw_only=True)
class Fragile(Waveform):
    def __call__(self, waveform):
        log = Path(os.environ["CALLS"])
        with log.open("a") as file:
            file.write("x")
        # At least: another thread may have written between this one's writing and its look.
        if 0 < int(os.environ.get("DIE_AT", 0)) <= log.stat().st_size:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(waveform)
"""
SCRIPT = """
import json, resource, sys
from pathlib import Path
import pandas as pd
from asc_bench.features.cache import feature_array
from fragile import Fragile
clips, digests, cache, limit = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
features = feature_array(
    pd.read_json(clips), Fragile(sample_rate_hz=8000), file_digests=json.loads(digests), cache=Path(cache)
)
print(features.folder, float(features.array.sum()))
"""


@pytest.fixture
def other_process(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.Popen[str]]:
    """Compute the features in a process of its own, which dies after ``DIE_AT`` clips."""
    (tmp_path / "fragile.py").write_text(FRAGILE)
    recordings.clips.to_json(tmp_path / "clips.json")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def start(*, limit_bytes: int = 0, **environment: str) -> subprocess.Popen[str]:
        arguments = [tmp_path / "clips.json", json.dumps(recordings.digests), recordings.cache, limit_bytes]
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *map(str, arguments)],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def test_a_killed_process_leaves_nothing_that_is_trusted(
    recordings: Recordings, other_process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    killed = other_process(DIE_AT="4")
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    assert len(recordings.leftovers) == 1
    recordings.features(LOG_MEL)
    assert recordings.leftovers == [], "an entry of other features cleans up, too"
    (tmp_path / "calls").unlink()
    finished = other_process()
    _, errors = finished.communicate(timeout=60)
    assert finished.returncode == 0, errors
    assert (tmp_path / "calls").read_text() == "x" * N_CLIPS


def test_two_processes_compute_once(other_process: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    both = [other_process(), other_process()]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert (tmp_path / "calls").read_text() == "x" * N_CLIPS


def test_a_write_that_fails_names_the_path_and_the_bytes(
    recordings: Recordings, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    process = other_process(limit_bytes=40_000)
    _, errors = process.communicate(timeout=60)
    n_bytes = N_CLIPS * 4000 * 4
    assert process.returncode == 1
    assert f"StoreError: {recordings.cache}" in errors
    assert "features.npy cannot be written (File too large)" in errors
    assert f"{n_bytes:,} bytes were needed" in errors
    assert recordings.leftovers == []


def test_a_full_disk_is_noticed_before_anything_is_computed(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6 - 5, 5))
    with pytest.raises(StoreError, match=r"feature cache needs 96,000 bytes and 5 are free"):
        recordings.features(COUNTING)
    assert Counting.calls == []
    assert recordings.leftovers == []


def test_an_unusable_cache_folder_is_named(recordings: Recordings) -> None:
    recordings.cache.write_text("a file")
    with pytest.raises(StoreError, match=r"cache.*cannot be written"):
        recordings.features()


def test_interrupted_work_is_done_again(recordings: Recordings) -> None:
    def interrupt(fraction: float, message: str) -> None:
        if fraction > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feature_array(
            recordings.clips,
            COUNTING,
            file_digests=recordings.digests,
            cache=recordings.cache,
            progress=interrupt,
        )
    assert recordings.leftovers == []
    np.testing.assert_array_equal(recordings.features(COUNTING).array, recordings.expected(COUNTING))


@dataclass(frozen=True, kw_only=True)
class Wrong(Waveform):
    """Breaks its word in the way asked for."""

    way: str

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self.way == "shape":
            return waveform[1:]
        return waveform * np.float32(np.nan) if self.way == "nan" else waveform.astype(np.float64)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (
            "shape",
            r"\.wav \(clip '.*'\): Wrong announced .* shape \(4000,\) and gave float32 of shape \(3999,\)",
        ),
        ("dtype", r"gave float64 of shape \(4000,\)"),
        ("nan", r"4000 values not finite"),
    ],
)
def test_a_front_end_that_breaks_its_word_is_refused(recordings: Recordings, way: str, message: str) -> None:
    with pytest.raises(SystemFailure, match=message):
        recordings.features(Wrong(sample_rate_hz=RATE_HZ, way=way))
    assert recordings.leftovers == []


def test_clips_of_different_length_are_refused(recordings: Recordings) -> None:
    clips = recordings.clips.copy()
    clips.loc[3, "duration_s"] = 0.4
    with pytest.raises(DataError, match=r"'0-0.5' has 0.5 s, '1-0.0' has 0.4 s"):
        feature_array(clips, LOG_MEL, file_digests=recordings.digests, cache=recordings.cache)


def test_other_bad_requests_are_refused(recordings: Recordings) -> None:
    clips, digests, cache = recordings.clips, recordings.digests, recordings.cache
    with pytest.raises(DataError, match=r"0\.wav was not indexed"):
        feature_array(clips, LOG_MEL, file_digests={}, cache=cache)
    with pytest.raises(DataError, match="no clip to compute features of"):
        feature_array(clips.iloc[:0], LOG_MEL, file_digests=digests, cache=cache)
    with pytest.raises(ConfigError, match="n_jobs is 0"):
        feature_array(clips, LOG_MEL, file_digests=digests, cache=cache, n_jobs=0)
    with pytest.raises(DataError, match=r"clips of 0.5 s do not suit LogMel: too short: 4000 samples"):
        recordings.features(replace(LOG_MEL, n_fft=8192, window_length=8192))


def test_a_file_that_broke_after_indexing_is_named(recordings: Recordings) -> None:
    broken = Path(recordings.clips["path"].iloc[-1])
    broken.write_bytes(b"")
    with pytest.raises(DataError, match=str(broken)):
        recordings.features()
    assert recordings.leftovers == []
