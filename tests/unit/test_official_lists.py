"""Folds held against the official ones: right digests, wrong lists refused, accepted ones kept apart."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from asc_bench.data.layouts import LAYOUTS, FolderLayout
from asc_bench.data.layouts.esc50 import ESC10_CLASSES, GROUP_OF_CLASS, SHARED_SOURCES
from asc_bench.data.manifest import Dataset, Split
from asc_bench.data.official_lists import digests_of, hold_lists, known_digests, part_digest
from asc_bench.errors import ConfigError, DataError
from asc_bench.protocol import Fold
from asc_bench.reporting.setting import Setting
from asc_bench.runs.store import ResultsStore
from asc_bench.stored_results import stored_results
from asc_bench.synthetic import write_synthetic
from tests.unit.cheap_sounds import write_hissing
from tests.unit.layout_factory import esc50_row, write_esc50, write_tut, write_wav
from tests.unit.made_runs import made_bench, publish, specs_of
from tests.unit.merged_factory import write_tut_2017

TUT = LAYOUTS["tut-urban-2018-mobile"]


def quiet(fraction: float, message: str) -> None:
    pass


def test_the_digest_is_that_of_the_sorted_rows() -> None:
    rows = [("b.wav", "bus"), ("a.wav", "park")]
    by_hand = hashlib.sha256(b"a.wav\tpark\nb.wav\tbus\n").hexdigest()
    assert part_digest(rows) == part_digest(reversed(rows)) == by_hand
    assert part_digest([("b.wav", "park"), ("a.wav", "bus")]) != by_hand


def test_order_line_ends_and_a_byte_order_mark_make_no_difference(tmp_path: Path) -> None:
    folder = write_tut(tmp_path, year=2018, audio=False)
    before = TUT.read(folder)
    for path in (folder / "evaluation_setup").glob("*.txt"):
        lines = path.read_text().splitlines()
        path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(reversed(lines)).encode())
    after = TUT.read(folder)
    assert after.splits != before.splits
    assert digests_of(after.clips, after.splits) == digests_of(before.clips, before.splits)


def table() -> list[dict[str, str]]:
    with (files("asc_bench.data.resources") / "split_digests.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_digests_are_of_as_many_clips_as_the_folds_officially_have() -> None:
    rows = table()
    assert len({(r["layout"], r["fold"], r["part"]) for r in rows}) == len(rows)
    assert all(len(r["sha256"]) == 64 and r["source"] for r in rows)
    for row in rows:
        if row["layout"] in LAYOUTS and row["fold"] != "evaluation":
            part = LAYOUTS[row["layout"]].counts.folds[row["fold"]][row["part"]]
            assert int(row["clips"]) == sum(part.values())
    assert known_digests("tut-urban-2018-mobile") == {}


def swap(folder: Path, first: str, second: str) -> None:
    """Exchange two clips between train and test in all three lists of 2018."""
    mark = "\0"
    for path in (folder / "evaluation_setup").glob("fold1_*.txt"):
        text = path.read_text()
        path.write_text(text.replace(first, mark).replace(second, first).replace(mark, second))


def test_a_location_on_both_sides_is_refused(tmp_path: Path) -> None:
    folder = write_tut(tmp_path, year=2018, audio=False)
    assert TUT.read(folder).lists == "list digest unknown; no location on two sides"
    swap(folder, "bus-barcelona-10-0-a", "bus-barcelona-13-6-a")
    dataset = TUT.read(folder)
    told = "fold1: 2 locations in train and in test, such as barcelona-10, barcelona-13"
    assert told in dataset.split_faults
    with pytest.raises(
        DataError, match=f"tut-urban-2018-mobile: the lists in .* official ones:\n  {told}\nRestore"
    ):
        hold_lists(dataset, unofficial=False)
    accepted = hold_lists(dataset, unofficial=True)
    assert accepted.unofficial_split
    assert accepted.shortfalls == tuple(s for s in dataset.shortfalls if not s.startswith("fold1 t"))
    assert len(accepted.caveats) == 1
    assert told in accepted.caveats[0]
    assert accepted.caveats[0].startswith("Unofficial split: ")


def test_wrong_counts_alone_are_incompleteness(tmp_path: Path) -> None:
    dataset = TUT.read(write_tut(tmp_path, year=2018, audio=False))
    assert dataset.split_faults
    assert hold_lists(dataset, unofficial=False) is dataset


def official_esc50() -> list[str]:
    """As many rows as the official list has, with the four sources that are in two folds."""
    crossing = {(fold, 0, 0): source for fold, source in zip((1, 2, 3, 4), sorted(SHARED_SOURCES), strict=True)}
    crossing |= {(fold + 1, 1, 0): source for (fold, _, _), source in crossing.items()}
    return [
        esc50_row(
            fold=fold,
            source=int(crossing.get((fold, target, i), 10_000 * fold + 100 * target + i)),
            take="A",
            target=target,
            category=name,
            esc10=name in ESC10_CLASSES,
        )
        for target, name in enumerate(GROUP_OF_CLASS)
        for fold in range(1, 6)
        for i in range(8)
    ]


def test_the_sources_that_esc50_itself_divides_are_no_fault_and_others_are(tmp_path: Path) -> None:
    lines = official_esc50()
    dataset = LAYOUTS["esc-50"].read(write_esc50(tmp_path / "as published", lines, audio=False))
    # The names are made up, so the digests must differ, and nothing else may.
    parts = ", ".join(f"fold{i} test" for i in range(1, 6))
    assert dataset.split_faults == (f"{parts}: other clips or labels than in the official ones, by their sha256",)
    lines[1] = esc50_row(fold=1, source=20_000, take="A", target=0, category="dog", esc10=True)
    lines[8] = esc50_row(fold=2, source=20_000, take="B", target=0, category="dog", esc10=True)
    crossed = LAYOUTS["esc-50"].read(write_esc50(tmp_path / "crossed", lines, audio=False))
    assert "fold1: 1 source recording in train and in test, such as 20000" in crossed.split_faults


def test_clips_in_another_fold_than_their_name_says_are_counted(tmp_path: Path) -> None:
    lines = official_esc50()
    lines[2] = lines[2].replace(".wav,1,", ".wav,3,")
    lines[18] = lines[18].replace(".wav,3,", ".wav,1,")
    dataset = LAYOUTS["esc-50"].read(write_esc50(tmp_path, lines, audio=False))
    told = "2 of 2000 clips are in another part than in the official ones, such as 1-10002-A-0"
    assert dataset.split_faults == (told,)
    with pytest.raises(DataError, match=told):
        hold_lists(dataset, unofficial=False)


def test_whether_tut_2017_keeps_places_together_is_not_asserted(tmp_path: Path) -> None:
    folder = write_tut_2017(tmp_path)
    dataset = LAYOUTS["tut-2017-development"].read(folder)
    train, test = dataset.splits[0].train, dataset.splits[0].test
    places = dataset.clips.set_index("clip_id")["location"]
    assert not set(places[list(train)]) & set(places[list(test)])
    scene = dict(zip(dataset.clips["clip_id"], dataset.clips["scene"], strict=True))
    out = next(c for c in train if places.value_counts()[places[c]] > 1)
    into = next(c for c in test if scene[c] == scene[out])
    for path in (folder / "evaluation_setup").glob("fold1_*.txt"):
        text = path.read_text()
        path.write_text(text.replace(out, "\0").replace(into, out).replace("\0", into))
    moved = LAYOUTS["tut-2017-development"].read(folder)
    assert "in train and in test" in moved.lists
    assert not any("in train and in test" in fault for fault in moved.split_faults)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic dataset of 2018 in a folder whose lists may be spoilt."""
    return write_hissing(TUT.name, tmp_path_factory.mktemp("synthetic"))


