"""Everything that tables, figures and data frames of some runs show."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from asc_bench.labels import LabelSpace
from asc_bench.limits import Limits
from asc_bench.protocol import Reference
from asc_bench.reporting.cards import SystemCard
from asc_bench.reporting.comparisons import significance_text_table
from asc_bench.reporting.curves import Histories, SystemCurves, curves_of
from asc_bench.reporting.groups import Groups, groups_table
from asc_bench.reporting.letters import groups, letters_of
from asc_bench.reporting.outcome import Outcome, outcomes
from asc_bench.reporting.pareto import Cost, costs_of
from asc_bench.reporting.results import published_table, results_table
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.tidy import tidy_results
from asc_bench.scoring.frames import REPEAT_COLUMNS
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.statistic import Accuracy

ALL_CLIPS = "all clips"

Confusions = Mapping[str, Mapping[str, pd.DataFrame]]
"""Variant to device (``""`` for all clips) to counts, rows true, columns predicted."""


RECALL_COLUMNS = ("system", "device", "label", "n", "recall")
COUNT_COLUMNS = ("system", "device", "true", "predicted", "n")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores, tests and counts of some runs of one setting.

    Attributes
    ----------
    manifests : sequence of mapping
        One per run, failed and skipped ones included.
    measures : sequence of Measure
        Columns of the results; the first is primary.
    scores, significance : DataFrame
        ``score_table`` and ``significance_table`` of ``asc_bench.scoring.frames``.
    compared : sequence of Measure
        Those of ``significance``; the first of ``measures`` if empty.
    tied : collection of str
        Variants that do not differ significantly from the best.
    confusions : mapping
        By variant and device. Systems without a score are left out.
    published, references, notes, source_only, intervals, limits
        As in ``results_table``.
    published_note : str
        What to know of published numbers, below the tables that show some.
    groups, by
        As in ``groups_table``; measures besides ``measures``.
    by_repeat : DataFrame
        ``repeat_table`` of ``asc_bench.scoring.frames``.
    tracebacks : mapping
        Of failed runs, by run key.
    cards : mapping
        Name of a system to its card.
    commands : sequence of str
        What makes the runs and their tables again.
    further : mapping
        File name without ending to a table and its tidy frame, such as scores by class.
    reference : str, optional
        The system that others are compared with; all pairs if None.
    labels : LabelSpace, optional
        Of the protocol.
    histories : mapping
        Key of a run to what reads how its networks were trained; runs without a history are left out.
    """

    manifests: Sequence[Manifest]
    measures: Sequence[Measure]
    scores: pd.DataFrame
    significance: pd.DataFrame
    compared: Sequence[Measure] = ()
    tied: Collection[str] = ()
    confusions: Confusions = field(default_factory=dict)
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    references: Sequence[Reference] = ()
    published_note: str = ""
    notes: Sequence[str] = ()
    source_only: Mapping[str, float] = field(default_factory=dict)
    intervals: Collection[str] | None = None
    limits: Limits | None = None
    groups: Groups = field(default_factory=dict)
    by: str = ""
    by_repeat: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(REPEAT_COLUMNS)))
    tracebacks: Mapping[str, str] = field(default_factory=dict)
    cards: Mapping[str, SystemCard] = field(default_factory=dict)
    commands: Sequence[str] = ()
    further: Mapping[str, tuple[Table, pd.DataFrame]] = field(default_factory=dict)
    reference: str | None = None
    labels: LabelSpace | None = None
    histories: Histories = field(default_factory=dict)

    @cached_property
    def setting(self) -> Setting:
        """What all runs share; raises ConfigError where they cannot stand in one table."""
        return Setting.of(self.manifests)

    @property
    def scored(self) -> set[str]:
        """Variants with a score of all test clips."""
        return {o.system for o in self.outcomes if o.scored}

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """One per system, in the order of the table of results."""
        return outcomes(self.scores, self.manifests, self.measures)

    def ranked(self) -> dict[str, Mapping[str, Any]]:
        """System to its row of the score table by the primary measure, best first."""
        primary = self.measures[0].name
        return {o.system: score for o in self.outcomes if (score := o.score(primary))}

    @property
    def letters(self) -> dict[str, str]:
        """Letters of the systems by the primary measure; two that share one do not differ (see ``letters``)."""
        return letters_of(self.equal_groups, list(self.ranked()))

    @cached_property
    def equal_groups(self) -> list[frozenset[str]]:
        """The groups of systems that the letters stand for."""
        return groups(self.significance, list(self.ranked()), measure=self.measures[0].name)

    @cached_property
    def costs(self) -> list[Cost]:
        """What the scored systems cost, and which of them no other one beats by the primary measure."""
        return costs_of(self.outcomes, self.measures[0], self.limits)

    @cached_property
    def curves(self) -> dict[str, SystemCurves]:
        """Learning curves of the systems that have a history, best first; these are read now."""
        return curves_of(self.manifests, self.histories, systems=[o.system for o in self.outcomes])

    @property
    def of_devices(self) -> list[Measure]:
        """Those measures that are the primary statistic on one recording device."""
        found = [m for m in self.all_measures if m.strata == "device" and len(m.of) == 1]
        return [m for m in found if m.scored_by == self.measures[0].scored_by]

    def chance(self) -> dict[str, float]:
        """The accuracy of guessing with equal chances, by the name of each measure that is an accuracy."""
        labels = self.labels
        if labels is None:
            return {}
        n_of = {
            m.name: len(m.derived.coarse if m.derived else labels.classes(m.level))
            for m in self.all_measures
            if isinstance(m.scored_by, Accuracy)
        }
        tops = {m.name: m.top_k for m in self.all_measures}
        return {name: min(tops[name] / n, 1.0) for name, n in n_of.items()}

    def pooled_confusions(self) -> dict[str, dict[str, pd.DataFrame]]:
        """``confusions`` of scored systems; with several devices first the sum over all of them, under ``""``."""
        scored = self.scored
        return {
            system: {**({"": sum_of(frames.values())} if len(frames) > 1 else {}), **frames}
            for system, frames in self.confusions.items()
            if system in scored and frames
        }

    def recalls(self) -> pd.DataFrame:
        """Recall of each class, read off ``pooled_confusions``.

        Returns
        -------
        DataFrame
            Columns `RECALL_COLUMNS`: ``n`` test clips of the class, those of every repeat counted, and the share of
            them that were classified right (NaN if there is none). ``device`` is empty for clips of all devices.
        """
        rows = []
        for system, frames in self.pooled_confusions().items():
            for device, frame in frames.items():
                n, right = frame.to_numpy().sum(axis=1), frame.to_numpy().diagonal()
                for label, of, correct in zip(frame.index, n, right, strict=True):
                    rows.append((system, device, str(label), int(of), correct / of if of else math.nan))
        return pd.DataFrame(rows, columns=list(RECALL_COLUMNS))

    def counts(self) -> pd.DataFrame:
        """Every confusion matrix in one frame, columns `COUNT_COLUMNS`: pairs of classes that occur."""
        rows = [
            (system, device, str(true), str(predicted), int(n))
            for system, frames in self.pooled_confusions().items()
            for device, frame in frames.items()
            for true, row in frame.iterrows()
            for predicted, n in row.items()
            if n
        ]
        return pd.DataFrame(rows, columns=list(COUNT_COLUMNS))

    def results(self, columns: Sequence[str] = (), intervals: Collection[str] | None = None) -> Table:
        """The table of results, or some of its columns (see ``Table.with_columns``), or with fewer intervals."""
        table = results_table(
            self.scores,
            self.manifests,
            measures=self.measures,
            published=self.published,
            references=self.references,
            tied=self.tied,
            notes=self._notes(),
            source_only=self.source_only,
            intervals=self.intervals if intervals is None else intervals,
            limits=self.limits,
        )
        return table.with_columns(columns) if columns else table

    def by_group(self, *, intervals: bool = True) -> Table | None:
        """Measures of groups, such as of each source; None where there are none."""
        return groups_table(
            self.scores,
            self.manifests,
            groups=self.groups,
            by=self.by,
            primary=self.measures[0],
            source_only=self.source_only,
            intervals=intervals,
        )

    def beside_published(self) -> Table | None:
        """Every measure beside its published number; None where nothing is published or comparable."""
        return published_table(
            self.scores,
            self.manifests,
            measures=self.all_measures,
            published=self.published,
            references=self.references,
            notes=self._notes(),
        )

    def tests(self) -> Table:
        """Pairwise tests."""
        return significance_text_table(
            self.significance, self.manifests, measures=self.compared or self.measures[:1]
        )

    def tidy(self) -> pd.DataFrame:
        """The results as numbers: one row per system and measure, those of groups too; ``letters`` of the first."""
        frame = tidy_results(
            self.scores,
            self.manifests,
            measures=self.all_measures,
            published=self.published,
            source_only=self.source_only,
            limits=self.limits,
        )
        found, primary = self.letters, self.measures[0].name
        of_rows = zip(frame["system"], frame["measure"], strict=True)
        return frame.assign(letters=[found.get(s, "") if m == primary else "" for s, m in of_rows])

    def _notes(self) -> tuple[str, ...]:
        shows_published = self.setting.comparable and (self.references or self.published)
        return (*self.notes, *([self.published_note] if self.published_note and shows_published else ()))

    @property
    def all_measures(self) -> list[Measure]:
        """``measures``, and those of groups behind them."""
        return [*self.measures, *(m for members in self.groups.values() for m in members.values())]

    def text(self) -> str:
        """For reading: results, groups and tests with all columns and notes."""
        tables = [self.results(), self.by_group(), self.tests() if len(self.significance) else None]
        return "\n\n".join(table.to_text() for table in tables if table is not None)


def sum_of(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Confusion matrices over the same classes, added up."""
    first, *others = frames
    for frame in others:
        first = first + frame
    return first
