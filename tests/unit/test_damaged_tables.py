"""Tables on disk that were changed: written again, or refused by name, and never printed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from asc_bench.errors import StoreError
from asc_bench.registry import protocols
from asc_bench.reporting import kept_scores
from asc_bench.reporting import report as report_module
from asc_bench.reporting.report_runs import STAMP, TEXT
from asc_bench.results import TABLE
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.stored_results import load_results, stored_tables
from tests.unit.made_runs import made_bench, publish, specs_of


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Results of two systems, of which a table was made; without figures, which take seconds."""
    folder = tmp_path_factory.mktemp("results")
    store, bench = ResultsStore(folder), made_bench()
    for name, n_right in (("logmel-svm", 7), ("sb-cnn", 9)):
        publish(store, bench, specs_of(bench, name)[0], n_right=n_right)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_module, "figures_of", lambda evaluation, choice: {})
        load_results(folder, "dcase2018", budget="paper").report()
        yield folder


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    return Path(shutil.copytree(written, tmp_path / "results"))


def of(root: Path, name: str) -> Path:
    (path,) = (root / "tables").rglob(name)
    return path


@pytest.mark.parametrize(
    ("name", "change"),
    [(TEXT, "digit"), (TEXT, "empty"), ("results.csv", "digit"), ("results.tex", "lost"), (STAMP, "empty")],
)
def test_a_changed_file_of_a_report_is_written_again(root: Path, name: str, change: str) -> None:
    results = load_results(root, "dcase2018", budget="paper")
    said = results.report().text
    path, before = of(root, name), of(root, name).read_bytes()
    if change == "lost":
        path.unlink()
    else:
        path.write_bytes(before.replace(b"7", b"9") if change == "digit" else b"")
    assert results.report().text == said
    assert path.read_bytes() == before


def test_a_whole_report_is_not_written_again(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in of(root, TEXT).parent.iterdir() if path.name != TABLE}
    load_results(root, "dcase2018", budget="paper").report()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_list_of_systems_that_was_changed_is_refused_and_one_without_a_digest_is_not(root: Path) -> None:
    path = of(root, TABLE)
    content = json.loads(path.read_bytes())
    assert content["systems"] == ["logmel-svm", "sb-cnn"]
    path.write_text(json.dumps({k: v for k, v in content.items() if k != "digest"}))
    (found, *_), = stored_tables(root, "dcase2018", budget="paper")  # fmt: skip
    assert found.systems == content["systems"]
    path.write_text(json.dumps(content | {"systems": ["sb-cnn"]}))
    with pytest.raises(StoreError, match=rf"{TABLE} cannot be read: .*its content does not match its digest"):
        list(stored_tables(root, "dcase2018", budget="paper"))
    # Whole, but of another table.
    load_results(root, "dcase2018", budget="paper", systems="sb-cnn").report(path.parent.with_name("another"))
    path.write_bytes((path.parent.with_name("another") / TABLE).read_bytes())
    with pytest.raises(StoreError, match=rf"{TABLE} cannot be read: .*its content does not match its digest"):
        list(stored_tables(root, "dcase2018", budget="paper"))


def test_scores_that_were_changed_are_computed_again(root: Path, tmp_path: Path) -> None:
    runs: dict[str, list[StoredRun]] = {run.manifest["variant"]: [run] for run in ResultsStore(root).iterate()}
    counts: Counter[str] = Counter()

    def score(its: list[StoredRun]) -> pd.DataFrame:
        counts[its[0].manifest["variant"]] += 1
        return pd.DataFrame({"system": [its[0].manifest["variant"]], "value": [0.25]})

    def remembered() -> pd.DataFrame:
        return kept_scores.remembered(
            protocols().get("dcase2018")(), runs, tmp_path / "kept", score, code="1", columns=["system", "value"]
        )

    first = remembered()
    assert remembered().equals(first) and counts == {"logmel-svm": 1, "sb-cnn": 1}
    path = tmp_path / "kept" / kept_scores.SCORES
    path.write_text(path.read_text().replace("0.25", "0.75"))
    assert remembered().equals(first) and counts == {"logmel-svm": 2, "sb-cnn": 2}
