"""The CAA-Net tables: their cells, and what is made of stored runs whose accuracies are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from asc_bench.api import Reproduction
from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.errors import ConfigError
from asc_bench.papers.fill_table import Filled, Reproduced, asked, reproduce, table_cells
from asc_bench.papers.registry import reproductions
from asc_bench.reporting import kept_scores as scored
from asc_bench.reporting.published import published_values
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import parse_variants
from asc_bench.runs.work import Work, survey
from tests.unit.made_runs import SETTINGS, made_bench, publish

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
TRAININGS = ("single-device", "joint", "teacher-forcing", "multi-task")


def whole(item: Reproduction, work: Work) -> list[Filled]:
    return [Filled(table_cells(item), work)]


def table(number: int) -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / f"caanet_table{number}.csv", dtype=str)


def specs_of(bench: Bench, name: str, budget: Budget = Budget.PAPER, repeats: int = 1) -> list[RunSpec]:
    """All runs of a table."""
    cells = table_cells(reproductions().get(name)())
    variants = parse_variants(",".join(cell.variant for cell in cells))
    return plan(bench, variants, budget=budget, repeats=range(repeats))


def filled(
    folder: Path,
    name: str,
    n_right: Mapping[tuple[str, ...], Mapping[str, int]],
    *,
    synthetic: bool = False,
    budget: Budget = Budget.PAPER,
    cut: Mapping[str, tuple[str, ...]] | None = None,
    repeats: int = 1,
) -> Reproduced:
    """A table from runs that are right so often, by topology, pooling and training; the others are not run."""
    item = reproductions().get(name)()
    bench, store = made_bench(item.protocol, synthetic=synthetic), ResultsStore(folder / "results")
    specs = specs_of(bench, name, budget, repeats)
    for spec in specs:
        right = n_right.get(settings_of(spec))
        if right is not None and spec.repeat == 0:
            publish(store, bench, spec, n_right=right, told=settings_of(spec)[2] == "teacher-forcing")
    return reproduce(item, whole(item, survey(specs, bench, store, SETTINGS)), folder / "out", cut=cut or {})


def settings_of(spec: RunSpec) -> tuple[str, ...]:
    params = spec.variant.params
    return tuple(str(getattr(params, name)) for name in ("topology", "pooling", "training"))


def text_of(done: Reproduced) -> str:
    """The table side by side."""
    return done.shown.to_text(120)


def rows_of(text: str) -> list[list[str]]:
    """Cells of every line of a printed table, between the rule and the first blank line."""
    body = re.split(r"\n-+\n", text, maxsplit=1)[1].split("\n\n")[0]
    return [line.split() for line in body.splitlines()]


@pytest.mark.parametrize(
    ("name", "n_cells", "n_runs", "protocol"),
    [
        ("caa-net/table1", 56, 56, "dcase2018"),
        ("caa-net/table2", 224, 56, "dcase2018"),
        ("caa-net/table3", 48, 12, "dcase2019"),
    ],
)
def test_a_table_has_the_cells_of_the_paper_and_as_many_runs_as_systems(
    name: str, n_cells: int, n_runs: int, protocol: str
) -> None:
    item = reproductions().get(name)()
    cells = table_cells(item)
    assert item.protocol == protocol
    assert len(cells) == len({(cell.row, cell.column) for cell in cells}) == n_cells
    assert len({cell.variant for cell in cells}) == n_runs
    assert all(cell.at[axis] in values for cell in cells for axis, values in item.axes.items())


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_published_number_stands_in_one_cell(number: int) -> None:
    cells = table_cells(reproductions().get(f"caa-net/table{number}")())
    last = "condition_layer" if number == 1 else "training"
    mine = sorted(
        (*cell.row, cell.at[last], cell.measure, f"{published_values(cell.published)[cell.measure]:.1f}")
        for cell in cells
        if cell.published
    )
    theirs = table(number)
    if number == 1:
        theirs["device"] = "average"
    columns = ["topology", "pooling", last, "device", "accuracy"]
    assert mine == sorted(theirs[columns].itertuples(index=False, name=None))


def test_conditional_training_uses_the_best_layer_of_table_1() -> None:
    first = table(1).astype({"accuracy": float})
    best = first.loc[first.groupby(["topology", "pooling"])["accuracy"].idxmax()]
    layer = {(t, p): int(n) for t, p, n in best[["topology", "pooling", "condition_layer"]].to_numpy()}
    for cell in table_cells(reproductions().get("caa-net/table2")()):
        (variant,) = parse_variants(cell.variant)
        expected = layer[cell.row[0], cell.row[1]] if cell.at["training"] in TRAININGS[2:] else 4
        assert getattr(variant.params, "condition_layer") == expected  # noqa: B009 - the type knows no such field


RIGHT = {
    ("cnn-pool", "att", "single-device"): {"A": 6, "B": 3, "C": 3},
    ("cnn-pool", "att", "joint"): {"A": 9, "B": 1, "C": 2},
    ("cnn-pool", "att", "teacher-forcing"): {"A": 5, "B": 5, "C": 6},
    ("cnn-pool", "att", "multi-task"): {"A": 7, "B": 4, "C": 5},
    ("atrous", "att", "joint"): {"A": 8, "B": 2, "C": 2},
    ("atrous", "att", "multi-task"): {"A": 10, "B": 0, "C": 3},
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Reproduced:
    """Table III from half of its runs."""
    return filled(tmp_path_factory.mktemp("table3"), "caa-net/table3", RIGHT)


def test_measured_numbers_stand_above_the_published_ones(done: Reproduced) -> None:
    numbers = table(3).set_index(["topology", "training", "device"])["accuracy"]

    def printed(topology: str) -> str:
        return " ".join(numbers[topology, t, d] for t in TRAININGS for d in ("A", "B", "C", "average"))

    # Worked by hand: tenths on each device, their mean, the best mean of the row marked.
    assert [" ".join(row) for row in rows_of(text_of(done))] == [
        "cnn-pool att 60.0 30.0 30.0 40.0 90.0 10.0 20.0 40.0 50.0 50.0 60.0 53.3* 70.0 40.0 50.0 53.3*",
        f"published {printed('cnn-pool')}",
        f"cnn-no-pool att{' –' * 16}",
        f"published {printed('cnn-no-pool')}",
        "atrous att – – – – 80.0 20.0 20.0 40.0 – – – – 100.0 0.0 30.0 43.3*",
        f"published {printed('atrous')}",
    ]
    assert "* best average of the four training strategies" in text_of(done)
    assert "24 of 48 cells measured" in text_of(done)
    assert "– not run." in text_of(done)
    assert max(map(len, text_of(done).splitlines())) <= 120


@pytest.mark.parametrize(("width", "n_blocks"), [(100, 2), (60, 4), (40, 8)])
def test_headings_without_room_stand_below_with_the_names_of_the_rows(
    done: Reproduced, width: int, n_blocks: int
) -> None:
    text = done.shown.to_text(width)
    assert max(map(len, text.splitlines())) <= width
    blocks = [rows_of(block) for block in re.split(r"(?=topology +pooling)", text)[1:]]
    assert len(blocks) == n_blocks
    whole = rows_of(text_of(done))
    n_labels = [1 if row[0] == "published" else 2 for row in whole]
    for rows in blocks:
        assert [row[:n] for row, n in zip(rows, n_labels, strict=True)] == [
            row[:n] for row, n in zip(whole, n_labels, strict=True)
        ]
    joined = [[cell for rows in blocks for cell in rows[i][n:]] for i, n in enumerate(n_labels)]
    assert joined == [row[n:] for row, n in zip(whole, n_labels, strict=True)]


def test_the_csv_holds_every_cell_with_its_interval_and_its_runs(done: Reproduced) -> None:
    frame = pd.read_csv(done.folder / "table.csv", keep_default_na=False).set_index(["topology", "group", "column"])
    assert len(frame) == 48
    cell = frame.loc[("cnn-pool", "joint", "A")]
    assert float(cell["value"]) == pytest.approx(0.9)
    assert float(cell["low"]) < 0.9 < float(cell["high"])
    assert (cell["n"], cell["n_locations"], float(cell["published"])) == ("100", "100", pytest.approx(0.699))
    assert re.fullmatch("[0-9a-f]{64}", cell["runs"])
    none = frame.loc[("cnn-no-pool", "joint", "A")]
    assert (none["status"], none["value"], none["runs"]) == ("not run", "", "")
    assert float(none["published"]) == pytest.approx(0.635)


def test_markdown_shows_intervals_and_latex_the_groups(done: Reproduced) -> None:
    markdown = (done.folder / "table.md").read_text()
    assert re.search(r"\*\*53\.3 \[\d\d\.\d, \d\d\.\d\]\*\*", markdown)
    assert "teacher-forcing † avg" in markdown
    latex = (done.folder / "table.tex").read_text()
    assert r"\multicolumn{4}{c}{teacher-forcing $\dagger$}" in latex
    assert r"\textbf{53.3}" in latex
    assert latex.count(r"\\") == 2 + 6


def test_the_device_mark_stands_where_the_device_was_told(done: Reproduced) -> None:
    heading = text_of(done).splitlines()[3]
    assert heading.split() == ["single-device", "joint", "teacher-forcing", "†", "multi-task"]


def test_a_published_row_that_contradicts_itself_is_flagged(tmp_path: Path) -> None:
    right = {("cnn-pool", "avg", "multi-task"): {"A": 6, "B": 6, "C": 6}}
    done = filled(tmp_path, "caa-net/table2", right, cut={"pooling": ("avg",), "topology": ("cnn-pool",)})
    assert len(rows_of(text_of(done))) == 2
    assert len((done.folder / "table.csv").read_text().splitlines()) == 1 + 224
    assert rows_of(text_of(done))[1][-4:] == ["65.4‡", "60.0‡", "58.3‡", "59.7‡"]
    told = " ".join(text_of(done).split())
    assert "printed average is 59.7, the mean of the printed devices (A 65.4, B 60.0, C 58.3) is 61.2" in told
    assert text_of(done).count("‡") == 5
    # What is wrong with the paper's layers and its claim is said beside every part of Table II.
    assert "In 14 of 14 rows the published teacher-forcing average is the best layer" in told
    assert '"68.0 against 65.0, p < 0.01" holds (z = 2.41, p = 0.008) only if' in told
    assert "(2,518, 180, 180 clips) z = 1.24, p = 0.107" in told
    assert "chose it on the test split" in told


@pytest.mark.parametrize(("synthetic", "budget"), [(True, Budget.PAPER), (False, Budget.SMOKE)])
def test_nothing_published_stands_beside_what_cannot_be_compared(
    tmp_path: Path, synthetic: bool, budget: Budget
) -> None:
    right = {("atrous", "att", "joint"): {"A": 6, "B": 6, "C": 6}}
    done = filled(tmp_path, "caa-net/table3", right, synthetic=synthetic, budget=budget)
    assert [row[0] for row in rows_of(text_of(done))] == ["cnn-pool", "cnn-no-pool", "atrous"]
    for name in ("table.md", "table.tex"):
        assert "published |" not in (done.folder / name).read_text()
        assert "& published" not in (done.folder / name).read_text()
    assert pd.read_csv(done.folder / "table.csv")["published"].isna().all()
    assert ("synthetic" if synthetic else "Smoke budget") in text_of(done)


def test_a_failed_run_is_a_marked_cell_with_its_reason(tmp_path: Path) -> None:
    item = reproductions().get("caa-net/table3")()
    bench, store = made_bench(item.protocol), ResultsStore(tmp_path / "results")
    specs = specs_of(bench, item.name)
    publish(store, bench, specs[0], error="bad shape (3, 4)")
    publish(store, bench, specs[1])
    work = survey(specs, bench, store, SETTINGS)
    done = reproduce(item, whole(item, work), tmp_path / "out", cut={})
    assert rows_of(text_of(done))[0][2:10] == [*["fail"] * 4, *["50.0"] * 4]
    assert "training=single-device]: failed: ValueError: bad shape (3, 4)." in text_of(done)
    assert "*" not in text_of(done)
    assert len(work.unfinished) == 11


def test_a_cell_needs_all_its_repeats(tmp_path: Path) -> None:
    done = filled(tmp_path, "caa-net/table3", RIGHT, repeats=2)
    assert "1 of 2 runs are stored" in text_of(done)
    assert rows_of(text_of(done))[0][2:] == ["–"] * 16


def test_scores_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = reproductions().get("caa-net/table3")()
    bench, store = made_bench(item.protocol), ResultsStore(tmp_path / "results")
    specs = specs_of(bench, item.name)
    publish(store, bench, specs[0], n_right={"A": 7, "B": 6, "C": 3})
    first = reproduce(item, whole(item, survey(specs, bench, store, SETTINGS)), tmp_path, cut={})
    written = (tmp_path / "table.csv").read_bytes()

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("scored again")

    monkeypatch.setattr(scored, "score_table", refuse)
    again = reproduce(item, whole(item, survey(specs, bench, store, SETTINGS)), tmp_path, cut={})
    assert again.shown == first.shown
    assert (tmp_path / "table.csv").read_bytes() == written
    publish(store, bench, specs[1])
    with pytest.raises(AssertionError, match="scored again"):
        reproduce(item, whole(item, survey(specs, bench, store, SETTINGS)), tmp_path, cut={})


def test_a_cut_is_the_product_of_its_axes() -> None:
    item = reproductions().get("caa-net/table2")()
    cells = table_cells(item)
    cut = {"topology": ("atrous", "cnn-pool"), "pooling": ("att", "roi"), "training": ("joint",)}
    left = {(cell.row, cell.column[1]) for cell in asked(item, cells, cut)}
    models = [("atrous", "att"), ("cnn-pool", "att"), ("atrous", "roi")]
    assert left == set(product(models, ("A", "B", "C", "avg")))


def test_a_cut_that_leaves_nothing_is_refused() -> None:
    item = reproductions().get("caa-net/table1")()
    with pytest.raises(ConfigError, match="caa-net/table1 has no cell with topology cnn-pool, pooling roi or roi"):
        asked(item, table_cells(item), {"topology": ("cnn-pool",), "pooling": ("roi", "roi+att")})


def test_an_unknown_value_or_axis_is_answered_with_the_near_one() -> None:
    item = reproductions().get("caa-net/table1")()
    with pytest.raises(ConfigError, match="caa-net/table1 has no pooling 'at'; did you mean 'att'"):
        item.check({"pooling": ("max", "at")})
    with pytest.raises(ConfigError, match="no axis 'condition_layers'; did you mean 'condition_layer'"):
        item.check({"condition_layers": ("1",)})
