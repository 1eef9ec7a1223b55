"""Stored runs and fitted systems in the files of a challenge; numbers as scikit-learn computes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from sklearn.metrics import accuracy_score, log_loss, recall_score
from typer.testing import CliRunner

from asc_bench.bench.bench import Bench, task_of
from asc_bench.cli.main import build_app
from asc_bench.clips import Clips
from asc_bench.data.file_formats import published_format
from asc_bench.errors import ConfigError, DataError
from asc_bench.features.frontends import FrontEnd, Waveform
from asc_bench.registry import protocols
from asc_bench.runs.store import ResultsStore
from asc_bench.submissions.evaluation import evaluation_files, predict_files
from asc_bench.submissions.prediction_file import read_prediction_file
from asc_bench.submissions.write import development_results, fine_rows, output_text
from asc_bench.submissions.years import CLASSES, YEARS
from asc_bench.systems.base import System
from tests.unit.made_predictions import clips_of, frame_of
from tests.unit.made_runs import made_bench, publish, specs_of

SYSTEM = "logmel-svm"


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    """One run of DCASE 2025, right for 7, 5 and 2 of ten clips of a class on the devices A, B and C."""
    store = ResultsStore(tmp_path / "results")
    bench = _bench()
    (spec,) = specs_of(bench, SYSTEM)
    publish(store, bench, spec, n_right={"A": 7, "B": 5, "C": 2})
    return store


def _bench(protocol: str = "dcase2025") -> Bench:
    return made_bench(protocol)


def export(store: ResultsStore, out: Path, *words: str) -> Any:
    given = [
        "-b",
        "paper",
        "--results",
        str(store.root),
        "--out",
        str(out),
    ]
    return CliRunner().invoke(build_app(), ["export-submission", SYSTEM, *given, *words])


def test_a_stored_run_becomes_a_submission(store: ResultsStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = export(store, out, "-p", "dcase2025", "--label", "Doe_TUNI_task1_2")
    assert done.exit_code == 0, done.output
    read = read_prediction_file(out / "Doe_TUNI_task1_2.output.csv", CLASSES, separator="\t")
    assert not read.faults
    assert sorted(read.names) == sorted(f"audio/{clip}.wav" for clip in _bench().folds[0].test)
    meta = yaml.safe_load((out / "Doe_TUNI_task1_2.meta.yaml").read_text())
    assert meta["submission"]["label"] == "Doe_TUNI_task1_2"
    assert meta["system"]["complexity"]["total_parameters"] == 1000
    found = meta["results"]["development_dataset"]
    true = [name.rpartition("/")[2].split("-")[0] for name in read.names]
    assert read.labels is not None
    assert read.probabilities is not None
    recall = recall_score(true, read.labels, labels=list(CLASSES), average=None)
    assert found["overall"]["accuracy"] == pytest.approx(100 * recall.mean(), abs=0.01)
    expected = log_loss(true, read.probabilities, labels=list(CLASSES))
    assert found["overall"]["logloss"] == pytest.approx(expected, abs=1e-4)
    for i, name in enumerate(CLASSES):
        assert found["class_wise"][name]["accuracy"] == pytest.approx(100 * recall[i], abs=0.01)
    for device, accuracy in {"a": 70.0, "b": 50.0, "c": 20.0}.items():
        of_it = [i for i, name in enumerate(read.names) if name.endswith(f"-{device.upper()}.wav")]
        assert 100 * accuracy_score([true[i] for i in of_it], [read.labels[i] for i in of_it]) == accuracy
        assert found["device_wise"][device]["accuracy"] == accuracy
    assert found["device_wise"]["s1"]["accuracy"] is None


@pytest.mark.parametrize("year", YEARS)
def test_accuracies_on_devices_are_those_of_the_years_protocol(year: int) -> None:
    """All airport clips of device A are right, half of its bus clips, and no other class has clips there."""
    protocol = next(iter(YEARS[year].outputs.values()))[0]
    labels = protocols().get(protocol).labels
    clips = clips_of(scenes=("airport", "bus"), n_locations=2, devices=("A",))
    clips = clips.drop(clips.index[(clips["scene"] == "airport") & (clips["location"] == "airport-0")])
    true = labels.encode(clips["scene"])
    wrong = (clips["location"] == "bus-0").to_numpy()
    rows = fine_rows(frame_of(clips.reset_index(drop=True), np.where(wrong, 2, true), labels))
    found = development_results(rows, YEARS[year])
    over_classes, over_clips = (1 + 0.5) / 2, 8 / 12
    (of_device,) = (m for m in protocols().get(protocol).measures if m.name == "accuracy, A")
    expected = {"macro": over_classes, "clips": over_clips}[of_device.average]
    assert found["device_wise"]["a"]["accuracy"] == pytest.approx(100 * expected, abs=0.01)
    assert found["overall"]["accuracy"] == 75.0
    assert found["class_wise"]["bus"]["accuracy"] == 50.0


def test_years_and_protocols_that_do_not_fit(store: ResultsStore, tmp_path: Path) -> None:
    for words, message in (
        (("-p", "dcase2025", "--label", "../x"), "the label '../x' is not of the form Lastname_Institute_task1_1"),
        (("-p", "dcase2025", "--label", "Doe_TUNI_task1a_1"), "'Doe_TUNI_task1a_1' is not of the form"),
        (("-p", "dcase2025", "--year", "2022"), "dcase2025 has other data than the challenge of 2022"),
        (("-p", "dcase2018"), "there is no submission format for dcase2018"),
        (("-p", "dcase2025", "--repeat", "1"), "0 finished runs of 'logmel-svm', repeat 1, are stored"),
        (("-p", ""), "name a protocol"),
    ):
        failed = export(store, tmp_path / "out", *words)
        assert isinstance(failed.exception, ConfigError)
        assert message in str(failed.exception)
    assert not (tmp_path / "out").exists()


def test_one_list_of_2024_alone_says_what_is_missing(tmp_path: Path) -> None:
    store, bench = ResultsStore(tmp_path / "results"), _bench("dcase2024-25")
    (spec,) = specs_of(bench, SYSTEM)
    publish(store, bench, spec)
    done = export(store, tmp_path / "out", "-p", "dcase2024-25")
    assert done.exit_code == 0, done.output
    assert "still missing in 2024: Lastname_Institute_task1_1.output.split_5.csv" in done.stderr
    meta = yaml.safe_load((tmp_path / "out" / "Lastname_Institute_task1_1.meta.yaml").read_text())
    found = meta["results"]["development_dataset"]
    assert found["split_25"]["overall"]["accuracy"] == 50.0
    assert found["split_5"]["overall"]["accuracy"] == "FILL IN: number"


def test_rows_of_single_precision_are_made_to_sum_to_one() -> None:
    values = np.random.default_rng(0).dirichlet(np.ones(10), 50).astype(np.float32) * np.float32(1.0005)
    lines = output_text([f"{i}.wav" for i in range(50)], values).splitlines()
    rows = np.array([[float(cell) for cell in line.split("\t")[2:]] for line in lines[1:]])
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-8)
    assert [line.split("\t")[1] for line in lines[1:]] == [CLASSES[i] for i in rows.argmax(axis=1)]


def test_predictions_without_probabilities_are_refused() -> None:
    from asc_bench.scoring.predictions import named_frame

    labels = protocols().get("dcase2025").labels
    clips = clips_of(scenes=labels.fine)
    with pytest.raises(ConfigError, match="the run has no probabilities of scenes, which a submission needs"):
        fine_rows(named_frame(clips, labels, list(clips["scene"]), split="test"))
    rows = named_frame(clips, labels, list(clips["scene"]), split="test")
    assert development_results(rows.iloc[:0], YEARS[2025])["overall"] == {"accuracy": None, "logloss": None}


@dataclass
class _Loudest:
    """What a system of the tests is asked for: the class is the tenth of the mean absolute amplitude."""

    needs_device: str

    class card:  # noqa: N801 - as systems have it
        name = "loudest"

    task = task_of(protocols().get("dcase2025"), ("A", "B", "C", "S1", "S2", "S3"))

    def front_end(self) -> FrontEnd:
        return Waveform(sample_rate_hz=8000)

    def predict(self, clips: Clips) -> np.ndarray[Any, Any]:
        level = np.abs(clips.features.load()).reshape(len(clips), -1).mean(axis=1)
        index = np.round(10 * level).astype(int)
        if clips.device is not None:
            index = np.asarray(clips.device)
        return np.eye(10, dtype=np.float32)[index]


def write_evaluation(root: Path, levels: Sequence[float], devices: Sequence[str] = ()) -> Path:
    (root / "audio").mkdir(parents=True)
    (root / "evaluation_setup").mkdir()
    for i, level in enumerate(levels):
        soundfile.write(root / "audio" / f"{i}.wav", np.full(8000, level), 8000)
    rows = [("filename", "device_id"), *((f"audio/{i}.wav", d) for i, d in enumerate(devices))]
    if not devices:
        rows = [("filename",), *((f"audio/{i}.wav",) for i in range(len(levels)))]  # type: ignore[list-item]
    text = "".join("\t".join(row) + "\n" for row in rows)
    (root / "evaluation_setup" / "fold1_test.csv").write_text(text)
    return root


def predicted(system: _Loudest, root: Path) -> list[int]:
    files = evaluation_files(root)
    fitted: System = system  # type: ignore[assignment] # all that is asked of one here
    return predict_files(fitted, files).argmax(axis=1).tolist()


def test_each_file_of_an_evaluation_set_is_predicted(tmp_path: Path) -> None:
    root = write_evaluation(tmp_path, [0.3, 0.1, 0.5], ["a", "s2", "unknown"])
    assert [one.name for one in evaluation_files(root)] == ["audio/0.wav", "audio/1.wav", "audio/2.wav"]
    assert predicted(_Loudest("no"), root) == [3, 1, 5]
    assert predicted(_Loudest("test"), root) == [0, 4, 6]


def test_an_evaluation_set_of_another_year_is_refused(tmp_path: Path) -> None:
    """Clips of 1 s at 44.1 kHz, mono, are those of 2022 to 2025."""
    published = published_format("tau-2022-mobile")
    system: System = _Loudest("no")  # type: ignore[assignment]
    for seconds, rate_hz, n_channels, message in (
        (
            10,
            44100,
            1,
            r"of 2 files 1 are longer than the clips of 1 s that loudest hears \(10 s\), such as audio/1.wav",
        ),
        (1, 48000, 1, r"1 are at 48 kHz instead of the 44\.1 kHz of the development set, such as audio/1\.wav"),
        (
            1,
            44100,
            2,
            "1 are stereo instead of mono as in the development set.*: is this the evaluation set of another",
        ),
        (1, 44100, 1, ""),
    ):
        root = write_evaluation(tmp_path / f"{seconds}-{rate_hz}-{n_channels}", [0.3, 0.1])
        soundfile.write(root / "audio" / "0.wav", np.full(44100, 0.3), 44100)
        soundfile.write(root / "audio" / "1.wav", np.full((seconds * rate_hz, n_channels), 0.1), rate_hz)
        files = evaluation_files(root)
        if message:
            with pytest.raises(DataError, match=message):
                predict_files(system, files, published=published)
        else:
            assert predict_files(system, files, published=published).argmax(axis=1).tolist() == [3, 1]


def test_what_an_evaluation_set_may_lack(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no evaluation set: there is neither evaluation_setup/fold1_test\.csv"):
        evaluation_files(tmp_path)
    root = write_evaluation(tmp_path / "set", [0.3])
    with pytest.raises(DataError, match="loudest uses the recording device, and the list of files has no"):
        predicted(_Loudest("test"), root)
    (root / "audio" / "0.wav").unlink()
    with pytest.raises(DataError, match=r"lacks 1 of 1 files, such as audio/0\.wav"):
        evaluation_files(root)
    path = root / "evaluation_setup" / "fold1_test.csv"
    for content, message in (
        (b"filename\n\xe4.wav\n", r"is not UTF-8 text \(.*\); save it as UTF-8"),
        (b"filename,device_id\na.wav,a\n", "'filename,device_id' is separated by comma; lists of files are"),
        (b"filename\tdevice_id\na.wav\n", r"the row of 'a\.wav' has 1 cells instead of 2"),
        (b"filename\na.wav\na.wav\n", r"'a\.wav' stands in 2 rows"),
        (b'filename\n"a.wav\nb.wav\n', "cannot be read"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            evaluation_files(root)
    path.write_text("name\nx\n")
    with pytest.raises(DataError, match="there is no row, or no column 'filename'"):
        evaluation_files(root)
