"""``asc-bench transfer``: train on one task, go on with another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo, echo_report
from asc_bench.cli.shared import Computing, takes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asc_bench.experiment import Experiment
    from asc_bench.papers.fill_table import Filled
    from asc_bench.papers.table import Cell, TransferTable
    from asc_bench.runs.work import Work
    from asc_bench.screen import Screen
    from asc_bench.transfer_experiment import TransferPlan

Source = Annotated[str, typer.Option("--source", help="Protocol to train on first, such as merged.")]
Target = Annotated[str, typer.Option("--target", help="Protocol to transfer to, such as audioset-dcase2017.")]
System = Annotated[
    str, typer.Option("--system", "-s", help="Neural systems, as for run: names, globs, name[param=value].")
]
VariantNames = Annotated[
    str, typer.Option("--variant", help="retrain (from scratch), finetune, svm or lr; several separated by commas.")
]
Layers = Annotated[
    str, typer.Option(help="What finetune trains: classifier, all, or both of them separated by a comma.")
]
Pooling = Annotated[
    str,
    typer.Option(help="Labels of clips for training on several labels: replicated, attention or noisy-or."),
]
WindowS = Annotated[
    float | None, typer.Option(help="Seconds that a segment is scored from, if clips have several labels.")
]
Mode = Annotated[str, typer.Option(help="Of lr: logistic or closed_form.")]
SourceBudget = Annotated[str, typer.Option(help="Budget of the training on the source; else that of the target.")]
SourceSynthetic = Annotated[
    bool,
    typer.Option("--synthetic-source", help="Synthetic data for the source alone; --synthetic is for both."),
]


@takes(Computing)
def command(
    source: Source,
    target: Target,
    system: System,
    variant: VariantNames = "retrain,finetune,svm,lr",
    layers: Layers = "classifier",
    pooling: Pooling = "",
    window_s: WindowS = None,
    mode: Mode = "",
    source_budget: SourceBudget = "",
    synthetic_source: SourceSynthetic = False,
    folds: options.Folds = "",
    *,
    given: Computing,
) -> None:
    """Train systems on a source, and compare what that is worth on a target.

    Each variant is a run of its own on the target. The run on the source is found if it is stored with its
    weights, else made first. --folds and --repeats are those of the target; --sources belongs to a source that
    joins data sets; --force computes the target's runs again.
    """
    from asc_bench.cli.work import conclude, experiment_of
    from asc_bench.screen import Screen
    from asc_bench.transfer_experiment import find_route, plan_transfers

    experiment = experiment_of(given, folds=folds)
    settings = {k: v for k, v in (("pooling", pooling), ("window_s", window_s), ("mode", mode)) if v}
    with Screen(quiet=given.quiet) as screen:
        route = find_route(experiment, source, target, system, synthetic_source=synthetic_source, watcher=screen)
        planned = plan_transfers(
            experiment,
            route,
            options.split(variant),
            layers=options.split(layers),
            settings=settings,
            source_budget=source_budget or None,
        )
        work = carry_over(experiment, screen, planned, dry_run=given.dry_run)
        if work is None:
            return
        with screen.phase("tables") as progress:
            progress(0.0, "resampling recording locations")
            written = planned.results(experiment, work).report()
    echo_report(written)
    if not given.quiet:
        echo(f"\nTables, figures and report: {written.folder}", err=True)
    conclude(work.unfinished, len(work.wanted))


def transferred(
    experiment: Experiment,
    screen: Screen,
    item: TransferTable,
    cells: Sequence[Cell],
    *,
    budget: str,
    heading: str,
    dry_run: bool = False,
) -> tuple[list[Filled], str]:
    """Fill cells of a published table of transfer, target by target; also what results folders call their source.

    Nothing is filled with ``dry_run``.
    """
    from asc_bench.papers.fill_table import Filled
    from asc_bench.runs.variant import parse_variants
    from asc_bench.systems.transfer.settings import TransferParams
    from asc_bench.transfer_experiment import find_route, plan_transfers

    screen.say(heading)
    filled, tag = [], ""
    for target in dict.fromkeys(cell.protocol for cell in cells):
        ours = [cell for cell in cells if cell.protocol == target]
        asked = {cell.variant: parse_variants(cell.variant)[0].params for cell in ours}
        settings = [params for params in asked.values() if isinstance(params, TransferParams)]
        (system,) = {params.system for params in settings}
        route = find_route(experiment, item.protocol, target, system, watcher=screen)
        tag = f"from-{route.source.tag}"
        variants = list(dict.fromkeys(params.variant for params in settings))
        planned = plan_transfers(experiment, route, variants, settings={}, source_budget=budget)
        work = carry_over(experiment, screen, planned, dry_run=dry_run)
        if work is None:
            continue
        named = {str(s.variant): s.variant for s in work.specs}
        written = {p.variant: name for name, v in named.items() if isinstance(p := v.params, TransferParams)}
        filled.append(
            Filled([replace(cell, variant=written[asked[cell.variant].variant]) for cell in ours], work)  # type: ignore[attr-defined]
        )
    return filled, tag


def carry_over(
    experiment: Experiment, screen: Screen, planned: TransferPlan, *, dry_run: bool = False
) -> Work | None:
    """Train on the source what is not stored, then on the target; None after ``dry_run``."""
    from asc_bench.cli.work import carry_out_on, conclude
    from asc_bench.transfer_experiment import on_source

    route = planned.route
    if planned.sources:
        keeping = on_source(experiment)
        done = carry_out_on(keeping, screen, route.source, planned.sources, heading="source", dry_run=dry_run)
        if done is not None:
            conclude(done.unfinished, len(done.wanted))
    return carry_out_on(experiment, screen, route.target, planned.specs, heading="target", dry_run=dry_run)
