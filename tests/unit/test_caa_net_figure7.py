"""Figure 7: which clips it shows, and that it shows what the network attends to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from asc_bench.proposed.caa_net import CaaNet, CaaNetParams
from asc_bench.proposed.caa_net_figure7 import Figure7, Seen, figure7, look, parallel_clips
from matplotlib.figure import Figure
from scipy.special import expit

from asc_bench.api import (
    Budget,
    Card,
    Clips,
    Context,
    DataError,
    Drawn,
    FrontEnd,
    LabelledClips,
    LogMel,
    Material,
    System,
)
from asc_bench.bench.bench import Bench
from asc_bench.features.clip import clip_features
from asc_bench.papers.registry import figures
from asc_bench.registry import systems
from asc_bench.runs.fitted import given_clips
from asc_bench.runs.plan import plan
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import parse_variants

SCENES = ("bus", "tram")
FRONT_END = LogMel(
    sample_rate_hz=8_000, n_fft=256, window_length=256, hop_length=4_000, n_mels=16, fmin_hz=0.0, fmax_hz=4_000.0
)


def table(*rows: str) -> pd.DataFrame:
    """Rows named ``scene-place-segment-device``."""
    return pd.DataFrame(
        {
            "clip_id": rows,
            "scene": [r.split("-")[0] for r in rows],
            "device": [r.split("-")[-1].upper() for r in rows],
            "recording_id": [r.rpartition("-")[0] for r in rows],
        }
    )


def test_the_first_instant_of_each_class_that_all_devices_recorded() -> None:
    clips = table(
        "tram-paris-9-c", "tram-paris-9-a", "tram-paris-9-b",
        "tram-oslo-2-a", "tram-oslo-2-c",
        "bus-wien-2-a", "bus-wien-2-b", "bus-wien-2-c",
        "bus-wien-10-c", "bus-wien-10-b", "bus-wien-10-a",
    )  # fmt: skip
    # tram-oslo-2 lacks device B; "bus-wien-10" comes before "bus-wien-2" in order of name.
    assert list(parallel_clips(clips, SCENES)["clip_id"]) == [
        *("bus-wien-10-a", "bus-wien-10-b", "bus-wien-10-c"),
        *("tram-paris-9-a", "tram-paris-9-b", "tram-paris-9-c"),
    ]
    shuffled = clips.sample(frac=1, random_state=1)
    assert list(parallel_clips(shuffled, ["tram"])["device"]) == ["A", "B", "C"]


def test_a_class_without_such_an_instant_is_left_out_and_none_at_all_is_an_error() -> None:
    clips = table("tram-oslo-2-a", "tram-oslo-2-b", "bus-wien-2-a", "bus-wien-3-b")
    assert set(parallel_clips(clips, SCENES)["scene"]) == {"tram"}
    with pytest.raises(DataError, match="no instant of bus was recorded by all of A, B"):
        parallel_clips(clips, ["bus"])
    with pytest.raises(DataError, match="no clips in parallel: A is all that is named"):
        parallel_clips(table("tram-oslo-2-a"), SCENES)
    with pytest.raises(DataError, match="no clips in parallel: no device is all"):
        parallel_clips(clips.assign(device=""), SCENES)


def seen(scenes: tuple[str, ...], devices: str) -> list[Seen]:
    rng = np.random.default_rng(3)
    return [
        Seen(
            scene=scene,
            device=device,
            instant=f"{scene}-oslo-2",
            log_mel=rng.normal(size=(20, 16)).astype(np.float32),
            attention=rng.dirichlet(np.ones(320)).reshape(20, 16).astype(np.float32),
        )
        for scene in scenes
        for device in devices
    ]


def test_every_panel_shows_its_own_clip_on_shared_scales() -> None:
    clips = seen(SCENES, "AB")
    figure = figure7(clips, FRONT_END, duration_s=10.0, title="somewhere\nsynthetic")
    panels = figure.axes[:8]
    shown = [np.asarray(panel.images[0].get_array()) for panel in panels]
    order = [(s.scene, s.device) for s in clips]
    assert order == [("bus", "A"), ("bus", "B"), ("tram", "A"), ("tram", "B")]
    for i, clip in enumerate(clips):
        np.testing.assert_array_equal(shown[2 * i], clip.log_mel.T)
        np.testing.assert_allclose(shown[2 * i + 1], 320 * clip.attention.T, rtol=1e-6)
    assert len({panel.images[0].get_clim() for panel in panels[::2]}) == 1
    (weights,) = {panel.images[0].get_clim() for panel in panels[1::2]}
    assert weights == (
        pytest.approx(min(a.min() for a in shown[1::2])),
        pytest.approx(max(a.max() for a in shown[1::2])),
    )
    assert [panel.get_title() for panel in panels[:4]] == [
        "A: log-mel",
        "A: attention",
        "B: log-mel",
        "B: attention",
    ]
    assert [panels[i].get_ylabel() for i in (0, 4)] == ["bus\noslo-2", "tram\noslo-2"]
    assert figure.get_supxlabel() == "time, s"
    assert figure.get_supylabel() == "frequency, Hz"
    assert "synthetic" in figure.get_suptitle()


def test_one_row_has_room_for_both_colour_bars() -> None:
    figure = figure7(seen(("tram",), "ABC"), FRONT_END, duration_s=10.0, title="")
    assert [ax.get_ylabel() for ax in figure.axes[6:]] == ["log-mel, ln", "attention, times the mean"]


class Looker(System):
    """Looks where a known linear function of the features is large; the classes look at other bands."""

    card = Card(name="looker", title="Looker", citation="none: a test double", year=2026, input="log-mel")

    def front_end(self) -> FrontEnd:
        return FRONT_END

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        self.slopes = np.linspace(0.1, 1.0, len(self.task.labels.fine))

    def predict(self, clips: Clips) -> np.ndarray:
        n = len(self.task.labels.fine)
        return np.full((len(clips), n), 1 / n, dtype=np.float32)

    def attention(self, clips: Clips) -> np.ndarray:
        # Pairs of bands share a weight, so that the maps are coarser than the input.
        x = clips.features.load().reshape(len(clips), -1, 8, 2).mean(-1)
        raw = 1 / (1 + np.exp(-self.slopes[:, None, None] * x[:, None]))
        return raw / raw.sum(axis=(2, 3), keepdims=True)

    def save(self, folder: Path) -> None:
        np.savetxt(folder / "slopes.txt", self.slopes)

    def load(self, folder: Path) -> None:
        self.slopes = np.loadtxt(folder / "slopes.txt")


@pytest.fixture
def material(bench: Bench, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    monkeypatch.setitem(systems().found, "looker", Looker)
    settings = Settings(cache=cache, keep_weights=True)
    (spec,) = plan(bench, parse_variants("looker"), budget=Budget.SMOKE)
    run = run_once(spec, bench, ResultsStore(tmp_path / "results"), settings, lambda fraction, text: None)
    assert run is not None and run.done
    drawn = Drawn(at={}, variant="looker", runs=(run,))
    return Material(
        parts=(drawn,), scores=pd.DataFrame(), bench=bench, settings=settings, title="Synthetic, smoke budget"
    )


def test_drawn_from_a_stored_run_it_shows_the_attention_of_the_true_class(material: Material, bench: Bench) -> None:
    cut = replace(material, cut={"scene": ("tram", "airport")})
    figure = Figure7().draw(cut)
    assert isinstance(figure, Figure)
    assert figure.get_suptitle().splitlines()[0] == "Synthetic, smoke budget"
    assert "the first instant in order of name" in figure.get_suptitle()
    panels = figure.axes[:12]
    test = bench.select(bench.folds[0].test)
    fine = bench.protocol.labels.fine
    for row, scene in enumerate(("airport", "tram")):
        slope = np.linspace(0.1, 1.0, len(fine))[fine.index(scene)]
        of_scene = test[test["scene"] == scene]
        first = of_scene[of_scene["recording_id"] == min(of_scene["recording_id"])]
        assert panels[6 * row].get_ylabel() == f"{scene}\n{min(of_scene['recording_id']).removeprefix(scene + '-')}"
        for column, device in enumerate("ABC"):
            (path,) = first.loc[first["device"] == device, "path"]
            log_mel = clip_features(Path(path), FRONT_END, start_s=0.0, duration_s=10.0)
            pairs = expit(slope * (log_mel[:, ::2] + log_mel[:, 1::2]) / 2)
            expected = np.repeat(pairs / pairs.mean(), 2, axis=1)
            left, right = panels[6 * row + 2 * column : 6 * row + 2 * column + 2]
            np.testing.assert_array_equal(left.images[0].get_array(), log_mel.T)
            np.testing.assert_allclose(right.images[0].get_array(), expected.T, rtol=1e-4)


def test_classes_without_an_instant_are_named(material: Material) -> None:
    bench = material.bench
    test = bench.select(bench.folds[0].test)
    lost = set(test.loc[(test["scene"] == "tram") & (test["device"] == "B"), "clip_id"])
    fold = replace(bench.folds[0], test=tuple(c for c in bench.folds[0].test if c not in lost))
    cut = replace(material, bench=replace(bench, folds=(fold,)), cut={"scene": ("tram", "airport")})
    assert "There is no such instant of tram." in Figure7().draw(cut).get_suptitle().splitlines()


def test_of_several_runs_the_first_is_shown_and_this_is_said(material: Material) -> None:
    (part,) = material.parts
    twice = replace(material, parts=(replace(part, runs=part.runs * 2),), cut={"scene": ("tram",)})
    assert "Of 2 trained networks this is the first." in Figure7().draw(twice).get_suptitle().splitlines()


def test_the_registered_figure_names_the_network_of_the_paper() -> None:
    item = figures().get("caa-net/fig7")()
    (part,) = item.parts()
    (variant,) = parse_variants(part.variant)
    params = variant.params
    assert isinstance(params, CaaNetParams)
    assert (params.topology, params.pooling, params.training, params.condition_layer) == (
        *("atrous", "att", "multi-task"),
        4,
    )
    assert item.needs_weights
    item.check({"scene": ("park",)})


def test_the_atrous_network_looks_at_every_bin_of_its_input(bench: Bench, cache: Path) -> None:
    fold = bench.folds[0]
    params = CaaNetParams(topology="atrous", pooling="att", training="multi-task", condition_layer=4)
    system = CaaNet(bench.task(fold), params, Budget.SMOKE)
    torch.manual_seed(5)
    module = system.module = system.build().eval()
    weight, bias = torch.randn_like(module.attention.att.weight) * 0.3, torch.linspace(-1, 1, 10)
    module.attention.att.weight.data, module.attention.att.bias.data = weight, bias
    chosen = parallel_clips(bench.select(fold.test), ["metro"]).iloc[:1]
    clips = given_clips(bench, list(chosen["clip_id"]), system, Settings(cache=cache))
    (one,) = look(system, clips, chosen)

    with torch.inference_mode():
        maps, _ = module.maps(torch.from_numpy(clips.features.load()), None)
    c = bench.protocol.labels.fine.index("metro")
    linear = np.einsum("k,ktb->tb", weight[c, :, 0, 0].numpy(), maps[0].numpy()) + bias[c].item()
    raw = np.clip(expit(linear) + 0.1, 0.1, 0.9)
    assert one.attention.shape == (320, 64)
    np.testing.assert_allclose(one.attention, raw / raw.sum(), rtol=1e-3)
    assert raw.std() > 0.01, "an even map would prove nothing"
