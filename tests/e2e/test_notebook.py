"""The example notebook in a real kernel, and what the kernel does to classes that are typed in cells."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "python_api.ipynb"

Execute = Callable[[nbformat.NotebookNode], nbformat.NotebookNode]


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """Run a notebook in a kernel of its own, with everything that it writes in ``tmp_path``."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "TMPDIR"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
        where = {"metadata": {"path": str(tmp_path)}}
        executed: nbformat.NotebookNode = NotebookClient(notebook, timeout=300, resources=where).execute()
        return executed

    return run


def notebook(cells: Sequence[str]) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def outputs(executed: nbformat.NotebookNode, start: str) -> nbformat.NotebookNode:
    """What the one cell shows that has a line with such a beginning: mime bundles, and streams as plain text."""
    lines = re.compile(rf"^{re.escape(start)}", re.MULTILINE)
    (cell,) = (c for c in executed.cells if c.cell_type == "code" and lines.search(c.source))
    return [o.data if "data" in o else {"text/plain": o.text} for o in cell.outputs]


def test_the_example_is_committed_without_outputs() -> None:
    example = nbformat.read(EXAMPLE, as_version=4)
    nbformat.validate(example)
    code = [cell for cell in example.cells if cell.cell_type == "code"]
    assert code and not any(cell.outputs or cell.execution_count for cell in code)
    assert not any(cell.metadata for cell in example.cells)


def test_the_example_runs_from_top_to_bottom(execute: Execute) -> None:
    example = execute(nbformat.read(EXAMPLE, as_version=4))
    shown = [output for cell in example.cells for output in cell.get("outputs", ())]
    assert not [output.text for output in shown if output.get("name") == "stderr"]

    progress, table = outputs(example, "results = asc_bench.run")
    assert "SYNTHETIC" in progress["text/plain"] and "15 to compute" in progress["text/plain"]
    assert "Time: unknown" in progress["text/plain"]
    assert progress["text/plain"].count("\n") == 2 and "15 of 15 runs computed" in progress["text/plain"]
    assert table["text/html"].count("<tr>") == 1 + 3 and "<td>nearest-mean</td>" in table["text/html"]
    assert "Synthetic dataset" in table["text/html"] and len(table["text/plain"]) < 200

    progress, same = outputs(example, "again = asc_bench.run")
    assert progress["text/plain"].endswith("15 stored or skipped, 0 to compute") and same["text/plain"] == "True"
    progress, _ = outputs(example, "edited = asc_bench.run")
    assert "10 stored or skipped, 5 to compute" in progress["text/plain"]

    (examined,) = outputs(example, "asc_bench.check(")
    assert examined["text/plain"].count("  ok  ") == 11 and "FAIL" not in examined["text/plain"]
    (picture,) = outputs(example, "results.plot.confusion")
    assert base64.b64decode(picture["image/png"]).startswith(b"\x89PNG")
    (scores,) = outputs(example, "asc_bench.score(")
    assert re.search(r"predictions +accuracy +0\.1 ", scores["text/plain"])
    (latex,) = outputs(example, 'print(results.table("latex"')
    assert r"\begin{tabular}{lrr}" in latex["text/plain"] and "synthetic (tiny)" in latex["text/plain"]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/howto/own-system.md"])
