"""Synthetic datasets on disk: read by the layouts, the same bytes every time, written safely."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from asc_bench.bench.source import Source
from asc_bench.data.computed import Contents, run_jobs
from asc_bench.data.encode import ogg_bytes, with_serial
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.counts import SYNTHETIC_MARKER
from asc_bench.data.layouts.esc10 import CLASS_OF_FOLDER
from asc_bench.data.layouts.esc50 import ESC10_CLASSES, GROUP_OF_CLASS
from asc_bench.errors import ConfigError, StoreError
from asc_bench.synthetic import sizes, write_synthetic
from asc_bench.synthetic.dataset import plan_dataset
from asc_bench.synthetic.esc_sets import esc_counts, plan_esc
from asc_bench.synthetic.mobile import Instant, mobile_counts, plan_mobile
from asc_bench.synthetic.recipes import esc_classes
from tests.unit.cheap_sounds import write_hissing

TUT, TAU = "tut-urban-2018-mobile", "tau-urban-2019-mobile"
LAYOUT_NAMES = (TUT, TAU, "esc-50", "esc-10")


@pytest.fixture(scope="module")
def root(tiny: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny datasets in all four layouts; two of them with cheap sounds, for time."""
    folder = tmp_path_factory.mktemp("synthetic")
    for name in (TUT, "esc-10"):
        written = tiny.dataset((name,), lambda fraction, text: None).root
        (folder / written.name).symlink_to(written)
    for name in (TAU, "esc-50"):
        write_hissing(name, folder)
    return folder


def _folder(root: Path, name: str) -> Path:
    return root / LAYOUTS[name].folders[0]


@pytest.mark.parametrize("name", LAYOUT_NAMES)
def test_the_layout_reads_its_synthetic_dataset_as_complete(root: Path, name: str) -> None:
    dataset = LAYOUTS[name].read(_folder(root, name))
    assert dataset.synthetic
    assert dataset.complete, (dataset.missing, dataset.shortfalls)
    assert set(dataset.clips["scene"]) == set(LAYOUTS[name].scenes)
    location = dict(zip(dataset.clips["clip_id"], dataset.clips["location"], strict=True))
    for split in dataset.splits:
        assert not {location[c] for c in split.train} & {location[c] for c in split.test}


@pytest.mark.parametrize("name", [TUT, TAU])
def test_even_tiny_has_every_scene_and_device_to_train_validate_and_test(root: Path, name: str) -> None:
    dataset = LAYOUTS[name].read(_folder(root, name))
    clips = dataset.clips.set_index("clip_id")
    (split,) = dataset.splits
    for ids, least in ((split.train, 3), (split.test, 1)):
        spots = clips.loc[list(ids)].groupby(["scene", "device"])["location"].nunique()
        assert len(spots) == 30
        assert spots.min() >= least


@pytest.mark.parametrize(
    ("name", "subtype", "seconds"), [(TUT, "PCM_24", 10.0), (TAU, "PCM_24", 10.0), ("esc-50", "PCM_16", 5.0)]
)
def test_audio_has_the_official_format(root: Path, name: str, subtype: str, seconds: float) -> None:
    for path in sorted(_folder(root, name).rglob("*.wav"))[::17]:
        facts = soundfile.info(path)
        assert (facts.format, facts.subtype, facts.samplerate, facts.channels) == ("WAV", subtype, 44100, 1)
        assert facts.frames == seconds * 44100


def test_ogg_files_decode_to_five_seconds(root: Path) -> None:
    paths = sorted(_folder(root, "esc-10").rglob("*.ogg"))
    assert len(paths) == 100
    for path in paths[::11]:
        wave, rate_hz = soundfile.read(path)
        assert rate_hz == 44100
        assert wave.shape == (5 * 44100,)
        assert np.std(wave) > 0