def test_a_synthetic_dataset_has_lists_of_its_own(synthetic: Path) -> None:
    own = TUT.read(synthetic)
    assert own.complete
    assert own.split_faults == ()
    assert own.lists == "sha256 of 2 parts as in those of the synthetic dataset; no location on two sides"
    # Whole locations change sides: no leak, equal counts, and still another split.
    clips = own.clips[own.clips["clip_id"].isin({*own.splits[0].train, *own.splits[0].test})]
    kinds = {
        place: (rows["scene"].iloc[0], tuple(sorted(Counter(rows["device"]).items())))
        for place, rows in clips.groupby("location")
    }
    test = set(clips.loc[clips["clip_id"].isin(own.splits[0].test), "location"])
    one, other = next((a, b) for a in kinds for b in kinds if a not in test and b in test and kinds[a] == kinds[b])
    names = {place: list(rows["clip_id"]) for place, rows in clips.groupby("location")}
    before = {path: path.read_text() for path in (synthetic / "evaluation_setup").glob("*.txt")}
    for first, second in zip(
        sorted(names[one], key=lambda n: n[-1]), sorted(names[other], key=lambda n: n[-1]), strict=True
    ):
        swap(synthetic, first, second)
    changed = TUT.read(synthetic)
    for path, text in before.items():
        path.write_text(text)
    assert changed.shortfalls == ()
    own_ones = "those of the synthetic dataset"
    told = f"fold1 train, fold1 test: other clips or labels than in {own_ones}, by their sha256"
    assert changed.split_faults == (told,)
    assert changed.lists == f"not {own_ones}"
    with pytest.raises(DataError, match="are not those that the synthetic dataset was written with"):
        hold_lists(changed, unofficial=False)


