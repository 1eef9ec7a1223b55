"""Stored runs become scores, tests, tables and figures: from predictions and manifests alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from asc_bench.bench import keys
from asc_bench.errors import ConfigError
from asc_bench.files import write_atomic
from asc_bench.labels import COARSE, FINE, LabelSpace
from asc_bench.names import near
from asc_bench.protocol import Protocol
from asc_bench.registry import systems
from asc_bench.reporting.class_scores import classes_table, threshold_notes
from asc_bench.reporting.comparisons import significance_text_table
from asc_bench.reporting.groups import groups_table
from asc_bench.reporting.published import contradiction, published_values
from asc_bench.reporting.report import write_report
from asc_bench.reporting.results import results_table
from asc_bench.reporting.setting import Setting
from asc_bench.reporting.table import Table
from asc_bench.runs.store import StoredRun
from asc_bench.scoring.accuracy import confusion
from asc_bench.scoring.classes import class_table
from asc_bench.scoring.decisions import segment_runs
from asc_bench.scoring.frames import (
    SCORE_COLUMNS,
    SIGNIFICANCE_COLUMNS,
    score_table,
    significance_table,
    tied_with_best,
)
from asc_bench.scoring.measure import COMPARED_SEGMENTS, PROBABILITY_MEASURES, Measure
from asc_bench.scoring.predictions import stack_runs
from asc_bench.scoring.rows import Predictions, lacking_levels, of_systems
from asc_bench.scoring.source_only import source_alone
from asc_bench.systems.base import Published

STAMP = "report.json"
TEXT = "results.txt"
Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Report:
    """What was written, and the text for the terminal."""

    folder: Path
    text: str


def report(
    protocol: Protocol,
    runs: Sequence[StoredRun],
    folder: Path,
    *,
    folds: Sequence[str] = (),
    reference: str | None = None,
    probability_scores: bool = True,
) -> Report:
    """Write the report of some runs, unless the same one stands there already.

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
    reference : str, optional
        Variant that every other one is compared with; all pairs if None.

    probability_scores : bool
        Show log loss, Brier score and calibration error beside the measures of a protocol of one label a clip.

    Raises
    ------
    ConfigError
        If there is no run, if runs do not belong in one table, or if ``reference`` is not among them.
    """
    runs = [run for run in runs if not folds or run.manifest["fold"] in folds]
    stamp = {
        "runs": sorted(str(run.manifest["digest"]) for run in runs),
        "protocol": [protocol.name, protocol.version],
        "folds": sorted(folds),
        "reference": reference,
        "probability_scores": probability_scores,
        "code": keys.package_digest("asc_bench.scoring", "asc_bench.reporting"),
    }
    if _stamp(folder) == stamp:
        return Report(folder, (folder / TEXT).read_text())
    further = _probability_measures(protocol) if probability_scores else ()
    text = _write(protocol, runs, folder, folds, reference, further)
    write_atomic(folder / TEXT, text)
    write_atomic(folder / STAMP, json.dumps(stamp, indent=1))
    return Report(folder, text)


def _write(
    protocol: Protocol,
    runs: Sequence[StoredRun],
    folder: Path,
    folds: Sequence[str],
    reference: str | None,
    of_probabilities: tuple[Measure, ...],
) -> str:
    manifests = [run.manifest for run in runs]
    done = [run for run in runs if run.done]
    sources = manifests[0].get("sources", ()) if manifests else ()
    defined = protocol.measures_on(sources)
    measures = tuple(m for m in defined if not m.group)
    compared = COMPARED_SEGMENTS if protocol.multi_label else measures[:1]
    # Of one source, the table by source would repeat the first one.
    groups, by = _groups(defined) if len(sources) != 1 else ({}, "")
    scores = pd.DataFrame(columns=list(SCORE_COLUMNS))
    significance = pd.DataFrame(columns=list(SIGNIFICANCE_COLUMNS))
    tied: frozenset[str] = frozenset()
    floor: dict[str, float] = {}
    confusions: dict[str, dict[str, pd.DataFrame]] = {}
    further: dict[str, tuple[Table, pd.DataFrame]] = {}
    printed, references = published(protocol.name, manifests), protocol.references
    notes = contradictions(protocol.name, manifests)
    if done:
        predictions = predictions_of(protocol, done)
        expected = done[0].manifest["expected"]
        if folds and set(folds) != set(expected):
            printed, references = {}, ()
            notes = (f"Only {', '.join(folds)} of the protocol's {len(expected)} folds: not its score.",)
        wanted = {fold: counts for fold, counts in expected.items() if not folds or fold in folds}
        scores = score_table(predictions, (*defined, *of_probabilities), expected=wanted)
        whole = list(dict.fromkeys(scores.loc[scores["incomplete"] == "", "system"]))
        # A system that does not predict the level of the primary measure has a row, but is compared with none.
        comparable = [name for name in whole if not lacking_levels(of_systems(predictions, [name]), defined[0])]
        _check_reference(reference, comparable)
        rivals = of_systems(predictions, comparable)
        if len(comparable) > 1:
            significance = significance_table(rivals, compared, reference=reference)
            tied = tied_with_best(rivals, defined[0])
        if isinstance(predictions, pd.DataFrame):
            frames = {name: predictions[predictions["system"] == name] for name in whole}
            confusions = {name: _confusions(frame, protocol.labels) for name, frame in frames.items()}
            # Runs stored before the classes were counted have none in their manifest.
            trained = {m["fold"]: m["class_counts"] for m in manifests if "class_counts" in m}
            clips = predictions[predictions["system"].isin(whole)]
            floor = source_alone(clips, trained, protocol.labels, defined)
        elif whole:
            decided = [run for run in predictions if run.system in whole]
            notes = (*notes, *threshold_notes(decided))
            frame = class_table(decided, protocol.labels)
            further["classes"] = (classes_table(frame, title=f"{Setting.of(manifests).title}: by class"), frame)
    shown = (*measures, *of_probabilities)
    intervals = {m.name for m in (compared if protocol.multi_label else measures)}
    written = write_report(
        folder,
        scores=scores,
        significance=significance,
        manifests=manifests,
        confusions=confusions,
        published=printed,
        references=references,
        measures=shown,
        compared=compared,
        tied=tied,
        notes=notes,
        groups=groups,
        by=by,
        floor=floor,
        intervals=intervals,
        further=further,
    )
    for figure in set(folder.glob("confusion-*")) - set(written):
        figure.unlink()
    tables = [
        results_table(
            scores,
            manifests,
            measures=shown,
            published=printed,
            references=references,
            tied=tied,
            notes=notes,
            floor=floor,
            intervals=intervals,
        )
    ]
    grouped = groups_table(scores, manifests, groups=groups, by=by, primary=measures[0], floor=floor)
    if grouped is not None:
        tables.append(grouped)
    if len(significance):
        tables.append(significance_text_table(significance, manifests, measures=compared))
    return "\n\n".join(table.to_text() for table in tables)


def predictions_of(protocol: Protocol, done: Sequence[StoredRun]) -> Predictions:
    """What the runs predicted: rows of clips, or the decisions of clips with several labels."""
    if protocol.multi_label:
        return segment_runs(((run.manifest, run.segments) for run in done), protocol.labels)
    return stack_runs((run.manifest, run.predictions) for run in done)


def _probability_measures(protocol: Protocol) -> tuple[Measure, ...]:
    """Log loss, Brier score and calibration error, where a system gives the probabilities of one label a clip."""
    if protocol.multi_label:
        return ()
    there = {m.name for m in protocol.measures}
    return tuple(m for m in PROBABILITY_MEASURES if m.name not in there)


def published(protocol: str, manifests: Sequence[Mapping[str, Any]]) -> Scores:
    """Published percent by variant and measure."""
    values: Scores = {}
    for variant, entry in _published_entries(protocol, manifests):
        values.setdefault(variant, {}).update(published_values(entry))
    return values


def contradictions(protocol: str, manifests: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What is wrong in the published rows that these runs are set beside."""
    found = [contradiction(entry.table, entry.where) for _, entry in _published_entries(protocol, manifests)]
    return tuple(dict.fromkeys(text for text in found if text))


