"""The taxonomy as data, against the counts and examples of its publication."""

from __future__ import annotations

import pandas as pd
import pytest

from asc_bench.data.taxonomy import check_taxonomy, merged_label, taxonomy
from asc_bench.errors import ConfigError, DataError


def test_counts() -> None:
    table = taxonomy()
    assert table.shape == (110, 4)
    assert (table["fine_label"].nunique(), table["coarse_label"].nunique()) == (70, 8)
    assert dict(table["source_dataset"].value_counts()) == {
        "esc50": 50,
        "dares_g1_presumed": 26,
        "litis_rouen": 19,
        "dcase2017": 15,
    }
    pairs = table[["fine_label", "coarse_label"]].drop_duplicates()
    assert len(pairs) == 70, "one coarse class for each fine class"


@pytest.mark.parametrize(
    ("dataset", "label", "merged"),
    [
        ("litis_rouen", "avion", ("airplane", "Vehicle")),
        ("dcase2017", "residential_area", ("quiet_street", "Outdoor")),
        ("esc50", "sea_waves", ("beach", "Nature")),
    ],
)
def test_labels_of_different_sets_meet(dataset: str, label: str, merged: tuple[str, str]) -> None:
    assert merged_label(dataset, label) == merged


def test_an_unmapped_label_raises() -> None:
    with pytest.raises(
        DataError, match=r"esc50: label 'sea_wave' is not in the taxonomy; near ones: \['sea_waves'"
    ):
        merged_label("esc50", "sea_wave")
    with pytest.raises(ConfigError, match="does not cover 'esc-50'"):
        merged_label("esc-50", "sea_waves")


def changed(row: int, column: str, value: str) -> pd.DataFrame:
    table = taxonomy()
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "match"),
    [
        (changed(2, "coarse_label", "Nature"), "fine class 'bus' has more than one coarse class"),
        (changed(2, "fine_label", " "), "fine_label is empty in line 4"),
        (changed(2, "source_label", "avion"), "litis_rouen/avion is mapped more than once"),
        (changed(2, "fine_label", "bus_ride"), "110 labels, 71 fine and 8 coarse classes"),
        (taxonomy().iloc[:-1], "109 labels"),
        (taxonomy().drop(columns="coarse_label"), "columns are"),
    ],
)
def test_a_changed_table_is_refused(table: pd.DataFrame, match: str) -> None:
    with pytest.raises(DataError, match=match):
        check_taxonomy(table)
