"""Figures 3 and 4 of the hierarchical CNN: which networks, which clips, and that they show what is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.signal
import scipy.special
import torch
from asc_bench.proposed import hierarchical_cnn_figures
from asc_bench.proposed.hierarchical_cnn import HierarchicalCnn, HierarchicalCnnParams
from asc_bench.proposed.hierarchical_cnn_figures import CONFIGURATIONS, Figure3, Figure4
from matplotlib.figure import Figure

from asc_bench.analysis.landscape import Landscape, Plane
from asc_bench.api import (
    COARSE,
    FINE,
    Budget,
    Card,
    Clips,
    ConfigError,
    Context,
    Drawn,
    Features,
    FrontEnd,
    LabelledClips,
    LabelSpace,
    Material,
    System,
    Task,
    Waveform,
)
from asc_bench.papers.draw_figure import asked_parts
from asc_bench.papers.registry import figures
from asc_bench.runs import fitted
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import StoredRun
from asc_bench.runs.variant import parse_variants
from asc_bench.training.checkpoint import read_tensors
from tests.unit.made_runs import made_bench

TOY = LabelSpace.from_map({"low": "tone", "high": "tone", "white": "noise", "clicks": "noise"})
N = 4


def fitted_network(variant: str) -> HierarchicalCnn:
    """An untrained network of a variant, an eighth as wide."""
    (asked,) = parse_variants(variant)
    params = asked.params
    assert isinstance(params, HierarchicalCnnParams)
    system = HierarchicalCnn(Task(TOY, (), 1.0), params, Budget.SMOKE)
    torch.manual_seed(len(variant))
    system.module = system.build()
    return system


@pytest.fixture
def material(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    """Networks and noise instead of stored runs and recordings; ``parts`` is to be filled in."""
    monkeypatch.setattr(fitted, "rebuilt", lambda run, bench, device: fitted_network(run.manifest["variant"]))

    def noise(bench: object, ids: tuple[str, ...], system: System, settings: Settings) -> LabelledClips:
        x = np.random.default_rng(0).normal(size=(len(ids), 16_000)).astype(np.float32)
        fine = np.arange(len(ids)) % 4
        labels = {FINE: fine, COARSE: TOY.to_coarse(fine)}
        return LabelledClips(Features(x, np.arange(len(ids))), None, labels, np.array(["here"] * len(ids)))

    monkeypatch.setattr(fitted, "labelled_clips", noise)
    return Material(
        parts=(),
        scores=pd.DataFrame(),
        bench=made_bench(),
        settings=Settings(cache=tmp_path / "cache"),
        title="Synthetic, smoke budget",
    )


def drawn(item: Figure3 | Figure4, cut: dict[str, tuple[str, ...]], *, n_runs: int = 1) -> tuple[Drawn, ...]:
    return tuple(
        Drawn(
            at=part.at,
            variant=part.variant,
            runs=tuple(
                StoredRun(Path(), {"fold": "fold1", "variant": part.variant, "key": f"{part.variant} {i}"})
                for i in range(n_runs)
            ),
        )
        for part in asked_parts(item, cut)
    )


def test_the_networks_are_those_of_the_captions() -> None:
    variants = [part.variant for part in asked_parts(figures().get("hierarchical-cnn/fig3")(), {})]
    assert variants == ["hierarchical-cnn", "hierarchical-cnn[attention=no]"]
    settings = []
    for part in asked_parts(figures().get("hierarchical-cnn/fig4")(), {}):
        (variant,) = parse_variants(part.variant)
        params = variant.params
        assert isinstance(params, HierarchicalCnnParams)
        settings.append((params.labels, params.attention, params.pipelines))
    assert settings == [
        ("coarse+fine", "no", "both"),
        ("fine", "yes", "both"),
        ("coarse+fine", "yes", "both"),
        ("coarse+fine", "yes", "long"),
        ("coarse+fine", "yes", "short"),
    ]


def test_figure_3_shows_every_filter_in_order_of_its_peak(material: Material) -> None:
    figure = Figure3().draw(replace(material, parts=drawn(Figure3(), {})))
    assert isinstance(figure, Figure)
    panels = {ax.get_title(): ax for ax in figure.axes}
    for variant, words in (
        ("hierarchical-cnn", "with attention"),
        ("hierarchical-cnn[attention=no]", "without attention"),
    ):
        for name, filters in fitted_network(variant).first_layer_filters().items():
            gains = np.array(
                [
                    np.abs(scipy.signal.freqz(f.astype(np.float64), worN=1025, include_nyquist=True)[1])
                    for f in filters
                ]
            )
            peaks_hz = np.linspace(0, 8_000, 1025)[gains.argmax(axis=1)]
            shown = np.asarray(panels[f"{name} kernels, {words}"].images[0].get_array())
            order = np.argsort(peaks_hz, kind="stable")
            decibels = 20 * np.log10(gains / gains.max(axis=1, keepdims=True))[order].T
            np.testing.assert_allclose(shown, decibels.clip(min=-40), atol=1e-6)
            lines = {line.get_label(): line.get_ydata() for line in panels[f"{name} kernels, peaks"].lines}
            np.testing.assert_allclose(lines[words], peaks_hz[order] / 1000)
            assert len(lines["mel"]) == len(filters) == 12
    assert figure.get_suptitle().startswith("Synthetic, smoke budget\n")


def test_figure_3_of_one_pipeline_and_with_a_dead_filter(
    material: Material, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def dead(run: StoredRun, bench: object, device: str) -> HierarchicalCnn:
        system = fitted_network("hierarchical-cnn[pipelines=long]")
        assert system.module is not None
        with torch.no_grad():
            system.module.pipelines["long"].convolutions()[0].weight[3] = 0
        return system

    monkeypatch.setattr(fitted, "rebuilt", dead)
    figure = Figure3().draw(replace(material, parts=drawn(Figure3(), {"attention": ("yes",)}, n_runs=2)))
    figure.savefig(tmp_path / "figure.png")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["long kernels, with attention", "long kernels, peaks"]
    said = figure.get_suptitle()
    assert "Filters that are zero, have no peak and stand last: 1." in said
    assert "Of 2 trained networks of each kind this is the first." in said


def test_figure_4_asks_each_network_for_the_loss_of_the_same_training_clips(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Plane, tuple[str, ...]]] = []

    def flat(module: object, loss: object, plane: Plane, **given: object) -> Landscape:
        identity = given["identity"]
        assert isinstance(identity, dict)
        asked.append((identity["run"], plane, tuple(identity["clips"])))
        given["progress"](0.5, "half of it")  # type: ignore[operator]
        return Landscape(steps=plane.steps, losses=np.full((plane.n_points,) * 2, 1.0))

    monkeypatch.setattr(hierarchical_cnn_figures, "landscape", flat)
    told: list[tuple[float, str]] = []
    given = replace(
        material,
        parts=drawn(Figure4(), {}),
        cut={"clips": ("16",)},
        progress=lambda fraction, text: told.append((fraction, text)),
    )
    figure = Figure4().draw(given)
    assert [ax.get_title() for ax in figure.axes[0:10:2]] == [title for title, _ in CONFIGURATIONS.values()]
    runs, planes, clips = zip(*asked, strict=True)
    assert len(set(runs)) == 5
    assert set(planes) == {Plane(n_points=21, span=1.0, seed=0)}
    (ids,) = set(clips)
    train = material.bench.folds[0].train
    assert len(set(ids)) == 16
    assert set(ids) < set(train)
    assert list(ids) != list(train[:16]), "not the first ones, which are of few classes"
    assert told[1] == (pytest.approx(1.5 / 5), "(b) attention: half of it")
    assert "21 x 21 points, 16 training clips" in figure.get_suptitle()
    assert "(b) learns fine classes alone (a guess)" in figure.get_suptitle()
    asked.clear()
    few = Figure4().draw(replace(given, parts=drawn(Figure4(), {"configuration": ("long",)}), cut={"grid": ("3",)}))
    # Fewer than the 64 that are taken by default.
    assert asked[0][2] == train
    assert asked[0][1].n_points == 3
    assert f"3 x 3 points, {len(train)} training clips" in few.get_suptitle()
    assert "(b)" not in few.get_suptitle()


def test_figure_4_resumes_in_the_cache_and_its_middle_is_the_loss_as_trained(material: Material) -> None:
    cut = {"configuration": ("long",), "grid": ("3",), "clips": ("4",)}
    given = replace(material, parts=drawn(Figure4(), cut), cut=cut)
    first = Figure4().draw(given)
    (file,) = (given.settings.cache / "landscapes").iterdir()
    moment = file.stat().st_mtime_ns
    assert first.axes[0].get_title() == "(d) as (c), long kernels only"
    Figure4().draw(given)
    assert file.stat().st_mtime_ns == moment, "nothing was computed again"
    losses = read_tensors(file)[0]["losses"].numpy()
    system = fitted_network("hierarchical-cnn[pipelines=long]")
    clips = fitted.labelled_clips(given.bench, given.bench.folds[0].train[:4], system, given.settings)
    assert system.module is not None
    with torch.no_grad():
        outputs = system.module.eval()(torch.from_numpy(clips.features.load()))
    entropies = [
        -scipy.special.log_softmax(outputs[level].numpy(), axis=1)[np.arange(4), labels].mean()
        for level, labels in clips.labels.items()
    ]
    own = np.eye(2, dtype=bool)[clips.labels[COARSE]]
    distances = outputs["distances"].numpy()
    pull_and_push = distances[own].mean() + np.maximum(0, 1 - distances[~own]).mean()
    assert losses[1, 1] == pytest.approx(sum(entropies) + 0.1 * pull_and_push, rel=1e-5)
    assert (losses > 0).all()
    assert len(set(losses.ravel())) == 9


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ({"grid": ("3", "21")}, "takes one value for grid, got 3 and 21"),
        ({"clips": ("4", "16")}, "takes one value for clips, got 4 and 16"),
        ({"grid": ("20",)}, "has no grid '20'"),
        ({"configuration": ("hierarchi",)}, "did you mean 'hierarchy'"),
    ],
)
def test_options_that_there_are_not_are_refused_before_anything_is_trained(
    cut: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Figure4().check(cut)


class Listener(System):
    """Never asked for anything but its front end."""

    card = Card(name="listener", title="Listener", citation="none: a test double", year=2026, input="waveform")

    def front_end(self) -> FrontEnd:
        return Waveform(sample_rate_hz=8_000)

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        raise AssertionError

    def predict(self, clips: Clips) -> np.ndarray:
        raise AssertionError


def test_labelled_clips_are_those_that_were_asked_for_with_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = made_bench()
    rows = np.arange(len(bench.clips), dtype=np.float32)[:, None]

    class Found:
        array = rows

    monkeypatch.setattr(type(bench), "features", lambda *given, **more: Found())
    labels = bench.protocol.labels
    ids = [bench.clips["clip_id"].iloc[i] for i in (300, 7, 110)]
    system = Listener(Task(labels, (), 10.0), Listener.Params(), Budget.SMOKE)
    clips = fitted.labelled_clips(bench, ids, system, Settings(cache=Path("/nonexistent")))
    np.testing.assert_array_equal(clips.features.load().ravel(), [300, 7, 110])
    expected = [labels.fine.index(bench.clips["scene"].iloc[i]) for i in (300, 7, 110)]
    np.testing.assert_array_equal(clips.labels[FINE], expected)
