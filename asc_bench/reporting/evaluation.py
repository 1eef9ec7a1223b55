"""Everything that tables, figures and data frames of some runs show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from asc_bench.limits import Limits
from asc_bench.protocol import Reference
from asc_bench.reporting.comparisons import per_run_table, significance_text_table
from asc_bench.reporting.figures import draw_scores
from asc_bench.reporting.groups import Groups, groups_table
from asc_bench.reporting.outcome import outcomes
from asc_bench.reporting.results import published_table, results_table
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.tidy import tidy_results
from asc_bench.scoring.measure import Measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Confusions = Mapping[str, Mapping[str, pd.DataFrame]]
"""Variant to device (``""`` for all clips) to counts, rows true, columns predicted."""


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
    further : mapping
        File name without ending to a table and its tidy frame, such as scores by class.
    reference : str, optional
        The system that others are compared with; all pairs if None.
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
    further: Mapping[str, tuple[Table, pd.DataFrame]] = field(default_factory=dict)
    reference: str | None = None

    @property
    def setting(self) -> Setting:
        """What all runs share; raises ConfigError where they cannot stand in one table."""
        return Setting.of(self.manifests)

    @property
    def scored(self) -> set[str]:
        """Variants with a score of all test clips."""
        return {o.system for o in outcomes(self.scores, self.manifests, self.measures) if o.scored}

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
            measures=self._with_groups(),
            published=self.published,
            references=self.references,
            notes=self._notes(),
        )

    def tests(self) -> Table:
        """Pairwise tests."""
        return significance_text_table(
            self.significance, self.manifests, measures=self.compared or self.measures[:1]
        )

    def runs(self) -> Table:
        """What became of each run."""
        return per_run_table(self.manifests)

    def tidy(self) -> pd.DataFrame:
        """The results as numbers: one row per system and measure, those of groups too."""
        return tidy_results(
            self.scores,
            self.manifests,
            measures=self._with_groups(),
            published=self.published,
            source_only=self.source_only,
            limits=self.limits,
        )

    def _notes(self) -> tuple[str, ...]:
        shows_published = self.setting.comparable and (self.references or self.published)
        return (*self.notes, *([self.published_note] if self.published_note and shows_published else ()))

    def _with_groups(self) -> list[Measure]:
        return [*self.measures, *(m for members in self.groups.values() for m in members.values())]

    def text(self) -> str:
        """For reading: results, groups and tests with all columns and notes."""
        tables = [self.results(), self.by_group(), self.tests() if len(self.significance) else None]
        return "\n\n".join(table.to_text() for table in tables if table is not None)

    def score_figure(self) -> Figure:
        """Scores with their intervals; what the table does not show for want of test clips, no figure shows."""
        shown = self.scores[self.scores["system"].isin(self.scored)]
        return draw_scores(shown, measures=self.measures, title=self.setting.title)
