"""Stored runs of one protocol, data set and budget: their predictions, scores, comparisons, tables and figures."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from asc_bench.bench.augmentation import Augmentation
from asc_bench.bench.bench import Selection
from asc_bench.budget import Budget
from asc_bench.data.tags import DETECTION
from asc_bench.errors import ConfigError
from asc_bench.labels import FINE
from asc_bench.names import near
from asc_bench.protocol import Protocol
from asc_bench.registry import ProtocolLike, layouts, protocol_of, protocols
from asc_bench.reporting.comparisons import significance_text_table
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.figures import draw_confusions, figure_bytes, save_figure
from asc_bench.reporting.report import confusion_panels, confusion_title
from asc_bench.reporting.report_runs import Report, evaluate, predictions_of, probability_measures, report
from asc_bench.reporting.table import Table
from asc_bench.reporting.tidy import tidy_runs
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.variant import split_items
from asc_bench.scoring.frames import significance_table
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.rows import lacking_levels, of_systems
from asc_bench.stored_protocol import DEFINITION, StoredProtocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("text", "markdown", "latex", "html", "csv")


@dataclass(frozen=True, kw_only=True)
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

    def only(self, *systems: str) -> Results:
        """Of these systems alone; names, globs and ``name[setting=value]``.

        Raises
        ------
        ConfigError
            For a system that has no run here, with the near names.
        """
        known, wanted = self.systems, set()
        for pattern in (item for text in systems for item in split_items(text)):
            found = [name for name in known if name == pattern or fnmatch.fnmatchcase(name, pattern)]
            if not found:
                raise ConfigError(f"no run of {pattern!r} is among these{near(pattern, known)}")
            wanted.update(found)
        return replace(self, runs=tuple(run for run in self.runs if run.manifest["variant"] in wanted))

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
        done = [run for run in self._asked if run.done]
        if not done:
            errors = [run.manifest["error"] for run in self._asked]
            why = f"; the first one: {errors[0]['type']}: {errors[0]['message']}" if errors else ""
            raise ConfigError(f"none of {len(self._asked)} runs is done, so there are no predictions{why}")
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
            levels = ("detection", "tagging") if several else self.protocol.labels.levels
            raise ConfigError(
                f"no predictions of the level {level!r} and the split {split!r}; levels are {', '.join(levels)}, "
                "splits test and validation"
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
            For an unknown measure, with the near names.
        """
        scores = self.evaluation.scores
        known = list(dict.fromkeys(scores["measure"]))
        for name in measures:
            if name not in known:
                raise ConfigError(f"{self.protocol.name} has no measure {name!r}{near(name, known)}")
        return scores[scores["measure"].isin(measures or known)].reset_index(drop=True)

    def compare(self, reference: str | None = None, measure: str = "") -> pd.DataFrame:
        """Paired comparisons: bootstrap over recording locations (Holm-corrected), z-tests and McNemar.

        Parameters
        ----------
        reference : str, optional
            System that every other one is compared with; all pairs if None.
        measure : str
            By default the protocol's primary one.

        Returns
        -------
        DataFrame
            A row for each pair, the better system first; columns as ``significance_table`` of
            ``asc_bench.scoring.frames`` explains. ``p_bootstrap_holm`` is the one to quote.

        Raises
        ------
        ConfigError
            For an unknown reference or measure, with the near names.
        """
        chosen = self._measure(measure)
        complete = self.evaluation.scored
        predictions = predictions_of(self.protocol, [run for run in self._asked if run.done])
        names = [
            name
            for name in self.systems
            if name in complete and not lacking_levels(of_systems(predictions, [name]), chosen)
        ]
        if reference is not None and reference not in names:
            raise ConfigError(
                f"the reference {reference!r} is not among the scored systems{near(reference, names)}"
            )
        return significance_table(of_systems(predictions, names), chosen, reference=reference)

    def comparison(self, a: str, b: str, measure: str = "") -> Table:
        """Every test of two systems as it is printed; parameters and errors are those of `compare`."""
        chosen = self._measure(measure)
        both = [run for run in self._asked if run.done and run.manifest["variant"] in (a, b)]
        pair = significance_table(predictions_of(self.protocol, both), chosen, reference=b)
        return significance_text_table(pair, [run.manifest for run in both], measures=[chosen])

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
        self, folder: Path | str | None = None, *, reference: str | None = None, probability_scores: bool = True
    ) -> Report:
        """Write every table and figure, and a web page of them.

        Parameters
        ----------
        folder : path, optional
            By default below the folder of results.
        reference : str, optional
            Compare every system with this one; all pairs if None.
        probability_scores : bool
            Show log loss, Brier score and calibration error.

        Returns
        -------
        Report
            ``folder``, and ``text`` for the terminal.
        """
        return report(
            self.protocol,
            self.runs,
            self.folder if folder is None else Path(folder),
            folds=self.folds,
            reference=reference,
            probability_scores=probability_scores,
        )

    @property
    def plot(self) -> Plots:
        """Figures."""
        return Plots(self)

    def _repr_html_(self) -> str:
        return self.table("html")

    def __str__(self) -> str:
        """The table of results."""
        return self.table()

    @property
    def _asked(self) -> list[StoredRun]:
        return [run for run in self.runs if not self.folds or run.manifest["fold"] in self.folds]

    def _measure(self, name: str) -> Measure:
        """One of the protocol's or of those of probabilities; the primary one for an empty name."""
        sources = self.runs[0].manifest.get("sources", ()) if self.runs else ()
        measures = {m.name: m for m in (*self.protocol.measures_on(sources), *probability_measures(self.protocol))}
        if name and name not in measures:
            raise ConfigError(f"{self.protocol.name} has no measure {name!r}{near(name, measures)}")
        return measures[name] if name else next(iter(measures.values()))


