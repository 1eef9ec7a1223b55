"""Recordings that were cut into clips, scored as wholes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gmean
from sklearn.metrics import log_loss

from asc_bench.api import ConfigError, DataError, LabelSpace, Measure
from asc_bench.scoring.accuracy import label_ranks
from asc_bench.scoring.frames import score_table, significance_table
from asc_bench.scoring.rows import clip_rows

CLASSES = ("bus", "park", "tram")
ACCURACY = Measure("accuracy, 10 s", average="clips", aggregate="recording")
LOG_LOSS = Measure("log loss, 10 s", average="clips", statistic="log-loss", aggregate="recording")


def frame(rows: list[tuple[str, str, str, list[float]]], *, system: str = "x", repeat: int = 0) -> pd.DataFrame:
    """From recording, device, scene and probabilities of each clip; recordings are their own locations."""
    p = np.array([row[3] for row in rows], dtype=np.float32)
    true = np.array([CLASSES.index(row[2]) for row in rows])
    return pd.DataFrame(
        {
            "system": system,
            "fold": "fold1",
            "repeat": repeat,
            "split": "test",
            "level": "fine",
            "clip_id": [f"{row[0]}-{i}-{row[1]}" for i, row in enumerate(rows)],
            "recording_id": [row[0] for row in rows],
            "device": [row[1] for row in rows],
            "scene": [row[2] for row in rows],
            "label": [row[2] for row in rows],
            "location": [row[0] for row in rows],
            "label_rank": label_ranks(p, true),
            "probabilities": list(p),
        }
    )


def random_clips(*, n_recordings: int = 40, seconds: int = 10, seed: int = 0, **settings: object) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(n_recordings):
        scene = CLASSES[n % 3]
        for device in ("A", "B"):
            for _ in range(seconds):
                p = rng.dirichlet(np.ones(3)) + 0.2 * np.eye(3)[n % 3]
                rows.append((f"{scene}-{n}", device, scene, (p / p.sum()).tolist()))
    return frame(rows, **settings)  # type: ignore[arg-type]


def test_by_hand():
    """Products of 0.8 x 0.1 against 0.1 x 0.8 and 0.1 x 0.1; and one clip alone."""
    given = frame(
        [
            ("r1", "A", "bus", [0.8, 0.1, 0.1]),
            ("r2", "A", "park", [0.6, 0.3, 0.1]),
            ("r1", "A", "bus", [0.1, 0.8, 0.1]),
        ]
    )
    rows = clip_rows(given, LOG_LOSS)
    assert rows.clips["clip_id"].tolist() == ["r1-A", "r2-A"]
    root = np.sqrt([0.08, 0.08, 0.01])
    assert rows.sums[0, :, 1] == pytest.approx([-np.log(root[0] / root.sum()), -np.log(0.3)], rel=1e-6)
    assert clip_rows(given, ACCURACY).value() == 0.5, "of equal probabilities the lower class is the first"
    assert clip_rows(given, Measure("top 2", average="clips", top_k=2, aggregate="recording")).value() == 1.0


def test_against_scipy_and_scikit_learn_whatever_the_order_of_clips():
    given = random_clips().sample(frac=1.0, random_state=1)
    groups = given.groupby(["recording_id", "device", "scene"])["probabilities"]
    means = groups.agg(lambda p: gmean(np.stack(p.to_list()).astype(float), axis=0)).reset_index()
    p = np.stack(means["probabilities"].to_list())
    p /= p.sum(axis=1, keepdims=True)
    assert clip_rows(given, LOG_LOSS).value() == pytest.approx(
        log_loss(means["scene"], p, labels=CLASSES), rel=1e-6
    )
    right = np.asarray(CLASSES)[p.argmax(axis=1)] == means["scene"]
    assert clip_rows(given, ACCURACY).value() == pytest.approx(right.mean())


def test_a_recording_is_one_observation_in_intervals_and_tests():
    """As if each recording had been one clip with these probabilities from the start."""
    systems = [random_clips(seed=seed, system=name) for name, seed in (("x", 0), ("y", 7))]
    cut = pd.concat(systems, ignore_index=True)
    whole = []
    for name, own in (("x", systems[0]), ("y", systems[1])):
        groups = own.groupby(["recording_id", "device", "scene"], sort=False)["probabilities"]
        means = groups.agg(lambda p: gmean(np.stack(p.to_list()).astype(float), axis=0)).reset_index()
        rows = [(r, d, s, (p / p.sum()).tolist()) for r, d, s, p in means.itertuples(index=False)]
        whole.append(frame(rows, system=name).assign(repeat=0))
    plain = [Measure(m.name, average="clips", statistic=m.statistic) for m in (ACCURACY, LOG_LOSS)]
    options = {"n_resamples": 200, "seed": 3}
    found = score_table(cut, [ACCURACY, LOG_LOSS], **options)
    assert found["n"].tolist() == [80] * 4 and found["n_locations"].tolist() == [40] * 4
    pd.testing.assert_frame_equal(found, score_table(pd.concat(whole), plain, **options), rtol=1e-5)
    pd.testing.assert_frame_equal(
        significance_table(cut, ACCURACY, **options),
        significance_table(pd.concat(whole), plain[0], **options),
        rtol=1e-5,
    )


def test_ten_equal_seconds_are_no_surer_than_one():
    one = frame([("r1", "A", "bus", [0.2, 0.7, 0.1])])
    ten = frame([("r1", "A", "bus", [0.2, 0.7, 0.1])] * 10)
    assert clip_rows(ten, LOG_LOSS).value() == pytest.approx(clip_rows(one, LOG_LOSS).value(), rel=1e-6)


def test_a_probability_of_zero_counts_as_the_least_there_is():
    given = frame([("r1", "A", "bus", [0.0, 1.0, 0.0]), ("r1", "A", "bus", [0.9, 0.1, 0.0])])
    first = (1e-15 * 0.9) ** 0.5
    rest = (1.0 * 0.1) ** 0.5 + 1e-15
    assert clip_rows(given, LOG_LOSS).value() == pytest.approx(-np.log(first / (first + rest)), rel=1e-6)


def test_repeats_are_kept_apart():
    given = pd.concat([random_clips(seed=1), random_clips(seed=2, repeat=1)], ignore_index=True)
    rows = clip_rows(given, LOG_LOSS)
    alone = [clip_rows(random_clips(seed=seed), LOG_LOSS).value() for seed in (1, 2)]
    assert [rows.value(0), rows.value(1)] == pytest.approx(alone)


@pytest.mark.parametrize(("column", "other"), [("label", "park"), ("location", "elsewhere")])
def test_pieces_that_contradict_each_other(column: str, other: str):
    given = frame([("r1", "A", "bus", [0.8, 0.1, 0.1]), ("r1", "A", "bus", [0.1, 0.8, 0.1])])
    given.loc[1, column] = other
    message = rf"recording 'r1-A' has pieces with different {column}s, such as clip 'r1-1-A' with '{other}'"
    with pytest.raises(DataError, match=message):
        clip_rows(given, ACCURACY)


def test_wrong_measures():
    with pytest.raises(ConfigError, match="there is no aggregate 'recordings'; did you mean 'recording'"):
        Measure("x", aggregate="recordings")  # type: ignore[arg-type]
    labels = LabelSpace(CLASSES, ("in", "out"), (0, 1, 0))
    with pytest.raises(ConfigError, match="averaged by their probabilities, which derived classes and segments do"):
        Measure("x", derived=labels, aggregate="recording")
