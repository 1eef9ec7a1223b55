"""Binaural clips as four waveforms: reading, rows, training examples, one averaged prediction, copies, keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from asc_bench.api import Card, Clips, Context, LabelledClips, System, Waveform
from asc_bench.bench.augmentation import Augmentation, expanded, with_copies
from asc_bench.bench.bench import Bench
from asc_bench.bench.examples import labelled, unlabelled
from asc_bench.bench.source import Source
from asc_bench.bench.waveforms import averaged, waveform_rows, waveform_table
from asc_bench.clips import Features
from asc_bench.data.views import VIEWS, read_view, view_of
from asc_bench.errors import ConfigError, DataError
from asc_bench.features.cache import feature_array, feature_key_parts
from asc_bench.protocol import Fold
from tests.unit.layout_factory import RATE_HZ
from tests.unit.merged_factory import write_dares, write_litis, write_tut_2017

TABLE = pd.DataFrame(
    {
        "clip_id": ["a", "b", "c"],
        "path": ["a.wav", "b.wav", "c.wav"],
        "start_s": 0.0,
        "duration_s": 5.0,
        "views": ["left right sum difference", "", "left right sum difference"],
    }
)


def silent(fraction: float, message: str) -> None:
    pass


def test_four_waveforms_by_hand() -> None:
    samples = np.array([[0.5, 0.25], [-1.0, 1.0]], dtype=np.float32)
    expected = {"left": [0.5, -1.0], "right": [0.25, 1.0], "sum": [0.375, 0.0], "difference": [0.125, -1.0]}
    assert {view: view_of(samples, view).tolist() for view in VIEWS} == expected
    with pytest.raises(ConfigError, match=r"no view 'middle' of a binaural recording, only left, right"):
        view_of(samples, "middle")


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 16000])
def test_a_view_is_read_and_resampled(tmp_path: Path, rate_hz: int) -> None:
    stereo = np.random.default_rng(0).normal(scale=0.1, size=(12 * RATE_HZ, 2)).astype(np.float32)
    soundfile.write(tmp_path / "x.wav", stereo, RATE_HZ, subtype="FLOAT")
    for view in VIEWS:
        cut = np.ascontiguousarray(view_of(stereo[5 * RATE_HZ : 10 * RATE_HZ], view))
        expected = cut if rate_hz == RATE_HZ else soxr.resample(cut, RATE_HZ, rate_hz, quality="HQ")
        found = read_view(tmp_path / "x.wav", view, sample_rate_hz=rate_hz, start_s=5.0, duration_s=5.0)
        assert found.shape == (5 * rate_hz,) and np.array_equal(found, expected)
    soundfile.write(tmp_path / "mono.wav", stereo[:, 0], RATE_HZ)
    with pytest.raises(DataError, match="a binaural recording has two channels, this one has 1"):
        read_view(tmp_path / "mono.wav", "left", sample_rate_hz=rate_hz, start_s=0.0, duration_s=5.0)
    with pytest.raises(DataError, match="ends before the clip at 20 s"):
        read_view(tmp_path / "x.wav", "left", sample_rate_hz=rate_hz, start_s=20.0, duration_s=5.0)


def test_rows_of_clips_with_and_without_views() -> None:
    table = waveform_table(TABLE)
    assert table["clip_id"].tolist() == [*"aaaa", "b", *"cccc"]
    assert table["view"].tolist() == [*VIEWS, "", *VIEWS]
    assert {clip: rows.tolist() for clip, rows in waveform_rows(TABLE).items()} == {
        "a": [0, 1, 2, 3],
        "b": [4],
        "c": [5, 6, 7, 8],
    }
    plain = TABLE.drop(columns="views")
    assert waveform_table(plain) is plain
    assert {clip: rows.tolist() for clip, rows in waveform_rows(plain).items()} == {"a": [0], "b": [1], "c": [2]}


def test_predictions_are_averaged_clip_by_clip() -> None:
    owner = np.array([0, 0, 0, 0, 1, 2, 2, 2, 2])
    fine = np.random.default_rng(0).dirichlet(np.ones(5), size=9).astype(np.float32)
    found = averaged({"fine": fine}, owner)["fine"]
    expected = np.stack([fine[:4].mean(0), fine[4], fine[5:].mean(0)])
    assert found.dtype == np.float32 and np.allclose(found, expected, atol=1e-7)
    same = {"fine": fine}
    assert averaged(same, np.arange(9)) is same


@dataclass(frozen=True)
class Seen:
    bench: Bench
    system: System
    array: np.ndarray


class Loud(System):
    """Predicts by the energy of a waveform; enough to see what it is given."""

    card = Card(name="loud", title="Loud", citation="none", year=2026, input="waveform")

    def front_end(self) -> Waveform:
        return Waveform(sample_rate_hz=RATE_HZ)

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        pass

    def predict(self, clips: Clips) -> np.ndarray:
        raise NotImplementedError


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Binaural DARES-G1 and TUT beside LITIS, which is mixed down."""
    root = tmp_path_factory.mktemp("views")
    write_tut_2017(root)
    write_tut_2017(root, "evaluation", rows=[("audio/1.wav", "beach", "a100")])
    write_dares(root, [(f"{i}.wav", "beach", f"g{i}") for i in range(2)])
    write_litis(root, files=("bus1.wav", "bus2.wav", "bus3.wav"), tested=(("bus1.wav",), ("bus2.wav",)))
    source = Source(roots=(root,), cache=root / "cache", sources=("litis-rouen", "tut-2017", "dares-g1"))
    bench = source.bench("merged", silent)
    system = Loud(bench.task(bench.folds[0]), Loud.Params(), None)  # type: ignore[arg-type] # no budget is asked for
    array = feature_array(
        bench.waveforms, system.front_end(), file_digests=bench.dataset.file_digests, cache=root / "cache", n_jobs=1
    ).array
    return Seen(bench, system, array)


