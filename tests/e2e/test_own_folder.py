"""``run --folder``: recordings of one's own, from a CSV to tables, and these again without the recordings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from asc_bench.names import slug
from tests.unit.own_folder import write_folder

TABLE = ("--csv", "meta.csv", "--label", "what")


def test_from_a_csv_to_the_tables(cli, tmp_path: Path) -> None:
    place = write_folder(tmp_path / "lab")
    asked = ("--folder", "lab", *TABLE, "--location", "where", "--device-column", "mic")
    run = ("run", *asked, "-s", "toy-a,toy-b", "-b", "smoke", "--threads", "1")
    done = cli(*run, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "lab, 5 folds by location: lab, smoke budget, 1 seed" in done.stdout
    assert "independent" not in done.stdout.partition("\n\n")[0]
    table = tmp_path / "results/tables/lab/smoke" / slug("toy-a,toy-b")
    scores = pd.read_csv(table / "results.csv").set_index(["measure", "system"])
    assert set(scores.index.unique("measure")) >= {"accuracy", "a", "b", "log loss"}
    assert scores.loc[("accuracy", "toy-a"), "value"] > 0.6
    assert scores.loc[("accuracy", "toy-a"), "n_locations"] == 18
    again = cli(*run)
    assert "10 stored or skipped, 0 to compute" in again.stderr
    state = cli("status", *asked, "-s", "toy-a", "-b", "smoke")
    assert state.returncode == 0 and "toy-a" in state.stdout, state.stderr

    shutil.rmtree(place)
    report = cli("report", "-p", "lab", "-b", "smoke")
    assert report.returncode == 0, report.stderr
    assert report.stdout == done.stdout
    pair = cli("compare", "toy-a", "toy-b", "-p", "lab", "-b", "smoke", "--measure", "a")
    assert pair.returncode == 0 and "A is better than B in a" in pair.stdout, pair.stderr


def test_without_a_location_the_table_says_so(cli, tmp_path: Path) -> None:
    write_folder(tmp_path / "lab")
    done = cli("run", "--folder", "lab", *TABLE, "-s", "toy-a", "-b", "smoke", "--folds", "fold1")
    assert done.returncode == 0, done.stderr
    assert "Clips are taken as independent, since the table names no recording location" in done.stdout
    for ending in ("md", "tex"):
        text = (tmp_path / f"results/tables/lab/smoke/toy-a/fold1/results.{ending}").read_text(encoding="utf-8")
        assert "taken as independent" in text


def test_wrong_input_is_one_sentence(cli, tmp_path: Path) -> None:
    write_folder(tmp_path / "lab")
    for arguments, code, message in (
        ((), 2, "name a protocol (--protocol) or a folder of your own (--folder)"),
        (("--csv", "meta.csv"), 2, "--csv belongs to --folder, which is not given"),
        (("-p", "esc10", "--folder", "lab", *TABLE), 2, "--protocol and --folder exclude each other"),
        (("--folder", "lab", "--label", "what"), 2, "--folder needs --csv"),
        (("--folder", "lab", "--csv", "meta.csv"), 2, "--folder needs --label"),
        (
            ("--folder", "lab", "--csv", "meta.csv", "--label", "wat"),
            2,
            "no column 'wat' for the label; did you",
        ),
        (("--folder", "lab", *TABLE, "--device", "mic"), 2, "is named with --device-column"),
        (("--folder", "nowhere", *TABLE), 3, "nowhere is not a folder"),
        (("--folder", "lab", *TABLE, "--synthetic"), 2, "there is no synthetic dataset for it"),
    ):
        done = cli("run", *arguments, "-s", "toy-a", "-b", "smoke")
        assert done.returncode == code, (arguments, done.stderr)
        assert message in done.stderr and "Traceback" not in done.stderr, (arguments, done.stderr)


def test_a_folder_with_a_missing_file_is_refused(cli, tmp_path: Path) -> None:
    place = write_folder(tmp_path / "lab")
    (place / "audio" / "park-0-0.wav").unlink()
    done = cli("run", "--folder", "lab", *TABLE, "-s", "toy-a", "-b", "smoke")
    assert done.returncode == 1
    assert "1 audio files are missing, such as audio/park-0-0" in done.stderr
    assert "prepare" not in done.stderr
