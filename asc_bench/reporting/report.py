"""The report on disk: the same tables for people, papers and machines, and the figures."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from asc_bench.errors import StoreError
from asc_bench.files import write_atomic
from asc_bench.reporting.cards import bibtex
from asc_bench.reporting.confusion_figure import MANY_CLASSES
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.figures import KINDS, save_figure
from asc_bench.reporting.page import html_page
from asc_bench.reporting.pareto import pareto_frame, pareto_table
from asc_bench.reporting.report_figures import FigureChoice, figures_of, is_figure
from asc_bench.reporting.table import Table
from asc_bench.reporting.tidy import tidy_runs
from asc_bench.reporting.worst_confusions import worst_confusions, worst_table

_log = logging.getLogger("asc_bench")
_DEFAULT = FigureChoice()


def write_report(folder: Path, evaluation: Evaluation, choice: FigureChoice = _DEFAULT) -> list[Path]:
    """Write every table and figure of one setting into a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there; files of an earlier report are replaced one by one, each as a whole.
    evaluation : Evaluation
        What is shown.
    choice : FigureChoice
        Which figures, and how they are drawn. Those of an earlier report that are not among them are removed.

    Returns
    -------
    list of Path
        The files written, in order: ``results.md/.csv/.tex``, ``significance.md/.csv/.tex``, ``runs.csv``;
        ``classes.csv``, ``confusions.csv``, ``seeds.csv``, ``references.bib``, ``pareto.md/.csv/.tex`` and
        ``worst-confusions.md/.csv/.tex`` where there is something to write in them; figures; and last
        ``report.html``. A figure that cannot be drawn is left out, with a warning.

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
    for stem, draw in figures_of(evaluation, choice).items():
        try:
            written += save_figure(draw(), folder / stem, choice.style)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a figure raises, the tables come out
            _log.warning("figure %s is left out: %s: %s", folder / stem, type(error).__name__, error)
    for kind in KINDS:
        for path in set(folder.glob(f"*.{kind}")) - set(written):
            if is_figure(path.stem):
                path.unlink()  # one of an earlier report shows other numbers
    page = html_page(evaluation, files={name: text for name, text in texts.items() if text})
    written.append(_write(folder / "report.html", page))
    return written


def all_drawn(written: Iterable[Path], evaluation: Evaluation, choice: FigureChoice = _DEFAULT) -> bool:
    """Whether no figure had to be left out of what `write_report` wrote."""
    return {path.stem for path in written if path.suffix == ".png"} == set(figures_of(evaluation, choice))


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
    for name, (table, frame) in {**evaluation.further, **_derived(evaluation)}.items():
        texts |= {
            f"{name}.md": table.to_markdown(),
            f"{name}.csv": frame.to_csv(index=False),
            f"{name}.tex": table.to_latex(),
        }
    return texts


def _derived(evaluation: Evaluation) -> dict[str, tuple[Table, pd.DataFrame]]:
    """Tables that say what a figure cannot: which systems are not dominated, and the worst of many confusions."""
    found = {}
    setting, costs = evaluation.setting, evaluation.costs
    if costs:
        ranked, primary = evaluation.outcomes, evaluation.measures[0]
        table = pareto_table(ranked, primary, costs, setting)
        found["pareto"] = (table, pareto_frame(ranked, primary, costs))
    matrices = {system: next(iter(frames.values())) for system, frames in evaluation.pooled_confusions().items()}
    many = {system: frame for system, frame in matrices.items() if len(frame) > MANY_CLASSES}
    if many:
        worst = worst_confusions(many, evaluation.labels)
        found["worst-confusions"] = (worst_table(worst, title=f"{setting.title}: worst confusions"), worst)
    return found


def _csv(frame: pd.DataFrame) -> str:
    return "" if frame.empty else frame.to_csv(index=False)


def _write(path: Path, text: str) -> Path:
    write_atomic(path, text)
    return path
