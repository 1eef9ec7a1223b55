"""Weights kept beside the predictions: stored as one, checked when read, and made where they lack."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from asc_bench.api import Card, Clips, Context, FrontEnd, LabelledClips, LogMel, System
from asc_bench.bench.bench import Bench, Selection
from asc_bench.budget import Budget
from asc_bench.errors import ConfigError, StoreError, SystemFailure
from asc_bench.registry import systems
from asc_bench.runs.fitted import fitted_system, given_clips, rebuilt, run_command
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.variant import parse_variants

FITS: list[str] = []


class Means(System):
    """Softmax over the distances to the class means; its state is one array."""

    card = Card(name="means", title="Class means", citation="none: a test double", year=2026, input="log-mel")

    def front_end(self) -> FrontEnd:
        return LogMel(
            sample_rate_hz=8_000,
            n_fft=256,
            window_length=256,
            hop_length=4_000,
            n_mels=16,
            fmin_hz=0.0,
            fmax_hz=4_000.0,
        )

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        FITS.append(self.card.name)
        y = train.labels["fine"]
        x = train.features.load().mean(1)
        self.means = np.stack([x[y == c].mean(0) for c in range(len(self.task.labels.fine))])

    def predict(self, clips: Clips) -> np.ndarray:
        odds = np.exp(-((clips.features.load().mean(1)[:, None] - self.means) ** 2).sum(-1) / 16)
        return (odds / odds.sum(1, keepdims=True)).astype(np.float32)

    def save(self, folder: Path) -> None:
        (folder / "below").mkdir()
        (folder / "below" / "means.json").write_text(json.dumps(self.means.tolist()))
        (folder / "note.txt").write_text("two files, one of them in a folder")

    def load(self, folder: Path) -> None:
        self.means = np.array(json.loads((folder / "below" / "means.json").read_text()), dtype=np.float32)

    def move_to(self, device: str) -> None:
        self.moved_to = device


class Unsavable(Means):
    card = replace(Means.card, name="unsavable")
    save = System.save


class SavesNothing(Means):
    card = replace(Means.card, name="saves-nothing")

    def save(self, folder: Path) -> None:
        pass


class Hopeless(Means):
    card = replace(Means.card, name="hopeless")
    broken = True

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        if self.broken:
            raise RuntimeError("out of memory")
        super().fit(train, validation, context)


class Fixture:
    """A store, and the runs of one system in it."""

    def __init__(self, bench: Bench, root: Path, cache: Path) -> None:
        self.bench, self.store, self.cache = bench, ResultsStore(root), cache

    def spec(self, text: str, **options: object) -> RunSpec:
        (spec,) = plan(self.bench, parse_variants(text), budget=Budget.SMOKE, **options)  # type: ignore[arg-type]
        return spec

    def run(self, spec: RunSpec, *, keep: bool) -> StoredRun:
        settings = Settings(cache=self.cache, keep_weights=keep)
        run = run_once(spec, self.bench, self.store, settings, lambda fraction, text: None)
        assert run is not None
        return run

    def inputs(self, system: System) -> Clips:
        return given_clips(self.bench, self.bench.folds[0].test, system, Settings(cache=self.cache))


@pytest.fixture
def lab(bench: Bench, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fixture]:
    for cls in (Means, Unsavable, SavesNothing, Hopeless):
        monkeypatch.setitem(systems().found, cls.card.name, cls)
    FITS.clear()
    yield Fixture(bench, tmp_path / "results", cache)


def test_weights_lie_in_the_run_digested_and_give_the_stored_predictions(lab: Fixture) -> None:
    spec = lab.spec("means")
    run = lab.run(spec, keep=True)
    assert run.weights == run.folder / "weights"
    stored = json.loads((run.folder / "manifest.json").read_text())["files"]
    on_disk = {p.relative_to(run.folder).as_posix(): p for p in run.folder.rglob("*") if p.is_file()}
    del on_disk["manifest.json"]
    assert set(stored) == {"predictions.parquet", "weights/note.txt", "weights/below/means.json"}
    assert stored == {name: sha256(path.read_bytes()).hexdigest() for name, path in on_disk.items()}
    assert not lab.store.scratch(spec).exists()

    system = fitted_system(spec, lab.bench, lab.store, device="cuda:7")
    assert isinstance(system, Means)
    assert system.moved_to == "cuda:7"
    again = system.predict(lab.inputs(system))
    frame = run.predictions
    test = frame[(frame["split"] == "test") & (frame["level"] == "fine")]
    expected = {row.clip_id: row.predicted for row in test.itertuples()}
    fine = lab.bench.protocol.labels.fine
    assert {c: fine[i] for c, i in zip(lab.bench.folds[0].test, again.argmax(1), strict=True)} == expected


def test_weights_change_no_key_and_no_prediction(lab: Fixture, tmp_path: Path, bench: Bench, cache: Path) -> None:
    other = Fixture(bench, tmp_path / "other", cache)
    without, kept = lab.run(lab.spec("means"), keep=False), other.run(other.spec("means"), keep=True)
    assert without.manifest["key"] == kept.manifest["key"]
    assert without.weights is None
    assert without.manifest["files"].items() <= kept.manifest["files"].items()


def test_a_run_without_weights_is_absent_only_where_they_are_asked_for(lab: Fixture) -> None:
    spec = lab.spec("means")
    first = lab.run(spec, keep=False)
    assert lab.store.load(spec, with_weights=True) is None
    assert lab.store.load(spec) is not None, "it was put aside"
    assert not (lab.store.root / "quarantine").exists()
    second = lab.run(spec, keep=True)
    assert second.folder == first.folder
    assert second.manifest["files"]["predictions.parquet"] == first.manifest["files"]["predictions.parquet"]
    for keep in (True, False):
        assert lab.run(spec, keep=keep).weights == second.weights
    assert len(FITS) == 2


def test_what_a_killed_process_had_saved_does_not_get_in(lab: Fixture) -> None:
    spec = lab.spec("means")
    left = lab.store.scratch(spec) / "weights"
    left.mkdir(parents=True)
    (left / "half.json").write_text("[")
    files = lab.run(spec, keep=True).manifest["files"]
    assert set(files) == {"predictions.parquet", "weights/note.txt", "weights/below/means.json"}


def test_changed_weights_put_the_run_aside(lab: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    spec = lab.spec("means")
    run = lab.run(spec, keep=True)
    (run.folder / "weights" / "below" / "means.json").write_text("[]")
    assert lab.store.load(spec) is None
    assert "weights/below/means.json was changed" in caplog.text
    assert len(list((lab.store.root / "quarantine").iterdir())) == 1
    with pytest.raises(ConfigError, match="holds no run of means fold1"):
        fitted_system(spec, lab.bench, lab.store)


def test_lost_weights_put_the_run_aside(lab: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    spec = lab.spec("means")
    (lab.run(spec, keep=True).folder / "weights" / "note.txt").unlink()
    assert lab.store.load(spec, with_weights=True) is None
    assert "note.txt" in caplog.text


def test_a_system_that_cannot_be_saved_keeps_its_predictions_and_says_so(
    lab: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    spec = lab.spec("unsavable")
    run = lab.run(spec, keep=True)
    assert run.done
    assert run.weights is None
    assert run.manifest["not_saved"] == "unsavable cannot be saved"
    assert "unsavable cannot be saved: its predictions are kept, its weights are not" in caplog.text
    lab.run(spec, keep=True)
    assert len(FITS) == 1, "the same command computed it again, in vain"
    with pytest.raises(ConfigError, match=r"unsavable fold1 cannot be rebuilt: unsavable cannot be saved"):
        fitted_system(spec, lab.bench, lab.store)


def test_a_system_that_saves_nothing_fails(lab: Fixture) -> None:
    run = lab.run(lab.spec("saves-nothing"), keep=True)
    assert run.manifest["status"] == "failed"
    assert run.manifest["error"]["message"] == "saves-nothing: save wrote no file"


def test_a_failure_never_replaces_a_finished_run(
    lab: Fixture, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spec = lab.spec("hopeless")
    monkeypatch.setattr(Hopeless, "broken", False)
    good = lab.run(spec, keep=False)
    monkeypatch.setattr(Hopeless, "broken", True)
    bad = lab.run(spec, keep=True)
    assert bad.manifest["status"] == "failed"
    assert "out of memory" in (bad.folder / "traceback.txt").read_text()
    assert "the stored run stays" in caplog.text
    stored = lab.store.load(spec)
    assert stored is not None
    assert stored.manifest["digest"] == good.manifest["digest"]


def test_messages_name_the_command_that_makes_the_weights(lab: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = lab.spec("means")
    command = (
        "asc-bench run -p dcase2018 -s means --budget smoke --synthetic --synthetic-size tiny "
        f"--results {shlex.quote(str(lab.store.root))} --keep-weights"
    )
    assert run_command(spec, lab.bench, lab.store) == command
    with pytest.raises(ConfigError) as absent:
        fitted_system(spec, lab.bench, lab.store)
    assert str(absent.value).startswith(
        f"{lab.store.root} holds no run of means fold1 with the present code and data"
    )
    assert str(absent.value).endswith(command)
    run = lab.run(spec, keep=False)
    with pytest.raises(ConfigError, match=r"means fold1 was run without keeping its weights(?s:.*)--keep-weights"):
        fitted_system(spec, lab.bench, lab.store)
    with pytest.raises(ConfigError, match="means fold1 cannot be rebuilt: its weights were not kept"):
        rebuilt(run, lab.bench)
    failed = lab.spec("hopeless")
    lab.run(failed, keep=True)
    with pytest.raises(SystemFailure, match=r"hopeless fold1 failed \(RuntimeError: out of memory\)"):
        fitted_system(failed, lab.bench, lab.store)


def test_the_command_names_repeat_variant_and_seed_of_the_synthetic_dataset(lab: Fixture, tmp_path: Path) -> None:
    spec = lab.spec("sb-cnn[bn=true]", repeats=[2], selection=Selection.TEST)
    dataset = replace(lab.bench.dataset, root=tmp_path / "medium-seed3" / "TUT")
    words = shlex.split(run_command(spec, replace(lab.bench, dataset=dataset), ResultsStore(Path("results"))))
    assert words[words.index("-s") + 1] == "sb-cnn[bn=true]"
    assert "--as-published" in words
    assert words[words.index("--synthetic-size") + 1] == "medium"
    assert words[words.index("--synthetic-seed") + 1] == "3"
    assert words[words.index("--repeats") + 1] == "3", "repeat 2 is the third"
    assert "--results" not in words
    assert "--folds" not in words


def test_a_system_that_cannot_be_loaded_is_told(lab: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = lab.spec("means")
    lab.run(spec, keep=True)
    monkeypatch.setattr(Means, "load", System.load)
    with pytest.raises(StoreError, match="means cannot be loaded"):
        fitted_system(spec, lab.bench, lab.store)


def test_a_registered_system_comes_back_bit_by_bit(lab: Fixture) -> None:
    spec = lab.spec("logmel-svm")
    run = lab.run(spec, keep=True)
    assert run.done, run.manifest.get("error")
    system = fitted_system(spec, lab.bench, lab.store)
    given = system.predict(lab.inputs(system))
    frame = run.predictions
    test = frame[(frame["split"] == "test") & (frame["level"] == "fine")].set_index("clip_id")
    expected = np.stack(test.loc[list(lab.bench.folds[0].test), "probabilities"].to_list())
    np.testing.assert_array_equal(given["fine"] if isinstance(given, Mapping) else given, expected)
