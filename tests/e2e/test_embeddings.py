"""Systems on embeddings as a user meets them: without weights, and with an extractor of one's own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.conftest import Cli
from tests.reliability.helpers import run_arguments

SOURCE = """
import numpy as np

def loudness(waveforms):
    blocks = waveforms[:, : waveforms.shape[1] // 40 * 40].reshape(len(waveforms), 40, -1)
    return np.log(blocks.std(axis=2) + 1e-6)
"""


def test_without_weights_the_row_is_skipped_with_its_reason(cli: Cli, tmp_path: Path, cache: Path) -> None:
    assert not (cache / "weights").exists()
    reason = "fetch them with `asc-bench prepare vggish --download`, or name them with weights=FILE"
    done = cli(*run_arguments(tmp_path / "results", "vggish-svm,toy-a"))
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert reason in told
    statuses = [json.loads(p.read_text())["status"] for p in (tmp_path / "results" / "runs").rglob("manifest.json")]
    assert statuses == ["done"], "nothing but toy-a was run"
    assert f"unavailable: no weights here: {reason[:14]}" in " ".join(cli("list", "systems").stdout.split())
    unnamed = cli(*run_arguments(tmp_path / "results", "embedding-svm,toy-a"))
    assert unnamed.returncode == 2
    assert "no extractor is named" in unnamed.stderr
    absent = cli("prepare", "vggish")
    assert absent.returncode == 1
    assert "vggish-10086976.pth: absent" in absent.stdout
    checked = cli("check", "vggish-svm")
    assert checked.returncode == 2
    assert reason in checked.stderr


def test_named_weights_that_are_absent_are_a_failed_row(cli: Cli, tmp_path: Path) -> None:
    done = cli(*run_arguments(tmp_path / "results", "vggish-svm[weights=nowhere.pth]"))
    assert done.returncode == 1
    assert "nowhere.pth cannot be read: No such file or directory" in " ".join(done.stdout.split())


def test_an_extractor_in_python_and_its_content_in_the_run_key(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    module = tmp_path / "own" / "my_extractor.py"
    module.write_text(SOURCE)
    name = "embedding-svm[extractor=my_extractor:loudness,sample_rate_hz=8000,window_s=5]"
    arguments = run_arguments(tmp_path / "results", name)
    place = str(module.parent)
    done = cli(*arguments, PYTHONPATH=place)
    assert done.returncode == 0, done.stderr
    (manifest,) = (json.loads(p.read_text()) for p in (tmp_path / "results" / "runs").rglob("manifest.json"))
    assert manifest["status"] == "done"
    assert manifest["facts"]["C"] in (0.1, 1.0, 10.0)
    assert manifest["facts"]["sha256 my_extractor.py"] == hashlib.sha256(module.read_bytes()).hexdigest()
    assert len(manifest["key_parts"]["files"]) == 1, "the module with all that it imports"
    assert cli(*arguments, "--dry-run", PYTHONPATH=place).stdout.startswith("done")
    module.write_text(SOURCE.replace("1e-6", "1e-5"))
    assert cli(*arguments, "--dry-run", PYTHONPATH=place).stdout.startswith("to do")
