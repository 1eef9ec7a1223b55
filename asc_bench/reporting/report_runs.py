"""Stored runs become scores, tests, tables and figures: from predictions and manifests alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from asc_bench.bench import keys
from asc_bench.digests import file_digest
from asc_bench.errors import ConfigError
from asc_bench.files import write_atomic, writing
from asc_bench.labels import COARSE, FINE, LabelSpace
from asc_bench.names import near
from asc_bench.protocol import Protocol
from asc_bench.reporting.brief import BriefTable, from_json, to_json
from asc_bench.reporting.class_scores import classes_table, threshold_notes
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.installed import cards_of, commands_of
from asc_bench.reporting.layout import DEFAULT_WIDTH
from asc_bench.reporting.published import contradictions_of, published_by_variant
from asc_bench.reporting.report import all_drawn, write_report
from asc_bench.reporting.report_figures import FigureChoice
from asc_bench.reporting.scene_scores import scene_scores, scenes_table
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.terminal import brief_tables
from asc_bench.runs.store import HISTORY, StoredRun
from asc_bench.scoring.accuracy import confusion
from asc_bench.scoring.classes import class_table
from asc_bench.scoring.completeness import Expected
from asc_bench.scoring.decisions import SegmentRun, segment_runs
from asc_bench.scoring.frames import (
    SCORE_COLUMNS,
    SIGNIFICANCE_COLUMNS,
    repeat_table,
    score_table,
    significance_table,
    tied_in,
    tied_with_best,
)
from asc_bench.scoring.measure import COMPARED_SEGMENTS, PROBABILITY_MEASURES, Measure
from asc_bench.scoring.predictions import stack_runs
from asc_bench.scoring.rows import Predictions, lacking_levels, of_systems
from asc_bench.scoring.source_only import source_alone

STAMP = "report.json"
TEXT = "results.txt"
BRIEF = "terminal.json"
"""The tables of the terminal, whose width may be another one next time."""
FILES = "files"
"""Entry of the stamp: sha256 of each file of the report by its name."""
_DEFAULT_FIGURES = FigureChoice()


@dataclass(frozen=True)
class Report:
    """What was written, and what is shown of it.

    Attributes
    ----------
    folder : Path
        Where tables and figures are.
    text : str
        Results, groups and tests with all columns and notes, as in ``results.txt``.
    brief : tuple of BriefTable
        The tables of the terminal.
    """

    folder: Path
    text: str
    brief: tuple[BriefTable, ...] = ()

    def fitted(self, width: int = DEFAULT_WIDTH, shown_as: Callable[[str], str] = str) -> str:
        """The tables of the terminal in at most ``width`` columns; parameters are those of ``BriefTable.text``."""
        return "\n\n".join(table.text(width, shown_as) for table in self.brief)


def report(
    protocol: Protocol,
    runs: Sequence[StoredRun],
    folder: Path,
    *,
    folds: Sequence[str] = (),
    reference: str | None = None,
    probability_scores: bool = True,
    figures: FigureChoice = _DEFAULT_FIGURES,
) -> Report:
    """Write the report of some runs, unless the same one stands there already, every file of it as it was written.

    Parameters
    ----------
    protocol : Protocol
        The protocol of all runs.
    runs : sequence of StoredRun
        Done and failed ones, of one budget and one state of the data.
    folder : Path
        Where tables and figures go.
    folds : sequence of str
        Folds that were asked for; empty for all. A system that lacks a clip of these folds gets no score.
    reference, probability_scores
        As in ``evaluate``.
    figures : FigureChoice
        Which figures, and how they are drawn.

    Raises
    ------
    ConfigError
        If there is no run, if runs do not belong in one table, or if ``reference`` is not among them.
    """
    runs = [run for run in runs if not folds or run.manifest["fold"] in folds]
    stamp: dict[str, object] = {
        "runs": _digests(run.manifest for run in runs),
        "protocol": [protocol.name, protocol.version],
        "folds": sorted(folds),
        "reference": reference,
        "probability_scores": probability_scores,
        "figures": [list(figures.names), figures.style.width_in, figures.style.titles],
        "code": keys.package_digest("asc_bench.scoring", "asc_bench.reporting", "asc_bench.reporting.page"),
    }
    if _written(folder, stamp):
        return Report(folder, (folder / TEXT).read_text(encoding="utf-8"), from_json(folder / BRIEF))
    evaluation = evaluate(protocol, runs, folds=folds, reference=reference, probability_scores=probability_scores)
    with writing(folder):
        (folder / STAMP).unlink(missing_ok=True)  # it must not vouch for another text if this process is killed
    written = write_report(folder, evaluation, figures)
    text, brief = evaluation.text(), brief_tables(evaluation)
    write_atomic(folder / TEXT, text)
    write_atomic(folder / BRIEF, to_json(brief))
    if all_drawn(written, evaluation, figures):
        stamp["runs"] = _digests(evaluation.manifests)  # a damaged run was left out
        files = {path.name: file_digest(path) for path in (*written, folder / TEXT, folder / BRIEF)}
        write_atomic(folder / STAMP, json.dumps(stamp | {FILES: files}, indent=1))
    return Report(folder, text, brief)


def evaluate(
    protocol: Protocol,
    runs: Sequence[StoredRun],
    *,
    folds: Sequence[str] = (),
    reference: str | None = None,
    probability_scores: bool = True,
) -> Evaluation:
    """Score some runs, compare them and set them beside published numbers.

    Parameters
    ----------
    protocol : Protocol
        The protocol of all runs.
    runs : sequence of StoredRun
        Done and failed ones, of one budget and one state of the data.
    folds : sequence of str
        Folds that were asked for; empty for all. A system that lacks a clip of these folds gets no score.
    reference : str, optional
        Variant that every other one is compared with; all pairs if None.
    probability_scores : bool
        Add log loss, Brier score and calibration error to the measures of a protocol of one label a clip.

    Raises
    ------
    ConfigError
        If there is no run, if runs do not belong in one table, or if ``reference`` is not among them.
    """
    runs = [run for run in runs if (not folds or run.manifest["fold"] in folds) and run.intact]
    manifests = [run.manifest for run in runs]
    done = [run for run in runs if run.done]
    sources = manifests[0].get("sources", ()) if manifests else ()
    defined = protocol.measures_on(sources)
    measures = tuple(m for m in defined if not m.group)
    compared = COMPARED_SEGMENTS if protocol.multi_label else measures[:1]
    of_probabilities = probability_measures(protocol) if probability_scores else ()
    # Of one source, the table by source would repeat the first one.
    groups, by = _groups(defined) if len(sources) != 1 else ({}, "")
    whole = Evaluation(
        manifests=manifests,
        measures=(*measures, *of_probabilities),
        scores=pd.DataFrame(columns=list(SCORE_COLUMNS)),
        significance=pd.DataFrame(columns=list(SIGNIFICANCE_COLUMNS)),
        compared=compared,
        published=published_by_variant(protocol.name, manifests),
        references=protocol.references,
        published_note=protocol.published_note,
        limits=protocol.limits,
        notes=contradictions_of(protocol.name, manifests),
        intervals={m.name for m in (compared if protocol.multi_label else measures)},
        groups=groups,
        by=by,
        reference=reference,
        cards=cards_of(manifests),
        commands=commands_of(manifests) if manifests else (),
        labels=protocol.labels,
        tracebacks={str(run.manifest["key"]): run.traceback for run in runs if run.traceback},
        histories=_histories(done),
    )
    if not done:
        return whole
    n_folds, expected = len(done[0].manifest["expected"]), expected_of(done, folds)
    if len(expected) < n_folds:
        note = f"Only {', '.join(folds)} of the protocol's {n_folds} folds: not its score."
        whole = replace(whole, published={}, references=(), notes=(note,))
    predictions = predictions_of(protocol, done)
    scores = score_table(predictions, (*defined, *of_probabilities), expected=expected)
    complete = list(dict.fromkeys(scores.loc[scores["incomplete"] == "", "system"]))
    whole = replace(
        whole, scores=scores, **_comparisons(predictions, scores, complete, defined[0], compared, reference)
    )
    if complete:
        whole = replace(whole, by_repeat=repeat_table(predictions, (*defined, *of_probabilities), systems=complete))
    if isinstance(predictions, pd.DataFrame):
        return replace(whole, **_of_clips(protocol, predictions, complete, whole, defined))
    return replace(whole, **_of_classes(protocol, predictions, complete, whole)) if complete else whole


def _histories(done: Iterable[StoredRun]) -> dict[str, Callable[[], pd.DataFrame]]:
    """What reads each history: only a page or a figure does."""
    return {
        str(run.manifest["key"]): partial(getattr, run, "history")
        for run in done
        if HISTORY in run.manifest.get("files", {})
    }


def predictions_of(protocol: Protocol, done: Sequence[StoredRun]) -> Predictions:
    """What runs predicted: rows of clips, or decisions where clips have several labels; of damaged ones nothing."""
    done = [run for run in done if run.intact]
    if protocol.multi_label:
        return segment_runs(((run.manifest, run.segments) for run in done), protocol.labels)
    return stack_runs((run.manifest, run.predictions) for run in done)


def probability_measures(protocol: Protocol) -> tuple[Measure, ...]:
    """Log loss, Brier score and calibration error, where a system gives the probabilities of one label a clip."""
    if protocol.multi_label:
        return ()
    there = {m.name for m in protocol.measures}
    return tuple(m for m in PROBABILITY_MEASURES if m.name not in there)


def unfit_reference(reference: str, scored: Sequence[str], scores: pd.DataFrame) -> ConfigError:
    """The error for a reference that no system can be compared with, and why where test clips are missing."""
    gaps = next(filter(None, scores.loc[scores["system"] == reference, "incomplete"]), "")
    if gaps:
        return ConfigError(
            f"the reference {without_score(reference, gaps)}: complete its runs, or take another one"
        )
    return ConfigError(f"the reference {reference!r} is not among the scored systems{near(reference, scored)}")


def without_score(system: str, gaps: str) -> str:
    """``x has no score (0/90 in fold2: incomplete, and 3 more)``; gaps as `score_table` joins them."""
    first, *others = gaps.split("; ")
    return f"{system} has no score ({first}{f', and {len(others)} more' if others else ''})"


def expected_of(done: Sequence[StoredRun], folds: Sequence[str]) -> Expected:
    """Test clips that every system must have predicted: of some folds, or of all if none is named."""
    expected: Expected = done[0].manifest["expected"]
    return {fold: counts for fold, counts in expected.items() if not folds or fold in folds}


def _comparisons(
    predictions: Predictions,
    scores: pd.DataFrame,
    complete: Sequence[str],
    primary: Measure,
    compared: Sequence[Measure],
    reference: str | None,
) -> dict[str, Any]:
    # A system that does not predict the level of the primary measure has a row, but is compared with none.
    comparable = [name for name in complete if not lacking_levels(of_systems(predictions, [name]), primary)]
    if reference is not None and reference not in comparable:
        raise unfit_reference(reference, comparable, scores)
    if len(comparable) < 2:
        return {}
    rivals = of_systems(predictions, comparable)
    significance = significance_table(rivals, compared, reference=reference)
    of_primary = significance[significance["measure"] == primary.name]
    # Against a reference, not every pair was tested.
    tied = tied_with_best(rivals, primary) if reference is not None or of_primary.empty else tied_in(of_primary)
    return {"significance": significance, "tied": tied}


def _of_clips(
    protocol: Protocol,
    predictions: pd.DataFrame,
    complete: Sequence[str],
    whole: Evaluation,
    measures: Sequence[Measure],
) -> dict[str, Any]:
    """Confusion matrices, what the source of a clip alone gives away, and scores by scene if there are devices."""
    frames = {name: predictions[predictions["system"] == name] for name in complete}
    # Runs stored before the classes were counted have none in their manifest.
    trained = {m["fold"]: m["class_counts"] for m in whole.manifests if "class_counts" in m}
    clips = predictions[predictions["system"].isin(complete)]
    return {
        "confusions": {name: confusions(frame, protocol.labels) for name, frame in frames.items()},
        "source_only": source_alone(clips, trained, protocol.labels, measures),
        "further": _by_scene(clips, protocol.labels, whole.setting),
    }


def _by_scene(clips: pd.DataFrame, labels: LabelSpace, setting: Setting) -> dict[str, tuple[Table, pd.DataFrame]]:
    if clips["device"].nunique() < 2:
        return {}
    frame = scene_scores(clips, labels)
    if frame.empty:
        return {}
    return {"scenes": (scenes_table(frame, title=f"{setting.title}: by scene", notes=setting.caveats), frame)}


def _of_classes(
    protocol: Protocol, predictions: Sequence[SegmentRun], complete: Sequence[str], whole: Evaluation
) -> dict[str, Any]:
    """Of clips with several labels: scores by class, and where the thresholds come from."""
    decided = [run for run in predictions if run.system in complete]
    frame = class_table(decided, protocol.labels)
    table = classes_table(frame, title=f"{whole.setting.title}: by class")
    return {
        "notes": (*whole.notes, *threshold_notes(decided)),
        "further": {"classes": (table, frame)},
    }


def _groups(measures: Sequence[Measure]) -> tuple[dict[str, dict[str, Measure]], str]:
    """Measures of a group by group and column title, and a word for what the groups are."""
    groups: dict[str, dict[str, Measure]] = {}
    for measure in measures:
        if measure.group:
            groups.setdefault(measure.group, {})[measure.column] = measure
    return groups, next((m.strata for m in measures if m.group), "")


def confusions(predictions: pd.DataFrame, labels: LabelSpace) -> dict[str, pd.DataFrame]:
    """By device, of the fine classes, or of the coarse ones for a system that predicts these alone."""
    level = FINE if FINE in set(predictions["level"]) else COARSE
    classes = labels.classes(level)
    devices = sorted(set(predictions["device"]) - {""})
    if not devices:
        return {"": confusion(predictions, level, classes=classes)}
    return {device: confusion(predictions, level, device=device, classes=classes) for device in devices}


def _digests(manifests: Iterable[Manifest]) -> list[str]:
    return sorted(str(manifest["digest"]) for manifest in manifests)


def _written(folder: Path, stamp: Mapping[str, object]) -> bool:
    """Whether the report of this stamp stands in the folder, every file as it was written."""
    try:
        noted = json.loads((folder / STAMP).read_bytes())
        files = noted.pop(FILES)
        listed = {TEXT, BRIEF} <= set(files)
        return noted == stamp and listed and all(file_digest(folder / n) == d for n, d in files.items())
    except (OSError, ConfigError, ValueError, KeyError, TypeError, AttributeError):
        return False
