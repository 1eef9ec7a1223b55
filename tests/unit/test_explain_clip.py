"""``asc-bench explain-clip`` as a user types it, right and wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result
from typer.testing import CliRunner

from asc_bench.api import Card, Clips, Context, FrontEnd, LabelledClips, LogMel, System
from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.cli.main import build_app
from asc_bench.errors import AscBenchError
from asc_bench.registry import systems
from asc_bench.runs.plan import plan
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import parse_variants
from asc_bench.scoring.predictions import read_predictions


class Nearest(System):
    """Class means of the bands; looks at the loud bins of its only map."""

    card = Card(name="nearest", title="Class means", citation="none: a test double", year=2026, input="log-mel")

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
        y, x = train.labels["fine"], train.features.load().mean(1)
        self.means = np.stack([x[y == c].mean(0) for c in range(len(self.task.labels.fine))])

    def predict(self, clips: Clips) -> dict[str, np.ndarray]:
        odds = np.exp(-((clips.features.load().mean(1)[:, None] - self.means) ** 2).sum(-1) / 16)
        fine = (odds / odds.sum(1, keepdims=True)).astype(np.float32)
        if self.needs_device == "test":
            # Who hears the device says its number, so that the test sees what was told.
            assert clips.device is not None
            fine = np.eye(fine.shape[1], dtype=np.float32)[clips.device]
        return {"fine": fine, "coarse": np.full((len(fine), 3), 1 / 3, dtype=np.float32)}

    def attention(self, clips: Clips) -> np.ndarray:
        raw = np.exp(clips.features.load())[:, None].repeat(len(self.task.labels.fine), 1)
        return raw / raw.sum(axis=(2, 3), keepdims=True)

    def save(self, folder: Path) -> None:
        np.save(folder / "means.npy", self.means)

    def load(self, folder: Path) -> None:
        self.means = np.load(folder / "means.npy")


class Blind(Nearest):
    card = replace(Nearest.card, name="blind")
    attention = System.attention


class Told(Blind):
    card = replace(Nearest.card, name="told")
    needs_device = "test"


class Never(Nearest):
    card = replace(Nearest.card, name="never-run")


@pytest.fixture(scope="module")
def place(bench: Bench, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three systems."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        for cls in (Nearest, Blind, Told):
            patch.setitem(systems().found, cls.card.name, cls)
        settings = Settings(cache=cache, keep_weights=True)
        for spec in plan(bench, parse_variants("nearest,blind,told"), budget=Budget.SMOKE):
            run = run_once(spec, bench, ResultsStore(results), settings, lambda fraction, text: None)
            assert run is not None and run.done
    return results


class Shell:
    """Types commands in the folder of the results."""

    def __init__(self, results: Path, cache: Path) -> None:
        self.results, self.cache = results, cache

    def __call__(self, file: Path, *arguments: str) -> Result:
        about = ["-p", "dcase2018", "-b", "smoke", "--synthetic", "--synthetic-size", "tiny"]
        places = ["--cache", str(self.cache), "--results", str(self.results)]
        return CliRunner().invoke(build_app(), ["explain-clip", str(file), *about, *places, *arguments])

    def refused(self, file: Path, *arguments: str) -> AscBenchError:
        done = self(file, *arguments)
        assert isinstance(done.exception, AscBenchError), done.output
        return done.exception


@pytest.fixture
def shell(place: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    for cls in (Nearest, Blind, Told, Never):
        monkeypatch.setitem(systems().found, cls.card.name, cls)
    return Shell(place, cache)


@pytest.fixture
def recording(bench: Bench) -> Path:
    """The first test clip."""
    return Path(bench.select(bench.folds[0].test)["path"].iloc[0])


def first_table(output: str) -> list[tuple[str, float]]:
    """Classes and probabilities of the first table that was printed."""
    lines = output.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("fine")) + 2
    rows = [line.split() for line in lines[begin : begin + 10]]
    return [(name, float(value)) for name, value in rows]


def test_a_test_clip_gets_the_probabilities_that_are_stored(
    shell: Shell, bench: Bench, recording: Path, place: Path, tmp_path: Path
) -> None:
    done = shell(recording, "-s", "nearest", "--out", str(tmp_path / "pictures"))
    assert done.exit_code == 0, done.output
    assert "nearest fold1, dcase2018 on tut-urban-2018-mobile (synthetic), smoke budget" in done.stdout
    (folder,) = (place / "runs").glob("*/smoke/nearest/*")
    frame = read_predictions(folder / "predictions.parquet").query("level == 'fine' and split == 'test'")
    stored = frame.set_index("clip_id").loc[bench.folds[0].test[0], "probabilities"]
    expected = sorted(zip(bench.protocol.labels.fine, stored, strict=True), key=lambda pair: -pair[1])
    printed = first_table(done.stdout)
    assert [name for name, _ in printed] == [name for name, _ in expected]
    assert [value for _, value in printed] == pytest.approx([value for _, value in expected], abs=0.0006)
    assert "coarse" in done.stdout
    png, svg = (Path(line) for line in done.stdout.splitlines()[-2:])
    assert png.parent == svg.parent == tmp_path / "pictures"
    assert png.name.startswith(f"{recording.stem}-")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert f"{printed[0][0]}, probability {printed[0][1]:.3f}" in svg.read_text()
    assert "synthetic" in svg.read_text()


def test_another_class_can_be_shown_and_results_hold_the_picture_by_default(
    shell: Shell, recording: Path, place: Path
) -> None:
    done = shell(recording, "-s", "nearest", "--scene", "park")
    assert done.exit_code == 0, done.output
    (png,) = (place / "explained").glob("*-park-*.png")
    assert str(png) in done.stdout
    assert "attention of park, probability" in png.with_suffix(".svg").read_text()


def test_a_longer_file_is_cut_and_another_rate_is_converted(shell: Shell, recording: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(recording)
    soundfile.write(tmp_path / "long.flac", np.concatenate([np.zeros(2 * rate), samples, np.zeros(rate)]), rate)
    done = shell(tmp_path / "long.flac", "-s", "blind", "--start", "2")
    assert "long.flac lasts 13 s; taken are the 10 s from 2 s on (--start chooses others)" in done.stdout
    alone = shell(recording, "-s", "blind")
    assert dict(first_table(done.stdout)) == pytest.approx(dict(first_table(alone.stdout)), abs=0.002)
    soundfile.write(tmp_path / "short.wav", samples[: round(9.95 * rate)], rate)
    padded = shell(tmp_path / "short.wav", "-s", "blind")
    assert "short.wav lasts 9.95 s; 50 ms of silence are added to a clip of 10 s" in padded.stdout


def test_without_attention_the_probabilities_are_printed_and_it_is_an_error(
    shell: Shell, recording: Path, place: Path
) -> None:
    done = shell(recording, "-s", "blind")
    assert len(first_table(done.stdout)) == 10
    assert isinstance(done.exception, AscBenchError)
    assert "blind has no attention to show" in str(done.exception)
    assert not list(place.glob("explained/*blind*"))


def test_the_recorder_is_handed_over(shell: Shell, recording: Path) -> None:
    for number, recorder in enumerate("ABC"):
        top, probability = first_table(shell(recording, "-s", "told", "--recorder", recorder).stdout)[0]
        assert (top, probability) == (("airport", "bus", "metro")[number], 1.0)
    assert "--recorder A|B|C" in str(shell.refused(recording, "-s", "told"))
    assert "leave --recorder out" in str(shell.refused(recording, "-s", "nearest", "--recorder", "A"))


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["-s", "neares"], 2, "there is no system 'neares'; did you mean 'nearest'"),
        (["-s", "nearest,blind"], 2, "--system stands for 2 systems, such as nearest; give one"),
        (["-s", "nearest", "--scene", "parc"], 2, "dcase2018 has no class 'parc'; did you mean 'park'"),
        (["-s", "nearest", "--start", "10"], 3, "lasts 10 s, so no clip begins at 10 s"),
        (["-s", "nearest", "--fold", "fold2"], 2, "dcase2018 has no fold 'fold2'; did you mean 'fold1'"),
        (["-s", "never-run"], 2, "holds no run of never-run fold1 with the present code and data; make it with"),
        (["-s", "nearest", "--repeat", "1"], 2, "--repeats 2 --results"),
        (["-s", "nearest", "--hold-out"], 2, "-s nearest --budget smoke --hold-out --synthetic"),
    ],
)
def test_wrong_usage(shell: Shell, recording: Path, arguments: list[str], exit_code: int, message: str) -> None:
    error = shell.refused(recording, *arguments)
    assert message in str(error)
    assert error.exit_code == exit_code


def test_files_that_are_no_clips(shell: Shell, tmp_path: Path) -> None:
    page = tmp_path / "page.wav"
    page.write_text("<!doctype html>")
    assert "page.wav: is not audio, it looks like a web page" in str(shell.refused(page, "-s", "nearest"))
    assert "is a folder" in str(shell.refused(tmp_path, "-s", "nearest"))
    soundfile.write(tmp_path / "short.wav", np.zeros(8_000), 8_000)
    short = shell.refused(tmp_path / "short.wav", "-s", "nearest")
    assert "is too short: the clip starts at 0 s and is 10 s long, but only 1.0000 s follow" in str(short)
    assert short.exit_code == 3