def test_lists_are_in_the_official_format(root: Path) -> None:
    tut, tau, esc = (_folder(root, name) for name in (TUT, TAU, "esc-50"))
    for folder in (tut, tau):
        lines = (folder / "meta.csv").read_text().splitlines()
        assert lines[0] == "filename\tscene_label\tidentifier\tsource_label"
        name, scene, identifier, device = lines[1].split("\t")
        assert name.startswith(f"audio/{scene}-{identifier}-")
        assert name.endswith(f"-{device}.wav")
    evaluation = tut / "evaluation_setup"
    assert "filename" not in (evaluation / "fold1_train.txt").read_text()
    assert "\t" not in (evaluation / "fold1_test.txt").read_text()
    evaluation = tau / "evaluation_setup"
    for part, head in (
        ("train", "filename\tscene_label"),
        ("evaluate", "filename\tscene_label"),
        ("test", "filename"),
    ):
        assert (evaluation / f"fold1_{part}.csv").read_text().splitlines()[0] == head
    lines = (esc / "meta" / "esc50.csv").read_text().splitlines()
    assert lines[0] == "filename,fold,target,category,esc10,src_file,take"
    assert lines[1].split(",")[2:5] == ["0", "dog", "True"]


@pytest.mark.parametrize("name", LAYOUT_NAMES)
def test_the_folder_says_that_it_is_synthetic(root: Path, name: str) -> None:
    folder = _folder(root, name)
    assert "SYNTHETIC" in (folder / "README.md").read_text().splitlines()[0]
    marker = json.loads((folder / "asc-bench-synthetic.json").read_text())
    assert {k: marker[k] for k in ("layout", "size", "seed")} == {"layout": name, "size": "tiny", "seed": 0}
    assert not list(folder.rglob("*.unfinished"))


@pytest.mark.parametrize("name", [TUT, "esc-10"])
def test_bytes_do_not_depend_on_the_number_of_processes(root: Path, name: str, tmp_path: Path) -> None:
    plan = plan_dataset(name, size="tiny", seed=0)
    for n_jobs in (1, 2):
        place = tmp_path / str(n_jobs)
        run_jobs(plan.jobs[-6:], place, n_jobs=n_jobs)
        written = [path for path in place.rglob("*") if path.is_file()]
        assert len(written) >= 6
        for path in written:
            twin = _folder(root, name) / path.relative_to(place)
            assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(twin.read_bytes()).digest()


def test_the_same_instant_is_heard_by_three_devices(root: Path) -> None:
    dataset = LAYOUTS[TUT].read(_folder(root, TUT))
    instant = dataset.clips.loc[dataset.clips["scene"] == "street_traffic"].groupby("recording_id")
    for _, rows in instant:
        waves = {device: soundfile.read(path)[0] for device, path in zip(rows["device"], rows["path"], strict=True)}
        assert sorted(waves) == ["A", "B", "C"]
        for device in "BC":
            correlation = np.corrcoef(waves["A"], waves[device])[0, 1]
            assert 0.3 < correlation < 0.9999


@pytest.mark.parametrize(("name", "parts"), [(TUT, "tut_2018"), (TAU, "tau_2019")])
def test_full_size_has_the_official_counts(name: str, parts: str) -> None:
    instants = plan_mobile(getattr(sizes()["full"], parts))
    official = LAYOUTS[name].counts
    assert mobile_counts(instants) == {"n_clips": official.n_clips, "folds": official.folds}
    per_scene = Counter((i.scene, device.upper()) for i in instants for device in i.devices)
    for (_, device), n in per_scene.items():
        assert n == official.per_scene[device]
    assert len({i.segment for i in instants}) == len(instants)


def test_full_2019_has_the_official_locations_and_keeps_milan_from_training() -> None:
    instants = plan_mobile(sizes()["full"].tau_2019)
    spots = {part: {i.location for i in instants if i.part == part} for part in ("train", "test", "unused")}
    assert {part: len(found) for part, found in spots.items()} == {"train": 325, "test": 149, "unused": 40}
    milan = Counter(i.part for i in instants if i.city == "milan")
    assert milan == {"test": 410, "unused": 1030}
    assert len({i.city for i in instants}) == 10


@pytest.mark.parametrize("size", sizes())
@pytest.mark.parametrize("parts", ["tut_2018", "tau_2019"])
def test_a_location_number_belongs_to_one_scene_city_and_part(size: str, parts: str) -> None:
    instants = plan_mobile(getattr(sizes()[size], parts))
    owner: dict[int, tuple[str, str, str]] = {}
    for instant in instants:
        whose = (instant.scene, instant.city, instant.part)
        assert owner.setdefault(instant.location, whose) == whose