def _published_entries(protocol: str, manifests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Published]]:
    """What the cards name for this protocol and the settings of these runs."""
    for manifest in manifests:
        if manifest["system"] in systems().found:
            params = manifest["params"]
            for entry in systems().get(manifest["system"]).card.published:
                asked = {**entry.where, **entry.when}
                same_settings = all(str(params.get(k, v)) == v for k, v in asked.items())
                if entry.protocol == protocol and same_settings:
                    yield manifest["variant"], entry


def _groups(measures: Sequence[Measure]) -> tuple[dict[str, dict[str, Measure]], str]:
    """Measures of a group by group and column title, and a word for what the groups are."""
    groups: dict[str, dict[str, Measure]] = {}
    for measure in measures:
        if measure.group:
            groups.setdefault(measure.group, {})[measure.column] = measure
    return groups, next((m.strata for m in measures if m.group), "")


def _confusions(predictions: pd.DataFrame, labels: LabelSpace) -> dict[str, pd.DataFrame]:
    """Of the fine classes, or of the coarse ones for a system that predicts these alone."""
    level = FINE if FINE in set(predictions["level"]) else COARSE
    classes = labels.classes(level)
    devices = sorted(set(predictions["device"]) - {""})
    if not devices:
        return {"": confusion(predictions, level, classes=classes)}
    return {device: confusion(predictions, level, device=device, classes=classes) for device in devices}


def _check_reference(reference: str | None, names: Sequence[str]) -> None:
    if reference is not None and reference not in names:
        raise ConfigError(f"the reference {reference!r} is not among the scored systems{near(reference, names)}")


def _stamp(folder: Path) -> object:
    if not (folder / TEXT).exists():
        return None
    try:
        return json.loads((folder / STAMP).read_bytes())
    except (OSError, ValueError):
        return None
