"""Predictions of other software in our store, tables and tests; scores as scikit-learn computes them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score
from typer.testing import CliRunner

from asc_bench.bench.bench import Bench
from asc_bench.cli.main import build_app
from asc_bench.errors import ConfigError, DataError
from asc_bench.external import keep
from asc_bench.reporting.installed import commands_of
from asc_bench.results import Results
from asc_bench.runs.made_elsewhere import MADE_ELSEWHERE
from asc_bench.runs.store import ResultsStore
from asc_bench.scoring.frames import score_table
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.predictions import named_frame
from asc_bench.scoring.rows import clip_rows, lacking_levels
from asc_bench.stored_results import load_results, stored_results
from tests.unit.made_predictions import LABELS, clips_of
from tests.unit.made_runs import made_bench, publish, specs_of

OWN = "logmel-svm"
BENCH = made_bench("dcase2018")
CLASSES = BENCH.protocol.labels.fine
ORIGIN = {"file": "mine.csv"}


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    return ResultsStore(tmp_path / "results")


def made_table(bench: Bench = BENCH, *, probabilities: bool = True, seed: int = 0) -> pd.DataFrame:
    """Random predictions of every test clip, in another order than the protocol's."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(list(bench.folds[0].test))
    values = rng.dirichlet(np.ones(len(CLASSES)), len(ids))
    table = pd.DataFrame({"clip_id": [f"{name}.wav" for name in ids]})
    table["predicted"] = np.array(CLASSES)[values.argmax(axis=1)]
    if probabilities:
        table = table.assign(**{f"p_{name}": values[:, i] for i, name in enumerate(CLASSES)})
    return table


def truth(table: pd.DataFrame) -> list[str]:
    return [name.split("-")[0] for name in table["clip_id"]]


def value(results: Results, system: str, measure: str) -> float:
    scores = results.scores([measure]).set_index("system")
    return float(scores.loc[system, "value"])


def test_scores_are_those_of_scikit_learn(store: ResultsStore) -> None:
    table = made_table()
    keep(table, BENCH, store, name="mine", origin=ORIGIN)
    found = load_results(store.root, "dcase2018")
    true = truth(table)
    (run,) = found.runs
    overall = clip_rows(run.predictions, Measure("overall")).value()
    assert overall == pytest.approx(balanced_accuracy_score(true, table["predicted"]))
    expected = log_loss(true, table[[f"p_{name}" for name in CLASSES]].to_numpy(), labels=list(CLASSES))
    assert value(found, "mine", "log loss") == pytest.approx(expected, rel=1e-6)


def test_without_probabilities_there_is_accuracy_alone(store: ResultsStore) -> None:
    table = made_table(probabilities=False)
    keep(table, BENCH, store, name="names", origin=ORIGIN)
    keep(made_table(), BENCH, store, name="mine", origin=ORIGIN)
    found = load_results(store.root, "dcase2018")
    assert value(found, "names", "A") == value(found, "mine", "A")
    assert math.isnan(value(found, "names", "log loss"))
    assert math.isfinite(value(found, "mine", "log loss"))
    assert np.isnan(found.only("names").predictions()[[f"p_{name}" for name in CLASSES]].to_numpy()).all()
    with pytest.raises(ConfigError, match="names has no predictions that 'log loss' could be computed of"):
        found.comparison("names", "mine", "log loss")
    assert found.compare(measure="log loss").empty


@pytest.mark.parametrize("budget", ["quick", "paper"])
def test_they_stand_in_tables_and_tests_of_every_budget(store: ResultsStore, budget: str) -> None:
    from asc_bench.budget import Budget

    (spec,) = specs_of(BENCH, OWN, Budget(budget))
    publish(store, BENCH, spec, n_right=5)
    keep(made_table(), BENCH, store, name="mine", origin=ORIGIN)
    found = load_results(store.root, "dcase2018", budget=budget)
    assert found.systems == [OWN, "mine"]
    pair = found.compare().iloc[0]
    assert {pair["system_a"], pair["system_b"]} == {OWN, "mine"}
    difference = value(found, OWN, "average") - value(found, "mine", "average")
    assert pair["difference"] == pytest.approx(abs(difference))
    text = found.table()
    assert "mine §" in text
    assert f"{OWN} §" not in text
    assert "§ predictions made elsewhere: how the system was trained" in text
    assert f"{budget} budget" in text


def test_an_origin_need_not_be_stated(store: ResultsStore) -> None:
    keep(made_table(), BENCH, store, name="mine", origin={})
    found = load_results(store.root, "dcase2018")
    assert "mine §" in found.table()
    (run,) = found.runs
    explained = CliRunner().invoke(build_app(), ["explain", str(run.folder), "--results", str(store.root)])
    assert explained.exit_code == 0
    assert "predictions made elsewhere (origin not stated)" in explained.stdout
    assert commands_of([run.manifest]) == commands_of([run.manifest | {MADE_ELSEWHERE: ORIGIN}])


