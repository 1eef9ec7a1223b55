"""``asc-bench distil`` as a user types it: refusals first, then teachers and both students in one table."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from asc_bench.cli.main import build_app
from asc_bench.errors import ConfigError

STUDENT = "dcase2022-baseline[plan.iterations=2,plan.select=last,plan.validate_every=0]"
CHOOSY = "dcase2022-baseline[plan.iterations=2,plan.validate_every=1]"


def test_distil_and_look_at_what_is_stored(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = [
        "-p",
        "dcase2018",
        "--synthetic",
        "--synthetic-size",
        "tiny",
        "--budget",
        "smoke",
        "--cache",
        str(cache),
    ]

    def said(*words: str) -> str:
        done = CliRunner().invoke(build_app(), [*words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    with pytest.raises(ConfigError, match="distilled on fold1: its teacher logmel-svm: it is trained on 30"):
        said("distil", "--teachers", "logmel-svm", "--student", CHOOSY, *data)
    assert not (tmp_path / "results").exists()

    asked = ["distil", "--teachers", "logmel-svm,logmel-svm[C=1.0]", "--student", STUDENT, *data]
    asked += ["--logits", "cross-fitted", "--cv", "2", "--label-weight", "0.5", "--precision", "float32"]
    said(*asked)
    settings = "teachers=logmel-svm+logmel-svm[C=1.0],logits=cross-fitted,cv=2,label_weight=0.5"
    name = f"distilled[student={STUDENT},{settings}]"
    (written,) = tmp_path.glob("results/tables/dcase2018-synthetic-tiny/smoke/*/results.csv")
    table = pd.read_csv(written)
    assert set(table["system"]) == {name, STUDENT, "logmel-svm", "logmel-svm[C=1.0]"}
    counted = dict(zip(table["system"], table["n_parameters"], strict=True))
    assert counted[name] == counted[STUDENT]
    notes = " ".join((written.parent / "results.md").read_text(encoding="utf-8").replace("\\", "").split())
    assert "was trained on labels and on cross-fitted logits (2 groups of recording locations" in notes
    assert json.loads((written.parent / "table.json").read_bytes())["reference"] == STUDENT

    assert "8 stored or skipped, 0 to compute" in said(*asked, "--dry-run")
    assert "1 of 1 tables verified" in said("verify", "results")
    assert "part1of2" not in said("report", *data[:3], "--budget", "smoke")
    part = next(tmp_path.glob("results/runs/cross-fitted-*/smoke/logmel-svm/*"))
    assert "explain the run of its student" in said("explain", str(part))
    student = next(tmp_path.glob("results/runs/dcase2018-*/smoke/distilled-*/*"))
    assert "nothing it depends on has changed" in said("explain", str(student), "--cache", str(cache))
