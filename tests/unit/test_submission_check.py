"""Submissions written by hand and by us, and each thing that makes one unfit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from asc_bench.cli.main import build_app
from asc_bench.errors import ConfigError, DataError
from asc_bench.submissions.check import listed_files, submission_faults
from asc_bench.submissions.meta import PLACEHOLDER, complexity_of, meta_of, meta_text, read_meta
from asc_bench.submissions.meta_check import meta_faults
from asc_bench.submissions.write import output_text
from asc_bench.submissions.years import CLASSES, DEVICES, YEARS, Year, year_of

LABEL = "Doe_TUNI_task1_1"
FILES = [f"audio/{i}.wav" for i in range(3)]


def numbers() -> dict[str, Any]:
    both = {"accuracy": 50.0, "logloss": 1.5}
    return {
        "overall": dict(both),
        "class_wise": {name: dict(both) for name in CLASSES},
        "device_wise": {name: dict(both) for name in DEVICES},
    }


def filled(year: Year, label: str = LABEL) -> dict[str, Any]:
    """A meta file with nothing left to be filled in."""
    meta = meta_of(
        year,
        label,
        title="a network",
        complexity=dict.fromkeys(year.complexity, 1000),
        results={output: numbers() for output in year.outputs},
    )
    texts = {"lastname": "Doe", "firstname": "Jane", "email": "jane@example.org", "institute": "TUNI"}

    def fill(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: fill(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner) for inner in value]
        if isinstance(value, str) and value.startswith(PLACEHOLDER):
            if name in ("training", "inference", "baseline_inference"):
                return 0.2
            return 2 if name == "ensemble_method_subsystem_count" else texts.get(name, "text")
        return value

    whole: dict[str, Any] = fill(meta)
    return whole


def write_submission(folder: Path, year: Year, label: str = LABEL) -> Path:
    values = np.full((len(FILES), len(CLASSES)), 0.05)
    values[:, 2] = 0.55
    for output in year.outputs:
        (folder / year.file_name(label, output)).write_text(output_text(FILES, values))
    (folder / f"{label}.meta.yaml").write_text(yaml.safe_dump(filled(year, label)))
    return folder


@pytest.mark.parametrize("year", YEARS)
def test_a_whole_submission_of_each_year(tmp_path: Path, year: int) -> None:
    label = f"Doe_TUNI_{YEARS[year].task}_1"
    folder = write_submission(tmp_path, YEARS[year], label)
    assert submission_faults(folder, YEARS[year], files=FILES) == []


def test_the_evaluation_set_of_a_year_is_known(tmp_path: Path) -> None:
    year = replace(YEARS[2022], n_files=3)
    assert submission_faults(write_submission(tmp_path, year), year) == []
    faults = submission_faults(tmp_path, replace(year, n_files=5))
    assert faults == [f"{LABEL}.output.csv: 2 of 5 files have no row, such as '3.wav'"]
    with pytest.raises(ConfigError, match=r"the files of 2025 have to be named: .*fold1_test\.csv"):
        submission_faults(tmp_path, YEARS[2025])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("audio/1.wav", "audio/9.wav", "1 of 3 files have no row, such as '1.wav'"),
        ("audio/1.wav", "audio/9.wav", "1 files are not in the list, such as '9.wav'"),
        ("audio/1.wav", "audio/0.wav", "1 row has a file that was given before, the first in line 3"),
        ("audio/1.wav", "0.wav", "'0.wav' stands in 2 rows, in different folders"),
        ("audio/0.wav\tmetro", "audio/0.wav\tmetros", "1 row has an unknown class, the first in line 2: 'metros'"),
        ("audio/0.wav\tmetro", "audio/0.wav\tbus", "1 row has a label that is not the most probable class"),
        (
            "audio/0.wav\tmetro\t0.05",
            "audio/0.wav\tmetro\t0.15",
            "do not sum to 1 within 0.001, the first in line 2",
        ),
        ("audio/0.wav\tmetro\t0.05", "audio/0.wav\tmetro\tnan", "airport of 'audio/0.wav' is 'nan'"),
        ("filename", "file", "line 1 must name the columns filename, scene_label, airport"),
        ("\t", ",", "line 1 has no tab; it is separated by comma"),
    ],
)
def test_what_is_wrong_with_predictions(tmp_path: Path, old: str, new: str, fault: str) -> None:
    path = write_submission(tmp_path, YEARS[2025]) / f"{LABEL}.output.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, -1 if old == "\t" else 1))
    found = submission_faults(tmp_path, YEARS[2025], files=FILES)
    assert any(fault in one for one in found), found
    assert all(one.startswith(f"{LABEL}.output.csv: ") for one in found)


def test_what_is_wrong_with_files(tmp_path: Path) -> None:
    year = YEARS[2024]
    folder = write_submission(tmp_path, year)
    (folder / f"{LABEL}.output.split_25.csv").rename(folder / f"{LABEL}.output.split25.csv")
    assert submission_faults(folder, year, files=FILES) == [
        f"{LABEL}.output.split25.csv is no file of the submission '{LABEL}' in 2024",
        f"{LABEL}.output.split_25.csv: the file is missing",
    ]
    (folder / "Doe_TUNI_task1_2.meta.yaml").write_text("")
    with pytest.raises(DataError, match=r"holds 2 files LABEL\.meta\.yaml; a submission has one"):
        submission_faults(folder, year, files=FILES)
    (folder / "Doe_TUNI_task1_2.meta.yaml").unlink()
    (folder / f"{LABEL}.meta.yaml").write_text("a: [")
    assert "meta.yaml is no YAML" in submission_faults(folder, year, files=FILES)[-1]


@pytest.mark.parametrize("label", ["Doe_TUNI_task1_5", "Doe_task1_1", "Doe_TUNI_task1a_1"])
def test_labels(tmp_path: Path, label: str) -> None:
    folder = write_submission(tmp_path, YEARS[2025], label)
    (fault,) = submission_faults(folder, YEARS[2025], files=FILES)
    assert f"the label {label!r} is not of the form Lastname_Institute_task1_1" in fault


def test_a_label_that_names_nobody(tmp_path: Path) -> None:
    folder = write_submission(tmp_path, YEARS[2025], "Lastname_Institute_task1_1")
    (fault,) = submission_faults(folder, YEARS[2025], files=FILES)
    assert fault.endswith("names no author and no institute")


def put(*where: object, value: object) -> Callable[[Any], None]:
    """A change of one field."""

    def change(meta: Any) -> None:
        for key in where[:-1]:
            meta = meta[key]
        meta[where[-1]] = value

    return change


RESULTS = ("results", "development_dataset")
COMPLEXITY = ("system", "complexity")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            put("submission", "label", value="Doe_TUNI_task1_2"),
            "label is 'Doe_TUNI_task1_2', and the files are",
        ),
        (put("submission", "name", value=5), "submission.name is 5, but must be a text"),
        (put("submission", "abbreviation", value="x" * 11), f"'{'x' * 11}' has more than 10 characters"),
        (put("submission", "authors", value=[]), "submission.authors must be a list of authors"),
        (put("submission", "authors", 0, "email", value="jane"), "authors[0].email is 'jane', which is no address"),
        (put("submission", "authors", 0, "corresponding", value=False), "0 authors have corresponding: true"),
        (
            put("submission", "authors", 0, value={"corresponding": True}),
            "submission.authors[0].affiliation is mi",
        ),
        (put("system", "description", "framework", value=""), "framework is '', but must be a text"),
        (put("system", "description", "framework", value=None), "framework is None, but must be a text"),
        (put("system", "description", value={}), "system.description.input_sampling_rate is missing"),
        (put("system", "description", value=None), "system.description is missing or holds no fields"),
        (put("system", "source_code", value="FILL IN: x"), "system.source_code is still to be filled in"),
        (put("system", "external_datasets", value=[{"name": "x"}]), "external_datasets[0].url is missing"),
        (put("system", "external_datasets", value="x"), "external_datasets must be a list of data sets, empty if"),
        (put(*COMPLEXITY, "macs", value="29 M"), "macs is '29 M', but must be a whole number"),
        (put(*COMPLEXITY, "macs", value=29.4), "macs is 29.4, but must be a whole number"),
        (put(*COMPLEXITY, "macs", value=29), "macs is 29: give the number itself, not millions"),
        (put(*COMPLEXITY, "macs", value=30_000_001), "macs is 30,000,001, and 30,000,000 was the limit of 2025"),
        (
            put(*COMPLEXITY, "total_model_size", value=128_001),
            "total_model_size is 128,001, and 128,000 was",
        ),
        (put(*COMPLEXITY, "total_parameters", value=True), "total_parameters is True, but must be a whole number"),
        (put(*RESULTS, "overall", "accuracy", value=0.59), "overall.accuracy is 0.59: give percent"),
        (
            put(*RESULTS, "overall", "accuracy", value=101.0),
            "accuracy is 101.0, but must be a number from 0 to",
        ),
        (put(*RESULTS, "overall", "logloss", value=float("nan")), "logloss is nan, but must be a number from 0"),
        (put(*RESULTS, "class_wise", "bus", value={}), "class_wise.bus.accuracy is missing"),
        (put(*RESULTS, "device_wise", "s6", "logloss", value=None), "s6.logloss is None, but must be a number"),
        (put(*RESULTS, "device_wise", value={"a": {}}), "device_wise.b is missing"),
        (put("results", value=None), "results is missing or holds no fields"),
    ],
)
def test_what_is_wrong_with_a_meta_file(change: Callable[[Any], None], fault: str) -> None:
    meta = copy.deepcopy(filled(YEARS[2025]))
    change(meta)
    found = meta_faults(meta, YEARS[2025], LABEL)
    assert any(fault in one for one in found), found


def test_years_differ() -> None:
    assert meta_faults("text", YEARS[2025], LABEL) == ["the meta file holds no fields"]
    with_energy = meta_faults(filled(YEARS[2022]), YEARS[2023], LABEL)
    assert with_energy[0] == "system.energy_consumption is missing"
    five = meta_faults(filled(YEARS[2025]), YEARS[2024], LABEL)
    assert "results.development_dataset.split_5 is missing" in five
    nothing_chosen = filled(YEARS[2022])
    nothing_chosen["system"]["description"]["ensemble_method_subsystem_count"] = None
    assert meta_faults(nothing_chosen, YEARS[2022], LABEL) == []


def test_years_by_protocol() -> None:
    assert year_of("dcase2023").year == 2023
    assert year_of("dcase2022", 2023).year == 2023
    assert year_of("dcase2024-50").output_of("dcase2024-50") == "split_50"
    with pytest.raises(ConfigError, match="esc50 has other data than the challenge of 2025"):
        year_of("esc50", 2025)
    with pytest.raises(ConfigError, match="there is no submission format of 2019; there are 2020, 2021"):
        year_of("dcase2020", 2019)
    with pytest.raises(ConfigError, match="no submission format for dcase2024-6; did you mean"):
        year_of("dcase2024-6")


def test_the_complexity_block_takes_what_a_manifest_has() -> None:
    # A run of ours holds None for what its system does not count.
    own = {"n_parameters": 61_148, "n_multiply_adds": 29_000_000, "n_stored": None, "n_macs_dcase": None}
    found = complexity_of(own, YEARS[2025])
    assert (found["total_parameters"], found["macs"]) == (61_148, 29_000_000)
    assert str(found["total_model_size"]).startswith(PLACEHOLDER)
    counted = complexity_of(
        # The statistics of normalisations are no parameters.
        own | {"n_macs_dcase": 29_419_156, "n_stored": 62_000, "n_nonzero_parameters": 61_000, "n_nonzero": 63_000},
        YEARS[2022],
    )
    assert counted["macs"] == 29_419_156
    assert (counted["total_parameters"], counted["total_parameters_non_zero"]) == (62_000, 61_000)
    assert str(complexity_of({}, YEARS[2025])["macs"]).startswith(PLACEHOLDER)


def test_no_more_parameters_are_not_zero_than_there_are() -> None:
    meta = filled(YEARS[2022])
    meta["system"]["complexity"] |= {"total_parameters": 1000, "total_parameters_non_zero": 1001}
    assert meta_faults(meta, YEARS[2022], LABEL) == [
        "system.complexity.total_parameters_non_zero is 1,001, more than the 1,000 of all"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 2024-13-45", "is no YAML: month must be in 1..12"),
        ("a: &x [*x]", r"line 1: \*x is an alias; write out"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4: c stands there a second time"),
        ("[" * 2_000 + "]" * 2_000, "nested too deeply"),
    ],
)
def test_a_foreign_meta_file_is_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_meta(path)


def test_lists_of_scores_are_filled_in_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "meta.yaml"
    made = meta_of(YEARS[2024], LABEL, title="x", complexity={}, results={})
    path.write_text(meta_text(made, YEARS[2024]))
    assert read_meta(path) == made, "no list is an alias of another"


def test_every_placeholder_is_named() -> None:
    meta = yaml.safe_load(meta_text(meta_of(YEARS[2024], LABEL, title="x", complexity={}, results={}), YEARS[2024]))
    faults = meta_faults(meta, YEARS[2024], LABEL)
    assert sum("still to be filled in ('FILL IN: number')" in fault for fault in faults) == 5 * 2 * (1 + 10 + 9)


def test_lists_of_files(tmp_path: Path) -> None:
    path = tmp_path / "fold1_test.csv"
    path.write_text("filename\tdevice_id\r\naudio/0.wav\ta\r\naudio/1.wav\tunknown\r\n")
    assert listed_files(path) == ["audio/0.wav", "audio/1.wav"]
    path.write_text("device_id\tfilename\na\taudio/0.wav\nunknown\taudio/1.wav\n", encoding="utf-16")
    assert listed_files(path) == ["audio/0.wav", "audio/1.wav"]
    for text, message in (
        ("filename,device_id\naudio/0.wav,a\n", "'filename,device_id' is separated by comma; lists of files are"),
        ("audio/0.wav;a\n", r"'audio/0\.wav;a' is separated by semicolon; lists of files are separated by tabs"),
        ("device_id\tfilename\na\n", "the row of 'a' has 1 cells, and no file name"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=rf"fold1_test\.csv: {message}"):
            listed_files(path)
    path.write_text("filename\n")
    with pytest.raises(DataError, match="the list names no file"):
        listed_files(path)
    with pytest.raises(DataError, match=r"none\.csv cannot be read"):
        listed_files(tmp_path / "none.csv")


def test_files_of_another_encoding(tmp_path: Path) -> None:
    """Scoring reads UTF-16 as lists are read; the organisers' scripts do not."""
    year = YEARS[2025]
    write_submission(tmp_path, year)
    path, meta = (tmp_path / f"{LABEL}{end}" for end in (".output.csv", ".meta.yaml"))
    path.write_text(path.read_text(), encoding="utf-16")
    meta.write_bytes(meta.read_bytes() + b"# \xe4\n")
    faults = submission_faults(tmp_path, year, files=FILES)
    assert faults[0] == f"{path.name}: the file is UTF-16, which validators do not read: save it as UTF-8"
    assert "is not UTF-8 text (invalid" in faults[1] and faults[1].endswith("save it as UTF-8")
    assert len(faults) == 2


def test_the_verb(tmp_path: Path) -> None:
    write_submission(tmp_path, YEARS[2025])
    (tmp_path / "files.txt").write_text("\n".join(FILES))
    words = ["check-submission", str(tmp_path), "--year", "2025", "--list", str(tmp_path / "files.txt")]
    done = CliRunner().invoke(build_app(), words)
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path}: whole, as 2025 asked for it\n")
    (tmp_path / f"{LABEL}.output.csv").unlink()
    failed = CliRunner().invoke(build_app(), words)
    assert failed.exit_code == 1
    assert f"{LABEL}.output.csv: the file is missing" in failed.stdout
    wrong = CliRunner().invoke(build_app(), ["check-submission", str(tmp_path), "--year", "2019"])
    assert isinstance(wrong.exception, ConfigError)