def test_one_video_on_both_sides_of_task_4_is_refused(tmp_path: Path) -> None:
    root = write_synthetic("audioset-dcase2017", tmp_path, size="tiny", n_jobs=1)
    layout = LAYOUTS["audioset-dcase2017"]
    dataset = layout.read(root)
    place = dataset.clips.set_index("clip_id")["location"]
    split = dataset.splits[0]
    trained, tested = place[split.train[0]], place[split.test[0]]
    for path in root.glob("**/*testing_set.csv"):
        path.write_text(path.read_text().replace(tested, trained))
    for path in (root / "audio").rglob(f"Y{tested}*.wav"):
        path.rename(path.with_name(path.name.replace(tested, trained)))
    changed = layout.read(root)
    if set(changed.splits[0].train) & set(changed.splits[0].test):
        pytest.fail("the clips must differ, only their video may be the same")
    assert any(
        fault.startswith(f"testing: 1 video in train and in test, such as {trained}")
        for fault in changed.split_faults
    )


def test_a_source_refuses_and_accepts_and_results_are_kept_apart(synthetic: Path, tmp_path: Path) -> None:
    before = {path: path.read_text() for path in (synthetic / "evaluation_setup").glob("*.txt")}
    own = TUT.read(synthetic)
    scene = dict(zip(own.clips["clip_id"], own.clips["scene"] + own.clips["device"], strict=True))
    out = own.splits[0].train[0]
    swap(synthetic, out, next(c for c in own.splits[0].test if scene[c] == scene[out]))
    try:
        source = Source(roots=(synthetic.parent,), cache=tmp_path)
        with pytest.raises(DataError, match="--unofficial-split"):
            source.bench("dcase2018", quiet)
        with pytest.raises(DataError, match="--unofficial-split"):
            source.bench("dcase2018", quiet, audio=False)
        bench = replace(source, unofficial_split=True).bench("dcase2018", quiet)
    finally:
        for path, text in before.items():
            path.write_text(text)
    official = replace(source, unofficial_split=True).bench("dcase2018", quiet)
    assert not official.dataset.unofficial_split, "official lists stay what they are"
    assert bench.tag == f"{official.tag}-unofficial-split"
    assert bench.faults() == ()


def manifest(**more: object) -> dict[str, object]:
    return {
        "protocol": "p",
        "protocol_title": "P",
        "protocol_version": 1,
        "dataset": "d",
        "synthetic": False,
        "budget": "paper",
        "fold": "fold1",
        "repeat": 0,
        "expected": {"fold1": {"": 1}},
        **more,
    }


def test_the_title_says_so_and_no_table_mixes_both() -> None:
    other = manifest(unofficial_split=True, data_caveats=["Unofficial split: because."])
    setting = Setting.of([other])
    assert setting.title == "P: d, unofficial split, paper budget, 1 seed"
    assert setting.caveats == ("Unofficial split: because.",)
    with pytest.raises(Exception, match="different unofficial_split cannot share a table"):
        Setting.of([manifest(), other])
    both = Setting.together([Setting.of([manifest()]), setting])
    assert both.title.startswith("P and P: d, unofficial split")
    assert both.caveats == ("Unofficial split: because.",)


