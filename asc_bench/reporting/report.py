"""The report on disk: the same tables for people, papers and machines, and the figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from asc_bench.files import write_atomic
from asc_bench.protocol import Reference
from asc_bench.reporting.comparisons import per_run_table, significance_text_table
from asc_bench.reporting.figures import confusion_figure, score_figure
from asc_bench.reporting.groups import Groups, groups_table
from asc_bench.reporting.outcome import outcomes
from asc_bench.reporting.page import html_page
from asc_bench.reporting.results import published_table, results_table
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import one_line
from asc_bench.reporting.tidy import tidy_results, tidy_runs
from asc_bench.scoring.measure import Measure
from asc_bench.slugs import slug

ALL_CLIPS = "all clips"


def write_report(
    folder: Path,
    *,
    scores: pd.DataFrame,
    significance: pd.DataFrame,
    manifests: Sequence[Manifest],
    confusions: Mapping[str, Mapping[str, pd.DataFrame]],
    published: Mapping[str, Mapping[str, float]],
    references: Sequence[Reference],
    measures: Sequence[Measure],
    compared: Sequence[Measure] = (),
    tied: Collection[str],
    notes: Sequence[str] = (),
    groups: Groups | None = None,
    by: str = "",
    floor: Mapping[str, float] | None = None,
    intervals: Collection[str] | None = None,
    further: Mapping[str, tuple[Table, pd.DataFrame]] | None = None,
) -> list[Path]:
    """Write every table and figure of one setting into a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there; files of an earlier report are replaced one by one, each as a whole.
    scores, significance : DataFrame
        ``score_table`` and ``significance_table`` of ``asc_bench.scoring.frames``.
    manifests, published, references, measures, tied, notes, floor, intervals
        As in ``results_table``.
    compared : sequence of Measure
        Those of ``significance``; the first of ``measures`` if empty.
    confusions : mapping
        Variant to device (``""`` for all clips) to counts. Systems without a score are left out.
    groups, by
        As in ``groups_table``; measures besides ``measures``.
    further : mapping
        File name without ending to a table and its tidy frame, such as scores by class.

    Returns
    -------
    list of Path
        The files written, in order: ``results.md/.csv/.tex``, ``significance.md/.csv/.tex``, ``runs.csv``,
        figures, and last ``report.html``.

    Raises
    ------
    ConfigError
        If runs of different settings are mixed.
    StoreError
        If a file cannot be written; its message names it.
    """
    setting = Setting.of(manifests)
    results = results_table(
        scores,
        manifests,
        measures=measures,
        published=published,
        references=references,
        tied=tied,
        notes=notes,
        floor=floor,
        intervals=intervals,
    )
    beside = published_table(
        scores, manifests, measures=measures, published=published, references=references, notes=notes
    )
    tests = significance_text_table(significance, manifests, measures=compared or measures[:1])
    grouped = groups_table(scores, manifests, groups=groups or {}, by=by, primary=measures[0], floor=floor)
    shown = [table for table in (results, grouped, beside) if table is not None]
    every = [*measures, *(name for names in (groups or {}).values() for name in names.values())]
    tidy = tidy_results(scores, manifests, measures=every, published=published, floor=floor)
    further = further or {}
    written = [
        _write(folder / "results.md", "\n".join(table.to_markdown() for table in shown)),
        _write(folder / "results.csv", tidy.to_csv(index=False)),
        _write(folder / "results.tex", "\n".join(table.to_latex() for table in shown)),
        _write(folder / "significance.md", tests.to_markdown()),
        _write(folder / "significance.csv", significance.to_csv(index=False)),
        _write(folder / "significance.tex", tests.to_latex()),
        _write(folder / "runs.csv", tidy_runs(manifests).to_csv(index=False)),
    ]
    for name, (table, frame) in further.items():
        written += [
            _write(folder / f"{name}.md", table.to_markdown()),
            _write(folder / f"{name}.csv", frame.to_csv(index=False)),
            _write(folder / f"{name}.tex", table.to_latex()),
        ]
    images: dict[str, bytes] = {}
    # What the table does not show for want of test clips, no figure shows either.
    whole = {outcome.system for outcome in outcomes(scores, manifests, measures) if outcome.scored}
    drawn = scores[scores["system"].isin(whole)]
    matrices = {system: frames for system, frames in confusions.items() if system in whole}
    for caption, (png, svg) in _figures(folder, setting, drawn, matrices, measures):
        written += [png, svg]
        images[caption] = svg.read_bytes()
    runs = per_run_table(manifests)
    more = [table for table, _ in further.values()]
    sections: dict[str, list[Table]] = {"Results": [*shown, *more], "Pairwise tests": [tests], "Runs": [runs]}
    written.append(_write(folder / "report.html", html_page(manifests, tables=sections, images=images)))
    return written


def _figures(
    folder: Path,
    setting: Setting,
    scores: pd.DataFrame,
    confusions: Mapping[str, Mapping[str, pd.DataFrame]],
    measures: Sequence[Measure],
) -> list[tuple[str, tuple[Path, Path]]]:
    caption = f"Scores with 95 % intervals. {setting.title}"
    drawn = score_figure(scores, folder / "scores", measures=measures, title=setting.title)
    figures = [(caption, drawn)]
    for system, frames in confusions.items():
        panels = {device or ALL_CLIPS: frame for device, frame in frames.items()}
        if panels:
            stem = folder / f"confusion-{slug(system)}"
            title = f"{one_line(system)}\n{setting.title}"
            caption = f"Confusion matrices of {system}. {setting.title}"
            figures.append((caption, confusion_figure(panels, stem, title=title)))
    return figures


def _write(path: Path, text: str) -> Path:
    # A name from the command line may hold bytes that are no UTF-8; they must not cost the whole report.
    write_atomic(path, text.encode("utf-8", "backslashreplace"))
    return path
