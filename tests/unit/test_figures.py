import math
import struct
import warnings
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from asc_bench.errors import ConfigError
from asc_bench.reporting.confusion_figure import draw_confusions
from asc_bench.reporting.figures import DPI, save_figure
from asc_bench.reporting.pareto import Cost
from asc_bench.reporting.pareto_figure import draw_pareto
from asc_bench.reporting.rank_figure import draw_ranks
from asc_bench.reporting.score_figure import draw_scores
from asc_bench.scoring.measure import Measure
from tests.unit.reporting_frames import HOSTILE, confusion, scores

CLASSES = ("airport", "metro_station", "tram")
COUNTS = [[6, 2, 0], [1, 3, 0], [0, 0, 0]]
NAN = float("nan")
MEASURES = [Measure("average"), Measure("B")]
TABLE = scores(
    {
        "svm": {"average": 0.5, "B": 0.6},
        "caa-net": {"average": 0.68, "B": 0.55},
        "partial": {"average": NAN, "B": NAN},
    }
)


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, with every chunk's checksum verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, kinds = 8, []
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0]
        kinds.append(kind)
        place += 12 + length
    assert kinds[0] == b"IHDR"
    assert kinds[-1] == b"IEND"
    return struct.unpack(">II", data[16:24])


def test_matrices_show_row_percent_and_counts() -> None:
    figure = draw_confusions({"A": confusion(CLASSES, COUNTS), "B": confusion(CLASSES, [[1, 0, 0]] * 3)})
    panels = figure.axes[:2]
    assert [ax.get_title() for ax in panels] == ["A", "B"]
    image = panels[0].images[0]
    np.testing.assert_allclose(np.asarray(image.get_array(), dtype=float), [[75, 25, 0], [25, 75, 0], [0, 0, 0]])
    assert image.get_clim() == (0, 100)
    found = {t.get_position(): t.get_text() for t in panels[0].texts}
    assert found == {(0, 0): "75\n(6)", (1, 0): "25\n(2)", (0, 1): "25\n(1)", (1, 1): "75\n(3)"}
    assert [t.get_text() for t in panels[0].get_yticklabels()] == list(CLASSES)
    assert [t.get_text() for t in panels[0].get_xticklabels()] == list(CLASSES)
    assert (panels[0].get_xlabel(), panels[0].get_ylabel()) == ("predicted", "true")


def test_fifty_classes_are_stacked_and_carry_bare_counts() -> None:
    names = tuple(f"class_{i}" for i in range(50))
    frame = confusion(names, (np.eye(50, dtype=int) * 40).tolist())
    figure = draw_confusions({"A": frame, "B": frame})
    first, second = figure.axes[:2]
    assert {t.get_text() for t in first.texts} == {"40"}
    assert len(first.texts) == 50
    assert first.get_subplotspec().rowspan.start < second.get_subplotspec().rowspan.start  # type: ignore[union-attr]


def test_cell_text_stays_inside_its_cell() -> None:
    """Three digits at ten classes, two at fifty: what the official test sets can give."""
    for n_classes, count in ((10, 252), (50, 40)):
        names = tuple(f"street_pedestrian_{i}" for i in range(n_classes))
        figure = draw_confusions({"A": confusion(names, (np.eye(n_classes, dtype=int) * count).tolist())})
        figure.draw_without_rendering()
        ax = figure.axes[0]
        box = ax.get_window_extent()
        for text in ax.texts:
            extent = text.get_window_extent()
            assert extent.width < box.width / n_classes
            assert extent.height < box.height / n_classes


