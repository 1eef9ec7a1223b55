"""Tables II and VI of the hierarchical CNN: their cells, and the published numbers they stand beside."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from asc_bench.proposed.hierarchical_cnn import HierarchicalCnn
from asc_bench.proposed.hierarchical_cnn_tables import Table2, Table6

from asc_bench.papers.fill_table import table_cells
from asc_bench.registry import protocols
from asc_bench.reporting.published import published_by_variant, published_values

PUBLISHED = Path(__file__).parents[2] / "results" / "published"


def rows(table: str) -> list[dict[str, str]]:
    with (PUBLISHED / f"{table}.csv").open() as file:
        return list(csv.DictReader(file))


def test_table_2_has_every_published_number_once() -> None:
    found = {}
    for cell in table_cells(Table2()):
        assert cell.published is not None
        found[cell.at["labels"], cell.at["attention"], cell.measure] = published_values(cell.published)[
            cell.measure
        ]
    expected = {
        (row["labels"], row["attention"], f"{row['level']} top-{row['top_k']}"): float(row["accuracy"])
        for row in rows("hierarchical_table2")
    }
    assert found == expected and len(found) == 16


def test_table_6_has_every_published_number_once() -> None:
    found = {}
    for cell in table_cells(Table6()):
        assert cell.published is not None
        found[cell.row[0], cell.measure] = published_values(cell.published)[cell.measure]
    assert found == {
        (row["variant"], f"{row['level']} top-{row['top_k']}"): float(row["accuracy"])
        for row in rows("hierarchical_table6")
    }


@pytest.mark.parametrize(("item", "n_variants"), [(Table2(), 6), (Table6(), 3)])
def test_cells_name_measures_of_the_protocol_and_different_systems(item, n_variants: int) -> None:
    measures = {measure.name for measure in protocols().get(item.protocol).measures}
    cells = table_cells(item)
    assert {cell.measure for cell in cells} <= measures
    assert len({cell.variant for cell in cells}) == n_variants == len({cell.row for cell in cells})
    # A network that was not trained on a level has no cell there.
    for cell in cells:
        labels = cell.variant.partition("labels=")[2].strip("]").split(",")[0] or "coarse+fine"
        assert cell.measure.split()[0] in labels.split("+")


def test_contradiction_of_the_published_heads_is_told() -> None:
    (remark,) = Table2().remarks()
    assert "fine accuracy (86.2) is above the coarse one (85.7)" in remark


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"coarse top-1": 85.7, "coarse top-3": 92.1, "fine top-1": 86.2, "fine top-3": 92.6}),
        ({"labels": "fine", "attention": "no"}, {"fine top-1": 80.2, "fine top-3": 86.6}),
        ({"rnn": "gru"}, {"coarse top-1": 87.1, "coarse top-3": 93.8, "fine top-1": 87.7, "fine top-3": 93.5}),
        ({"pipelines": "short"}, None),
        ({"orthogonality": "none"}, None),
        ({"rnn": "lstm", "labels": "coarse"}, None),
    ],
)
def test_numbers_on_the_card_stand_beside_the_settings_of_the_paper_alone(settings, expected) -> None:
    params = vars(HierarchicalCnn.Params(**settings))
    manifest = {"system": "hierarchical-cnn", "variant": "v", "params": params}
    assert published_by_variant("merged", [manifest]).get("v") == expected
    assert published_by_variant("esc50", [manifest]) == {}