def test_the_newest_of_a_name_counts(store: ResultsStore) -> None:
    for seed in (0, 1):
        keep(made_table(seed=seed), BENCH, store, name="mine", origin=ORIGIN)
    (run,) = load_results(store.root, "dcase2018").runs
    second = made_table(seed=1).set_index("clip_id")["predicted"]
    stored = run.predictions.set_index("clip_id")["predicted"]
    assert stored.to_dict() == {name.removesuffix(".wav"): label for name, label in second.items()}


def test_held_out_runs_stand_beside_them_and_other_data_do_not(store: ResultsStore) -> None:
    from asc_bench.bench.bench import Selection
    from asc_bench.budget import Budget

    (spec,) = specs_of(BENCH, OWN, Budget.QUICK, selection=Selection.HELD_OUT)
    publish(store, BENCH, spec)
    keep(made_table(), BENCH, store, name="mine", origin=ORIGIN)
    (found,) = stored_results(store.root, "dcase2018", selection="held-out").values()
    assert found.systems == [OWN, "mine"]
    with pytest.raises(ConfigError, match="holds no run of dcase2018 at budget quick on synthetic data"):
        load_results(store.root, "dcase2018", synthetic=True)


def test_the_label_decides_between_equally_probable_classes(store: ResultsStore) -> None:
    table = made_table()
    values = np.zeros((len(table), len(CLASSES)))
    values[:, :2] = 0.5
    table[[f"p_{name}" for name in CLASSES]] = values
    table["predicted"] = CLASSES[1]
    (run,) = keep(table, BENCH, store, name="mine", origin=ORIGIN)
    frame = run.predictions
    assert set(frame["predicted"]) == {CLASSES[1]}
    ranks = frame.groupby("label")["label_rank"].unique().map(list)
    assert ranks[CLASSES[0]] == [2]
    assert ranks[CLASSES[1]] == [1]


def test_what_is_predicted_is_a_class_and_the_most_probable_one(store: ResultsStore) -> None:
    table = made_table()
    first = table[[f"p_{name}" for name in CLASSES]].iloc[0].to_numpy()
    worse = CLASSES[int(first.argmin())]
    for name, message in (
        (worse, f"is predicted as '{worse}' with "),
        ("trem", "'trem' is no class; did you mean"),
    ):
        table.loc[0, "predicted"] = name
        with pytest.raises(ConfigError, match=message):
            keep(table, BENCH, store, name="mine", origin=ORIGIN)