def test_small_keeps_other_devices_rare_in_training() -> None:
    instants = plan_mobile(sizes()["small"].tut_2018)
    counts = Counter((i.part, device) for i in instants for device in i.devices)
    assert {key: n for key, n in counts.items() if key[0] == "test"} == {
        ("test", "a"): 90,
        ("test", "b"): 60,
        ("test", "c"): 60,
    }
    assert counts["train", "b"] <= counts["train", "a"] / 5
    assert 400 <= counts.total() <= 470


def test_esc_counts_and_classes_are_the_official_ones() -> None:
    assert list(esc_classes()) == list(GROUP_OF_CLASS)
    for name, categories in (("esc-50", esc_classes()), ("esc-10", CLASS_OF_FOLDER.values())):
        clips = plan_esc(categories, sizes()["full"].esc_clips)
        official = LAYOUTS[name].counts
        assert esc_counts(clips) == {"n_clips": official.n_clips, "folds": official.folds}
        assert {c.category for c in clips if c.in_esc10} == set(ESC10_CLASSES)


@pytest.mark.parametrize("size", sizes())
def test_an_esc_source_stays_in_one_fold_and_some_have_two_takes(size: str) -> None:
    clips = plan_esc(esc_classes(), sizes()[size].esc_clips)
    assert len({(c.source, c.take) for c in clips}) == len(clips)
    where: dict[int, tuple[int, str]] = {}
    for clip in clips:
        assert where.setdefault(clip.source, (clip.fold, clip.category)) == (clip.fold, clip.category)
    doubled = sum(c.take == "B" for c in clips)
    assert 0 < doubled <= len(clips) / 4


def _rfc3533_checksum(page: bytes) -> int:
    """Bit by bit as RFC 3533 defines it: polynomial 0x04c11db7, start 0, nothing inverted."""
    register = 0
    for byte in page:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
            register &= 0xFFFFFFFF
    return register


def test_an_ogg_stream_gets_its_serial_number_and_stays_valid() -> None:
    wave = (0.1 * np.random.default_rng(0).standard_normal(4410)).astype(np.float32)
    stream = ogg_bytes(wave, sample_rate_hz=44100, serial=0x01020304)
    assert stream == ogg_bytes(wave, sample_rate_hz=44100, serial=0x01020304)
    assert stream[14:18] == bytes([4, 3, 2, 1])
    n_lacing = stream[26]
    end = 27 + n_lacing + sum(stream[27 : 27 + n_lacing])
    page = stream[:22] + bytes(4) + stream[26:end]
    assert int.from_bytes(stream[22:26], "little") == _rfc3533_checksum(page)
    with pytest.raises(ValueError, match="no Ogg page at byte 0"):
        with_serial(b"RIFF" + bytes(40), 1)


