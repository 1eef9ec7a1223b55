"""Table V of the hierarchical CNN: its cells, and the published numbers they stand beside."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from asc_bench.proposed.hierarchical_cnn_tables import Table5

from asc_bench.papers.fill_table import asked, table_cells
from asc_bench.papers.item import Cut
from asc_bench.papers.registry import reproductions
from asc_bench.registry import protocols
from asc_bench.reporting.published import published_values
from asc_bench.runs.variant import parse_variants
from asc_bench.systems.transfer.settings import TransferParams

PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "hierarchical_table5.csv"

PAPER = {
    "retrained": (0.67, 54.4, 62.3, 86.2),
    "pre-trained with fine tuning": (0.62, 58.3, 75.2, 92.1),
    "pre-trained embedding+SVM": (0.65, 57.5, 72.5, 90.3),
    "pre-trained embedding+LR": (0.65, 57.7, 72.8, 89.8),
}
"""As the paper prints them: error rate, F-score, top-1 and top-3."""
COLUMNS = [("Audioset", "ER"), ("Audioset", "F"), ("Greatest Hits", "Top-1"), ("Greatest Hits", "Top-3")]


def test_every_published_number_stands_in_its_cell() -> None:
    found = {}
    for cell in table_cells(Table5()):
        assert cell.published is not None
        found[cell.row[0], cell.column] = published_values(cell.published)[cell.measure]
    expected = {(m, c): v for m, values in PAPER.items() for c, v in zip(COLUMNS, values, strict=True)}
    assert found == expected
    with PUBLISHED.open() as file:
        assert len(list(csv.DictReader(file))) == len(expected), "no row of the file is left over"


def test_cells_are_measures_of_their_targets() -> None:
    for cell in table_cells(Table5()):
        protocol = protocols().get(cell.protocol)
        if protocol.multi_label:
            assert cell.measure in ("detection error rate", "detection F-score")
        else:
            assert cell.measure in {measure.name for measure in protocol.measures}
        # An error rate is no percentage: it may exceed one.
        assert cell.in_percent == (cell.column[1] != "ER")


def test_cells_are_transfers_of_one_system_without_its_source() -> None:
    table = reproductions().get("hierarchical-cnn/table5")()
    assert isinstance(table, Table5) and table.protocol == "merged"
    params = {}
    for cell in table_cells(table):
        (variant,) = parse_variants(cell.variant)
        assert isinstance(variant.params, TransferParams)
        assert (variant.params.system, variant.params.source) == ("hierarchical-cnn", "")
        assert variant.params.variant == cell.at["variant"]
        params.setdefault(cell.row, set()).add(variant)
    assert [row for (row,) in params] == list(PAPER) and all(len(its) == 1 for its in params.values())


@pytest.mark.parametrize(
    ("cut", "n"),
    [
        ({}, 16),
        ({"variant": ("svm",)}, 4),
        ({"target": ("greatest-hits",)}, 8),
        ({"variant": ("svm", "lr"), "target": ("audioset-dcase2017",)}, 4),
    ],
)
def test_a_cut_leaves_its_cells(cut: Cut, n: int) -> None:
    assert len(asked(Table5(), table_cells(Table5()), cut)) == n
