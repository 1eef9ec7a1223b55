import csv
from collections import defaultdict
from pathlib import Path

import pytest

from asc_bench.errors import ConfigError
from asc_bench.protocol import Reference
from asc_bench.reporting.published import contradiction, contradictions, published_values
from asc_bench.systems.base import Published

FOLDER = Path(__file__).parents[2] / "results" / "published"
ATT = {"topology": "cnn-pool", "pooling": "att", "training": "teacher-forcing"}


def published(table: str, **where: str) -> Published:
    return Published("any", table, where)


def test_device_rows_become_measures() -> None:
    # CAA-Net, Table II, row CNN-POOL / ATT, teacher forcing.
    expected = {"A": 72.9, "B": 63.9, "C": 62.8, "average": 66.5}
    assert published_values(Published("dcase2018", "caanet_table2", ATT)) == expected


def test_a_single_device_can_be_asked_for() -> None:
    assert published_values(published("caanet_table2", device="B", **ATT)) == {"B": 63.9}


def test_table_1_prints_averages_only() -> None:
    where = {"topology": "atrous", "pooling": "att", "condition_layer": "4"}
    assert published_values(published("caanet_table1", **where)) == {"average": 67.0}


def test_a_system_of_a_comparison_is_named_by_its_row() -> None:
    assert published_values(published("hierarchical_table4", system="SB-CNN")) == {
        "fine top-1": 80.55,
        "fine top-3": 85.76,
    }


def test_level_and_top_k_name_the_measure() -> None:
    found = published_values(published("hierarchical_table2", labels="coarse+fine", attention="yes"))
    assert found == {"coarse top-1": 85.7, "coarse top-3": 92.1, "fine top-1": 86.2, "fine top-3": 92.6}


def test_a_single_number_is_the_accuracy() -> None:
    assert published_values(published("esc10", system="humans")) == {"accuracy": 95.7}
    assert published_values(published("esc10", system="random forest")) == {"accuracy": 72.7}


@pytest.mark.parametrize(
    ("table", "where", "message"),
    [
        ("caanet_tabel2", {}, r"no published table 'caanet_tabel2'; did you mean 'caanet_table2'\?"),
        ("../errors", {}, r"no published table '\.\./errors'; .*there are caanet_table1"),
        ("caanet_table2", {"toplogy": "x"}, r"no column 'toplogy'; there are topology, pooling"),
        (
            "caanet_table2",
            {"topology": "vgg"},
            r"topology 'vgg' is not one of cnn-pool, cnn-no-pool, atrous",
        ),
        ("caanet_table2", {"topology": "cnn-pool"}, r"more than one for 'A'; add pooling or training"),
        ("esc10", {}, r"more than one for 'accuracy'; add system"),
    ],
)
def test_bad_lookups_say_what_there_is(table: str, where: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        published_values(Published("any", table, where))


def test_exactly_one_row_of_tables_2_and_3_contradicts_itself() -> None:
    found = [*contradictions("caanet_table2"), *contradictions("caanet_table3")]
    assert len(found) == 1
    for part in ("cnn-pool / avg / multi-task", "59.7", "A 65.4, B 60.0, C 58.3", "61.2"):
        assert part in found[0]


def test_every_other_row_agrees_within_the_rounding() -> None:
    """Counted from the CSV by other code: one row beyond 0.15, all others within 0.1."""
    for table, expected in (("caanet_table2", 1), ("caanet_table3", 0)):
        rows: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
        with (FOLDER / f"{table}.csv").open() as file:
            for row in csv.DictReader(file):
                rows[row["topology"], row["pooling"], row["training"]][row["device"]] = float(row["accuracy"])
        gaps = [abs((r["A"] + r["B"] + r["C"]) / 3 - r["average"]) for r in rows.values()]
        assert sum(gap > 0.15 for gap in gaps) == expected == len(contradictions(table))
        assert sum(gap > 0.1 + 1e-9 for gap in gaps) == expected


def test_a_single_row_is_audited() -> None:
    where = {"topology": "cnn-pool", "pooling": "avg", "training": "multi-task"}
    assert "59.7" in str(contradiction("caanet_table2", where))
    assert contradiction("caanet_table2", ATT) is None
    assert contradiction("hierarchical_table4", {"system": "SB-CNN"}) is None


def test_every_shipped_table_can_be_read() -> None:
    for path in FOLDER.glob("*.csv"):
        assert isinstance(contradictions(path.stem), tuple)


def test_protocol_references_carry_the_published_numbers() -> None:
    from asc_bench.protocols.esc import Esc10

    references = {r.title: r for r in Esc10.references}
    assert all(isinstance(r, Reference) for r in references.values())
    assert references["humans"].values == {"accuracy": 95.7}
    assert references["random forest"].values == {"accuracy": 72.7}


def test_baselines_by_scene_agree_with_the_averages_printed_beside_them() -> None:
    """Of ten scenes each; the averages are in other tables, typed from other parts of the readme."""
    with (FOLDER / "dcase_baselines_by_scene.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    printed = {"dcase2018": {"A": 58.9, "B": 45.1, "C": 46.2}}
    for table in ("dcase_mobile_baselines", "dcase_systems"):
        with (FOLDER / f"{table}.csv").open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if "baseline" in row["system"] and "cross-task" not in row["system"]:
                    printed.setdefault(row["protocol"], {})[row["measure"]] = float(row["value"])
    by_scene = defaultdict(dict)
    for row in rows:
        key = row["protocol"], row["measure"], row["device"]
        assert row["scene"] not in by_scene[key]
        by_scene[key][row["scene"]] = float(row["value"])
    for (protocol, measure, device), values in by_scene.items():
        assert len(values) == 10
        plain = device if protocol in ("dcase2018", "dcase2019") else ", ".join(filter(None, (measure, device)))
        tolerance = 0.011 if measure == "log loss" else 0.16
        if (protocol, device) == ("dcase2019", "C"):
            values["metro_station"] = 31.3  # printed as 36.1, which stands one row above
        mean = sum(values.values()) / 10
        assert mean == pytest.approx(printed[protocol][plain], abs=tolerance), (protocol, plain)
    assert len(by_scene) == 3 + 3 + 2 + 2 * 11 + 5