def _file_job(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")


class _Job:
    """A job that counts its runs, and fails with ``error`` if it has one."""

    def __init__(self, name: str, error: BaseException | None = None) -> None:
        self.name, self.error, self.runs = name, error, 0

    def __call__(self, folder: Path) -> None:
        if (folder / self.name).exists():
            return
        self.runs += 1
        if self.error is not None:
            raise self.error
        time.sleep(0.05)
        _file_job(folder, self.name)


@pytest.fixture
def plan_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the planner, so that datasets of a few bytes are enough to test the writing."""

    def replace(*jobs: _Job, n_bytes: int = 10) -> None:
        counts = {"n_clips": len(jobs), "folds": {}}
        plan = Contents(jobs, (("meta.csv", "a\n"),), n_bytes, {"counts": counts})
        monkeypatch.setattr("asc_bench.synthetic.dataset.plan_dataset", lambda *a, **k: plan)

    return replace


def test_a_finished_dataset_is_left_alone_and_another_seed_replaces_it(
    plan_of: Callable[..., None], tmp_path: Path
) -> None:
    job = _Job("one.wav")
    plan_of(job)
    told: list[float] = []
    target = write_synthetic(TUT, tmp_path, n_jobs=1, progress=lambda f, m: told.append(f))
    assert write_synthetic(TUT, tmp_path, n_jobs=1) == target
    assert job.runs == 1
    assert told == [1.0]
    (target / "left over").touch()
    write_synthetic(TUT, tmp_path, seed=1, n_jobs=1)
    assert job.runs == 2
    assert json.loads((target / SYNTHETIC_MARKER).read_text())["seed"] == 1
    assert not (target / "left over").exists()
    assert {p.name for p in tmp_path.iterdir()} == {target.name, f".{target.name}.lock"}


def test_an_interrupted_dataset_is_continued(plan_of: Callable[..., None], tmp_path: Path) -> None:
    first, second = _Job("one.wav"), _Job("two.wav", KeyboardInterrupt())
    plan_of(first, second)
    with pytest.raises(KeyboardInterrupt):
        write_synthetic(TUT, tmp_path, n_jobs=1)
    assert not _folder(tmp_path, TUT).exists()
    second.error = None
    target = write_synthetic(TUT, tmp_path, n_jobs=1)
    assert (first.runs, second.runs) == (1, 2)
    assert {p.name for p in target.iterdir()} == {"one.wav", "two.wav", "meta.csv", "README.md", SYNTHETIC_MARKER}


def test_an_interrupted_dataset_of_another_seed_is_thrown_away(
    plan_of: Callable[..., None], tmp_path: Path
) -> None:
    plan_of(_Job("old.wav"), _Job("two.wav", KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_synthetic(TUT, tmp_path, n_jobs=1)
    plan_of(_Job("new.wav"))
    target = write_synthetic(TUT, tmp_path, seed=5, n_jobs=1)
    assert [p.name for p in target.glob("*.wav")] == ["new.wav"]


def test_two_writers_at_once_write_once(plan_of: Callable[..., None], tmp_path: Path) -> None:
    job = _Job("one.wav")
    plan_of(job)
    threads = [
        threading.Thread(target=write_synthetic, args=(TUT, tmp_path), kwargs={"n_jobs": 1}) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert job.runs == 1
    assert (_folder(tmp_path, TUT) / SYNTHETIC_MARKER).exists()


def test_real_data_are_never_overwritten(plan_of: Callable[..., None], tmp_path: Path) -> None:
    plan_of(_Job("one.wav"))
    target = _folder(tmp_path, TUT)
    target.mkdir()
    (target / "meta.csv").write_text("the real one")
    with pytest.raises(StoreError, match="exists and is not a synthetic dataset"):
        write_synthetic(TUT, tmp_path, n_jobs=1)
    assert (target / "meta.csv").read_text() == "the real one"


def test_too_little_room_is_told_before_anything_is_written(
    plan_of: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _Job("one.wav")
    plan_of(job, n_bytes=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=400))
    with pytest.raises(StoreError, match="needs 1,000 bytes and 400 are free"):
        write_synthetic(TUT, tmp_path, n_jobs=1)
    assert job.runs == 0


def test_a_disk_that_fills_up_gives_an_error_with_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match=r"audio.*\.wav cannot be written \(No space left on device\)"):
        write_synthetic("esc-50", tmp_path, size="tiny", n_jobs=1)


def test_a_root_that_is_a_file_is_named(plan_of: Callable[..., None], tmp_path: Path) -> None:
    plan_of(_Job("one.wav"))
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        write_synthetic(TUT, tmp_path / "file", n_jobs=1)


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no synthetic dataset for 'litis'; there are: tut-urban-2018-mobile"):
        write_synthetic("litis", tmp_path)
    with pytest.raises(ConfigError, match="synthetic size 'huge' is not one of tiny, small, medium, full"):
        write_synthetic(TUT, tmp_path, size="huge")
    with pytest.raises(ConfigError, match="seed -1"):
        write_synthetic(TUT, tmp_path, seed=-1)


def test_a_file_name_follows_the_official_grammar() -> None:
    instant = Instant("train", "street_pedestrian", "london", 263, 7978, ("a",))
    assert instant.file_name("a") == "audio/street_pedestrian-london-263-7978-a.wav"


def test_one_core_makes_more_than_ten_clips_in_a_second_of_its_time(tmp_path: Path) -> None:
    warm_up, *jobs = plan_dataset(TUT, size="small", seed=0).jobs[::8]
    warm_up(tmp_path / "warm-up")
    began = time.process_time()
    for job in jobs:
        job(tmp_path)
    n_clips = len(list((tmp_path / "audio").glob("*.wav")))
    assert n_clips / (time.process_time() - began) > 10


@pytest.mark.slow
def test_faster_than_twenty_clips_per_second_on_two_cores(tmp_path: Path) -> None:
    began = time.monotonic()
    target = write_synthetic(TUT, tmp_path, size="small", n_jobs=2)
    rate = len(list((target / "audio").glob("*.wav"))) / (time.monotonic() - began)
    print(f"{rate:.1f} clips of ten seconds per second")
    assert rate > 20
