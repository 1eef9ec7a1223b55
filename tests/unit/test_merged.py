"""The protocol ``merged`` on small sets in the official layouts: mapping, division, sources, keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from asc_bench.protocols.merged import SOURCES, Merged, mapped

from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from asc_bench.budget import Budget
from asc_bench.data.joined import join_datasets
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.manifest import Dataset
from asc_bench.data.taxonomy import taxonomy
from asc_bench.errors import ConfigError, DataError
from asc_bench.runs.plan import plan
from asc_bench.runs.variant import parse_variants
from tests.unit.layout_factory import write_esc50
from tests.unit.merged_factory import write_dares, write_litis, write_tut_2017
from tests.unit.test_protocols import esc50_lines


def silent(fraction: float, message: str) -> None:
    pass


def joined(root: Path, sources: tuple[str, ...] = tuple(SOURCES)) -> Dataset:
    """All four sets without audio, as if every file had been indexed."""
    rows = [("audio/1.wav", "beach", "a100"), ("audio/2.wav", "tram", "o100"), ("audio/3.wav", "tram", "o101")]
    write_litis(root, duration_s=0)
    write_tut_2017(root, audio=False)
    write_tut_2017(root, "evaluation", rows=rows, audio=False)
    write_dares(
        root, [(f"{i}.wav", label, f"g{i}") for i, label in enumerate(["kitchen"] * 3 + ["beach"] * 3)], audio=False
    )
    write_esc50(root, esc50_lines(), audio=False)
    parts = {}
    for source in sources:
        for name in SOURCES[source]:
            found = LAYOUTS[name].read(root / LAYOUTS[name].folders[0])
            digests = {path: f"{name}-{i}" for i, path in enumerate(found.clips["path"])}
            parts.setdefault(source, []).append(replace(found, file_digests=digests, missing=(), shortfalls=()))
    return join_datasets(parts, duration_s=Merged.clip_duration_s)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return joined(tmp_path_factory.mktemp("four"))


def test_labels_are_those_of_the_taxonomy() -> None:
    labels = Merged.labels
    assert (len(labels.fine), len(labels.coarse)) == (70, 8)
    table = taxonomy()
    for fine, coarse in zip(table["fine_label"], table["coarse_label"], strict=True):
        assert labels.coarse[labels.coarse_of[labels.fine.index(fine)]] == coarse


def test_clips_are_five_seconds_with_merged_labels(whole: Dataset) -> None:
    table = Merged().clips(whole).set_index("clip_id")
    assert set(table["duration_s"]) == {5.0}
    assert table.loc["litis-rouen/busystreet1@25", ["scene", "coarse"]].tolist() == ["busy_street", "Outdoor"]
    assert table.loc["tut-2017/c001_10_20@5", ["scene", "coarse"]].tolist() == ["restaurant", "Public places"]
    assert table.loc["dares-g1/3@55", ["scene", "coarse"]].tolist() == ["beach", "Nature"]
    counts = table.groupby("source").size().to_dict()
    assert counts == {
        "litis-rouen": 7 * 6,
        "tut-2017": (16 + 3) * 2,
        "dares-g1": 6 * 12,
        "esc-50": len(esc50_lines()),
    }
    assert set(table.loc[table["scene"] == "beach", "source"]) >= {"tut-2017", "dares-g1"}


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (
            "dares-g1/0@0",
            r"clip 'dares-g1/0@0': dares_g1_presumed: label 'kichen' is not in the taxonomy; .*'kitchen'",
        ),
        ("litis-rouen/bus1@0", r"clip 'litis-rouen/bus1@0': litis_rouen: label 'kichen' is not in the taxonomy"),
    ],
)
def test_an_unmapped_label_is_an_error(whole: Dataset, clip: str, message: str) -> None:
    wrong = whole.clips.assign(scene=whole.clips["scene"].mask(whole.clips["clip_id"] == clip, "kichen"))
    with pytest.raises(DataError, match=message):
        mapped(wrong)


def test_no_recording_and_no_place_is_on_two_sides(whole: Dataset) -> None:
    (fold,) = Merged().folds(whole)
    table = Merged().clips(whole).set_index("clip_id")
    parts = {name: table.loc[list(getattr(fold, name))] for name in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == len(table), "nothing is lost"
    for column in ("recording_id", "location"):
        for a, b in (("train", "test"), ("train", "validation"), ("validation", "test")):
            assert not set(parts[a][column]) & set(parts[b][column])
    assert set(parts["test"]["source"]) == set(SOURCES)
    share = len(parts["test"]) / len(table)
    assert 0.1 < share < 0.4


def test_the_division_does_not_depend_on_the_order_of_the_clips(whole: Dataset) -> None:
    shuffled = replace(whole, clips=whole.clips.sample(frac=1.0, random_state=5).reset_index(drop=True))
    assert Merged().folds(shuffled) == Merged().folds(whole)


def test_quiet_clips_are_tested_and_not_trained_on(whole: Dataset) -> None:
    (before,) = Merged().folds(whole)
    silenced = {before.train[0], before.validation[0], before.test[0]}
    flag = whole.clips["clip_id"].isin(silenced).map({True: "quiet", False: ""})
    flag[whole.clips["clip_id"] == before.train[1]] = "transient"
    (after,) = Merged().folds(replace(whole, clips=whole.clips.assign(flag=flag)))
    assert (after.train, after.validation) == (before.train[1:], before.validation[1:])
    assert after.test == before.test


def test_a_class_whose_training_clips_are_all_quiet_is_refused(whole: Dataset) -> None:
    (fold,) = Merged().folds(whole)
    table = Merged().clips(whole).set_index("clip_id")
    scene = table.loc[fold.test[0], "scene"]
    quiet = [clip for clip in fold.train if table.loc[clip, "scene"] == scene]
    flag = whole.clips["clip_id"].isin(quiet).map({True: "quiet", False: ""})
    with pytest.raises(DataError, match=f"class '{scene}' is tested, but all its training clips are quiet"):
        Merged().folds(replace(whole, clips=whole.clips.assign(flag=flag)))


def test_measures_by_source_are_only_those_of_the_sources_used() -> None:
    names = [m.name for m in Merged().measures_on(("tut-2017",))]
    assert names[0] == "fine top-1" and "heads agree" in names
    assert "coarse from fine top-3, tut-2017" in names
    assert not any(name.endswith("esc-50") for name in names)
    assert len(Merged.measures) == 7 + 4 * 6


def test_sources_are_a_part_of_tag_and_run_key(whole: Dataset, tmp_path: Path) -> None:
    part = joined(tmp_path, ("tut-2017", "dares-g1"))
    keys, tags = set(), set()
    for dataset in (whole, part, replace(part, synthetic=True), replace(whole, synthetic=True)):
        bench = Bench.of(Merged(), dataset)
        (spec,) = plan(bench, parse_variants("logmel-svm"), budget=Budget.SMOKE)
        keys.add(spec.key)
        tags.add(bench.tag)
    assert len(keys) == 2 and len(tags) == 4
    assert Bench.of(Merged(), part).tag.startswith("merged-tut-2017-dares-g1")


def test_absent_sources_are_named_with_those_that_are_there(tmp_path: Path) -> None:
    write_litis(tmp_path, duration_s=0)
    write_tut_2017(tmp_path, audio=False)
    source = Source(roots=(tmp_path,), cache=tmp_path / "cache")
    with pytest.raises(DataError) as refused:
        source.bench("merged", silent)
    text = str(refused.value)
    assert "not found: tut-2017, dares-g1, esc-50" in text
    assert "TUT Acoustic Scenes 2017, evaluation" in text and "2017, development" not in text
    assert "Leave them out with --sources litis-rouen" in text


def test_unknown_sources(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"merged has no source 'esc50'; did you mean 'esc-50'"):
        Source(cache=tmp_path, sources=("esc50",)).bench("merged", silent)
    with pytest.raises(
        ConfigError, match="esc50 does not join data sets: it has no sources to choose, such as esc-50"
    ):
        Source(cache=tmp_path, sources=("esc-50",)).bench("esc50", silent)


def test_sources_are_joined_in_the_order_of_the_protocol(tmp_path: Path) -> None:
    """Real files in the official layouts, from disk to bench."""
    write_tut_2017(tmp_path)
    write_tut_2017(tmp_path, "evaluation", rows=[("audio/1.wav", "beach", "a100")])
    write_dares(tmp_path, [(f"{i}.wav", "beach", f"g{i}") for i in range(3)])
    source = Source(roots=(tmp_path,), cache=tmp_path / "cache", sources=("dares-g1", "tut-2017"))
    bench = source.bench("merged", silent)
    assert bench.dataset.sources == ("tut-2017", "dares-g1")
    assert len(bench.clips) == 2 * 17 + 12 * 3
    assert set(bench.clips["flag"]) == {""}
    assert any(fault.startswith("dares-g1: in all: 3 clips listed, 123") for fault in bench.faults())
    assert isinstance(bench.clips, pd.DataFrame) and set(bench.expected()) == {"fold1"}
