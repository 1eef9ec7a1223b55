"""``import asc_bench``: from systems and protocols of one's own to scores, tables and figures."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asc_bench.protocols.esc import Esc10
from sklearn.metrics import accuracy_score, log_loss

import asc_bench
from asc_bench.api import (
    Card,
    Clips,
    Context,
    Fold,
    FrontEnd,
    LabelledClips,
    LabelSpace,
    LogMel,
    Measure,
    Protocol,
    System,
)
from asc_bench.bench.source import Source
from asc_bench.errors import ConfigError, DataError


class Means(System):
    """Nearest class mean of the mean spectrum: registered nowhere."""

    card = Card(name="means", title="Class means", citation="this test", year=2026, input="log-mel")

    def front_end(self) -> FrontEnd:
        return LogMel(
            sample_rate_hz=8_000,
            n_fft=256,
            window_length=256,
            hop_length=4_000,
            n_mels=16,
            fmin_hz=0.0,
            fmax_hz=4_000.0,
        )

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        means = train.features.load().mean(axis=1)
        n = len(self.task.labels.fine)
        self.centres = np.stack([means[train.labels["fine"] == k].mean(axis=0) for k in range(n)])

    def predict(self, clips: Clips) -> np.ndarray:
        means = clips.features.load().mean(axis=1)
        distance = ((means[:, None] - self.centres) ** 2).mean(axis=2)
        weights = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / 20)
        return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


class Uniform(Means):
    """Knows nothing."""

    card = Card(name="uniform", title="Uniform", citation="this test", year=2026, input="log-mel")

    def predict(self, clips: Clips) -> np.ndarray:
        n = len(self.task.labels.fine)
        return np.full((len(clips), n), 1 / n, dtype=np.float32)


class TwoClasses(Protocol):
    """Two classes of ESC-10, registered nowhere."""

    name = "two-classes"
    title = "Two classes"
    datasets = ("esc-10",)
    labels = LabelSpace(("dog", "rain"))
    clip_duration_s = 5.0
    measures = (Measure("accuracy"),)

    def clips(self, dataset):
        table = dataset.clips[dataset.clips["scene"].isin(self.labels.fine)]
        return table.reset_index(drop=True)

    def folds(self, dataset):
        table = self.clips(dataset)
        first = dataset.splits[0]
        train, test = ([c for c in table["clip_id"] if c in ids] for ids in (set(first.train), set(first.test)))
        return [Fold("only", tuple(train), (), tuple(test))]


@pytest.fixture(scope="module")
def options(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return {
        "budget": "smoke",
        "synthetic": True,
        "synthetic_size": "tiny",
        "cache": cache,
        "results": tmp_path_factory.mktemp("api") / "results",
        "n_threads": 1,
        "device": "cpu",
        "progress": False,
    }


@pytest.fixture(scope="module")
def results(options: dict[str, object]) -> asc_bench.Results:
    return asc_bench.run("esc10", [Means, Uniform], **options)


def test_importing_is_quick_and_loads_nothing() -> None:
    script = (
        "import sys, asc_bench; assert 'torch' not in sys.modules and 'pandas' not in sys.modules; "
        "assert 'run' in dir(asc_bench) and 'TorchSystem' in dir(asc_bench)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    took = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import asc_bench"], check=True)
        with_it = time.perf_counter() - started
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", ""], check=True)
        took.append(with_it - (time.perf_counter() - started))
    assert min(took) < 0.15


def test_scores_are_those_of_scikit_learn(results: asc_bench.Results) -> None:
    given = results.predictions()
    scores = results.scores().set_index(["system", "measure"])["value"]
    for name, rows in given.groupby("system"):
        by_fold = [accuracy_score(r["label"], r["predicted"]) for _, r in rows.groupby("fold")]
        assert scores[name, "accuracy"] == pytest.approx(np.mean(by_fold), abs=1e-12)
        classes = [c for c in rows.columns if c.startswith("p_")]
        wanted = log_loss(rows["label"], rows[sorted(classes)], labels=sorted(c[2:] for c in classes))
        assert scores[name, "log loss"] == pytest.approx(wanted, abs=1e-6)
    assert scores["uniform", "log loss"] == pytest.approx(np.log(10), abs=1e-6)


def test_predictions_scored_again_give_the_same_scores(
    results: asc_bench.Results, options: dict[str, object]
) -> None:
    where = {key: options[key] for key in ("synthetic", "synthetic_size", "cache")}
    again = asc_bench.score(results.predictions(), "esc10", **where)
    pd.testing.assert_frame_equal(again, results.scores(), check_exact=True)


def test_what_is_stored_is_not_computed_again(results: asc_bench.Results, options, monkeypatch) -> None:
    def refuse(self: object, *_: object) -> None:
        raise AssertionError("fitted again")

    digests = [run.manifest["digest"] for run in results.runs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asc_bench.runs.runner._compute", refuse)
        again = asc_bench.run("esc10", [Means, Uniform], **options)
    assert [run.manifest["digest"] for run in again.runs] == digests
    where = {"budget": "smoke", "synthetic": True}
    stored = asc_bench.load_results(options["results"], "esc10", **where)
    assert {run.manifest["digest"] for run in stored.runs} == set(digests)
    some = asc_bench.load_results(options["results"], "esc10", **where, systems=[Means, "no*"], folds="fold2")
    assert some.systems == ["means"] and some.folds == ("fold2",)


def test_tables_figures_and_comparisons(results: asc_bench.Results, tmp_path: Path) -> None:
    pairs = results.compare(reference="uniform")
    assert pairs[["system_a", "system_b"]].to_numpy().tolist() == [["means", "uniform"]]
    assert (pairs["difference"] > 0).all() and (pairs["p_bootstrap_holm"] <= 1).all()
    assert results.compare(measure="log loss")["difference"].iloc[0] < 0
    wide = results.compare(reference="uniform", rope=0.5)
    assert set(wide["rope"]) == {0.5} and (wide["p_better"] <= pairs["p_better"]).all()
    assert "<table>" in results._repr_html_() and "means" in results._repr_html_()
    assert r"\begin{table}" in results.table("latex")
    assert results.table("csv", columns=["accuracy"]).splitlines()[0] == "system,accuracy"
    assert str(results).splitlines()[0].endswith("smoke budget, 1 seed")
    assert repr(results) == "<Results of esc10: means, uniform; runs: 10 done>"
    png, svg = results.plot.confusion("means").save(tmp_path / "confusion")
    assert png.stat().st_size > 1000 and svg.exists()
    assert results.plot.scores()._repr_png_().startswith(b"\x89PNG")
    assert len(results.run_table()) == 10
    written = results.report(tmp_path / "report")
    assert (written.folder / "report.html").exists() and "means" in written.text
    assert results.only("uni*").systems == ["uniform"]


def test_workers_get_classes_and_protocols_of_ones_own(options: dict[str, object], tmp_path: Path) -> None:
    asked = {**options, "results": tmp_path}
    found = asc_bench.run(TwoClasses, [Means, asc_bench.get_system(Uniform)], **asked, repeats=2, n_jobs=2)
    assert not found.unfinished and len(found.runs) == 4
    assert found.scores(["accuracy"]).set_index("system")["value"]["uniform"] == 0.5
    alone = asc_bench.run(TwoClasses(), Means, **{**asked, "results": tmp_path / "serial"}, repeats=2)
    one, two = (r.only("means").predictions().filter(like="p_") for r in (found, alone))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_class_typed_in_a_session_runs_in_workers(options: dict[str, object], tmp_path: Path) -> None:
    """Its class has no file: it travels by value, and an edit makes stored runs stale."""
    source = Path(__file__).read_text(encoding="utf-8")
    typed = source[source.index("class Means(") : source.index("class TwoClasses(")]
    script = (
        "import numpy as np, asc_bench\n"
        "from asc_bench.api import *\n"
        f"exec(compile({typed!r}, '<cell>', 'exec'))\n"
        "if __name__ == '__main__':\n"
        f"    got = asc_bench.run('esc10', [Means, Uniform], budget='smoke', synthetic=True, synthetic_size='tiny',"
        f" cache={str(options['cache'])!r}, results={str(tmp_path)!r}, folds=['fold1'], n_jobs=2, progress=False)\n"
        "    print(sorted(run.manifest['key'] for run in got.runs), got.unfinished)\n"
    )
    shown = []
    for text in (script, script, script.replace("/ 20)", "/ 21)")):
        command = [sys.executable, "-c", text]
        shown.append(subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout)
    assert shown[0] == shown[1] != shown[2]
    assert all(line.strip().endswith("()") for line in shown)


def test_an_edited_file_is_loaded_again_before_it_is_run(
    options: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was imported before an edit computes old numbers, here and in workers that stay."""
    source = Path(__file__).read_text(encoding="utf-8")
    typed = source[source.index("class Means(") : source.index("class Uniform(")].replace("/ 20)", "/ scale.SCALE)")
    (tmp_path / "own_means.py").write_text(f"import numpy as np, scale\nfrom asc_bench.api import *\n{typed}")
    (tmp_path / "scale.py").write_text("SCALE = 20\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    own, scale = (importlib.import_module(name) for name in ("own_means", "scale"))

    def given(**more: object) -> pd.DataFrame:
        asked = {**options, "results": tmp_path / "results", "folds": ["fold1", "fold2"], **more}
        return asc_bench.run("esc10", own.Means, **asked).predictions().filter(like="p_")

    first = given(n_jobs=2)
    (tmp_path / "scale.py").write_text("SCALE = 200\n")
    with pytest.raises(ConfigError, match=r"scale.py was edited after it was imported: SCALE in memory is another"):
        given()
    importlib.reload(scale)
    in_workers, alone = given(n_jobs=2), given(force=True)
    pd.testing.assert_frame_equal(in_workers, alone, check_exact=True)
    assert not np.array_equal(first, alone)
    for name in ("own_means", "scale"):
        del sys.modules[name]


def test_what_is_wrong_is_said(options: dict[str, object], results: asc_bench.Results) -> None:
    class Namesake(Means):
        card = Card(name="sb-cnn", title="x", citation="x", year=2026, input="x")

    class Nameless(Means):
        card = None

    for attempt, message in (
        (lambda: asc_bench.run("esc11", Means, **options), r"there is no protocol 'esc11'; did you mean"),
        (lambda: asc_bench.run("esc10", "sb-cn", **options), r"there is no system 'sb-cn'; did you mean 'sb-cnn'"),
        (lambda: asc_bench.run("esc10", Means, **options, repeat=2), r"no option 'repeat'; did you mean 'repeats'"),
        (lambda: asc_bench.run("esc10", Means, **{**options, "budget": "quik"}), r"budget is 'quik'; did you mean"),
        (lambda: asc_bench.run("esc10", [], **options), r"no system is named"),
        (lambda: asc_bench.run("esc10", 7, **options), r"7 is no system: give a name"),
        (lambda: asc_bench.run("esc10", Namesake, **options), r"the name 'sb-cnn' of .*Namesake is that of"),
        (lambda: asc_bench.run("esc10", Nameless, **options), r"no `card = Card"),
        (lambda: asc_bench.run(Means, Means, **options), r"is no protocol"),
        (lambda: asc_bench.get_system("sb-cnn", b=1), r"sb-cnn has no parameter 'b'; did you mean 'bn'"),
        (lambda: asc_bench.get_system("sb-cnn", bn=3), r"sb-cnn: bn is '3', but must be true or false"),
        (lambda: asc_bench.get_system("sb-cnn,mla"), r"stands for 2 systems"),
        (lambda: asc_bench.run("esc10", Means, **options, repeats="3"), r"repeats is '3', but must be a whole num"),
        (lambda: asc_bench.run("esc10", Means, **options, repeats=True), r"repeats is True, but must be a whole"),
        (
            lambda: asc_bench.run("esc10", Means, **options, folds=1),
            r"folds is 1, but must be a text or",
        ),
        (
            lambda: asc_bench.run("esc10", Means, **{**options, "synthetic": "tiny"}),
            r"synthetic is 'tiny', but",
        ),
        (lambda: asc_bench.run("esc10", Means, **{**options, "n_threads": -1}), r"n_threads is -1, but must be 0"),
        (
            lambda: asc_bench.run("esc10", Means, **{**options, "data": [1]}),
            r"data is \[1\], but must be a text",
        ),
        (lambda: asc_bench.load_dataset(3), r"there is no data set 3; there are: "),
        (lambda: results.comparison("means", "nobody"), r"no run of 'nobody' is done; there are: means, uniform"),
        (lambda: results.scores(["acuracy"]), r"esc10 has no measure 'acuracy'; did you mean 'accuracy'"),
        (lambda: results.compare("mean"), r"the reference 'mean' is not among the scored systems; did you mean"),
        (lambda: results.table("htm"), r"fmt is 'htm'; did you mean 'html'"),
        (lambda: results.table(columns=["acc"]), r"has no column 'acc'"),
        (lambda: results.plot.confusion("maens"), r"'maens' has no confusion matrix here; did you mean 'means'"),
        (lambda: results.only("nobody"), r"no run of 'nobody' is among these"),
        (
            lambda: results.predictions("fien"),
            r"no predictions of the level 'fien' .*; there are those of fine \(",
        ),
        (
            lambda: asc_bench.load_results(
                options["results"], "esc10", budget="smoke", synthetic=True, folds=["fold1", "fold9"]
            ),
            r"no run of 'fold9' is stored; did you mean 'fold5'",
        ),
        (lambda: asc_bench.load_results("nowhere", "esc10"), r"nowhere holds no run of esc10"),
    ):
        with pytest.raises(ConfigError, match=message):
            attempt()
    with pytest.raises(AttributeError, match="has no attribute 'load_result'; did you mean 'load_results'"):
        asc_bench.load_result  # noqa: B018 - the access itself is tested


def test_systems_that_fail_are_rows(options: dict[str, object], tmp_path: Path) -> None:
    class Failing(Means):
        card = Card(name="failing", title="x", citation="x", year=2026, input="x")

        def fit(self, train, validation, context):
            raise RuntimeError("on purpose")

    asked = {**options, "results": tmp_path, "folds": "fold1"}
    both = asc_bench.run("esc10", [Failing, Means], **asked)
    assert both.unfinished == ("failing fold1",)
    assert repr(both) == "<Results of esc10: failing, means; runs: 1 done, 1 failed>"
    assert "failed: RuntimeError: on purpose" in both.table("csv")
    assert both.compare().empty and set(both.predictions()["system"]) == {"means"}
    alone = both.only("failing")
    assert "failed: RuntimeError: on purpose" in alone.table("csv") and alone.scores().empty
    for attempt in (alone.predictions, alone.compare, lambda: alone.scores(["accuracy"])):
        with pytest.raises(ConfigError, match=r"none of 1 runs is done, .*: RuntimeError: on purpose$"):
            attempt()
    refused = asc_bench.run("audioset-dcase2017", "sb-cnn", **{**asked, "folds": None})
    assert not refused.unfinished and "skipped: clips have several labels" in refused.table("csv")
    with pytest.raises(ConfigError, match="of the first one: clips have several labels"):
        refused.predictions()


@pytest.fixture(scope="module")
def where(options: dict[str, object]) -> dict[str, object]:
    return {key: options[key] for key in ("synthetic", "synthetic_size", "cache")}


@pytest.fixture(scope="module")
def table(options: dict[str, object]) -> pd.DataFrame:
    source = Source(synthetic=True, synthetic_size="tiny", cache=options["cache"])
    bench = source.bench(Esc10(), lambda fraction, text: None)
    return bench.clips[["clip_id", "path", "scene"]]


def test_labels_alone_are_scored(table: pd.DataFrame, where: dict[str, object]) -> None:
    guess = pd.DataFrame({"clip_id": table["path"].map(lambda p: Path(p).name), "predicted": table["scene"]})
    found = asc_bench.score(guess, "esc10", **where)
    assert found["measure"].tolist() == ["accuracy"] and found["value"].tolist() == [1.0]
    guess["predicted"] = "dog"
    assert asc_bench.score(guess, "esc10", **where)["value"].tolist() == [pytest.approx(0.1)]


def test_clips_that_are_missing_give_no_score(table: pd.DataFrame, where: dict[str, object]) -> None:
    guess = pd.DataFrame({"clip_id": table["clip_id"], "predicted": table["scene"]})
    found = asc_bench.score(guess.iloc[1:], "esc10", **where)
    assert found["value"].isna().all() and "1" in found["incomplete"].iloc[0]
    assert asc_bench.score(guess.iloc[1:], "esc10", **where, folds="fold2")["value"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda t: t.rename(columns={"clip_id": "clip"}),
            ConfigError,
            r"need a column 'clip_id'; there are",
        ),
        (lambda t: t.iloc[:0], ConfigError, r"there are no predictions"),
        (lambda t: t.drop(columns="predicted"), ConfigError, r"need columns p_<class>"),
        (lambda t: t.assign(predicted="dogg"), ConfigError, r"'dogg' is no class; did you mean 'dog'"),
        (
            lambda t: t.assign(clip_id="x" + t["clip_id"]),
            DataError,
            r"are not clips of esc10, such as 'x",
        ),
        (lambda t: pd.concat([t, t.iloc[:1]]), DataError, r"has two predictions of"),
        (lambda t: t.assign(fold="fold9"), DataError, r"is no test clip of fold 'fold9'"),
        (lambda t: t.assign(level="middle"), ConfigError, r"has no label level 'middle'"),
        (lambda t: t.to_dict(), ConfigError, r"must be a pandas DataFrame, not of the type dict"),
        (
            lambda t: t.assign(**{f"p_{c}": "x" for c in t["predicted"]}),
            ConfigError,
            r"columns p_<class> hold what is no number: .*'x'",
        ),
        (lambda t: t.assign(p_dog=1.0), ConfigError, r"there is no column p_.* for the class"),
    ],
)
def test_faults_of_predictions(table, where, change, error, message) -> None:
    guess = pd.DataFrame({"clip_id": table["clip_id"], "predicted": table["scene"]})
    with pytest.raises(error, match=message):
        asc_bench.score(change(guess), "esc10", **where)


