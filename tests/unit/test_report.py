import errno
import math
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from asc_bench.errors import ConfigError, StoreError
from asc_bench.names import slug
from asc_bench.protocol import Reference
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.report import write_report
from asc_bench.scoring.measure import Measure
from tests.unit.reporting_frames import HOSTILE, confusion, failed, manifest, scores, significance
from tests.unrendered import do_not_render

CAA = "caa-net[pooling=att]"
VALUES = {CAA: {"average": 2 / 3, "B": 0.1 + 0.2}, "sb-cnn": {"average": 0.62, "B": 0.57}}
MATRIX = confusion(("bus", "tram"), [[3, 1], [0, 4]])


def report(folder: Path, **changes: object) -> list[Path]:
    arguments: dict[str, object] = {
        "scores": scores(VALUES),
        "significance": significance(CAA),
        "manifests": [manifest(CAA), manifest("sb-cnn"), failed("broken")],
        "confusions": {CAA: {"A": MATRIX, "B": MATRIX}},
        "published": {CAA: {"average": 68.0}},
        "references": [Reference("humans", {"average": 95.7}, "Piczak 2015")],
        "measures": [Measure("average"), Measure("B")],
        "tied": {CAA},
    }
    return write_report(folder, Evaluation(**(arguments | changes)))  # type: ignore[arg-type]


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that do not look into the pictures."""
    do_not_render(monkeypatch.setattr)


def test_all_files_are_written_and_listed(tmp_path: Path) -> None:
    written = report(tmp_path / "new" / "folder")
    stem = f"confusion-{slug(CAA)}"
    assert [p.name for p in written] == [
        "results.md", "results.csv", "results.tex",
        "significance.md", "significance.csv", "significance.tex",
        "runs.csv", "classes.csv", "confusions.csv", "pareto.md", "pareto.csv", "pareto.tex",
        "scores.png", "scores.svg", "ranks.png", "ranks.svg", "pareto.png", "pareto.svg",
        f"{stem}.png", f"{stem}.svg", "report.html",
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == sorted(p.name for p in written)
    assert all(p.stat().st_size for p in written)


@pytest.mark.usefixtures("unrendered")
def test_csv_gives_back_every_digit(tmp_path: Path) -> None:
    report(tmp_path)
    read = pd.read_csv(tmp_path / "results.csv").set_index(["system", "measure"])
    for row in scores(VALUES).to_dict("records"):
        back = read.loc[(row["system"], row["measure"])]
        for column in ("value", "low", "high", "n", "n_locations", "n_repeats"):
            assert back[column] == row[column]
    assert read.loc[(CAA, "average"), "published"] == 0.68
    assert read["published"].isna()[CAA, "B"]
    assert read.loc[(CAA, "B"), "runs"] == f"key-{CAA}"
    assert read.loc[("broken", "average"), "status"] == "failed: ValueError: bad shape (3, 4)"
    assert read["value"].isna()["broken", "average"]
    assert read.loc[(CAA, "B"), "n_parameters"] == 4_686_000
    assert read.loc[(CAA, "B"), "train_s"] == 312.4
    assert read["macs"].isna().all()
    assert read["n_parameters"].isna()["broken", "average"]
    pairs = pd.read_csv(tmp_path / "significance.csv")
    pd.testing.assert_frame_equal(pairs, significance(CAA), check_dtype=False, check_exact=True)
    runs = pd.read_csv(tmp_path / "runs.csv").set_index("variant")
    assert runs.loc["sb-cnn", "durations_s.fit"] == 312.4
    assert runs.loc["sb-cnn", "n_clips.test"] == 2878
    assert runs.loc["broken", "error.message"] == "bad shape (3, 4)\nsecond line"


def test_hostile_strings_stay_strings_everywhere(tmp_path: Path) -> None:
    name = "../../x" + HOSTILE
    written = report(
        tmp_path / "here",
        scores=scores({name: {"average": 0.5, HOSTILE: 0.4}}),
        significance=significance(name, HOSTILE),
        manifests=[manifest(name, device=HOSTILE, versions={HOSTILE: HOSTILE}), failed(HOSTILE, HOSTILE)],
        confusions={name: {"": MATRIX}},
        published={},
        references=[Reference(HOSTILE, {"average": 9.0}, HOSTILE)],
        measures=[Measure("average"), Measure(HOSTILE)],
        tied=set(),
        notes=[HOSTILE],
    )
    assert [p.name for p in tmp_path.iterdir()] == ["here"]
    assert all(p.parent == tmp_path / "here" for p in written)
    markdown = (tmp_path / "here" / "results.md").read_text(encoding="utf-8")
    assert "<" not in markdown


@pytest.mark.usefixtures("unrendered")
def test_synthetic_results_say_so_and_show_nothing_published(tmp_path: Path) -> None:
    change = {"synthetic": True, "synthetic_size": "small", "budget": "smoke"}
    report(tmp_path, manifests=[manifest(s, **change) for s in VALUES], confusions={})
    for name in ("results.md", "results.csv", "results.tex", "report.html"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "95.7" not in text
        assert "humans" not in text
        assert "small" in text
        assert "smoke" in text
        assert "synthetic" in text
    read = pd.read_csv(tmp_path / "results.csv")
    assert read["published"].isna().all()
    assert read["synthetic"].all()


@pytest.mark.usefixtures("unrendered")
def test_a_file_that_has_nothing_to_say_any_more_goes(tmp_path: Path) -> None:
    report(tmp_path)
    written = report(tmp_path, confusions={})
    assert {p.name for p in tmp_path.iterdir()} >= {p.name for p in written}
    assert not (tmp_path / "confusions.csv").exists()
    assert not (tmp_path / "classes.csv").exists()


@pytest.mark.usefixtures("unrendered")
def test_counts_and_recalls_of_all_devices_and_of_each(tmp_path: Path) -> None:
    other = confusion(("bus", "tram"), [[0, 2], [0, 0]])
    report(tmp_path, confusions={CAA: {"A": MATRIX, "B": other}})
    recalls = pd.read_csv(tmp_path / "classes.csv", keep_default_na=True).fillna({"device": ""})
    found = {(r["device"], r["label"]): (r["n"], r["recall"]) for r in recalls.to_dict("records")}
    assert found["", "bus"] == (6, 3 / 6)
    assert found["", "tram"] == (4, 1.0)
    assert found["A", "bus"] == (4, 3 / 4)
    assert found["B", "bus"] == (2, 0.0)
    assert found["B", "tram"][0] == 0
    assert math.isnan(found["B", "tram"][1])
    counts = pd.read_csv(tmp_path / "confusions.csv").fillna({"device": ""})
    rows = [tuple(row) for row in counts.itertuples(index=False)]
    assert (CAA, "", "bus", "tram", 3) in rows
    assert (CAA, "B", "bus", "tram", 2) in rows
    assert len(rows) == 3 + 3 + 1


def test_a_second_report_is_the_same_bytes(tmp_path: Path) -> None:
    first = {p.name: p.read_bytes() for p in report(tmp_path)}
    assert {p.name: p.read_bytes() for p in report(tmp_path)} == first


@pytest.mark.usefixtures("unrendered")
def test_a_report_of_failures_alone_is_a_report(tmp_path: Path) -> None:
    report(
        tmp_path,
        scores=scores({}),
        significance=significance().iloc[:0],
        manifests=[failed("broken")],
        confusions={},
    )
    assert "failed: ValueError" in (tmp_path / "results.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("unrendered")
def test_a_figure_that_fails_costs_that_figure_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = {p.name for p in report(tmp_path)}

    def fails(*_: object, **__: object) -> Figure:
        raise ValueError("latex is not installed")

    monkeypatch.setattr("asc_bench.reporting.report_figures.draw_confusions", fails)
    written = report(tmp_path)
    lost = {f"confusion-{slug(CAA)}.png", f"confusion-{slug(CAA)}.svg"}
    assert {p.name for p in written} == whole - lost
    assert {p.name for p in tmp_path.iterdir()} == whole - lost, "one of an earlier report shows other numbers"
    stem = tmp_path / f"confusion-{slug(CAA)}"
    assert caplog.messages == [f"figure {stem} is left out: ValueError: latex is not installed"]


@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", "module://nobody.has", "nonsense"]
)
def test_figures_do_not_ask_for_the_backend_that_the_environment_names(tmp_path: Path, backend: str) -> None:
    code = (
        "import sys, os\n"
        "from pathlib import Path\n"
        "from asc_bench.reporting.confusion_figure import draw_confusions\n"
        "from asc_bench.reporting.figures import save_figure\n"
        "import pandas as pd\n"
        "frame = pd.DataFrame([[3, 1], [0, 4]], index=['bus', 'tram'], columns=['bus', 'tram'])\n"
        f"save_figure(draw_confusions({{'A': frame}}), Path({str(tmp_path / 'x')!r}))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        f"assert os.environ['MPLBACKEND'] == {backend!r}, 'what a notebook plots itself is none of ours'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MPLBACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"x.png", "x.svg"}


def test_what_the_table_hides_no_figure_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[set[str]] = []

    def draw(frame: pd.DataFrame, **_: object) -> Figure:
        drawn.append(set(frame["system"]))
        return Figure()

    monkeypatch.setattr("asc_bench.reporting.report_figures.draw_scores", draw)
    frame = scores(VALUES)
    frame.loc[0, "incomplete"] = "one measure of the first system is incomplete"
    report(tmp_path, scores=frame, confusions={CAA: {"A": MATRIX}})
    assert drawn == [{"sb-cnn"}]
    assert not list(tmp_path.glob("confusion-*"))


def test_nothing_is_written_when_runs_cannot_be_mixed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="runs of different budget cannot share a table"):
        report(tmp_path / "x", manifests=[manifest(CAA), manifest("sb-cnn", budget="smoke")])
    assert not (tmp_path / "x").exists()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(StoreError, match="taken"):
        report(tmp_path / "taken" / "report")
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results.md").write_text("the old one")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"results\.md cannot be written .No space left"):
        report(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["results.md"]
    assert (tmp_path / "results.md").read_text() == "the old one"


def test_importing_reporting_is_cheap() -> None:
    heavy = ("torch", "matplotlib", "tabulate", "sklearn", "librosa", "scipy")
    code = (
        "import sys, asc_bench.reporting.report, asc_bench.reporting.results, asc_bench.reporting.published;"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
