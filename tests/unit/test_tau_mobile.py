"""TAU Mobile 2020 and 2022: lists as published, their counts and digests, and what is refused."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path

import pytest

from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.counts import WHOLE, cells_of
from asc_bench.data.layouts.tau_mobile import DEVICES, GROUPS, PERCENTAGES, WITHDRAWN, training_list
from asc_bench.data.manifest import Dataset
from asc_bench.data.official_lists import known_digests
from asc_bench.data.resources import archives_of
from asc_bench.errors import DataError
from tests.real_data import real_tau_lists
from tests.unit.layout_factory import tsv
from tests.unit.tau_factory import HEADER, TESTED, labelled, recordings, seconds_of, write_tau

YEARS = (2020, 2022)


def read(folder: Path) -> Dataset:
    year = 2020 if "2020" in folder.name else 2022
    return LAYOUTS[f"tau-{year}-mobile"].read(folder)


def places(folder: Path) -> dict[str, Path]:
    setup = folder / "evaluation_setup"
    fold = {part: setup / f"fold1_{part}.csv" for part in ("train", "evaluate", "test")}
    later = {f"split{p}": folder / f"split{p}.csv" for p in PERCENTAGES}
    return {"meta": folder / "meta.csv", **fold, **later, "test.csv": folder / "test.csv"}


def test_a_clip_of_ten_seconds(tmp_path: Path) -> None:
    dataset = read(write_tau(tmp_path, year=2020))
    clip = dataset.clips.set_index("clip_id").loc["bus-lyon-150-150-s5"]
    assert dict(clip) == {
        "path": str(dataset.root / "audio" / "bus-lyon-150-150-s5.wav"),
        "start_s": 0.0,
        "duration_s": 10.0,
        "scene": "bus",
        "coarse": "",
        "device": "S5",
        "city": "lyon",
        "location": "lyon-150",
        "recording_id": "bus-lyon-150-150",
    }
    parts = recordings()
    (split,) = dataset.splits
    assert [Path(name).stem for name in parts["train"]] == list(split.train)
    assert [Path(name).stem for name in parts["test"]] == list(split.test)


def test_ten_files_of_a_recording_and_its_devices_are_one_observation(tmp_path: Path) -> None:
    dataset = read(write_tau(tmp_path, year=2022))
    clips = dataset.clips.set_index("clip_id")
    clip = clips.loc["bus-lyon-150-150-3-s5"]
    assert (clip["recording_id"], clip["location"]) == ("bus-lyon-150-150", "lyon-150")
    assert (clip["device"], clip["duration_s"]) == ("S5", 1.0)
    assert len(clips[clips["recording_id"] == "bus-lyon-150-150"]) == 10 * len(TESTED)


def test_lists_of_2024_and_2025_are_nested_and_share_the_test_list(tmp_path: Path) -> None:
    dataset = read(write_tau(tmp_path, year=2022))
    assert [split.name for split in dataset.splits] == ["fold1", "split5", "split10", "split25", "split50"]
    whole, *parts = dataset.splits
    for smaller, larger in zip(parts, [*parts[1:], whole], strict=True):
        assert set(smaller.train) < set(larger.train)
        assert smaller.test == whole.test
    assert training_list(dataset, "split25") is dataset.splits[3]


@pytest.mark.parametrize("year", YEARS)
def test_unused_clips_are_in_no_part(tmp_path: Path, year: int) -> None:
    dataset = read(write_tau(tmp_path, year=year))
    used = {clip for split in dataset.splits for clip in (*split.train, *split.test)}
    unused = recordings()["unused"]
    expected = unused if year == 2020 else [name for recording in unused for name in seconds_of(recording)]
    assert {Path(name).stem for name in expected} == set(dataset.clips["clip_id"]) - used


def test_lists_of_2024_lie_beside_the_fold_files_too_and_may_be_absent(tmp_path: Path) -> None:
    folder = write_tau(tmp_path, year=2022)
    before = read(folder)
    for name in ("split5.csv", "split25.csv", "test.csv"):
        (folder / name).rename(folder / "evaluation_setup" / name)
    assert read(folder).splits == before.splits
    (folder / "evaluation_setup" / "split25.csv").unlink()
    dataset = read(folder)
    assert [split.name for split in dataset.splits] == ["fold1", "split5", "split10", "split50"]
    assert not [fault for fault in dataset.shortfalls if "split25" in fault]
    with pytest.raises(DataError, match=r"split25\.csv is missing.*\n.*curl -L -o .*/split25\.csv https://github"):
        training_list(dataset, "split25")


@pytest.mark.parametrize("year", YEARS)
def test_crlf_and_labels_make_no_difference(tmp_path: Path, year: int) -> None:
    folder = write_tau(tmp_path, year=year)
    plain = read(folder)
    for path in places(folder).values():
        if path.exists():
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    lists = places(folder)
    lists["test"].write_bytes(lists["evaluate"].read_bytes())
    assert read(folder).splits == plain.splits
    assert read(folder).clips.equals(plain.clips)


@pytest.mark.parametrize(
    ("part", "old", "new", "message"),
    [
        ("meta", "-0-3-s1.wav\tairport\tlyon-0\ts1", "-0-3-s9.wav\tairport\tlyon-0\ts9", "ends in device 's9'"),
        ("meta", "-0-3-s1.wav\tairport\tlyon-0\ts1", "-0-3-d.wav\tairport\tlyon-0\td", "ends in device 'd'"),
        ("meta", "-0-3-s1.wav", "-0-s1.wav", "not of the form audio/scene-city-location-segment-second-device.wav"),
        ("meta", "-0-3-s1.wav", "-0-13-s1.wav", "not of the form"),
        ("meta", "audio/airport-lyon-0-0-3-b.wav", "audio/x-b.wav", "not of the form"),
        ("train", "audio/airport-lyon-0-0-3-b.wav", "audio/x-b.wav", r"'audio/x-b\.wav' is not in meta\.csv"),
        ("meta", "-0-3-s1.wav", "-0-2-s1.wav", r"'audio/airport-lyon-0-0-2-s1\.wav' stands already in line"),
        ("meta", "audio/airport-lyon-0-0-3-s1.wav\tairport\tlyon-0\ts1\n", "", r"lacks number 3; the official"),
        (
            "train",
            "audio/airport-lyon-0-0-3-s1.wav\tairport\n",
            "",
            r"fold1_train.*'airport-lyon-0-0-s1', this list l",
        ),
        ("train", "-0-3-s1.wav\tairport", "-0-3-s1.wav\tpark", "'park' here and 'airport' in meta.csv"),
        ("split5", "audio/airport-lyon-0-0-3-s1.wav\tairport\n", "", r"split5\.csv.*this list lacks number 3"),
        ("split5", "airport-lyon-0-0-3-s1", "airport-lyon-0-0-2-s1", "stands already in line"),
        ("split5", "\t", ",", "comma separated, but the official list is tab separated"),
        ("test", "audio/bus-lyon-150-150-0-a.wav\n", "", "is not in fold1_test.csv, the unlabelled twin"),
        ("test.csv", "filename\tscene_label", "file\tlabel", "the columns are"),
    ],
)
def test_contradictions(tmp_path: Path, part: str, old: str, new: str, message: str) -> None:
    folder = write_tau(tmp_path, year=2022)
    path = places(folder)[part]
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError, match=message) as error:
        read(folder)
    assert str(folder) in str(error.value)
    assert ", line " in str(error.value)


def test_a_recording_more_than_the_larger_list_has(tmp_path: Path) -> None:
    folder = write_tau(tmp_path, year=2022)
    lists = places(folder)
    alien = labelled(seconds_of("audio/park-lyon-207-207-a.wav")).partition("\n")[2]
    for part, message in (
        ("split5", r"'audio/park-lyon-207-207-0-a\.wav' is not in split10\.csv, which holds this list officially"),
        ("split50", r"is in train and in test"),
        ("test.csv", r"is not in fold1_evaluate\.csv, the same list in the archives"),
    ):
        before = lists[part].read_text()
        recording = "audio/bus-lyon-150-150-s4.wav"
        added = alien if part != "split50" else labelled(seconds_of(recording)).partition("\n")[2]
        lists[part].write_text(before + added)
        with pytest.raises(DataError, match=message):
            read(folder)
        lists[part].write_text(before)


def test_a_repeated_list_that_lacks_a_recording(tmp_path: Path) -> None:
    folder = write_tau(tmp_path, year=2022)
    kept = [name for name in recordings()["train"] if "park-lyon-207-207-s1" not in name]
    (folder / "split100.csv").write_text(labelled(second for name in kept for second in seconds_of(name)))
    with pytest.raises(DataError, match=r"audio/park-lyon-207-207-0-s1\.wav of fold1_train\.csv, .*, is missing"):
        read(folder)


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("part", ["meta", "train"])
@pytest.mark.parametrize("clip", WITHDRAWN)
def test_the_five_clips_of_older_lists_are_named(tmp_path: Path, year: int, part: str, clip: str) -> None:
    folder = write_tau(tmp_path, year=year)
    name = f"audio/{clip}.wav" if year == 2020 else seconds_of(f"audio/{clip}.wav")[4]
    scene, city, location, *_, device = clip.split("-")
    row = (name, scene, f"{city}-{location}", device)
    with places(folder)[part].open("a") as file:
        file.write(tsv([row if part == "meta" else row[:2]]))
    with pytest.raises(DataError, match="is one of five clips that older copies of the lists have") as error:
        read(folder)
    assert all(other in str(error.value) for other in WITHDRAWN)


def test_a_location_on_both_sides_is_a_fault(tmp_path: Path) -> None:
    folder = write_tau(tmp_path, year=2020)
    name = "audio/bus-lyon-100-151-a.wav"
    with places(folder)["meta"].open("a") as file:
        file.write(f"{name}\tbus\tlyon-100\ta\n")
    for part in ("test", "evaluate"):
        with places(folder)[part].open("a") as file:
            file.write(f"{name}\n" if part == "test" else f"{name}\tbus\n")
    faults = read(folder).split_faults
    assert "fold1: 1 location in train and in test, such as lyon-100" in faults


def test_counts_of_every_list_scene_and_device_are_said(tmp_path: Path) -> None:
    faults = read(write_tau(tmp_path, year=2020)).shortfalls
    assert "in all: 183 clips listed, 23035 official" in faults
    assert "fold1 test, device S4: 3 clips listed, 330 official" in faults
    assert "fold1 test, airport, device B: 1 clips listed, 32 official" in faults
    assert "tram, device C: 0 clips listed, 107 official" in faults


def test_groups_of_devices() -> None:
    assert tuple(device for group in GROUPS.values() for device in group) == DEVICES
    assert set(LAYOUTS["tau-2020-mobile"].counts.folds["fold1"]["train"]) == {*GROUPS["real"], *GROUPS["seen"]}


def official_rows(name: str) -> list[list[str]]:
    with (real_tau_lists() / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, delimiter="\t"))[1:]


def in_seconds(rows: list[list[str]]) -> list[list[str]]:
    return [[second, *row[1:]] for row in rows for second in seconds_of(row[0])]


def write_official(root: Path, year: int) -> Path:
    """The official lists in the place of the archives', those of 2022 cut into seconds."""
    folder = root / f"TAU-urban-acoustic-scenes-{year}-mobile-development"
    setup = folder / "evaluation_setup"
    setup.mkdir(parents=True)
    cut = in_seconds if year == 2022 else list
    train, test = (cut(official_rows(f"meta_dcase_2020_{part}.csv")) for part in ("train", "test"))
    (folder / "meta.csv").write_text(tsv(cut(official_rows("meta_dcase_2020_total.csv")), HEADER))
    (setup / "fold1_train.csv").write_text(tsv(train, HEADER[:2]))
    (setup / "fold1_evaluate.csv").write_text(tsv(test, HEADER[:2]))
    (setup / "fold1_test.csv").write_text(tsv([row[:1] for row in test], HEADER[:1]))
    if year == 2022:
        for name in (*(f"split{p}.csv" for p in PERCENTAGES), "test.csv"):
            (folder / name).write_bytes((real_tau_lists() / f"meta_dcase_2024_{name}").read_bytes())
    return folder