def test_check_examines_a_class_of_ones_own(cache: Path) -> None:
    class Leaky(Means):
        card = Card(name="leaky", title="x", citation="x", year=2026, input="x")

        def predict(self, clips: Clips) -> np.ndarray:
            given = super().predict(clips)
            return (given + given.mean(axis=0)) / 2

    good, bad = asc_bench.check(Means, cache=cache), asc_bench.check(Leaky, cache=cache)
    assert good.passed, str(good)
    assert [o.title for o in bad.outcomes if not o.passed] == [
        "A clip's prediction does not depend on the clips predicted with it"
    ]
    assert "FAIL  A clip's prediction" in str(bad) and repr(bad) == str(bad)


def test_data_sets(options: dict[str, object]) -> None:
    where = {key: options[key] for key in ("synthetic", "synthetic_size", "cache")}
    dataset = asc_bench.load_dataset("esc-10", **where)
    clip = dataset.clips.iloc[0]
    waveform, rate_hz = dataset.audio(clip["clip_id"])
    assert waveform.shape == (round(clip["duration_s"] * rate_hz),) and waveform.dtype == np.float32
    assert len(dataset.audio(clip["clip_id"], sample_rate_hz=8000)[0]) == round(8000 * clip["duration_s"])
    with pytest.raises(ConfigError, match="has no clip"):
        dataset.audio("nothing")
    bench = asc_bench.get_protocol("esc10", **where)
    assert len(bench.folds) == 5 and not bench.faults()
    assert repr(dataset) == f"<esc-10 in {dataset.root}: 100 clips, 5 splits, SYNTHETIC>"
    assert repr(bench).startswith("<esc10 (100 clips; folds fold1, fold2, fold3, fold4, fold5) on <esc-10 in ")
    assert {"esc-10", "tut-urban-2018-mobile"} <= set(asc_bench.list_datasets())
