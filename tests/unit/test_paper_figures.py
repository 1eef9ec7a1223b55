"""CAA-Net's Figures 5 and 6 from runs whose accuracies are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from asc_bench.budget import Budget
from asc_bench.errors import ConfigError
from asc_bench.papers import draw_figure as drawn
from asc_bench.papers.draw_figure import asked_parts, draw_figure
from asc_bench.papers.figure import Material, PaperFigure
from asc_bench.papers.registry import figures
from asc_bench.runs.plan import plan
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import parse_variants
from asc_bench.runs.work import Work, survey
from tests.unit.made_runs import SETTINGS, made_bench, publish

CUT = {"topology": ("atrous",), "pooling": ("att", "roi+att"), "condition_layer": ("1", "4")}
RIGHT = ({"A": 9, "B": 4, "C": 2}, {"A": 8, "B": 5, "C": 3}, {"A": 7, "B": 6, "C": 1})


def work_of(folder: Path, name: str, cut: dict[str, tuple[str, ...]]) -> tuple[PaperFigure, Work]:
    """A figure, and its runs: the first ones as right as ``RIGHT`` says, the next one failed."""
    item = figures().get(name)()
    bench, store = made_bench(item.protocol, synthetic=True), ResultsStore(folder)
    variants = parse_variants(",".join(part.variant for part in asked_parts(item, cut)))
    specs = plan(bench, variants, budget=Budget.SMOKE)
    for i, spec in enumerate(specs[: len(RIGHT) + 1]):
        publish(store, bench, spec, **({"n_right": RIGHT[i]} if i < len(RIGHT) else {"error": "no"}))  # type: ignore[arg-type]
    return item, survey(specs, bench, store, SETTINGS)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures, instead of their files."""
    kept: list[Figure] = []
    monkeypatch.setattr(drawn, "save_figure", lambda figure, stem: kept.append(figure) or (stem, stem))
    return kept


def title_of(figure: Figure) -> str:
    assert figure._suptitle is not None
    return " ".join(figure._suptitle.get_text().split())


def test_figure_5_shows_every_score_at_its_pooling_and_layer(tmp_path: Path, saved: list[Figure]) -> None:
    item, work = work_of(tmp_path, "caa-net/fig5", CUT)
    draw_figure(item, asked_parts(item, CUT), work, SETTINGS, tmp_path, cut=CUT)
    (figure,) = saved
    assert [ax.get_title() for ax in figure.axes] == [f"atrous, device {d}" for d in "ABC"]
    for ax, device in zip(figure.axes, "ABC", strict=True):
        assert [label.get_text() for label in ax.get_xticklabels()] == ["att", "r+a"]
        points = sorted((float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in ax.lines)
        places, values = zip(*points, strict=True)
        assert values == pytest.approx([10 * right[device] for right in RIGHT])
        # Layers 1 and 4 of the first pooling stand on both sides of 0, layer 1 of the second below 1.
        assert places[0] == -places[1] < 0
        assert places[2] == pytest.approx(1 + places[0])
        intervals = [segment for lines in ax.collections for segment in lines.get_segments()]
        assert len(intervals) == 3
        assert all(
            low[1] < 10 * right[device] < high[1] for (low, high), right in zip(intervals, RIGHT, strict=True)
        )
    assert "3 of 4 systems: the others failed or were not run" in title_of(figure)
    assert "synthetic" in title_of(figure)
    assert "Smoke budget" in title_of(figure)


def test_figure_6_shows_the_counts_of_every_device(tmp_path: Path, saved: list[Figure]) -> None:
    item, work = work_of(tmp_path, "caa-net/fig6", {})
    assert [str(spec.variant) for spec in work.specs] == ["caa-net[topology=atrous,training=multi-task]"]
    draw_figure(item, asked_parts(item, {}), work, SETTINGS, tmp_path, cut={})
    panels = {ax.get_title(): ax for ax in saved[0].axes if ax.get_title()}
    assert list(panels) == ["device A", "device B", "device C"]
    for device, n in RIGHT[0].items():
        shares = np.asarray(panels[f"device {device}"].images[0].get_array())
        # Wrong answers are always the next class.
        expected = 10.0 * (n * np.eye(10) + (10 - n) * np.roll(np.eye(10), 1, axis=1))
        np.testing.assert_allclose(shares, expected)


def test_png_and_svg_are_written_and_a_part_has_a_name_of_its_own(tmp_path: Path) -> None:
    item, work = work_of(tmp_path / "results", "caa-net/fig5", CUT)
    png, svg = draw_figure(item, asked_parts(item, CUT), work, SETTINGS, tmp_path / "out", cut=CUT) or ((), ())
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert "<svg" in svg.read_text()[:1000]
    assert png.name != "figure.png"
    assert png.name.startswith("figure-atrous-att")


def test_nothing_is_drawn_from_nothing(tmp_path: Path) -> None:
    item = figures().get("caa-net/fig6")()
    bench = made_bench()
    parts = asked_parts(item, {})
    specs = plan(bench, parse_variants(parts[0].variant), budget=Budget.SMOKE)
    work = survey(specs, bench, ResultsStore(tmp_path), SETTINGS)
    assert draw_figure(item, parts, work, SETTINGS, tmp_path, cut={}) is None
    assert list(tmp_path.iterdir()) == []


def test_a_cut_that_shows_nothing_is_refused() -> None:
    item = figures().get("caa-net/fig5")()
    assert len(asked_parts(item, {})) == 56
    with pytest.raises(ConfigError, match="caa-net/fig5 shows nothing with topology cnn-pool, pooling roi"):
        asked_parts(item, {"topology": ("cnn-pool",), "pooling": ("roi",)})


def test_an_axis_without_systems_reaches_the_drawing(tmp_path: Path, saved: list[Figure]) -> None:
    item, work = work_of(tmp_path, "caa-net/fig6", {})
    seen: list[Material] = []

    class Scenic(type(item)):  # type: ignore[misc]
        axes = {"scene": ("park", "tram")}  # noqa: RUF012

        def draw(self, material: Material) -> Figure:
            seen.append(material)
            return Figure()

    cut = {"scene": ("tram",)}
    draw_figure(Scenic(), asked_parts(Scenic(), cut), work, SETTINGS, tmp_path, cut=cut)
    assert seen[0].cut == cut
    assert set(seen[0].scores["system"]) == {"caa-net[topology=atrous,training=multi-task]"}
