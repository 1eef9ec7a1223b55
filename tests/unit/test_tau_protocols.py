"""Protocols of DCASE 2020 to 2025: folds, hidden devices, and measures held against scikit-learn."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asc_bench.protocols import dcase2020, dcase2022, dcase2024
from scipy.stats import gmean
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from asc_bench.api import UNKNOWN_DEVICE, DataError, Dataset, Measure, Protocol
from asc_bench.bench.bench import Bench, task_of
from asc_bench.bench.examples import encode_devices
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.tau_mobile import DEVICES, GROUPS
from asc_bench.errors import ConfigError
from asc_bench.registry import systems
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.synthetic.dataset import plan_dataset
from asc_bench.synthetic.sizes import sizes
from tests.unit.reporting_frames import manifest, scores
from tests.unit.scores import measure
from tests.unit.tau_factory import write_tau

BY_YEAR: dict[str, type[Protocol]] = {
    cls.name: cls
    for module in (dcase2020, dcase2022, dcase2024)
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, Protocol) and hasattr(cls, "name")
}
CLASSES = BY_YEAR["dcase2025"].labels.fine
SPLIT_OF = {"dcase2025": "split25", **{f"dcase2024-{p}": f"split{p}" for p in (5, 10, 25, 50)}}


def dataset_for(name: str, root: Path) -> Dataset:
    year = 2020 if name in ("dcase2020", "dcase2021") else 2022
    return LAYOUTS[BY_YEAR[name].datasets[0]].read(write_tau(root, year=year))


def test_there_is_one_protocol_for_each_year_and_split() -> None:
    years = [f"dcase{year}" for year in (2020, 2021, 2022, 2023, 2025)]
    assert set(BY_YEAR) == {*years, *(f"dcase2024-{p}" for p in (5, 10, 25, 50, 100))}


@pytest.mark.parametrize("name", BY_YEAR)
def test_folds_are_of_the_official_list_and_validation_is_of_other_locations(name: str, tmp_path: Path) -> None:
    dataset = dataset_for(name, tmp_path)
    split = next(s for s in dataset.splits if s.name == SPLIT_OF.get(name, "fold1"))
    bench = Bench.of(BY_YEAR[name](), dataset)
    (fold,) = bench.folds
    assert (fold.name, fold.test) == ("fold1", split.test)
    assert {*fold.train, *fold.validation} == set(split.train)
    assert set(bench.clips["clip_id"]) == {*split.train, *split.test}
    place = dict(zip(dataset.clips["clip_id"], dataset.clips["location"], strict=True))
    sides = [{place[clip] for clip in part} for part in (fold.train, fold.validation, fold.test)]
    assert all(sides)
    assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]


@pytest.mark.parametrize("size", [size for size in sizes() if size != "full"])
def test_every_device_trains_after_validation_is_cut(size: str, tmp_path: Path) -> None:
    """On synthetic lists, without audio."""
    folder = tmp_path / LAYOUTS["tau-2022-mobile"].folders[0]
    plan = plan_dataset("tau-2022-mobile", size=size, seed=0)
    for name, text in plan.texts:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    dataset = LAYOUTS["tau-2022-mobile"].read(folder)
    for name in ("dcase2022", *SPLIT_OF):
        bench = Bench.of(BY_YEAR[name](), dataset)
        (fold,) = bench.folds
        assert sorted(set(bench.column("device", fold.train))) == list(DEVICES[:6])
        assert set(bench.column("scene", fold.validation)) == set(CLASSES)


def test_a_list_that_is_not_there_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    folder = write_tau(tmp_path, year=2022)
    (folder / "split25.csv").unlink()
    with pytest.raises(DataError, match=r"split25\.csv is missing, a list of DCASE 2024 and 2025"):
        Bench.of(BY_YEAR["dcase2025"](), LAYOUTS["tau-2022-mobile"].read(folder))


def test_devices_that_are_not_trained_on_are_unknown_at_test(tmp_path: Path) -> None:
    bench = Bench.of(BY_YEAR["dcase2025"](), dataset_for("dcase2025", tmp_path))
    (fold,) = bench.folds
    task = bench.task(fold)
    assert task.devices == ("A", "B", "C", "S1", "S2", "S3", UNKNOWN_DEVICE)
    assert task == task_of(BY_YEAR["dcase2025"], BY_YEAR["dcase2025"].devices)
    seen = bench.column("device", fold.test)
    handed = [task.devices[i] for i in encode_devices(seen, task.devices)]
    assert handed == [UNKNOWN_DEVICE if device in GROUPS["unseen"] else device for device in seen]
    with pytest.raises(DataError, match=r"devices \['S4'\] do not occur in training"):
        encode_devices(["S4"], ["A", "B"])


@pytest.fixture(scope="module")
def random_predictions() -> pd.DataFrame:
    """Random probabilities of clips in unequal numbers by class and device."""
    rng = np.random.default_rng(0)
    device = np.repeat(DEVICES, 150 + 20 * np.arange(len(DEVICES)))
    n = len(device)
    share = 1 + np.arange(len(CLASSES))
    scene = rng.choice(CLASSES, n, p=share / share.sum())
    probabilities = rng.dirichlet(np.full(len(CLASSES), 0.5), n)
    true = np.array([CLASSES.index(s) for s in scene])
    probabilities[np.arange(n), true] += 0.3
    probabilities = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    rank = 1 + (probabilities > probabilities[np.arange(n), true][:, None]).sum(axis=1)
    location = rng.integers(0, 20, n).astype(str)
    return pd.DataFrame(
        {
            "recording_id": [f"{s}-{place}" for s, place in zip(scene, location, strict=True)],
            "clip_id": [f"clip{i}" for i in range(n)],
            "device": device,
            "scene": scene,
            "label": scene,
            "location": location,
            "split": "test",
            "level": "fine",
            "label_rank": rank,
            "probabilities": list(probabilities),
        }
    )


def by_sklearn(frame: pd.DataFrame, score: str) -> float:
    probabilities = np.stack(frame["probabilities"].to_list()).astype(float)
    predicted = np.asarray(CLASSES)[probabilities.argmax(axis=1)]
    if score == "log loss":
        whole = probabilities / probabilities.sum(axis=1, keepdims=True)
        return float(log_loss(frame["scene"], whole, labels=CLASSES))
    scores: dict[str, Callable[..., float]] = {"macro": balanced_accuracy_score, "clips": accuracy_score}
    return float(scores[score](frame["scene"], predicted))


@pytest.mark.parametrize("name", BY_YEAR)
def test_measures_are_those_of_scikit_learn(name: str, random_predictions: pd.DataFrame) -> None:
    on_devices = "clips" if name >= "dcase2024" else "macro"
    found = {m.name: measure(random_predictions, m) for m in BY_YEAR[name].measures}
    expected = {
        "accuracy": by_sklearn(random_predictions, "macro"),
        "log loss": by_sklearn(random_predictions, "log loss"),
    }
    if name >= "dcase2022":
        pieces = random_predictions.groupby(["recording_id", "device", "scene"])["probabilities"]
        whole = pieces.agg(lambda p: gmean(np.stack(p.to_list()).astype(float), axis=0)).reset_index()
        expected |= {"accuracy, 10 s": by_sklearn(whole, "macro"), "log loss, 10 s": by_sklearn(whole, "log loss")}
    for group, devices in GROUPS.items():
        expected[group] = by_sklearn(random_predictions[random_predictions["device"].isin(devices)], on_devices)
    for device in DEVICES:
        its = random_predictions[random_predictions["device"] == device]
        expected[f"accuracy, {device}"] = by_sklearn(its, on_devices)
        expected[f"log loss, {device}"] = by_sklearn(its, "log loss")
    assert found == pytest.approx(expected, rel=1e-5)
    # Not the mean over devices, which differs where they are not balanced.
    over_devices = measure(random_predictions, Measure("accuracy", strata="device", of=DEVICES))
    assert found["accuracy"] != pytest.approx(over_devices, rel=1e-4)


def test_the_primary_measure_is_the_one_that_ranked() -> None:
    primary = {name: cls.measures[0].name for name, cls in BY_YEAR.items()}
    assert {name for name, first in primary.items() if first == "log loss"} == {"dcase2021", "dcase2022"}
    assert {first for name, first in primary.items() if name not in ("dcase2021", "dcase2022")} == {"accuracy"}


def test_log_loss_of_a_certain_error_does_not_depend_on_storage() -> None:
    """ln(1e15) whatever the type that probabilities were stored in."""
    row = {"clip_id": "c", "device": "A", "scene": CLASSES[0], "label": CLASSES[0], "location": "1"}
    for kind in (np.float64, np.float32, np.float16):
        wrong = np.eye(len(CLASSES), dtype=kind)[1]
        frame = pd.DataFrame([{**row, "split": "test", "level": "fine", "label_rank": 2, "probabilities": wrong}])
        assert measure(frame, BY_YEAR["dcase2021"].measures[0]) == pytest.approx(15 * np.log(10), rel=1e-6)


def test_pooled_strata_must_be_named() -> None:
    with pytest.raises(ConfigError, match="'real': pooled is of the strata in `of`, and there are none"):
        Measure("real", strata="device", pooled=True)


@pytest.mark.parametrize("name", BY_YEAR)
def test_published_baselines_are_of_measures_of_the_protocol(name: str) -> None:
    references = BY_YEAR[name]().references
    assert references
    known = {m.name for m in BY_YEAR[name].measures}
    for reference in references:
        assert set(reference.values) <= known
        assert reference.source
        assert "baseline" not in reference.title or "README of github.com/" in reference.source


def test_the_published_table_by_device_agrees_with_its_mean() -> None:
    """Devices are balanced but for a clip or two: a printed mean that is none is a slip of the pen."""
    rows: list[dict[str, str]] = []
    for table in ("dcase_mobile_baselines", "dcase_systems"):
        with (files("asc_bench.published") / f"{table}.csv").open(encoding="utf-8") as stream:
            rows += csv.DictReader(stream)
    printed: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        printed.setdefault((row["protocol"], row["system"]), {})[row["measure"]] = float(row["value"])
    n_tables = 0
    for key, values in printed.items():
        for score, tolerance in (("accuracy", 0.15), ("log loss", 0.01)):
            devices = [value for name, value in values.items() if name.startswith(f"{score}, ")]
            if devices:
                assert len(devices) == len(DEVICES), key
                assert np.mean(devices) == pytest.approx(values[score], abs=tolerance), key
                n_tables += 1
    assert n_tables == 11


@pytest.mark.parametrize(("synthetic", "shown"), [(False, True), (True, False)])
def test_tables_with_published_numbers_say_why_they_may_be_higher(synthetic: bool, shown: bool) -> None:
    protocol = BY_YEAR["dcase2025"]()
    run = manifest(
        "logmel-svm", protocol="dcase2025", synthetic=synthetic, synthetic_size="tiny" if synthetic else ""
    )
    values = {m.name: 0.5 for m in protocol.measures}
    evaluation = Evaluation(
        manifests=[run],
        measures=[m for m in protocol.measures if not m.group],
        scores=scores({"logmel-svm": values}),
        significance=pd.DataFrame(),
        references=protocol.references,
        published_note=protocol.published_note,
        published={"logmel-svm": {"accuracy, S4": 48.14}},
        groups={m.group: {m.column: m} for m in protocol.measures if m.group and m.column == "accuracy"},
        by="device",
    )
    assert (protocol.published_note in evaluation.results().to_text()) is shown
    beside = evaluation.beside_published()
    assert (beside is not None) is shown
    if beside is not None:
        assert protocol.published_note in beside.to_text()
        rows = {row[:2]: row[3] for row in beside.rows}
        assert rows["logmel-svm", "accuracy, S4"] == "48.1"
        assert rows["DCASE 2025 baseline, general model (published)", "accuracy, S6"] == "42.6"


def test_conditioning_on_the_device_is_no_choice_where_others_are_tested() -> None:
    task = task_of(BY_YEAR["dcase2020"], DEVICES[:6])
    refused = systems().get("caa-net")
    for training, reason in (("joint", None), ("multi-task", None), ("single-device", "only devices")):
        built = refused(task, refused.Params(training=training))
        found = refused.why_not(built.params, built=built)
        assert (found is None) if reason is None else (found is not None and reason in found.text)
