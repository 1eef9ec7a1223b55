"""Which copies a clip gets, what of them reaches a system, and that nothing of the test clips does."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from asc_bench.bench import keys
from asc_bench.bench.augmentation import Augmentation, expanded
from asc_bench.bench.bench import Bench, Selection
from asc_bench.budget import Budget
from asc_bench.cli import options
from asc_bench.clips import Clips, LabelledClips
from asc_bench.data.audio import read_audio
from asc_bench.errors import ConfigError
from asc_bench.features.cache import feature_array, feature_key_parts
from asc_bench.features.deform import VARIANTS
from asc_bench.features.frontends import Waveform
from asc_bench.registry import systems
from asc_bench.reporting.setting import Setting
from asc_bench.runs.fitted import run_command
from asc_bench.runs.plan import plan
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import parse_variants
from asc_bench.systems.base import Context


@pytest.mark.parametrize(
    ("text", "canonical", "n_each"),
    [
        ("4", "4", 4),
        ("20", "all", 20),
        ("all", "all", 20),
        ("bg,drc,ps2,ps1,ts", "all", 20),
        (" drc-radio , ts ", "ts,drc-radio", 5),
        ("ts-0.81,ts-1.23,ts-1.07,ts-0.93", "ts", 4),
        ("ps1-+2,ps2--3.5", "ps1-+2,ps2--3.5", 2),
    ],
)
def test_texts(text: str, canonical: str, n_each: int) -> None:
    read = Augmentation.parse(text)
    assert str(read) == canonical and read.n_each == n_each
    assert Augmentation.parse(canonical) == read
    assert len(read.of("clip")) == n_each == len({d.name for d in read.of("clip")})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "must be among 1 to 20"),
        ("21", "must be among 1 to 20"),
        ("-3", "must be among 1 to 20"),
        ("2.5", "must be among 1 to 20"),
        ("ts-0.8", "did you mean 'ts-0.81'"),
        ("drc-radios", "did you mean 'drc-radio'"),
        ("ts,noise", "there is no augmentation 'noise'; there are: all, ts, ps1"),
        (" , ", "names nothing"),
        ("4,ts", "either a number of variants or names"),
    ],
)
def test_wrong_texts_are_answered_with_near_ones(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        options.augmentation(text)


def test_choice_depends_on_the_clip_alone() -> None:
    four, nine = Augmentation.parse("4"), Augmentation.parse("9")
    ids = [f"clip-{i}" for i in range(400)]
    chosen = {clip: four.of(clip) for clip in ids}
    assert chosen == {clip: Augmentation.parse("4").of(clip) for clip in reversed(ids)}
    assert all(set(chosen[clip]) <= set(nine.of(clip)) for clip in ids)
    counts = Counter(d.name for of_clip in chosen.values() for d in of_clip)
    assert set(counts) == set(VARIANTS) and stats.chisquare([counts[name] for name in VARIANTS]).pvalue > 0.001
    noises = [d for of_clip in chosen.values() for d in of_clip if d.family == "bg"]
    assert len({d.seed for d in noises}) == len(noises)  # no two clips share a noise


def test_table_holds_each_trained_clip_with_its_copies_and_no_test_clip(bench: Bench) -> None:
    augmentation = Augmentation.parse("3")
    table, first_row = expanded(bench.clips, bench.folds, augmentation)
    (fold,) = bench.folds
    assert set(table["clip_id"]) == {*fold.train, *fold.validation} == set(first_row)
    assert not set(table["clip_id"]) & set(fold.test)
    for clip, row in first_row.items():
        block = table.iloc[row : row + 4]
        assert set(block["clip_id"]) == {clip}
        assert block["deformation"].tolist() == [None, *augmentation.of(clip)]


def test_cached_copies_are_the_deformed_recordings(bench: Bench, cache: Path) -> None:
    few = bench.clips.iloc[:2]
    fold = bench.folds[0].__class__("fold", train=tuple(few["clip_id"]), validation=(), test=())
    table, first_row = expanded(few, (fold,), Augmentation.parse("ps1-+2,drc-radio,bg-park"))
    front_end = Waveform(sample_rate_hz=8_000)
    found = feature_array(table, front_end, file_digests=bench.dataset.file_digests, cache=cache).array
    for clip, path in zip(few["clip_id"], few["path"], strict=True):
        sound = read_audio(Path(path), sample_rate_hz=8_000, start_s=0.0, duration_s=10.0)
        rows = found[first_row[clip] : first_row[clip] + 4]
        np.testing.assert_array_equal(rows[0], sound)
        for row, deformation in zip(rows[1:], Augmentation.parse("ps1-+2,drc-radio,bg-park").of(clip), strict=True):
            np.testing.assert_array_equal(row, deformation(sound, sample_rate_hz=8_000))


def test_feature_keys_of_clips_as_they_are_have_not_changed(bench: Bench) -> None:
    front_end = Waveform(sample_rate_hz=8_000)
    digests = bench.dataset.file_digests
    plain = feature_key_parts(bench.clips, front_end, file_digests=digests)
    assert set(plain) == {"front_end", "source", "libraries", "clips"}
    assert feature_key_parts(bench.clips.assign(deformation=None), front_end, file_digests=digests) == plain
    one, two = (
        feature_key_parts(
            bench.clips.assign(deformation=[noise] * len(bench.clips)), front_end, file_digests=digests
        )
        for noise in (VARIANTS["bg-park"].seeded(1), VARIANTS["bg-park"].seeded(2))
    )
    assert len({parts["clips"] for parts in (plain, one, two)}) == 3 and "deformations" in one


@pytest.mark.parametrize("name", ["logmel-svm", "caa-net[training=multi-task]"])
def test_run_keys_without_augmentation_have_not_changed(bench: Bench, name: str) -> None:
    def spec(text: str):
        (one,) = plan(bench, parse_variants(name), budget=Budget.SMOKE, augmentation=options.augmentation(text))
        return one

    plain, two, three = spec(""), spec("2"), spec("3")
    assert "augmentation" not in plain.parts and plain.tag == bench.tag
    assert {k: v for k, v in two.parts.items() if k != "augmentation"} == dict(plain.parts)
    assert len({plain.key, two.key, three.key}) == 3
    assert plain.seed == two.seed
    assert two.tag == f"{bench.tag}-augment-2"
    assert spec("ts,bg-park").tag.startswith(f"{bench.tag}-augment-ts-bg-park")
    assert spec("20").key == spec("all").key
    sent = pickle.loads(pickle.dumps(replace(two, front_end=None)))  # as to another process
    assert sent.augmentation == two.augmentation and sent.key == two.key
    assert "--augment 2 " in run_command(two, bench, ResultsStore(Path("results")))
    assert keys.changed_parts(two.parts, three.parts) == ["augmentation: choice", "augmentation: chosen"]


def test_no_system_depends_on_the_code_of_the_deformations() -> None:
    for system in systems().found.values():
        assert not [m for m in keys.code_parts(system) if m.startswith("asc_bench.features.deform")]


@pytest.mark.parametrize("selection", [Selection.OWN, Selection.HELD_OUT, Selection.TEST])
def test_only_training_clips_get_copies(
    bench: Bench, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: Selection
) -> None:
    """A system sees: each training clip and its copies, labelled alike; validation and test as they are."""
    cls = systems().get("logmel-svm")
    seen: list[tuple[str, Clips]] = []

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        seen.append(("fit", train))
        real_fit(self, train, validation, context)

    def predict(self, clips: Clips):
        seen.append(("predict", clips))
        return real_predict(self, clips)

    real_fit, real_predict = cls.fit, cls.predict
    monkeypatch.setattr(cls, "fit", fit)
    monkeypatch.setattr(cls, "predict", predict)
    (spec,) = plan(
        bench,
        parse_variants("logmel-svm"),
        budget=Budget.SMOKE,
        selection=selection,
        augmentation=Augmentation.parse("2"),
    )
    run = run_once(spec, bench, ResultsStore(tmp_path), Settings(cache), lambda fraction, text: None)
    assert run is not None and run.done, run
    plain = feature_array(bench.clips, spec.front_end, file_digests=bench.dataset.file_digests, cache=cache).array

    (fold,) = bench.folds
    ids = fold.train if selection is Selection.HELD_OUT else (*fold.train, *fold.validation)
    train = seen[0][1]
    assert isinstance(train, LabelledClips) and len(train) == 3 * len(ids)
    given = train.features.load()
    originals = given[::3]
    expected = {plain[bench.rows[clip]].tobytes(): bench.clips["scene"][bench.rows[clip]] for clip in ids}
    assert {row.tobytes() for row in originals} == set(expected)
    everything = {row.tobytes() for row in plain}
    for i, row in enumerate(originals):
        scene = expected[row.tobytes()]
        (label,) = bench.protocol.labels.encode([scene]).tolist()
        assert train.labels["fine"][3 * i : 3 * i + 3].tolist() == [label] * 3
        assert train.location is not None and len(set(train.location[3 * i : 3 * i + 3])) == 1
        assert not {copy.tobytes() for copy in given[3 * i + 1 : 3 * i + 3]} & everything
    for _, clips in seen[1:]:
        rows = [row.tobytes() for row in clips.features.load()]
        assert set(rows) <= everything
    tested = {plain[bench.rows[clip]].tobytes() for clip in fold.test}
    assert {row.tobytes() for row in seen[-1][1].features.load()} == tested
    assert not tested & {row.tobytes() for row in given}
    assert run.manifest["augmentation"] == "2" and run.manifest["n_training_examples"] == 3 * len(ids)


def test_titles_and_notes_say_it() -> None:
    manifest = {
        "protocol": "p",
        "protocol_title": "P",
        "protocol_version": 1,
        "dataset": "d",
        "synthetic": False,
        "budget": "paper",
        "repeat": 0,
        "started": "2026-01-01T00:00:00+00:00",
    }
    plain = Setting.of([manifest, {**manifest, "augmentation": ""}])
    assert plain.title == "P: d, paper budget, 1 seed" and not plain.caveats
    four = Setting.of([{**manifest, "augmentation": "4"}])
    assert four.title.endswith(", augmentation 4")
    assert any("4 of the 20 deformations of Salamon and Bello" in caveat for caveat in four.caveats)
    assert any("these (ts,bg)" in c for c in Setting.of([{**manifest, "augmentation": "ts,bg"}]).caveats)
    with pytest.raises(ConfigError, match="runs of different augmentation cannot share a table"):
        Setting.of([{**manifest, "augmentation": "4"}, {**manifest, "augmentation": ""}])
