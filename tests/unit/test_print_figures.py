"""Figures for a paper: of the width that was asked for, legible in it, and the same bytes each time."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from asc_bench.cli.main import build_app
from asc_bench.errors import ConfigError
from asc_bench.reporting.figures import SCREEN, FigureStyle, row_places, save_figure, within
from asc_bench.reporting.plots import Plots
from asc_bench.reporting.report import write_report
from asc_bench.reporting.report_figures import FIGURES, FigureChoice, figures_of
from tests.unit.figure_frames import DEVICES, LONG, made, outside, overlapping

COLUMN, PAGE = FigureStyle.of("one-column"), FigureStyle.of("two-columns", titles=False)


def drawn(name: str, n_systems: int, style: FigureStyle) -> Figure:
    found = figures_of(made(n_systems), FigureChoice.of(name, style=style))
    figure = next(iter(found.values()))()
    figure.set_dpi(style.dpi)
    figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize(
    ("name", "style"),
    [*((name, COLUMN) for name in FIGURES), ("confusion", PAGE), ("pareto", PAGE), ("learning-curves", PAGE)],
)
def test_no_letter_covers_another_or_is_cut_off(name: str, style: FigureStyle) -> None:
    figure = drawn(name, 12, style)
    assert figure.get_figwidth() == style.width_in
    assert outside(figure) == []
    assert overlapping(figure) == []


def test_files_have_the_width_that_was_asked_for(tmp_path: Path) -> None:
    png, svg, pdf = save_figure(drawn("ranks", 5, COLUMN), tmp_path / "x", COLUMN)
    assert struct.unpack(">I", png.read_bytes()[16:20])[0] == 3.5 * 300
    assert float(ElementTree.fromstring(svg.read_bytes()).attrib["width"].removesuffix("pt")) == 252
    text = pdf.read_bytes()
    assert b"/MediaBox [ 0 0 252 " in text
    assert b"/FontFile2" in text and b"/Type3" not in text, "TrueType fonts are embedded"


def test_letters_keep_their_size_in_every_width() -> None:
    for style in (COLUMN, PAGE, FigureStyle.of("12")):
        labels = drawn("ranks", 5, style).axes[0].get_yticklabels()
        assert {label.get_fontsize() for label in labels} == {8.0}


def test_titles_are_left_out_on_request() -> None:
    assert drawn("scores", 5, COLUMN).get_suptitle() and not drawn("scores", 5, PAGE).get_suptitle()


def test_the_same_figure_is_the_same_bytes(tmp_path: Path) -> None:
    one, two = (save_figure(drawn("pareto", 2, COLUMN), tmp_path / folder / "x", COLUMN) for folder in ("a", "b"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_a_report_holds_the_figures_that_were_chosen_and_no_older_ones(tmp_path: Path) -> None:
    def names(choice: FigureChoice) -> set[str]:
        write_report(tmp_path, made(2), choice)
        return {path.name for path in tmp_path.iterdir() if path.suffix in (".png", ".svg", ".pdf")}

    assert names(FigureChoice.of("ranks", style=COLUMN)) == {"ranks.png", "ranks.svg", "ranks.pdf"}
    (tmp_path / "mine.png").write_bytes(b"")
    assert names(FigureChoice.of("pareto")) == {"pareto.png", "pareto.svg", "mine.png"}
    assert names(FigureChoice.of("none")) == {"mine.png"}


def test_choices_are_names_in_the_order_of_the_report() -> None:
    assert FigureChoice.of("classes, scores").names == ("scores", "classes")
    assert FigureChoice.of("default,classes,learning-curves").names == FigureChoice.of("all").names == FIGURES
    assert FigureChoice.of(["none"]).names == ()
    with pytest.raises(ConfigError, match="there is no figure 'rank'; did you mean 'ranks'"):
        FigureChoice.of("rank")


def test_a_width_is_a_name_or_inches_that_a_page_has() -> None:
    assert [FigureStyle.of(width).width_in for width in ("", None, "two-columns", "5.5", 4)] == [
        *(None, None, 7.16, 5.5, 4.0)
    ]
    with pytest.raises(ConfigError, match=r"width is 'one-colum', .* did you mean 'one-column'"):
        FigureStyle.of("one-colum")
    for width in ("0.5", "nan", "350"):
        with pytest.raises(ConfigError, match="must be 2 to 30"):
            FigureStyle.of(width)


def test_the_command_refuses_a_wrong_choice_before_it_reads_anything(tmp_path: Path) -> None:
    command = ["report", "-p", "dcase2018", "--results", str(tmp_path)]
    for option, message in (
        ("--figures=nonsense", "there is no figure"),
        ("--figure-width=wide", "number of inches"),
    ):
        ran = CliRunner().invoke(build_app(), [*command, option])
        assert ran.exit_code != 0 and message in str(ran.exception) + ran.output


def test_bars_begin_at_zero_and_the_line_is_that_of_guessing() -> None:
    figure = drawn("devices", 3, COLUMN)
    assert [ax.get_title() for ax in figure.axes] == list(DEVICES)
    first = figure.axes[0]
    assert [bar.get_x() for bar in first.patches] == [0, 0, 0]
    assert [bar.get_width() for bar in first.patches] == pytest.approx([78, 80, 82]), "the best on top"
    assert list(first.lines[-1].get_xdata()) == [10, 10], "one of ten classes"


def test_a_row_takes_the_room_of_the_lines_of_its_name() -> None:
    middles, n_rows = row_places(["a", "b\nb", "c"])
    assert middles == pytest.approx([0, 1.35, 2.7]) and n_rows == pytest.approx(3.7)
    assert within(["a", "b"]) == pytest.approx((-0.6, 1.6))
    assert row_places(["a", "b", "c"]) == ([0, 1, 2], 3)


def test_a_heat_map_shows_recalls_with_the_best_on_top() -> None:
    figure = Plots(made(2)).classes().figure
    shown = np.asarray(figure.axes[0].collections[0].get_array()).reshape(2, 10)
    assert shown == pytest.approx(np.full((2, 10), 100 * 9 / 18))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [LONG[1], LONG[0]]


def test_a_picture_of_a_notebook_has_the_width_of_its_plots(tmp_path: Path) -> None:
    plots = Plots(made(3)).sized("one-column", titles=False)
    assert plots.style == FigureStyle(width_in=3.5, titles=False) and Plots(made(3)).style is SCREEN
    assert [path.suffix for path in plots.ranks().save(tmp_path / "x")] == [".png", ".svg", ".pdf"]
    with pytest.raises(ConfigError, match="must be a number of inches"):
        plots.sized("wide")
