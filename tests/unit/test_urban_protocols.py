"""Protocols of one device, of the open set, of TUT 2016 and 2017 and of CochlScene: folds, measures by oracle."""

from __future__ import annotations

import csv
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asc_bench.protocols.cochlscene import CochlScene
from asc_bench.protocols.dcase2019c import Dcase2019C
from asc_bench.protocols.dcase_urban import Dcase2018A, Dcase2019A, Dcase2020ThreeClass
from asc_bench.protocols.tut import Tut2016, Tut2017
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score
from typer.testing import CliRunner

from asc_bench.api import DataError, Dataset, Protocol
from asc_bench.bench.bench import Bench
from asc_bench.cli.main import build_app
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.official_lists import hold_lists
from asc_bench.scoring.measure import STATISTICS
from asc_bench.scoring.open_set import N_BINS, rank_bins
from asc_bench.scoring.statistic import ScoredClips
from tests.unit.planned_sets import write_lists
from tests.unit.scores import measure
from tests.unit.test_urban_layouts import cochlscene

PROTOCOLS: tuple[type[Protocol], ...] = (
    Dcase2018A,
    Dcase2019A,
    Dcase2019C,
    Dcase2020ThreeClass,
    Tut2016,
    Tut2017,
    CochlScene,
)


def dataset_for(protocol: type[Protocol], root: Path) -> Dataset:
    name = str(protocol.datasets[0])
    return LAYOUTS[name].read(cochlscene(root) if name == "cochlscene" else write_lists(root, name, size="small"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_place_is_on_two_sides_and_every_class_on_all(protocol: type[Protocol], tmp_path: Path) -> None:
    dataset = dataset_for(protocol, tmp_path)
    bench = Bench.of(protocol(), dataset)
    assert [fold.name for fold in bench.folds] == [split.name for split in dataset.splits]
    place = dict(zip(dataset.clips["clip_id"], dataset.clips["location"], strict=True))
    for fold, split in zip(bench.folds, dataset.splits, strict=True):
        assert fold.test == split.test
        assert sorted((*fold.train, *fold.validation)) == sorted(split.train)
        sides = [{place[clip] for clip in part} for part in (fold.train, fold.validation, fold.test)]
        assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
        for part in (fold.train, fold.validation, fold.test):
            assert set(bench.column("scene", part)) == set(protocol.labels.fine)


def test_the_four_folds_test_every_clip_once(tmp_path: Path) -> None:
    """Of synthetic lists; of the official ones of 2017 six clips are tested twice."""
    tested: Counter[str] = Counter()
    folds = Bench.of(Tut2016(), dataset_for(Tut2016, tmp_path)).folds
    for fold in folds:
        tested.update(fold.test)
    assert len(folds) == 4
    assert set(tested.values()) == {1}


def test_validation_of_cochlscene_is_the_official_part(tmp_path: Path) -> None:
    dataset = dataset_for(CochlScene, tmp_path)
    (fold,) = CochlScene().folds(dataset)
    assert {clip.split("_")[1] for clip in fold.validation} == {"user0001"}
    assert {clip.split("_")[1] for clip in fold.train} == {"user0000"}


def test_a_user_in_training_and_validation_is_refused(tmp_path: Path) -> None:
    folder = cochlscene(tmp_path)
    (folder / "Train/Bus/Bus_user0001_14000001_000.wav").touch()
    with pytest.raises(DataError, match="user0001"):
        CochlScene().folds(LAYOUTS["cochlscene"].read(folder))


def test_a_place_in_both_parts_is_refused_before_training(tmp_path: Path) -> None:
    folder = write_lists(tmp_path, "tau-urban-2019")
    meta = (folder / "meta.csv").read_text().splitlines()
    train = (folder / "evaluation_setup/fold1_train.csv").read_text().splitlines()
    first = train[1].split("\t")[0]
    scene, city, location = first.removeprefix("audio/").split("-")[:3]
    added = f"audio/{scene}-{city}-{location}-99999-a.wav"
    (folder / "meta.csv").write_text("\n".join([*meta, f"{added}\t{scene}\t{city}-{location}\ta"]) + "\n")
    for part, row in (("evaluate", f"{added}\t{scene}"), ("test", added)):
        path = folder / f"evaluation_setup/fold1_{part}.csv"
        path.write_text(path.read_text() + row + "\n")
    dataset = LAYOUTS["tau-urban-2019"].read(folder)
    with pytest.raises(DataError, match=rf"fold1: 1 location in train and in test, such as {city}-{location}"):
        hold_lists(dataset, unofficial=False)


def predictions(protocol: type[Protocol], n: int = 900) -> pd.DataFrame:
    """Random probabilities of clips in unequal numbers by class, in folds of unequal size."""
    rng = np.random.default_rng(1)
    classes = protocol.labels.fine
    share = 1 + np.arange(len(classes))
    true = rng.choice(len(classes), n, p=share / share.sum())
    probabilities = rng.dirichlet(np.full(len(classes), 0.5), n)
    probabilities[np.arange(n), true] += 0.2
    probabilities = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    rank = 1 + (probabilities > probabilities[np.arange(n), true][:, None]).sum(axis=1)
    scene = np.asarray(classes)[true]
    return pd.DataFrame(
        {
            "clip_id": [f"clip{i}" for i in range(n)],
            "device": "A",
            "scene": scene,
            "label": scene,
            "location": rng.integers(0, 20, n).astype(str),
            "fold": rng.choice(["fold1", "fold2", "fold3", "fold4"], n, p=[0.4, 0.3, 0.2, 0.1]),
            "repeat": 0,
            "split": "test",
            "level": "fine",
            "label_rank": rank,
            "probabilities": list(probabilities),
        }
    )


def predicted(frame: pd.DataFrame, classes: tuple[str, ...]) -> np.ndarray:
    return np.asarray(classes)[np.stack(frame["probabilities"].to_list()).argmax(axis=1)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_measures_are_those_of_scikit_learn(protocol: type[Protocol]) -> None:
    frame, classes = predictions(protocol), protocol.labels.fine
    answers = predicted(frame, classes)
    found = {m.name: measure(frame, m) for m in protocol.measures}
    right = pd.Series((answers == frame["scene"]).to_numpy(), index=frame["scene"])
    expected = {f"accuracy, {label}": right[label].mean() for label in classes}
    macro = balanced_accuracy_score(frame["scene"], answers)
    if protocol is Dcase2019C:
        known = np.mean([right[label].mean() for label in classes[:-1]])
        expected |= {"known": known, "unknown": right["unknown"].mean()}
        expected["score"] = 0.5 * known + 0.5 * right["unknown"].mean()
        expected |= {name: found[name] for name in ("AUROC", "OSCR")}  # below, with oracles of their own
        assert expected["score"] != pytest.approx(macro, abs=1e-3)
    elif protocol is Dcase2020ThreeClass:
        whole = np.stack(frame["probabilities"].to_list()).astype(float)
        whole /= whole.sum(axis=1, keepdims=True)
        expected |= {"accuracy": macro, "log loss": log_loss(frame["scene"], whole, labels=classes)}
        for label in classes:
            its = (frame["scene"] == label).to_numpy()
            expected[f"log loss, {label}"] = log_loss(frame["scene"][its], whole[its], labels=classes)
    elif protocol in (Tut2016, Tut2017):
        by_fold = [
            accuracy_score(frame["scene"][its], answers[its])
            for its in ((frame["fold"] == f"fold{i}").to_numpy() for i in range(1, 5))
        ]
        expected = {"accuracy": np.mean(by_fold)}
    elif protocol is CochlScene:
        expected = {"accuracy": accuracy_score(frame["scene"], answers)}
    else:
        expected["accuracy"] = macro
    assert found == pytest.approx(expected, rel=1e-5)


def oscr_by_definition(probabilities: np.ndarray, true: np.ndarray) -> float:
    """Area under the curve of every threshold, by the trapezoid rule."""
    unknown = true == probabilities.shape[1] - 1
    look = probabilities[:, :-1].max(axis=1)
    right = probabilities[:, :-1].argmax(axis=1) == true
    thresholds = [np.inf, *sorted(set(look), reverse=True)]
    false_positive = [(look[unknown] >= t).mean() for t in thresholds]
    correct = [(right & (look >= t))[~unknown].mean() for t in thresholds]
    return float(np.trapezoid(correct, false_positive))


@pytest.mark.parametrize("n", [60, 5000])
def test_scores_without_a_threshold_are_those_of_their_definition(n: int) -> None:
    frame = predictions(Dcase2019C, n)
    classes = Dcase2019C.labels.fine
    probabilities = np.stack(frame["probabilities"].to_list()).astype(float)
    if n < N_BINS:
        probabilities[:20] = probabilities[0]  # tied, known and unknown ones
        frame["probabilities"] = list(probabilities)
    true = np.array([classes.index(scene) for scene in frame["scene"]])
    frame["label_rank"] = 1 + (probabilities > probabilities[np.arange(n), true][:, None]).sum(axis=1)
    own = probabilities[np.arange(n), true][:, None]
    frame["label_rank"] += ((probabilities == own) & (np.arange(len(classes)) < true[:, None])).sum(axis=1)
    found = {m.name: measure(frame, m) for m in Dcase2019C.measures if m.name in ("AUROC", "OSCR")}
    look = probabilities[:, :-1].max(axis=1)
    expected = {
        "AUROC": roc_auc_score(frame["scene"] != "unknown", look),
        "OSCR": oscr_by_definition(probabilities, true),
    }
    assert found == pytest.approx(expected, abs=1e-9 if n < N_BINS else 5e-4)


def test_an_open_set_score_needs_known_and_unknown_clips() -> None:
    clips = ScoredClips(np.array([1, 1]), np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]))
    for name in ("auroc", "oscr"):
        statistic = STATISTICS[name]
        assert np.isnan(statistic.value(statistic.per_clip(clips).sum(axis=0)))
    with pytest.raises(DataError, match=r"shape \(1, 2\); an open set has two known classes and unknown"):
        STATISTICS["auroc"].per_clip(ScoredClips(np.array([1]), np.array([[0.7, 0.3]])))


def test_bins_are_ranks_and_hold_about_as_many() -> None:
    scores = np.random.default_rng(0).lognormal(size=2000)
    bins = rank_bins(scores, 100)
    assert (np.diff(bins[np.argsort(scores)]) >= 0).all()
    assert set(np.bincount(bins)) <= {19, 20, 21}
    assert rank_bins(np.array([0.3, 0.1, 0.3]), 2).tolist() == [1, 0, 1]


def test_published_baselines_are_of_measures_and_agree_with_their_means() -> None:
    rows: list[dict[str, str]] = []
    for table in ("dcase_urban_baselines", "dcase_systems"):
        with (files("asc_bench.published") / f"{table}.csv").open(encoding="utf-8") as stream:
            rows += csv.DictReader(stream)
    known = {cls.name: {m.name for m in cls.measures} for cls in PROTOCOLS}
    printed: dict[str, dict[str, float]] = {}
    for row in (row for row in rows if row["protocol"] in known):
        assert row["measure"] in known[row["protocol"]]
        assert row["source"]
        if "baseline" in row["system"] and "cross-task" not in row["system"]:
            assert row["source"].startswith("README of ")
            printed.setdefault(row["protocol"], {})[row["measure"]] = float(row["value"])
    for name, values in printed.items():
        classes = [v for m, v in values.items() if m.startswith("accuracy, ") and m != "accuracy, unknown"]
        if classes:
            assert np.mean(classes) == pytest.approx(values.get("accuracy", values.get("known")), abs=0.06), name
    assert printed["dcase2019c"]["score"] == pytest.approx((54.2 + 43.1) / 2, abs=0.06)
    assert {name: bool(cls().references) for cls in PROTOCOLS for name in (cls.name,)} == {
        name: name in printed for name in known
    }


@pytest.mark.parametrize("columns", ["60", "120"])
def test_info_names_every_scene_that_has_a_score_of_its_own(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = CliRunner().invoke(build_app(), ["info", "dcase2019c"])
    assert shown.exit_code == 0
    assert "on each scene alone: accuracy; of airport, bus, metro," in " ".join(shown.stdout.split())
