"""``asc-bench compare``: is A really better than B?"""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli import options


def command(
    a: Annotated[str, typer.Argument(help="A stored system, such as caa-net or sb-cnn[bn=true].")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    protocol: options.Protocol,
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    measure: Annotated[str, typer.Option(help="Measure; the protocol's primary one if not given.")] = "",
    synthetic: options.Synthetic = False,
    results: options.Results = options.RESULTS,
) -> None:
    """Paired tests of two systems from their stored predictions."""
    from asc_bench.cli.report import stored_runs
    from asc_bench.errors import ConfigError
    from asc_bench.names import near
    from asc_bench.registry import protocols
    from asc_bench.reporting.comparisons import significance_text_table
    from asc_bench.reporting.report_runs import predictions_of
    from asc_bench.scoring.frames import significance_table
    from asc_bench.scoring.measure import PROBABILITY_MEASURES

    instance = protocols().get(protocol)()
    further = () if instance.multi_label else PROBABILITY_MEASURES
    measures = {m.name: m for m in (*instance.measures_on(()), *further)}
    if measure and measure not in measures:
        raise ConfigError(f"{protocol} has no measure {measure!r}{near(measure, measures)}")
    chosen = measures[measure] if measure else instance.measures_on(())[0]
    selection = options.selection(as_published, hold_out)
    copies = options.augmentation(augment)
    stored = stored_runs(results, protocol, budget, "*", synthetic, selection, copies)
    by_data = {tag: [run for run in runs if run.done] for tag, runs in stored.items()}
    variants = {tag: {str(run.manifest["variant"]) for run in done} for tag, done in by_data.items()}
    names = sorted({name for found in variants.values() for name in found})
    for name in (a, b):
        if name not in names:
            raise ConfigError(f"no finished run of {name!r} is stored{near(name, names)}")
    if not any({a, b} <= found for found in variants.values()):
        where = "; ".join(
            f"{tag} has {', '.join(sorted(found & {a, b})) or 'neither'}" for tag, found in variants.items()
        )
        raise ConfigError(f"{a} and {b} are not stored on the same data: {where}")
    for done in (done for tag, done in by_data.items() if {a, b} <= variants[tag]):
        both = [run for run in done if run.manifest["variant"] in (a, b)]
        pair = significance_table(predictions_of(instance, both), chosen, reference=b)
        manifests = [run.manifest for run in both]
        typer.echo(significance_text_table(pair, manifests, measures=[chosen]).to_text())