def test_dots_and_intervals_are_those_of_the_frame_best_on_top() -> None:
    figure = draw_scores(TABLE, measures=MEASURES)
    left, right = figure.axes
    assert [left.get_title(), right.get_title()] == ["average", "B"]
    # Drawn from the bottom up; the incomplete system has no place.
    assert [t.get_text() for t in left.get_yticklabels()] == ["svm", "caa-net"]
    np.testing.assert_allclose(np.asarray(left.lines[0].get_xydata(), dtype=float), [[50, 0], [68, 1]])
    np.testing.assert_allclose(np.asarray(right.lines[0].get_xydata(), dtype=float), [[60, 0], [55, 1]])
    segments = left.collections[0].get_segments()  # type: ignore[attr-defined]
    np.testing.assert_allclose(segments, [[[47.87, 0], [51.87, 0]], [[65.87, 1], [69.87, 1]]])
    assert left.get_xlim() == right.get_xlim()


def test_panels_follow_the_measures_asked_for() -> None:
    figure = draw_scores(TABLE, measures=[Measure(name) for name in ("B", "average", "unknown")])
    assert [ax.get_title() for ax in figure.axes] == ["B", "average"]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["caa-net", "svm"]


def test_without_any_score_the_figure_says_so() -> None:
    for frame in (TABLE[TABLE["system"] == "partial"], TABLE.iloc[:0], scores({})):
        figure = draw_scores(frame, measures=MEASURES)
        assert [t.get_text() for t in figure.axes[0].texts] == ["no score"]


def test_files_are_whole_png_and_svg(tmp_path: Path) -> None:
    png, svg = save_figure(
        draw_confusions({"A": confusion(CLASSES, COUNTS)}, title="a title"), tmp_path / "sub" / "x.y"
    )
    assert (png.name, svg.name) == ("x.y.png", "x.y.svg")
    width, height = png_size(png.read_bytes())
    root = ElementTree.fromstring(svg.read_bytes())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    # SVG counts in points, 72 to the inch.
    size_pt = [float(root.attrib[a].removesuffix("pt")) for a in ("width", "height")]
    assert [width, height] == pytest.approx([s / 72 * DPI for s in size_pt], abs=2)
    assert sorted(p.name for p in (tmp_path / "sub").iterdir()) == ["x.y.png", "x.y.svg"]


def test_the_same_figure_is_the_same_bytes(tmp_path: Path) -> None:
    for kind in (0, 1):
        one, two = (
            save_figure(draw_scores(TABLE, measures=MEASURES), tmp_path / name)[kind].read_bytes()
            for name in ("a", "b")
        )
        assert one == two


def test_hostile_names_are_text_and_no_formula(tmp_path: Path) -> None:
    name = "$\\frac{$ " + HOSTILE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(
            draw_scores(scores({name: {"$x$": 0.5}}), measures=[Measure("$x$")], title=name), tmp_path / "s"
        )
        _, svg = save_figure(
            draw_confusions({"$": confusion(("a_$b$", "<c>"), [[1, 2], [3, 4]])}, title=f"{name}\n{name}"),
            tmp_path / "c",
        )
        rows = {
            name: scores({name: {"$x$": 0.5}}).iloc[0].to_dict(),
            "$": scores({"$": {"$x$": 0.4}}).iloc[0].to_dict(),
        }
        cost = Cost("$MACs$", {name: 1.0, "$": math.nan}, {name: "1", "$": "–"}, frozenset([name]))
        save_figure(draw_ranks(rows, [frozenset(rows)], measure=Measure("$x$"), title=name), tmp_path / "r")
        save_figure(draw_pareto(rows, [cost], measure=Measure("$x$"), title=name), tmp_path / "p")
    assert not [e for e in ElementTree.parse(svg).iter() if e.tag.endswith("script")]


def test_frames_that_are_no_confusion_matrices_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one matrix"):
        draw_confusions({})
    odd = pd.DataFrame([[1, 2], [3, 4]], index=["a", "b"], columns=["b", "a"])
    with pytest.raises(ConfigError, match="confusion matrix 'A': rows and columns"):
        draw_confusions({"A": odd})
    with pytest.raises(ConfigError, match="confusion matrix 'B': rows and columns"):
        draw_confusions({"A": confusion(("a", "b"), [[1, 2], [3, 4]]), "B": confusion(CLASSES, COUNTS)})
