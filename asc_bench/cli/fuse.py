"""``asc-bench fuse``: late fusion of stored predictions, without training anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from asc_bench.experiment.variant import Variant
    from asc_bench.experiment.work import Work


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
    synthetic: options.Synthetic = False,
    synthetic_size: options.SyntheticSize = "small",
    synthetic_seed: options.SyntheticSeed = 0,
    sources: options.Sources = "",
    repeats: options.Repeats = 1,
    folds: options.Folds = "",
    data: options.Data = None,
    cache: options.Cache = None,
    results: options.Results = options.RESULTS,
    quiet: options.Quiet = False,
) -> None:
    """Fuse stored predictions, and compare the fusion with its members.

    Rules without weights need nothing more. "stacking" fits its weights on validation predictions, which all
    systems leave when they are run with --hold-out. No test clip is looked at before the weights stand.
    """
    from asc_bench.cli.screen import Screen
    from asc_bench.cli.work import conclude
    from asc_bench.experiment.fusing import members_and_fusions
    from asc_bench.experiment.parallel import Workers
    from asc_bench.experiment.plan import plan
    from asc_bench.experiment.runner import Settings
    from asc_bench.experiment.store import ResultsStore
    from asc_bench.experiment.work import compute, survey

    members, fusions = members_and_fusions(systems, options.split(rule))
    source = options.source(data, cache, synthetic, synthetic_size, synthetic_seed, sources)
    store, settings = ResultsStore(results), Settings(cache=source.cache_folder)
    selection, copies = options.selection(as_published, hold_out), options.augmentation(augment)
    with Screen(quiet=quiet) as screen:
        with screen.phase("recordings") as progress:
            bench = source.bench(protocol, progress)
        specs = plan(
            bench,
            [*members, *fusions],
            budget=options.budget(budget),
            repeats=range(repeats),
            folds=options.split(folds),
            selection=selection,
            augmentation=copies,
        )
        work = survey(specs, bench, store, settings)
        _refuse_missing(work)
        work = compute(work, store, settings, Workers(), screen)
        with screen.phase("tables") as progress:
            progress(0.0, "resampling recording locations")
            place = options.tables_folder(results, bench.tagged(selection, copies), budget) / "fusions"
            text, folder = _report(work, members, fusions, place, folds=options.split(folds))
    typer.echo(text)
    if not quiet:
        typer.echo(f"\nTables, figures and report: {folder}", err=True)
    conclude(work)


def _refuse_missing(work: Work) -> None:
    from asc_bench.errors import ConfigError

    missing = [spec for spec in work.todo if not spec.members]
    if missing:
        names = ",".join(dict.fromkeys(str(spec.variant) for spec in missing))
        raise ConfigError(
            f"{len(missing)} of the members' runs are missing, such as {missing[0].title}; nothing is trained "
            f"here. Make them with `asc-bench run -s '{names}'` and the same options"
        )


def _report(
    work: Work, members: list[Variant], fusions: list[Variant], place: Path, *, folds: list[str]
) -> tuple[str, Path]:
    from asc_bench.evaluation.complementarity import complementarity, right_answers
    from asc_bench.evaluation.predictions import stack_runs
    from asc_bench.experiment.summary import report
    from asc_bench.files import write_atomic
    from asc_bench.reporting.complementary import complementarity_table
    from asc_bench.slugs import slug

    protocol, names = work.bench.protocol, [str(member) for member in members]
    folder = place / slug(str(fusions[0]) if len(fusions) == 1 else "-".join(names))
    written = report(protocol, work.runs, folder, folds=folds)
    done = [run for run in work.runs if run.done and run.manifest["variant"] in names]
    predictions = stack_runs((run.manifest, run.predictions) for run in done)
    measure = protocol.measures[0]
    pairs = complementarity(predictions, measure, systems=names)
    oracle = float(right_answers(predictions, measure, systems=names).any(axis=1).mean())
    table = complementarity_table(pairs, [run.manifest for run in done], measure=measure.name, oracle=oracle)
    for ending, content in (("md", table.to_markdown()), ("csv", table.to_csv()), ("tex", table.to_latex())):
        write_atomic(folder / f"complementarity.{ending}", content)
    return f"{written.text}\n\n{table.to_text()}", folder
