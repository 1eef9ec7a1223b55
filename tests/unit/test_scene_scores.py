"""Scores by scene and device, held against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, recall_score

from asc_bench.api import LabelSpace
from asc_bench.reporting.scene_scores import SCENE_COLUMNS, scene_scores, scenes_table
from asc_bench.runs.store import ResultsStore
from asc_bench.stored_results import load_results
from tests.unit.made_runs import made_bench, publish, specs_of

LABELS = LabelSpace(fine=("tram", "bus", "park"))
DEVICES = ("A", "B")


def predictions(system: str, repeat: int) -> pd.DataFrame:
    rng = np.random.default_rng([len(system), repeat])
    true = rng.choice(3, 240, p=[0.5, 0.3, 0.2])
    probabilities = rng.dirichlet(np.full(3, 0.6), 240).astype(np.float32)
    rank = 1 + (probabilities > probabilities[np.arange(240), true][:, None]).sum(axis=1)
    return pd.DataFrame(
        {
            "system": system,
            "fold": "fold1",
            "repeat": repeat,
            "split": "test",
            "level": "fine",
            "device": rng.choice(DEVICES, 240),
            "label": np.asarray(LABELS.fine)[true],
            "label_rank": rank,
            "probabilities": list(probabilities),
        }
    )


def by_sklearn(frame: pd.DataFrame, scene: str) -> tuple[float, float]:
    probabilities = np.stack(frame["probabilities"].to_list()).astype(float)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    answers = np.asarray(LABELS.fine)[probabilities.argmax(axis=1)]
    its = (frame["label"] == scene).to_numpy()
    recall = recall_score(frame["label"], answers, labels=[scene], average=None)[0]
    order = np.argsort(LABELS.fine)  # scikit-learn wants columns in the order of sorted labels
    columns = sorted(LABELS.fine)
    return recall, log_loss(frame["label"][its], probabilities[its][:, order], labels=columns)


def test_scores_by_scene_are_those_of_scikit_learn() -> None:
    runs = {(system, repeat): predictions(system, repeat) for system in ("one", "other") for repeat in (0, 1)}
    found = scene_scores(pd.concat(runs.values(), ignore_index=True), LABELS)
    assert list(found.columns) == list(SCENE_COLUMNS)
    assert list(dict.fromkeys(found["scene"])) == list(LABELS.fine)
    assert len(found) == 2 * 3 * 3
    for row in found.itertuples():
        frames = [runs[row.system, repeat] for repeat in (0, 1)]
        if row.device:
            frames = [frame[frame["device"] == row.device] for frame in frames]
        expected = np.mean([by_sklearn(frame, row.scene) for frame in frames], axis=0)
        assert (row.accuracy, row.log_loss) == pytest.approx(tuple(expected), rel=1e-5)


def test_the_report_of_a_mobile_protocol_has_them(tmp_path: Path) -> None:
    bench = made_bench("dcase2018")
    for spec in specs_of(bench, "logmel-svm"):
        publish(ResultsStore(tmp_path), bench, spec, n_right={"A": 8, "B": 5, "C": 2})
    evaluation = load_results(tmp_path, "dcase2018", budget="paper").evaluation
    table, frame = evaluation.further["scenes"]
    assert table.rows[0][:4] == ("logmel-svm", "airport", "30", "50.0")
    assert table.rows[0][-3:] == ("80.0", "50.0", "20.0")
    assert len(frame) == 10 * 4


def test_a_scene_that_a_device_lacks_is_a_gap() -> None:
    frame = predictions("one", 0)
    frame = frame[(frame["device"] == "A") | (frame["label"] != "park")]
    rows = {row[1]: row for row in scenes_table(scene_scores(frame, LABELS), title="t").rows}
    assert rows["park"][-1] == "–"
    assert rows["bus"][-1] != "–"