@pytest.mark.parametrize("flag", ["unofficial_split", "unofficial_files"])
def test_stored_runs_on_other_data_than_the_official_are_found_only_when_asked_for(
    tmp_path: Path, flag: str
) -> None:
    made = made_bench()
    other = replace(made, dataset=replace(made.dataset, caveats=("Because.",), **{flag: True}))
    store = ResultsStore(tmp_path)
    (spec,) = specs_of(other, "logmel-svm")
    publish(store, other, spec)
    with pytest.raises(ConfigError, match="holds no run of dcase2018 at budget paper on real data for"):
        stored_results(tmp_path, "dcase2018", budget="paper")
    publish(store, made, specs_of(made, "logmel-svm")[0])
    (official,) = stored_results(tmp_path, "dcase2018", budget="paper")
    ((tag, found),) = stored_results(tmp_path, "dcase2018", budget="paper", **{flag: True}).items()
    assert tag == f"{official}-{flag.replace('_', '-')}"
    assert found.folder == tmp_path / "tables" / tag / "paper" / "stored"
    assert f", {flag.replace('_', ' ')}, paper budget" in found.table()


def test_a_protocol_may_not_put_a_location_on_both_sides_unless_it_says_so() -> None:
    made = made_bench()
    table = made.clips
    first, *rest = table["clip_id"][table["location"] == table["location"].iloc[0]]
    others = [c for c in table["clip_id"] if c not in {first, *rest}]

    class Crossing(type(made.protocol)):  # type: ignore[misc]
        def folds(self, dataset: Dataset) -> Sequence[Fold]:
            return [Fold("fold1", (first, *others[:5]), (), tuple(rest))]

        def clips(self, dataset: Dataset) -> pd.DataFrame:
            return dataset.clips

    with pytest.raises(DataError, match="fold1: 1 locations have clips for testing and for training"):
        Bench.of(Crossing(), made.dataset)
    for accepted in (
        replace(made.dataset, official=False),
        replace(made.dataset, unofficial_split=True),
        replace(made.dataset, shared_locations=frozenset(table["location"])),
    ):
        Bench.of(Crossing(), accepted)
    Crossing.keeps_locations = False
    Bench.of(Crossing(), made.dataset)


def test_a_folder_of_ones_own_is_told_and_not_refused(tmp_path: Path) -> None:
    rows = ["file,scene,site,part"]
    for i in range(8):
        write_wav(tmp_path / f"{i}.wav", duration_s=0.2, seed=i)
        rows.append(f"{i}.wav,{'ab'[i % 2]},site{i // 2},{'test' if i in (5, 6, 7) else 'train'}")
    (tmp_path / "meta.csv").write_text("\n".join(rows) + "\n")
    layout = FolderLayout(tmp_path, csv="meta.csv", label="scene", location="site", fold="part")
    assert layout.read(tmp_path).caveats == (
        "split: 1 locations have clips both in training and in test, such as site2, which raises scores.",
    )


def test_the_real_esc10_is_the_official_one() -> None:
    from tests.real_data import real_esc10

    dataset = LAYOUTS["esc-10"].read(real_esc10())
    assert dataset.split_faults == ()
    assert dataset.lists == "sha256 of 5 parts as in the official ones; no source recording on two sides"
    names = {path.name for path in dataset.root.glob("*/1-*.ogg")}
    labels = dict(zip(dataset.clips["path"].str.rpartition("/")[2], dataset.clips["scene"], strict=True))
    text = "".join(sorted(f"{name}\t{labels[name]}\n" for name in names))
    assert known_digests("esc-10")["fold1", "test"] == hashlib.sha256(text.encode()).hexdigest()
    one, other = (next(c for c in dataset.splits[i].test if c.endswith("A")) for i in (0, 1))
    moved = tuple(
        Split(s.name, tuple(map(swapped(one, other), s.train)), tuple(map(swapped(one, other), s.test)))
        for s in dataset.splits
    )
    assert digests_of(dataset.clips, moved) != digests_of(dataset.clips, dataset.splits)


def swapped(one: str, other: str):
    return lambda clip: {one: other, other: one}.get(clip, clip)