@pytest.mark.parametrize("year", YEARS)
def test_official_lists_agree_with_counts_and_digests(tmp_path: Path, year: int) -> None:
    dataset = read(write_official(tmp_path, year))
    assert (dataset.shortfalls, dataset.split_faults) == ((), ())
    n_parts = 2 if year == 2020 else 10
    assert dataset.lists == f"sha256 of {n_parts} parts as in the official ones; no location on two sides"
    assert len(dataset.missing) == {2020: 23_035, 2022: 230_350}[year]
    used = {clip for split in dataset.splits for clip in (*split.train, *split.test)}
    assert len(dataset.clips) - len(used) == {2020: 6_105, 2022: 61_050}[year]


@pytest.mark.parametrize("year", YEARS)
def test_the_table_of_counts_is_that_of_the_lists(year: int) -> None:
    """Clips and locations of every list, scene and device, counted from the rows by file names alone."""
    cut = in_seconds if year == 2022 else list
    lists = {WHOLE: "2020_total", ("fold1", "train"): "2020_train", ("fold1", "test"): "2020_test"}
    rows = {key: cut(official_rows(f"meta_dcase_{name}.csv")) for key, name in lists.items()}
    if year == 2022:
        rows |= {(f"split{p}", "train"): official_rows(f"meta_dcase_2024_split{p}.csv") for p in PERCENTAGES}
        assert Counter(r[0] for r in official_rows("meta_dcase_2024_test.csv")) == Counter(
            r[0] for r in rows["fold1", "test"]
        )
    clips: dict[tuple[str, ...], int] = Counter()
    spots: dict[tuple[str, ...], set[str]] = defaultdict(set)
    digests = {}
    for key, listed in rows.items():
        for name, *_ in listed:
            scene, city, location, *_, device = Path(name).stem.split("-")
            clips[*key, device.upper(), scene] += 1
            spots[*key, device.upper(), scene].add(f"{city}-{location}")
        text = "".join(sorted(f"{Path(r[0]).name}\t{r[1]}\n" for r in listed))
        digests[key] = hashlib.sha256(text.encode()).hexdigest()
    layout = f"tau-{year}-mobile"
    with (files("asc_bench.data.resources") / "list_counts.csv").open(encoding="utf-8") as stream:
        table = {
            (r["fold"], r["part"], r["device"], r["scene"]): (int(r["clips"]), int(r["locations"]))
            for r in csv.DictReader(stream)
            if r["layout"] == layout
        }
    assert table == {key: (n, len(spots[key])) for key, n in clips.items()}
    known = known_digests(layout)
    assert {key: known[key] for key in digests if key != WHOLE} == {
        key: digest for key, digest in digests.items() if key != WHOLE
    }


@pytest.mark.parametrize("year", YEARS)
def test_counts_by_device_are_the_sums_of_those_by_scene(year: int) -> None:
    """And of the table that is stated in the layout, which the specification gives by device."""
    layout = LAYOUTS[f"tau-{year}-mobile"]
    cells = cells_of(layout.name)
    assert sum(cells[WHOLE].values()) == layout.counts.n_clips
    for (fold, part), its in cells.items():
        if fold:
            by_device: dict[str, int] = Counter()
            for (_, device), n in its.items():
                by_device[device] += n
            assert by_device == layout.counts.folds[fold][part]


def test_archives_bring_the_lists_of_2024_with_their_published_digests() -> None:
    found = {a.file: a for a in archives_of(LAYOUTS["tau-2022-mobile"].archives or "")}
    assert {f"split{p}.csv" for p in PERCENTAGES} | {"test.csv"} <= set(found)
    assert all(archive.md5 and archive.n_bytes for archive in found.values())
    for name in (*(f"split{p}.csv" for p in PERCENTAGES),):
        body = (real_tau_lists() / f"meta_dcase_2024_{name}").read_bytes()
        assert (hashlib.md5(body).hexdigest(), len(body)) == (found[name].md5, found[name].n_bytes)