def test_the_example_of_a_document_runs(cache: Path, tmp_path: Path, page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    if page == "README.md":
        text = text.split("From Python:\n")[1].split("\n## ")[0]
        code = textwrap.dedent(text)
    else:
        code = text.split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "ASC_BENCH_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = "sb-cnn" if page == "README.md" else "forest"
    assert re.search(rf"^{last} ", done.stdout, re.MULTILINE) and "synthetic (tiny)" in done.stdout
    assert (tmp_path / "results" / "runs").is_dir()
    if page != "README.md":
        assert done.stdout.count("  ok  ") == 11 and "FAIL" not in done.stdout
        assert (tmp_path / "confusion.png").exists()


CELLS = (
    """
import json
import numpy as np, asc_bench
from asc_bench.api import Card, LogMel, System
options = dict(budget="smoke", synthetic=True, synthetic_size="tiny", folds=["fold1", "fold2"], n_threads=1)
options["cache"] = CACHE

def numbers(results):
    runs = sorted(run.manifest["key"] for run in results.runs)
    print(json.dumps([runs, results.predictions().filter(like="p_").to_numpy().tolist()]))
""",
    """
def soften(distances):
    weights = np.exp(-distances / WIDTH)
    return weights / weights.sum(axis=1, keepdims=True)
""",
    """
class Means(System):
    card = Card(name="means", title="Class means", citation="this test", year=2026, input="log-mel")
    def front_end(self):
        return LogMel(sample_rate_hz=8_000, n_fft=256, window_length=256, hop_length=4_000, n_mels=16,
                      fmin_hz=0.0, fmax_hz=4_000.0)
    def fit(self, train, validation, context):
        means = train.features.load().mean(axis=1)
        self.centres = np.stack([means[train.labels["fine"] == k].mean(axis=0) for k in range(10)])
    def predict(self, clips):
        means = clips.features.load().mean(axis=1)
        return soften(((means[:, None] - self.centres) ** 2).mean(axis=2)).astype(np.float32)
""",
)
WIDTHS = ("WIDTH = 20", "WIDTH = 40")


def test_typed_classes_are_keyed_by_what_they_use(execute: Execute, cache: Path, tmp_path: Path) -> None:
    """The same in a new kernel; another one after an edit; and in workers what was typed last."""
    start = CELLS[0].replace("CACHE", repr(str(cache)))
    serial = f"numbers(asc_bench.run('esc10', Means, **options, results={str(tmp_path / 'one')!r}))"
    workers = f"numbers(asc_bench.run('esc10', Means, **options, results={str(tmp_path / 'two')!r}, n_jobs=2))"
    edited = CELLS[2].replace("(axis=2)).astype", "(axis=2) + 0.0).astype")
    first = execute(notebook([start, WIDTHS[0], *CELLS[1:], serial, workers, WIDTHS[1], workers]))
    second = execute(notebook([start, WIDTHS[0], *CELLS[1:], serial, WIDTHS[1], serial, edited, serial]))

    def numbers_of(executed: nbformat.NotebookNode) -> list[tuple[list[str], list[list[float]]]]:
        streams = [o.text for c in executed.cells for o in c.outputs if o.output_type == "stream"]
        return [tuple(json.loads(text)) for text in streams]

    (keys, given), in_workers, edited_in_workers = numbers_of(first)
    again, edited_alone, other_class = numbers_of(second)
    assert (keys, given) == in_workers == again
    assert edited_in_workers == edited_alone
    assert edited_alone[1] != given and other_class[1] == edited_alone[1]
    assert len({*keys, *edited_alone[0], *other_class[0]}) == 3 * len(keys) == 6

    summaries = [o.data["text/plain"] for c in second.cells for o in c.outputs if o.output_type == "display_data"]
    assert [re.findall(r"(\d) to compute", text) for text in summaries] == [["0"], ["2"], ["2"]]


def test_failed_runs_and_warnings_are_lines_of_the_notebook(execute: Execute, cache: Path, tmp_path: Path) -> None:
    failing = """
class Failing(Means):
    card = Card(name="failing", title="x", citation="x", year=2026, input="x")
    def fit(self, train, validation, context):
        import logging
        logging.getLogger("asc_bench").warning("too warm")
        raise RuntimeError("on purpose")
"""
    run = "results = asc_bench.run('esc10', [Failing, Means], **options, results='results'PROGRESS)\nresults"
    quiet = run.replace("PROGRESS", ", progress=False, only='failed'")
    start = CELLS[0].replace("CACHE", repr(str(cache)))
    cells = [start, WIDTHS[0], *CELLS[1:], failing, run.replace("PROGRESS", ""), quiet]
    executed = execute(notebook(cells))
    (progress, table), (warned, _) = ([o.data for o in cell.outputs] for cell in executed.cells[-2:])
    lines = progress["text/plain"].splitlines()
    assert lines[2] == "too warm" and lines[3].startswith("  FAILED  failing fold1: RuntimeError: on purpose (t")
    assert lines[-1].startswith("  4 of 4 runs computed, 2 failed")
    assert "failed (2 of 2 runs): RuntimeError: on purpose" in table["text/html"]
    assert warned["text/plain"].splitlines() == ["too warm", "too warm"]


def test_an_interrupted_cell_says_so_and_the_next_one_goes_on(execute: Execute, cache: Path) -> None:
    start = CELLS[0].replace("CACHE", repr(str(cache)))
    stop = """
class Interrupted(Means):
    card = Card(name="interrupted", title="x", citation="x", year=2026, input="x")
    def fit(self, train, validation, context):
        if stop:
            raise KeyboardInterrupt
        super().fit(train, validation, context)
stop = True
asc_bench.run("esc10", [Means, Interrupted], **options, results="results")
"""
    with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
        execute(notebook([start, WIDTHS[0], *CELLS[1:], stop]))
    done = "print(asc_bench.run('esc10', Means, **options, results='results').run_table()['status'].tolist())"
    executed = execute(notebook([start, WIDTHS[0], *CELLS[1:], done]))
    summary, states = executed.cells[-1].outputs
    assert "2 stored or skipped, 0 to compute" in summary.data["text/plain"]
    assert states.text.strip() == "['done', 'done']"