def test_training_sees_every_waveform_and_prediction_every_clip(seen: Seen) -> None:
    clips = seen.bench.clips
    binaural = clips["source"] != "litis-rouen"
    assert (clips["views"] != "").tolist() == binaural.tolist()
    assert len(seen.array) == 4 * binaural.sum() + (~binaural).sum()
    fold = seen.bench.folds[0]
    train = labelled(seen.bench, fold.train, seen.array, seen.system)
    table = seen.bench.select(fold.train)
    n_each = np.where(table["views"] == "", 1, 4)
    labels = seen.bench.protocol.labels
    assert train.labels["fine"].tolist() == np.repeat(labels.encode(table["scene"]), n_each).tolist()
    assert train.location.tolist() == np.repeat(table["location"].to_numpy(), n_each).tolist()
    given = unlabelled(seen.bench, fold.test, seen.array, seen.system)
    _, owner = seen.bench.feature_rows(fold.test)
    assert len(given.features) == len(owner) and owner.max() + 1 == len(fold.test)
    assert seen.bench.feature_rows(())[0].shape == (0,)


def test_the_waveforms_are_those_of_the_file(seen: Seen) -> None:
    clips = seen.bench.clips.set_index("clip_id")
    rows, _ = seen.bench.feature_rows(["dares-g1/0@10"])
    samples, _ = soundfile.read(clips.loc["dares-g1/0@10", "path"], dtype="float32", always_2d=True)
    part = samples[10 * RATE_HZ : 15 * RATE_HZ]
    for row, view in zip(rows, VIEWS, strict=True):
        expected = seen.system.front_end()(np.ascontiguousarray(view_of(part, view)))
        assert np.array_equal(seen.array[row], expected)


def test_views_are_a_part_of_the_feature_key_and_nothing_changes_without(seen: Seen) -> None:
    digests, front_end = seen.bench.dataset.file_digests, seen.system.front_end()
    table = seen.bench.waveforms
    with_views = feature_key_parts(table, front_end, file_digests=digests)
    swapped = table.assign(view=table["view"].replace({"left": "right", "right": "left"}))
    assert with_views["clips"] != feature_key_parts(swapped, front_end, file_digests=digests)["clips"]
    plain = feature_key_parts(seen.bench.clips, front_end, file_digests=digests)
    assert "views" in with_views and "views" not in plain
    mixed = feature_key_parts(table.assign(view=""), front_end, file_digests=digests)
    dropped = feature_key_parts(table.drop(columns="view"), front_end, file_digests=digests)
    assert mixed == dropped


def test_copies_of_several_waveforms(seen: Seen) -> None:
    """Every waveform is followed by its copies, and keeps its clip's labels."""
    augmentation = Augmentation.parse("drc-radio,drc-speech")
    ids = ("dares-g1/0@0", "litis-rouen/bus1@0", "dares-g1/1@5")
    fold = Fold("fold1", ids, (), ())
    table, first_row = expanded(seen.bench.waveforms, (fold,), augmentation)
    assert len(table) == 9 * 3
    array = np.arange(len(table), dtype=np.float32)[:, None]
    train = labelled(seen.bench, ids, seen.array, seen.system)
    owner = seen.bench.feature_rows(ids)[1]
    copies = with_copies(train, ids, array=array, first_row=first_row, n_each=2, owner=owner)
    rows = copies.features.load()[:, 0].astype(int)
    assert sorted(rows) == list(range(27))
    assert table["clip_id"].iloc[rows].tolist() == list(np.repeat(ids, [12, 3, 12]))
    assert table["view"].iloc[rows[:12]].tolist() == list(np.repeat(VIEWS, 3))
    assert [d is None for d in table["deformation"].iloc[rows]] == [True, False, False] * 9
    assert copies.labels["fine"].tolist() == np.repeat(train.labels["fine"], 3).tolist()
    assert isinstance(copies.features, Features)