@dataclass(frozen=True)
class Plots:
    """Figures of some results."""

    results: Results

    def scores(self) -> Picture:
        """Every measure of every system with its interval."""
        return Picture(self.results.evaluation.score_figure())

    def confusion(self, system: str, device: str | None = None) -> Picture:
        """Confusion matrices of a system, one for each recording device.

        Raises
        ------
        ConfigError
            For a system without a score, or an unknown device.
        """
        found = self.results.evaluation.confusions
        if system not in found:
            raise ConfigError(f"{system!r} has no confusion matrix here{near(system, found)}")
        panels = confusion_panels(found[system])
        if device is not None and device not in panels:
            raise ConfigError(f"{system} has no device {device!r}{near(device, panels)}")
        chosen = panels if device is None else {device: panels[device]}
        return Picture(draw_confusions(chosen, title=confusion_title(system, self.results.evaluation.setting)))


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure that a notebook shows."""

    figure: Figure

    def save(self, stem: Path | str) -> tuple[Path, Path]:
        """Write ``stem`` with ``.png`` and ``.svg``; raises StoreError if they cannot be written."""
        return save_figure(self.figure, Path(stem))

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure, "png")


def tables_folder(results: Path, tag: str, budget: str, folds: Sequence[str] = ()) -> Path:
    """Where the tables of one protocol, data set and budget go; those of some folds alone in a folder below."""
    return results / "tables" / tag / budget / "-".join(folds)


def load_results(
    results: Path | str,
    protocol: ProtocolLike,
    *,
    budget: str = "quick",
    systems: str = "*",
    folds: str | Iterable[str] | None = None,
    synthetic: bool = False,
    selection: str = "own",
    augment: str = "",
    dataset: str = "",
) -> Results:
    """What is stored of a protocol: the newest run of each system, fold and repeat. No recordings are needed.

    Parameters
    ----------
    results : path
        Folder of results.
    protocol : str, Protocol or type
        By name, or one of your own.
    budget, folds, selection, augment
        As in `run`.
    systems : str
        Names and globs, separated by commas.
    synthetic : bool
        Runs on synthetic data instead of real recordings.
    dataset : str
        Which data, where results of several are stored: a name of a folder below ``results/runs``.

    Raises
    ------
    ConfigError
        If nothing is stored that fits, or on several data sets.

    Examples
    --------
    >>> import asc_bench
    >>> results = asc_bench.load_results("results/reference", "esc10")  # doctest: +SKIP
    >>> results.compare(reference="logmel-svm")  # doctest: +SKIP
    """
    found = stored_results(
        Path(results),
        protocol,
        budget=budget,
        systems=systems,
        folds=folds,
        synthetic=synthetic,
        selection=selection,
        augment=augment,
    )
    if dataset and dataset not in found:
        raise ConfigError(f"no run on the data {dataset!r} is stored{near(dataset, found)}")
    if not dataset and len(found) > 1:
        raise ConfigError(f"runs on several data are stored: {', '.join(found)}; name one as `dataset`")
    return found[dataset or next(iter(found))]


def _protocol(given: ProtocolLike, results: Path) -> Protocol:
    """As `protocol_of`; by a name that is registered nowhere, as it is kept with its newest run."""
    if isinstance(given, str) and given not in protocols().found and given not in layouts().found:
        kept = [
            run.manifest[DEFINITION]
            for run in ResultsStore(results).iterate(f"{given}*")
            if run.manifest["protocol"] == given and DEFINITION in run.manifest
        ]
        if kept:
            return StoredProtocol(kept[-1])
    return protocol_of(given)


def stored_results(
    results: Path,
    protocol: ProtocolLike,
    *,
    budget: str = "quick",
    systems: str = "*",
    folds: str | Iterable[str] | None = None,
    synthetic: bool = False,
    selection: str = "own",
    augment: str = "",
) -> dict[str, Results]:
    """Results by data, as the folders below ``results/runs`` are called; parameters are those of `load_results`."""
    if budget not in list(Budget):
        raise ConfigError(f"budget is {budget!r}{near(budget, [str(b) for b in Budget])}")
    patterns, chosen = list(split_items(systems)), tuple([folds] if isinstance(folds, str) else folds or ())
    instance = _protocol(protocol, results)
    augment = str(Augmentation.parse(augment)) if augment else ""
    newest: dict[tuple[str, str, str, int], StoredRun] = {}
    for run in ResultsStore(results).iterate(f"{instance.name}*", budget):
        m = run.manifest
        wanted = any(fnmatch.fnmatchcase(m["variant"], p) or m["variant"] == p for p in patterns)
        same = m["protocol"] == instance.name and m["synthetic"] == synthetic
        # Runs stored before there was a choice have none in their manifest.
        same &= m.get("selection", Selection.OWN) == selection
        same &= m.get("augmentation", "") == augment
        if same and wanted:
            newest[run.folder.parents[2].name, m["variant"], m["fold"], m["repeat"]] = run
    if not newest:
        kind = "synthetic" if synthetic else "real"
        how = "" if selection == Selection.OWN else f" with selection {selection}"
        how += f" with augmentation {augment}" if augment else ""
        raise ConfigError(
            f"{results} holds no run of {instance.name} at budget {budget} on {kind} data{how} for {systems}; "
            "see `asc-bench run` and `asc-bench status`"
        )
    tags: dict[str, list[StoredRun]] = {}
    for (tag, *_), run in newest.items():
        tags.setdefault(tag, []).append(run)
    return {
        tag: Results(
            protocol=instance, runs=tuple(runs), folder=tables_folder(results, tag, budget, chosen), folds=chosen
        )
        for tag, runs in tags.items()
    }
