"""The targets of transfer learning as protocols: who is trained, validated and tested on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from asc_bench.protocols.audioset_dcase2017 import AudiosetDcase2017, AudiosetDcase2017Evaluation
from asc_bench.protocols.esc import Esc10
from asc_bench.protocols.esc10_halves import Esc10A, Esc10B
from asc_bench.protocols.greatest_hits import GreatestHits, GreatestHitsByRecording

from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.esc10 import CLASS_OF_FOLDER
from asc_bench.data.layouts.esc50 import ESC10_CLASSES
from asc_bench.data.layouts.greatest_hits import MATERIAL_OF_SCENE
from asc_bench.data.manifest import Dataset, Split, clip_table
from asc_bench.data.tags import joined, separated
from asc_bench.errors import DataError
from asc_bench.protocol import Fold
from tests.unit.layout_factory import write_esc10
from tests.unit.transfer_sets import write_task4


def _table(scenes: list[str], locations: list[str]) -> pd.DataFrame:
    rows = [
        {
            "clip_id": f"clip{i:04d}",
            "path": f"/{i}.wav",
            "start_s": 0.0,
            "duration_s": 10.0,
            "scene": scene,
            "coarse": "",
            "device": "",
            "city": "",
            "location": location,
            "recording_id": f"clip{i:04d}",
        }
        for i, (scene, location) in enumerate(zip(scenes, locations, strict=True))
    ]
    return clip_table(rows)


def _parts(table: pd.DataFrame, fold: Fold, column: str) -> tuple[list[str], list[str], list[str]]:
    of = table.set_index("clip_id")[column]
    return list(of[list(fold.train)]), list(of[list(fold.validation)]), list(of[list(fold.test)])


def test_the_label_spaces() -> None:
    assert len(AudiosetDcase2017.labels.fine) == 17
    assert AudiosetDcase2017.labels.coarse == ("Warning", "Vehicle")
    assert AudiosetDcase2017.labels.coarse_of == (0,) * 9 + (1,) * 8
    assert AudiosetDcase2017.multi_label
    assert AudiosetDcase2017.measures == ()
    assert not GreatestHits.multi_label
    labels = GreatestHits.labels
    assert (len(labels.fine), len(labels.coarse)) == (34, 17)
    assert all(f.rpartition(" ")[0] == labels.coarse[i] for f, i in zip(labels.fine, labels.coarse_of, strict=True))
    assert [(m.name, m.level, m.top_k) for m in GreatestHits.measures] == [
        ("fine top-1", "fine", 1),
        ("fine top-3", "fine", 3),
        ("coarse top-1", "coarse", 1),
        ("coarse top-3", "coarse", 3),
    ]


def test_task_4_validates_about_15_percent_of_each_label_by_whole_videos() -> None:
    warnings, vehicles = AudiosetDcase2017.labels.fine[:9], AudiosetDcase2017.labels.fine[9:]
    # Sixty clips of each warning, half of them with a car; 800 of a car alone. Every other video has two clips.
    scenes = [joined((w, "Car") if i % 2 else (w,)) for w in warnings for i in range(60)] + ["Car"] * 800
    scenes += [v for v in vehicles if v != "Car" for _ in range(60)]
    videos = [f"video{i // 3 * 2 + (i % 3 > 0)}" for i in range(len(scenes))]
    table = _table([*scenes, *["Car|Bus"] * 20], [*videos, *[f"tested{i}" for i in range(20)]])
    ids = tuple(table["clip_id"])
    dataset = Dataset("x", Path("/x"), table, splits=(Split("testing", ids[:-20], ids[-20:]),))
    (fold,) = AudiosetDcase2017().folds(dataset)
    assert fold.name == "testing"
    assert fold.test == ids[-20:]
    assert sorted((*fold.train, *fold.validation)) == sorted(ids[:-20])
    train, validation, _ = _parts(table, fold, "location")
    assert not set(train) & set(validation)
    train, validation, _ = _parts(table, fold, "scene")
    counted = [Counter(label for scene in part for label in separated(scene)) for part in (train, validation)]
    for label in AudiosetDcase2017.labels.fine:
        share = counted[1][label] / (counted[0][label] + counted[1][label])
        assert 0.1 <= share <= 0.2, (label, share)
    assert AudiosetDcase2017().folds(dataset) == [fold]


def test_a_video_on_both_sides_of_task_4_is_refused() -> None:
    table = _table(["Car", "Car", "Bus", "Bus", "Car"], ["a", "b", "c", "d", "a"])
    ids = tuple(table["clip_id"])
    dataset = Dataset("x", Path("/x"), table, splits=(Split("testing", ids[:4], ids[4:]),))
    with pytest.raises(DataError, match="values of location are in"):
        AudiosetDcase2017().folds(dataset)


def test_coarse_labels_of_task_4_are_joined_and_the_evaluation_set_is_another_protocol(tmp_path: Path) -> None:
    with_it = LAYOUTS["audioset-dcase2017"].read(write_task4(tmp_path / "a", evaluation=True))
    without = LAYOUTS["audioset-dcase2017"].read(write_task4(tmp_path / "b"))
    table = AudiosetDcase2017().clips(with_it)
    assert len(table) == 6
    assert dict(zip(table["location"], table["coarse"], strict=True)) == {
        "-0training1": "Warning|Vehicle",
        "Y0training2": "Warning",
        "a_training3": "Vehicle",
        "a0training4": "Warning|Vehicle",
        "-0_testing1": "Warning|Vehicle",
        "Y00testing2": "Vehicle",
    }
    table = AudiosetDcase2017Evaluation().clips(with_it)
    assert table["location"].tolist()[-1] == "evaluation1"
    assert len(table) == 5
    with pytest.raises(DataError, match="has no evaluation set; its lists and its recordings"):
        AudiosetDcase2017Evaluation().clips(without)


@pytest.fixture(scope="module")
def hits() -> Dataset:
    """Twenty recordings, each with every class once and one class five times more."""
    fine = list(MATERIAL_OF_SCENE)
    pairs = [(scene, f"r{i:02d}") for i in range(20) for scene in [*fine, *fine[i % 3 : i % 3 + 1] * 5]]
    table = _table([scene for scene, _ in pairs], [place for _, place in pairs])
    in_test = table["location"] >= "r15"
    split = Split("official", tuple(table["clip_id"][~in_test]), tuple(table["clip_id"][in_test]))
    return Dataset("greatest-hits", Path("/x"), table, splits=(split,))


def test_greatest_hits_is_divided_at_random_in_each_class(hits: Dataset) -> None:
    (fold,) = GreatestHits().folds(hits)
    parts = _parts(hits.clips, fold, "scene")
    assert sum(len(part) for part in parts) == len(hits.clips)
    counted = [Counter(part) for part in parts]
    n_all = Counter(hits.clips["scene"])
    for scene, n in n_all.items():
        assert counted[2][scene] == round(0.2 * n)
        assert counted[1][scene] == pytest.approx(0.15 * 0.8 * n, abs=1)
    places = [set(part) for part in _parts(hits.clips, fold, "location")]
    assert len(places[0] & places[2]) == 20
    assert GreatestHits().folds(hits) == [fold]
    assert set(GreatestHits().clips(hits)["coarse"]) == set(MATERIAL_OF_SCENE.values())


def test_by_recording_keeps_recordings_whole(hits: Dataset) -> None:
    (fold,) = GreatestHitsByRecording().folds(hits)
    train, validation, test = (set(part) for part in _parts(hits.clips, fold, "location"))
    assert test == {f"r{i}" for i in range(15, 20)}
    assert not train & validation
    assert len(train | validation) == 15
    assert 2 <= len(validation) <= 3


def test_the_halves_of_esc_10(tmp_path: Path) -> None:
    assert Esc10A.labels.fine == ("dog", "rain", "crackling_fire", "sneezing", "helicopter")
    assert Esc10B.labels.fine == ("rooster", "sea_waves", "crying_baby", "clock_tick", "chainsaw")
    assert sorted(Esc10A.labels.fine + Esc10B.labels.fine) == sorted(ESC10_CLASSES)
    for half in (Esc10A, Esc10B):
        assert {"animals", "nature", "human", "urban"} <= set(half.labels.coarse)
        assert half.measures == Esc10.measures
        assert half.references == ()
    dataset = LAYOUTS["esc-10"].read(write_esc10(tmp_path, list(CLASS_OF_FOLDER)))
    whole = {fold.name: fold for fold in Esc10().folds(dataset)}
    halves = [{fold.name: fold for fold in half().folds(dataset)} for half in (Esc10A, Esc10B)]
    for name, fold in whole.items():
        for part in ("train", "validation", "test"):
            found = [set(getattr(half[name], part)) for half in halves]
            assert not found[0] & found[1]
            assert found[0] | found[1] == set(getattr(fold, part))
