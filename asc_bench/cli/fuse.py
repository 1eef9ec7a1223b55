"""``asc-bench fuse``: late fusion of stored predictions, without training anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo, echo_report
from asc_bench.cli.shared import Recordings, takes

if TYPE_CHECKING:
    from asc_bench.runs.work import Work


@takes(Recordings)
def command(
    systems: Annotated[
        list[str],
        typer.Argument(help="Two stored systems or more, such as sb-cnn 'caa-net[training=joint]'; or one fusion."),
    ],
    protocol: options.Protocol,
    rule: Annotated[
        str,
        typer.Option(
            help="mean, product, rank or stacking, several separated by commas; of systems, not a fusion."
        ),
    ] = "mean",
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    repeats: options.Repeats = 1,
    folds: options.Folds = "",
    results: options.Results = options.RESULTS,
    quiet: options.Quiet = False,
    *,
    given: Recordings,
) -> None:
    """Fuse stored predictions, and compare the fusion with its members.

    Rules without weights need nothing more. "stacking" fits its weights on validation predictions, which all
    systems leave when they are run with --hold-out. No test clip is looked at before the weights stand.
    """
    from asc_bench.cli.work import conclude
    from asc_bench.errors import ConfigError
    from asc_bench.reporting.fusion_report import report_fusions
    from asc_bench.results import tables_folder
    from asc_bench.runs.fusion import fusions
    from asc_bench.runs.plan import plan
    from asc_bench.runs.settings import Settings, Workers
    from asc_bench.runs.store import ResultsStore
    from asc_bench.runs.work import compute, survey
    from asc_bench.screen import Screen

    asked = fusions(systems, options.split(rule))
    source = given.source()
    store, settings = ResultsStore(results), Settings(cache=source.cache_folder)
    selection, copies = options.selection(as_published, hold_out), options.augmentation(augment)
    with Screen(quiet=quiet) as screen:
        with screen.phase("recordings") as progress:
            bench = source.bench(protocol, progress)
        specs = plan(
            bench,
            asked,
            budget=options.budget(budget),
            repeats=range(repeats),
            folds=options.split(folds),
            selection=selection,
            augmentation=copies,
        )
        if all(spec.refusal for spec in specs):
            raise ConfigError(f"{specs[0].variant} cannot be made: {specs[0].refusal}")
        members = {member.key: member for spec in specs for member in spec.members}
        work = survey([*members.values(), *specs], bench, store, settings)
        _refuse_missing(work)
        work = compute(work, store, settings, Workers(), screen)
        with screen.phase("tables") as progress:
            progress(0.0, "resampling recording locations")
            place = tables_folder(results, bench.tagged(selection, copies), budget, "fusions")
            report = report_fusions(work, place, folds=options.split(folds))
    echo_report(report)
    if not quiet:
        echo(f"\nTables, figures and report: {report.folder}", err=True)
    conclude(work.unfinished, len(work.wanted))


def _refuse_missing(work: Work) -> None:
    from asc_bench.errors import ConfigError

    missing = [spec for spec in work.todo if not spec.members]
    if missing:
        names = ",".join(dict.fromkeys(str(spec.variant) for spec in missing))
        raise ConfigError(
            f"{len(missing)} of the members' runs are missing, such as {missing[0].title}; nothing is trained "
            f"here. Make them with `asc-bench run -s '{names}'` and the same options"
        )
