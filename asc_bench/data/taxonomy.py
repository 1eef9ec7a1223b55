"""The taxonomy of 8 coarse and 70 fine classes, into which the labels of four data sets are merged."""

from __future__ import annotations

import difflib
from importlib.resources import files

import pandas as pd

from asc_bench.errors import ConfigError, DataError

COLUMNS = ("source_dataset", "source_label", "fine_label", "coarse_label")
N_LABELS, N_FINE, N_COARSE = 110, 70, 8


def taxonomy() -> pd.DataFrame:
    """Read the taxonomy: one row per label of a source data set, with its fine and its coarse class.

    Returns
    -------
    DataFrame
        110 rows with the columns ``source_dataset``, ``source_label``, ``fine_label`` and ``coarse_label``.

    Raises
    ------
    DataError
        If the table is not the one that was published with these counts.
    """
    with (files("asc_bench.data.resources") / "taxonomy.csv").open(encoding="utf-8") as stream:
        return check_taxonomy(pd.read_csv(stream, dtype="str", keep_default_na=False))


def check_taxonomy(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` if every label has one fine class and every fine class one coarse class, all there.

    Raises
    ------
    DataError
        Otherwise, naming the first label or class at fault.
    """
    if tuple(table.columns) != COLUMNS:
        raise DataError(f"taxonomy: columns are {list(table.columns)}, they should be {list(COLUMNS)}")
    for column in COLUMNS:
        empty = (table[column].str.strip() == "").to_numpy()
        if empty.any():
            raise DataError(f"taxonomy: {column} is empty in line {int(empty.argmax()) + 2}")
    repeated = table[table.duplicated(["source_dataset", "source_label"])]
    if len(repeated):
        row = repeated.iloc[0]
        raise DataError(f"taxonomy: {row['source_dataset']}/{row['source_label']} is mapped more than once")
    n_coarse_of = table.groupby("fine_label")["coarse_label"].nunique()
    if (n_coarse_of > 1).any():
        raise DataError(f"taxonomy: fine class {n_coarse_of.idxmax()!r} has more than one coarse class")
    counts = (len(table), table["fine_label"].nunique(), table["coarse_label"].nunique())
    if counts != (N_LABELS, N_FINE, N_COARSE):
        raise DataError(
            f"taxonomy: {counts[0]} labels, {counts[1]} fine and {counts[2]} coarse classes; "
            f"they should be {N_LABELS}, {N_FINE} and {N_COARSE}"
        )
    return table


def merged_label(source_dataset: str, source_label: str) -> tuple[str, str]:
    """Fine and coarse class of one label.

    Raises
    ------
    ConfigError
        For a data set that the taxonomy does not cover.
    DataError
        For a label of a covered data set that is not mapped: no clip is dropped or guessed silently.
    """
    table = taxonomy()
    of_dataset = table[table["source_dataset"] == source_dataset]
    if of_dataset.empty:
        raise ConfigError(
            f"the taxonomy does not cover {source_dataset!r}, only {sorted(set(table['source_dataset']))}"
        )
    found = of_dataset[of_dataset["source_label"] == source_label]
    if found.empty:
        labels = sorted(of_dataset["source_label"])
        near = difflib.get_close_matches(source_label, labels, n=3) or labels
        raise DataError(f"{source_dataset}: label {source_label!r} is not in the taxonomy; near ones: {near}")
    return str(found["fine_label"].iloc[0]), str(found["coarse_label"].iloc[0])