def test_one_system_at_a_time(store: ResultsStore) -> None:
    both = pd.concat([made_table().assign(system="a"), made_table(seed=1).assign(system="b")])
    with pytest.raises(ConfigError, match="the column 'system' holds a, b; keep the predictions of one system"):
        keep(both, BENCH, store, name="mine", origin=ORIGIN)
    assert not store.runs.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (OWN, "'logmel-svm' is a system of asc-bench: give predictions that were made elsewhere another name"),
        ("a,b", "the name 'a,b' is not made of letters, digits, dots, hyphens and underscores"),
        ("", "the name '' is not made of"),
    ],
)
def test_names_that_cannot_be_given(store: ResultsStore, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        keep(made_table(), BENCH, store, name=name, origin=ORIGIN)


@pytest.mark.parametrize(
    "written", ["audio/{}", "audio/{}.wav", "/home/x/set/audio/{}.wav", "{}", "{}.wav", "D:\\set\\audio\\{}.wav"]
)
def test_a_clip_is_its_file_with_or_without_folders_and_ending(store: ResultsStore, written: str) -> None:
    table = made_table().assign(
        clip_id=lambda rows: [written.format(x.removesuffix(".wav")) for x in rows["clip_id"]]
    )
    (run,) = keep(table, BENCH, store, name="mine", origin=ORIGIN)
    assert sorted(run.predictions["clip_id"]) == sorted(BENCH.folds[0].test)


def test_folders_tell_files_of_one_name_apart(store: ResultsStore) -> None:
    """Where two files have one name, the name alone is none, and neither is one with a folder that there is not."""
    root = Path("/data/set")
    first = list(BENCH.folds[0].test)[:2]
    clips = BENCH.clips.copy()
    places = dict(zip(first, ("a/1.wav", "b/1.wav"), strict=True))
    clips["path"] = [str(root / places.get(clip, f"{clip}.wav")) for clip in clips["clip_id"]]
    bench = replace(BENCH, clips=clips, dataset=replace(BENCH.dataset, root=root))
    table = made_table().sort_values(
        "clip_id", key=lambda names: [x.removesuffix(".wav") not in first for x in names]
    )
    named = table.replace({"clip_id": {f"{clip}.wav": path.removesuffix(".wav") for clip, path in places.items()}})
    (run,) = keep(named, bench, store, name="mine", origin=ORIGIN)
    right = table.set_index("clip_id")["predicted"].rename(lambda name: str(name).removesuffix(".wav"))
    assert run.predictions.set_index("clip_id")["predicted"].to_dict() == right.to_dict()
    for wrong in ("1.wav", "c/1.wav"):
        with pytest.raises(DataError, match=f"1 clips are not clips of dcase2018, such as '{wrong}'"):
            keep(named.replace({"clip_id": {"a/1": wrong}}), bench, store, name="mine", origin=ORIGIN)


def test_missing_and_foreign_clips(store: ResultsStore) -> None:
    table = made_table()
    with pytest.raises(DataError, match=r"1 of 300 test clips of fold1 have no prediction, such as '"):
        keep(table.iloc[1:], BENCH, store, name="mine", origin=ORIGIN)
    foreign = table.replace({"clip_id": {table["clip_id"][0]: "7.wav"}})
    message = r"1 clips are not clips of dcase2018, such as '7\.wav'; there are: [^ ]+, [^ ]+, [^ ]+, and 327 more$"
    with pytest.raises(DataError, match=message):
        keep(foreign, BENCH, store, name="mine", origin=ORIGIN)
    with pytest.raises(ConfigError, match="dcase2018 has no fold 'fold9'"):
        keep(table, BENCH, store, name="mine", origin=ORIGIN, folds=["fold9"])
    with pytest.raises(ConfigError, match="'train' is no class; did you mean 'tram'"):
        names = table[["clip_id"]].assign(predicted="train")
        keep(names, BENCH, store, name="mine", origin=ORIGIN)
    assert not store.runs.exists()


def test_class_names_give_derived_accuracy_and_no_top_2() -> None:
    clips = clips_of()
    predicted = ["mall" if scene == "airport" else "airport" for scene in clips["scene"]]
    frame = named_frame(clips, LABELS, predicted, split="test")
    # airport and mall are both indoor, park is outdoor: right, right, wrong.
    coarse = Measure("coarse", derived=LABELS, average="clips")
    assert clip_rows(frame, coarse).value() == pytest.approx(2 / 3)
    assert clip_rows(frame, Measure("fine")).value() == 0.0
    assert lacking_levels(frame, Measure("top 2", top_k=2)) == ("fine",)
    assert lacking_levels(frame, Measure("fine")) == ()


def test_class_names_have_no_accuracy_of_recordings(store: ResultsStore) -> None:
    """It is of the mean of probabilities; everything else of the table stays."""
    bench = made_bench("dcase2022")
    table = bench.select(bench.folds[0].test)[["clip_id", "scene"]].rename(columns={"scene": "predicted"})
    (run,) = keep(table, bench, store, name="names", origin=ORIGIN)
    frame = run.predictions.assign(system="names", fold="fold1", repeat=0)
    of_recordings = Measure("accuracy, 10 s", aggregate="recording")
    assert of_recordings.needs_probabilities
    found = score_table(frame, [Measure("accuracy"), of_recordings]).set_index("measure")["value"]
    assert found["accuracy"] == 1.0
    assert math.isnan(found["accuracy, 10 s"])


@pytest.mark.parametrize("named", ["true", "other", ""])
def test_a_label_between_equal_classes_changes_no_true_class(store: ResultsStore, named: str) -> None:
    """The true class and another one have 0.4 each; whichever is named, scores of probabilities are the same."""
    for protocol in ("dcase2022", "dcase2019c"):
        bench = made_bench(protocol)
        clips, classes = bench.select(bench.folds[0].test), bench.protocol.labels.fine
        true = bench.protocol.labels.encode(clips["scene"])
        n, size = len(true), len(classes)
        other = (true + 1 + np.random.default_rng(0).integers(0, size - 1, n)) % size
        p = np.full((n, size), 0.2 / (size - 2))
        for index in (true, other):
            p[np.arange(n), index] = 0.4
        table = pd.DataFrame({"clip_id": clips["clip_id"], **{f"p_{c}": p[:, i] for i, c in enumerate(classes)}})
        if named:
            table["predicted"] = np.array(classes)[true if named == "true" else other]
        (run,) = keep(table, bench, store, name=named or "none", origin=ORIGIN)
        if named:
            expected = 1.0 if named == "true" else 0.0
            assert clip_rows(run.predictions, Measure("accuracy")).value() == expected
        if protocol == "dcase2019c":
            auroc = clip_rows(run.predictions, Measure("AUROC", average="clips", statistic="auroc")).value()
            assert auroc == pytest.approx(roc_auc_score(true < size - 1, p[:, :-1].max(axis=1)), abs=1e-6)
            continue
        # Ten pieces of each scene on each device, as one recording.
        whole = run.predictions.assign(recording_id=clips["scene"].to_numpy(), location=clips["scene"].to_numpy())
        _, of_piece = np.unique((clips["scene"] + clips["device"]).to_numpy(str), return_inverse=True)
        logs = np.array([np.log(p[of_piece == k]).mean(axis=0) for k in range(of_piece.max() + 1)])
        means = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
        of_whole = np.array([true[of_piece == k][0] for k in range(len(means))])
        for statistic, right in (
            ("accuracy", balanced_accuracy_score(of_whole, means.argmax(axis=1))),
            ("log-loss", log_loss(of_whole, means, labels=range(size))),
        ):
            measure = Measure("10 s", average="clips", statistic=statistic, aggregate="recording")
            assert clip_rows(whole, measure).value() == pytest.approx(right, rel=1e-6)
