"""Embeddings of clips: who gives them, what is checked, how views are joined, the file and the picture."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from asc_bench.analysis import embedded_runs as module
from asc_bench.analysis.clusters import cluster_distances
from asc_bench.analysis.embedded_runs import Embedded, distances, embedded, embedding_file, refuse_without_embedding
from asc_bench.analysis.embedding import can_embed, embeddings
from asc_bench.analysis.projection import Panel, draw_projections, project
from asc_bench.api import Card, Clips, ConfigError, DataError, Features, LabelSpace, System, SystemFailure, Task
from asc_bench.registry import systems
from asc_bench.runs.settings import Settings
from tests.unit.made_runs import made_bench

LABELS = LabelSpace.from_map({"bus": "vehicle", "car": "vehicle", "park": "outdoor", "beach": "outdoor"})


class Silent(System):
    """Has no embedding."""

    card = Card(name="silent", title="Silent", citation="none", year=2026, input="numbers")

    def front_end(self):
        raise NotImplementedError

    def fit(self, train, validation, context) -> None:
        raise NotImplementedError

    def predict(self, clips):
        raise NotImplementedError


class Doubled(Silent):
    """Twice the features."""

    card = replace(Silent.card, name="doubled")
    answer = staticmethod(lambda x: 2 * x)

    def embed(self, clips: Clips):
        return self.answer(clips.features.load())


def clips_of(values: np.ndarray) -> Clips:
    return Clips(Features(np.asarray(values, dtype=np.float32), np.arange(len(values))))


def fitted(cls: type[System]) -> System:
    return cls(Task(LABELS, (), 5.0))


def table(n: int = 8, **columns: object) -> pd.DataFrame:
    scenes = [LABELS.fine[i % 4] for i in range(n)]
    ids = [f"clip{i}" for i in range(n)]
    return pd.DataFrame({"clip_id": ids, "scene": scenes, "location": [f"here-{i}" for i in range(n)], **columns})


def part(vectors: np.ndarray, fold: str = "fold1", **columns: object) -> Embedded:
    clips = table(len(vectors), **columns)
    return Embedded(fold=fold, split="test", clips=clips, vectors=np.asarray(vectors, dtype=np.float32))


def test_who_has_embeddings_is_told() -> None:
    assert can_embed(Doubled) and not can_embed(Silent)
    with pytest.raises(ConfigError, match=r"logmel-svm gives no embeddings \(.*embed.*\).*: .*hierarchical-cnn"):
        refuse_without_embedding("logmel-svm")
    refuse_without_embedding("hierarchical-cnn")
    with pytest.raises(ConfigError, match="did you mean 'hierarchical-cnn'"):
        refuse_without_embedding("hierarchical-cn")
    # The method of this name that prepares the features of a classifier is another one.
    assert hasattr(systems().get("logmel-svm"), "embed")


def test_embeddings_are_given_as_they_are() -> None:
    x = np.arange(6.0).reshape(3, 2)
    found = embeddings(fitted(Doubled), clips_of(x))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, 2 * x)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: x[:-1], r"doubled: embed gave float32 of shape \(2, 2\), expected floats of shape \(3, d\)"),
        (lambda x: x[:, 0], r"shape \(3,\)"),
        (lambda x: x[:, :0], r"shape \(3, 0\)"),
        (lambda x: x.astype(int), "embed gave int64"),
        (lambda x: np.where(x == 3, np.nan, x), "1 of 3 embeddings have NaN .* clip number 1"),
    ],
)
def test_what_is_no_embedding_is_refused(monkeypatch: pytest.MonkeyPatch, answer, message: str) -> None:
    monkeypatch.setattr(Doubled, "answer", staticmethod(answer))
    with pytest.raises(SystemFailure, match=message):
        embeddings(fitted(Doubled), clips_of(np.arange(6.0).reshape(3, 2)))
    with pytest.raises(ConfigError, match="silent gives no embeddings"):
        embeddings(fitted(Silent), clips_of(np.ones((3, 2))))


def test_views_of_a_clip_have_one_embedding_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = made_bench()
    views = np.where(np.arange(len(bench.clips)) % 2, "left right", "")
    bench = replace(bench, clips=bench.clips.assign(views=views, start_s=0.0, duration_s=10.0))
    rows = np.arange(len(bench.waveforms), dtype=np.float32)
    features = np.stack([rows, rows**2], axis=1)
    monkeypatch.setattr(
        module, "given_clips", lambda b, ids, s, k: Clips(Features(features, b.feature_rows(ids)[0]))
    )
    (fold,) = bench.folds
    fold = replace(fold, test=fold.test[:5])
    found = embedded(fitted(Doubled), bench, fold, Settings(cache=Path("/nonexistent")))
    by_clip = dict(zip(bench.clips["clip_id"], views, strict=True))
    first = dict(zip(bench.clips["clip_id"], np.cumsum([1, *(1 + (v != "") for v in views[:-1])]) - 1, strict=True))
    for clip, vector in zip(fold.test, found.vectors, strict=True):
        its = features[first[clip] : first[clip] + (2 if by_clip[clip] else 1)]
        np.testing.assert_allclose(vector, 2 * its.mean(axis=0))
    assert list(found.clips["clip_id"]) == list(fold.test)
    with pytest.raises(DataError, match="dcase2018, fold1 has no validation clips"):
        embedded(fitted(Doubled), bench, fold, Settings(cache=Path("/nonexistent")), split="validation")
    with pytest.raises(ConfigError, match="split 'tset' is not one of test"):
        embedded(fitted(Doubled), bench, fold, Settings(cache=Path("/nonexistent")), split="tset")


def test_distances_at_both_levels_and_scales() -> None:
    vectors = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    measured, undefined = distances(part(vectors), LABELS)
    assert not undefined
    scenes = np.arange(8) % 4
    unit = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    for scale, x in (("raw", vectors), ("unit", unit)):
        assert measured["fine", scale] == pytest.approx(cluster_distances(x, scenes))
        assert measured["coarse", scale] == pytest.approx(cluster_distances(x, scenes // 2))


def test_a_silent_embedding_has_no_unit_length_and_says_so() -> None:
    vectors = np.ones((8, 3))
    vectors[2] = 0
    measured, undefined = distances(part(vectors), LABELS)
    assert set(measured) == {("fine", "raw"), ("coarse", "raw")}
    assert set(undefined) == {("fine", "unit"), ("coarse", "unit")}
    assert "1 of 8 embeddings are zero" in undefined["fine", "unit"]


def test_file_holds_every_clip_a_column_for_each_number_and_what_it_is() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 8, 11)).astype(np.float32)
    parts = [
        part(v, fold, source=["here", "there"] * 4, device=[""] * 8) for v, fold in zip(vectors, "ab", strict=True)
    ]
    content = embedding_file(parts, LABELS, {"synthetic": True})
    assert content == embedding_file(parts, LABELS, {"synthetic": True})
    frame = pd.read_parquet(io.BytesIO(content))
    told = ["clip_id", "fold", "split", "source", "location", "fine", "coarse"]
    assert list(frame.columns) == [*told, *(f"e{i:03d}" for i in range(11))]
    np.testing.assert_array_equal(frame.filter(regex="^e[0-9]+$").to_numpy(), np.concatenate(vectors))
    assert list(frame["fold"]) == ["a"] * 8 + ["b"] * 8
    assert list(frame["coarse"][:4]) == ["vehicle", "vehicle", "outdoor", "outdoor"]
    about = json.loads(pq.read_schema(io.BytesIO(content)).metadata[b"asc_bench"])
    assert about["synthetic"] is True and about["schema_version"] == 1 and "mean" in about["views"]


def test_pca_is_that_of_the_singular_values() -> None:
    x = np.random.default_rng(0).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    found = project(x)
    left, values, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(found.points), np.abs(left[:, :2] * values[:2]), atol=1e-9)
    shares = values**2 / (values**2).sum()
    assert found.kept == pytest.approx(shares[:2].sum())
    assert found.axes[0] == f"component 1: {100 * shares[0]:.1f} % of the variance"


def test_tsne_is_seeded_and_keeps_groups_apart() -> None:
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(size=(12, 5)), rng.normal(size=(12, 5)) + 50]
    one, again = (project(x, method="tsne", seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.points, again.points)
    assert one.kept is None
    groups = np.repeat([0, 1], 12)
    found = cluster_distances(one.points, groups)
    assert found.iccd > found.icd


@pytest.mark.parametrize(
    ("x", "method", "error", "message"),
    [
        (np.ones((5, 3)), "pca", DataError, "all 5 embeddings are equal"),
        (np.eye(2), "pca", DataError, r"pca needs 3 embeddings of two numbers at least; their shape is \(2, 2\)"),
        (np.arange(5.0)[:, None], "pca", DataError, r"shape is \(5, 1\)"),
        (np.eye(3), "tsne", DataError, "tsne needs 4 embeddings"),
        (np.eye(5), "umap", ConfigError, "projection 'umap' is not one of pca, tsne"),
    ],
)
def test_what_cannot_be_projected_is_refused(x, method: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        project(x, method=method)


def test_picture_has_a_panel_for_each_network_and_the_classes_that_occur() -> None:
    rng = np.random.default_rng(0)
    classes = [f"class {i}" for i in range(12)]
    panels = [
        Panel(
            title=f"fold{k}",
            projection=project(rng.normal(size=(30, 4))),
            classes=[classes[i % 11] for i in range(30)],
        )
        for k in range(4)
    ]
    figure = draw_projections(panels, classes=classes, title="title\nsynthetic")
    assert [ax.get_title() for ax in figure.axes] == [f"fold{k}" for k in range(4)]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == classes[:11]
    looks = {(h.get_marker(), h.get_color()) for h in legend.legend_handles}
    assert len(looks) == 11
    for ax, panel in zip(figure.axes, panels, strict=True):
        drawn = np.concatenate([c.get_offsets() for c in ax.collections])
        assert {tuple(p) for p in np.round(drawn, 6)} == {tuple(p) for p in np.round(panel.projection.points, 6)}
    # A point has the colour of its class.
    legend_colours = {
        t.get_text(): h.get_color() for t, h in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }
    from matplotlib.colors import to_rgba

    for collection in figure.axes[0].collections:
        for point, colour in zip(collection.get_offsets(), collection.get_facecolors(), strict=True):
            i = int(np.argmin(np.abs(panels[0].projection.points - point).sum(1)))
            assert tuple(colour[:3]) == to_rgba(legend_colours[panels[0].classes[i]])[:3]
