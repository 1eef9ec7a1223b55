"""The report on disk: the same tables for people, papers and machines, and the figures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from asc_bench.errors import StoreError
from asc_bench.files import write_atomic
from asc_bench.names import slug
from asc_bench.reporting.cards import bibtex
from asc_bench.reporting.evaluation import ALL_CLIPS, Evaluation
from asc_bench.reporting.figures import draw_confusions, save_figure
from asc_bench.reporting.page import html_page
from asc_bench.reporting.setting import Setting
from asc_bench.reporting.text import one_line
from asc_bench.reporting.tidy import tidy_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_log = logging.getLogger("asc_bench")


def write_report(folder: Path, evaluation: Evaluation) -> list[Path]:
    """Write every table and figure of one setting into a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there; files of an earlier report are replaced one by one, each as a whole.
    evaluation : Evaluation
        What is shown.

    Returns
    -------
    list of Path
        The files written, in order: ``results.md/.csv/.tex``, ``significance.md/.csv/.tex``, ``runs.csv``;
        ``classes.csv``, ``confusions.csv``, ``seeds.csv`` and ``references.bib`` where there is something to write
        in them; figures; and last ``report.html``. A figure that cannot be drawn is left out, with a warning.

    Raises
    ------
    ConfigError
        If runs of different settings are mixed.
    StoreError
        If a file cannot be written; its message names it.
    """
    texts = text_files(evaluation)
    written = [_write(folder / name, text) for name, text in texts.items() if text]
    for name in texts.keys() - {path.name for path in written}:
        (folder / name).unlink(missing_ok=True)  # one of an earlier report holds other numbers
    for stem, draw in _figures(evaluation).items():
        try:
            png, svg = save_figure(draw(), folder / stem)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a figure raises, the tables come out
            _log.warning("figure %s is left out: %s: %s", folder / stem, type(error).__name__, error)
            for kind in ("png", "svg"):
                (folder / f"{stem}.{kind}").unlink(missing_ok=True)  # one of an earlier report shows other numbers
            continue
        written += [png, svg]
    page = html_page(evaluation, files={name: text for name, text in texts.items() if text})
    written.append(_write(folder / "report.html", page))
    return written


def all_drawn(written: Iterable[Path], evaluation: Evaluation) -> bool:
    """Whether no figure had to be left out of what `write_report` wrote."""
    return {path.stem for path in written if path.suffix == ".png"} == set(_figures(evaluation))


def text_files(evaluation: Evaluation) -> dict[str, str]:
    """Every file of text by its name; one that would hold nothing is empty."""
    tables = (evaluation.results(), evaluation.by_group(), evaluation.beside_published())
    shown = [table for table in tables if table is not None]
    tests = evaluation.tests()
    texts = {
        "results.md": "\n".join(table.to_markdown() for table in shown),
        "results.csv": evaluation.tidy().to_csv(index=False),
        "results.tex": "\n".join(table.to_latex() for table in shown),
        "significance.md": tests.to_markdown(),
        "significance.csv": evaluation.significance.to_csv(index=False),
        "significance.tex": tests.to_latex(),
        "runs.csv": tidy_runs(evaluation.manifests).to_csv(index=False),
        "classes.csv": _csv(evaluation.recalls()),
        "confusions.csv": _csv(evaluation.counts()),
        "seeds.csv": _csv(evaluation.by_repeat),
        "references.bib": bibtex(evaluation.cards.values()),
    }
    for name, (table, frame) in evaluation.further.items():
        texts |= {
            f"{name}.md": table.to_markdown(),
            f"{name}.csv": frame.to_csv(index=False),
            f"{name}.tex": table.to_latex(),
        }
    return texts


def _csv(frame: pd.DataFrame) -> str:
    return "" if frame.empty else frame.to_csv(index=False)


def _figures(evaluation: Evaluation) -> dict[str, Callable[[], Figure]]:
    """What draws each figure, by the stem of its files."""
    setting, scored = evaluation.setting, evaluation.scored
    figures: dict[str, Callable[[], Figure]] = {"scores": evaluation.score_figure}
    for system, frames in evaluation.confusions.items():
        panels = confusion_panels(frames)
        if panels and system in scored:
            draw = partial(draw_confusions, panels, title=confusion_title(system, setting))
            figures[f"confusion-{slug(system)}"] = draw
    return figures


def confusion_panels(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Counts by title of a panel."""
    return {device or ALL_CLIPS: frame for device, frame in frames.items()}


def confusion_title(system: str, setting: Setting) -> str:
    """Title of a figure of confusion matrices."""
    return f"{one_line(system)}\n{setting.title}"


def _write(path: Path, text: str) -> Path:
    write_atomic(path, text)
    return path
