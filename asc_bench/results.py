"""Stored runs of one protocol, data set and budget: their predictions, scores, comparisons, tables and figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from asc_bench.bench.keys import digest
from asc_bench.data.tags import DETECTION
from asc_bench.errors import ConfigError
from asc_bench.files import write_atomic
from asc_bench.labels import FINE
from asc_bench.names import near, slug
from asc_bench.protocol import Protocol
from asc_bench.reporting.brief import BriefTable
from asc_bench.reporting.comparisons import equivalence_notes, significance_text_table
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.figures import FigureStyle
from asc_bench.reporting.plots import Plots
from asc_bench.reporting.report_figures import FigureChoice
from asc_bench.reporting.report_runs import (
    Report,
    evaluate,
    expected_of,
    predictions_of,
    probability_measures,
    report,
    unfit_reference,
    without_score,
)
from asc_bench.reporting.table import Table
from asc_bench.reporting.terminal import pairs_table
from asc_bench.reporting.tidy import tidy_runs
from asc_bench.runs.store import StoredRun
from asc_bench.runs.variant import Named
from asc_bench.scoring.frames import repeats_and_gaps, significance_table
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.rows import lacking_levels, of_systems
from asc_bench.typed_text import split_items

TABLE = "table.json"
"""What a table is made of: systems, folds and repeats, and how they are compared."""

FORMATS = ("text", "markdown", "latex", "html", "csv")


@dataclass(frozen=True, kw_only=True, repr=False)
class Results:
    """Runs of some systems, and what can be said of them. All of it comes from stored predictions and manifests.

    Attributes
    ----------
    protocol : Protocol
        The protocol of all runs.
    runs : tuple of StoredRun
        Done, failed and skipped ones.
    folder : Path
        Where `report` writes tables and figures.
    folds : tuple of str
        Folds that were asked for; empty for all. A system that lacks a clip of these folds gets no score.
    unfinished : tuple of str
        Titles of runs that were asked for and failed or are missing.
    """

    protocol: Protocol
    runs: tuple[StoredRun, ...]
    folder: Path
    folds: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()

    @property
    def systems(self) -> list[str]:
        """Systems with their settings, in the order of the runs."""
        return list(dict.fromkeys(str(run.manifest["variant"]) for run in self.runs))

    def only(self, *systems: str, repeats: Sequence[int] = ()) -> Results:
        """Of these systems alone (names, globs and ``name[setting=value]``), and of some repeats.

        Raises
        ------
        ConfigError
            For a system that has no run here, with the near names.
        """
        known, wanted = self.systems, set()
        for pattern in (item for text in systems for item in split_items(text)):
            named = Named.of(pattern)
            found = [name for name in known if name in named]
            if not found:
                raise ConfigError(f"no run of {pattern!r} is among these{near(pattern, known)}")
            wanted.update(found)
        chosen = [run for run in self.runs if run.manifest["variant"] in wanted]
        return replace(self, runs=tuple(run for run in chosen if not repeats or run.manifest["repeat"] in repeats))

    @cached_property
    def evaluation(self) -> Evaluation:
        """Scores, tests of all pairs and counts, computed once."""
        return evaluate(self.protocol, self.runs, folds=self.folds)

    def predictions(self, level: str = "", split: str = "test") -> pd.DataFrame:
        """Predictions of all runs that are done.

        Parameters
        ----------
        level : str
            Label level, ``fine`` or ``coarse``; where clips have several labels ``detection`` or ``tagging``. By
            default the first of them.
        split : {"test", "validation"}
            Of each fold.

        Returns
        -------
        DataFrame
            A row for each system, fold, repeat and clip (and segment). ``p_`` columns hold the probability of each
            class; where clips have several labels, ``y_`` columns hold the labels.

        Raises
        ------
        ConfigError
            For a level that there is not, or if no run is done.
        """
        several = self.protocol.multi_label
        level = level or (DETECTION if several else FINE)
        done = self._done()
        frames = []
        for run in done:
            stored = run.segments if several else run.predictions
            frame = stored[(stored["level"] == level) & (stored["split"] == split)].reset_index(drop=True)
            frame.insert(0, "system", str(run.manifest["variant"]))
            frame.insert(1, "fold", str(run.manifest["fold"]))
            frame.insert(2, "repeat", int(run.manifest["repeat"]))
            frames.append(frame)
        whole = pd.concat(frames, ignore_index=True)
        if whole.empty:
            there = pd.concat([(run.segments if several else run.predictions)[["level", "split"]] for run in done])
            pairs = (f"{level} ({split})" for level, split in there.drop_duplicates().itertuples(index=False))
            raise ConfigError(
                f"no predictions of the level {level!r} and the split {split!r} are stored; there are those of "
                f"{', '.join(pairs)}"
            )
        classes = self.protocol.labels.fine if several else self.protocol.labels.classes(level)
        columns = {"scores": "p_", "reference": "y_"} if several else {"probabilities": "p_"}
        spread = [
            pd.DataFrame(np.stack(whole[name].to_list()), columns=[f"{prefix}{c}" for c in classes])
            for name, prefix in columns.items()
        ]
        return pd.concat([whole.drop(columns=list(columns)), *spread], axis=1)

    def scores(self, measures: Sequence[str] = ()) -> pd.DataFrame:
        """Every measure of every system, with its 95 % interval over recording locations.

        Parameters
        ----------
        measures : sequence of str
            Some of the measures; by default all, those of groups and of probabilities too.

        Returns
        -------
        DataFrame
            A row for each system and measure: ``value, low, high`` (percent as fractions), ``n`` clips,
            ``n_locations``, ``n_repeats``, ``sd_repeats``, and ``incomplete``, which says what is missing.

        Raises
        ------
        ConfigError
            For an unknown measure, with the near names, or if measures are named and no run is done.
        """
        scores = self.evaluation.scores
        if measures:
            self._done()
        known = list(dict.fromkeys(scores["measure"]))
        for name in measures:
            if name not in known:
                raise ConfigError(f"{self.protocol.name} has no measure {name!r}{near(name, known)}")
        return scores[scores["measure"].isin(measures or known)].reset_index(drop=True)

    def compare(self, reference: str | None = None, measure: str = "", rope: float | None = None) -> pd.DataFrame:
        """Paired comparisons: bootstrap over recording locations (Holm-corrected), z-tests and McNemar.

        Parameters
        ----------
        reference : str, optional
            System that every other one is compared with; all pairs if None.
        measure : str
            By default the protocol's primary one.
        rope : float, optional
            Differences up to this size, in the unit of the measure (percent as fractions), are practically none. By
            default one point (0.01) for percent measures, and none for others.

        Returns
        -------
        DataFrame
            A row for each pair, the better system first; columns as ``significance_table`` of
            ``asc_bench.scoring.frames`` explains. ``p_bootstrap_holm`` is the one to quote; ``p_better`` is the
            probability that A is better by more than ``rope``, ``p_equivalent`` that they differ by no more.

        Raises
        ------
        ConfigError
            For an unknown reference or measure, with the near names; if no run is done; for a negative ``rope``.
        """
        chosen = self._measure(measure)
        complete = self.evaluation.scored
        predictions = predictions_of(self.protocol, self._done())
        names = [
            name
            for name in self.systems
            if name in complete and not lacking_levels(of_systems(predictions, [name]), chosen)
        ]
        if reference is not None and reference not in names:
            raise unfit_reference(reference, names, self.evaluation.scores)
        return significance_table(of_systems(predictions, names), chosen, reference=reference, rope=rope)

    def comparison(self, a: str, b: str, measure: str = "") -> Table:
        """Every test of two systems as it is printed; measure and errors are those of `compare`."""
        chosen = self._measure(measure)
        done = self._done()
        known = list(dict.fromkeys(str(run.manifest["variant"]) for run in done))
        for name in (a, b):
            if name not in known:
                raise ConfigError(f"no run of {name!r} is done{near(name, known)}")
        both = [run for run in done if run.manifest["variant"] in (a, b)]
        predictions = predictions_of(self.protocol, both)
        for name in (a, b):
            own = of_systems(predictions, [name])
            if lacking_levels(own, chosen):
                raise ConfigError(f"{name} has no predictions that {chosen.name!r} could be computed of")
            _, gaps = repeats_and_gaps(own, expected_of(both, self.folds))
            if gaps:
                raise ConfigError(f"{without_score(name, gaps)}: complete its runs, or leave it out")
        pair = significance_table(predictions, chosen, reference=b)
        manifests = [run.manifest for run in both]
        return significance_text_table(
            pair, manifests, measures=[chosen], notes=equivalence_notes(pair, measures=[chosen])
        )

    def pairs(self, reference: str | None = None, measure: str = "") -> BriefTable:
        """A line for each pair as it is printed; parameters and errors are those of `compare`."""
        chosen = self._measure(measure)
        found = self.compare(reference, measure)
        table = significance_text_table(found, [run.manifest for run in self._done()], measures=[chosen])
        return pairs_table(table, self.evaluation.setting, chosen)

    def run_table(self) -> pd.DataFrame:
        """A row for each run with all that its manifest says: state, error, durations, memory, versions, host."""
        return tidy_runs([run.manifest for run in self._asked])

    def table(self, fmt: str = "text", columns: Sequence[str] = ()) -> str:
        """The table of results, best system first.

        Parameters
        ----------
        fmt : {"text", "markdown", "latex", "html", "csv"}
            LaTeX needs the package booktabs.
        columns : sequence of str
            Some of its columns, by title; by default all.

        Raises
        ------
        ConfigError
            For an unknown format or column, with the near names.
        """
        if fmt not in FORMATS:
            raise ConfigError(f"fmt is {fmt!r}{near(fmt, FORMATS)}")
        table = self.evaluation.results(columns)
        return str(getattr(table, f"to_{fmt}")())

    def report(
        self,
        folder: Path | str | None = None,
        *,
        reference: str | None = None,
        probability_scores: bool = True,
        figures: str | Sequence[str] = "default",
        figure_width: str | float = "",
        titles: bool = True,
    ) -> Report:
        """Write every table and figure, a web page of them, and ``table.json``, by which they are made again.

        Parameters
        ----------
        folder : path, optional
            By default below the folder of results.
        reference : str, optional
            Compare every system with this one; all pairs if None.
        probability_scores : bool
            Show log loss, Brier score and calibration error.
        figures : str or sequence of str
            ``default``, ``all``, ``none``, or some of scores, ranks, pareto, devices, confusion, classes and
            learning-curves.
        figure_width : str or float
            ``one-column`` (3.5 in), ``two-columns`` (7.16 in) or inches, for figures of that very width; by default
            as wide as their content wants.
        titles : bool
            Whether figures have titles.

        Raises
        ------
        ConfigError
            For an unknown figure (with the near names) or width.

        Returns
        -------
        Report
            ``folder``; ``text``, all tables in full; and ``fitted(width)``, those of the terminal.
        """
        style = FigureStyle.of(figure_width, titles=titles)
        written = report(
            self.protocol,
            self.runs,
            self.folder if folder is None else Path(folder),
            folds=self.folds,
            reference=reference,
            probability_scores=probability_scores,
            figures=FigureChoice.of(figures, style=style),
        )
        # Nothing is stored of a system that does not fit the protocol.
        stored = (run.manifest["variant"] for run in self.runs if run.manifest["status"] != "skipped")
        made_of = {
            "systems": list(dict.fromkeys(map(str, stored))),
            "repeats": sorted({int(run.manifest["repeat"]) for run in self.runs}),
            "folds": list(self.folds),
            "reference": reference,
            "probability_scores": probability_scores,
        }
        noted = made_of | {"digest": table_digest(made_of, written.folder)}
        write_atomic(written.folder / TABLE, json.dumps(noted, indent=1) + "\n")
        return written

    @property
    def plot(self) -> Plots:
        """Figures."""
        return Plots(self.evaluation)

    def _repr_html_(self) -> str:
        return self.table("html")

    def __str__(self) -> str:
        """The table of results."""
        return self.table()

    def __repr__(self) -> str:
        """In short: a notebook keeps this text beside the table."""
        states = Counter(str(run.manifest["status"]) for run in self.runs)
        counted = ", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "none"
        return f"<Results of {self.protocol.name}: {', '.join(self.systems)}; runs: {counted}>"

    @property
    def _asked(self) -> list[StoredRun]:
        return [run for run in self.runs if not self.folds or run.manifest["fold"] in self.folds]

    def _done(self) -> list[StoredRun]:
        """Those of `_asked` that have predictions; raises ConfigError if none has."""
        done = [run for run in self._asked if run.done and run.intact]
        if not done:
            errors = [run.manifest["error"] for run in self._asked]
            first = ": ".join(filter(None, (errors[0]["type"], errors[0]["message"]))) if errors else ""
            why = f"; of the first one: {first}" if first else ""
            raise ConfigError(f"none of {len(self._asked)} runs is done, so there are no predictions{why}")
        return done

    def _measure(self, name: str) -> Measure:
        """One of the protocol's or of those of probabilities; the primary one for an empty name."""
        sources = self.runs[0].manifest.get("sources", ()) if self.runs else ()
        measures = {m.name: m for m in (*self.protocol.measures_on(sources), *probability_measures(self.protocol))}
        if name and name not in measures:
            raise ConfigError(f"{self.protocol.name} has no measure {name!r}{near(name, measures)}")
        return measures[name] if name else next(iter(measures.values()))


def table_digest(made_of: Mapping[str, object], folder: Path) -> str:
    """Digest of what a table is made of and of its folder's name: the file of another table does not fit there."""
    return digest({**made_of, "folder": folder.name})


def tables_folder(results: Path, tag: str, budget: str, table: str, folds: Sequence[str] = ()) -> Path:
    """Where the tables of one set of systems go; those of some folds alone in a folder below.

    Parameters
    ----------
    results : Path
        Folder of results.
    tag : str
        Protocol and data, as the folders below ``results/runs`` are called.
    budget : str
        Of the runs.
    table : str
        Name of the set of systems; the text that named them will do.
    folds : sequence of str
        Those that were asked for; empty for all.
    """
    return results / "tables" / tag / budget / slug(table) / "-".join(folds)
