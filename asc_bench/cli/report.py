"""``asc-bench report``: tables and figures again, from stored runs alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options

if TYPE_CHECKING:
    from asc_bench.bench.augmentation import Augmentation
    from asc_bench.bench.bench import Selection
    from asc_bench.runs.store import StoredRun


def command(
    protocol: options.Protocol,
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    systems: Annotated[str, typer.Option("--systems", "-s", help="Globs over stored systems.")] = "*",
    synthetic: options.Synthetic = False,
    folds: options.Folds = "",
    reference: Annotated[str, typer.Option(help="Compare every system with this one; else all pairs.")] = "",
    probability_scores: options.ProbabilityScores = True,
    results: options.Results = options.RESULTS,
) -> None:
    """Write the tables again, from stored runs alone.

    Takes the newest run of every system stored for the protocol; the recordings are not needed.
    """
    from asc_bench.registry import protocols
    from asc_bench.reporting.report_runs import report

    instance = protocols().get(protocol)()
    selection = options.selection(as_published, hold_out)
    copies = options.augmentation(augment)
    for tag, runs in stored_runs(results, protocol, budget, systems, synthetic, selection, copies).items():
        written = report(
            instance,
            runs,
            options.tables_folder(results, tag, budget, options.split(folds)),
            folds=options.split(folds),
            reference=reference or None,
            probability_scores=probability_scores,
        )
        typer.echo(written.text)
        typer.echo(f"\nTables, figures and report: {written.folder}", err=True)


def stored_runs(
    results: Path,
    protocol: str,
    budget: str,
    systems: str,
    synthetic: bool,
    selection: Selection,
    augmentation: Augmentation | None = None,
) -> dict[str, list[StoredRun]]:
    """The newest stored run of each system, fold and repeat, by data tag.

    Raises
    ------
    ConfigError
        If nothing is stored that fits.
    """
    import fnmatch

    from asc_bench.bench.bench import Selection
    from asc_bench.errors import ConfigError
    from asc_bench.runs.store import ResultsStore
    from asc_bench.runs.variant import split_items

    options.budget(budget)
    patterns = list(split_items(systems))
    newest: dict[tuple[str, str, str, int], StoredRun] = {}
    for run in ResultsStore(results).iterate(f"{protocol}-*", budget):
        m = run.manifest
        wanted = any(fnmatch.fnmatchcase(m["variant"], p) or m["variant"] == p for p in patterns)
        same = m["protocol"] == protocol and m["synthetic"] == synthetic
        # Runs stored before there was a choice have none in their manifest.
        same &= m.get("selection", Selection.OWN) == selection
        same &= m.get("augmentation", "") == str(augmentation or "")
        if same and wanted:
            newest[run.folder.parents[2].name, m["variant"], m["fold"], m["repeat"]] = run
    if not newest:
        kind = "synthetic" if synthetic else "real"
        chosen = "" if selection is Selection.OWN else f" with selection {selection}"
        chosen += f" with augmentation {augmentation}" if augmentation else ""
        raise ConfigError(
            f"{results} holds no run of {protocol} at budget {budget} on {kind} data{chosen} for {systems}; "
            "see `asc-bench run` and `asc-bench status`"
        )
    tags: dict[str, list[StoredRun]] = {}
    for (tag, *_), run in newest.items():
        tags.setdefault(tag, []).append(run)
    return tags
