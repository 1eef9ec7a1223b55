"""``asc-bench compare``: is A really better than B?"""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli import completion, options
from asc_bench.cli.printing import echo_brief, echo_pair


def command(
    a: Annotated[
        str,
        typer.Argument(
            autocompletion=completion.system,
            help="A stored system, such as caa-net or sb-cnn[bn=true]; without one, all pairs.",
        ),
    ] = "",
    b: Annotated[
        str,
        typer.Argument(autocompletion=completion.system, help="Another one; without it, A against every other."),
    ] = "",
    *,
    protocol: options.Protocol,
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    measure: Annotated[str, typer.Option(help="Measure; the protocol's primary one if not given.")] = "",
    synthetic: options.Synthetic = False,
    unofficial_split: options.UnofficialSplit = False,
    unofficial_files: options.UnofficialFiles = False,
    results: options.Results = options.RESULTS,
) -> None:
    """Paired tests of two systems, or a line for each pair, from stored predictions."""
    from asc_bench.errors import ConfigError
    from asc_bench.names import near
    from asc_bench.stored_results import stored_results

    found = stored_results(
        results,
        protocol,
        budget=budget,
        synthetic=synthetic,
        selection=options.selection(as_published, hold_out),
        augment=augment,
        unofficial_split=unofficial_split,
        unofficial_files=unofficial_files,
    )
    stored = {
        tag: {str(run.manifest["variant"]) for run in of_data.runs if run.done} for tag, of_data in found.items()
    }
    names = sorted({name for there in stored.values() for name in there})
    for name in filter(None, (a, b)):
        if name not in names:
            raise ConfigError(f"no finished run of {name!r} is stored{near(name, names)}")
    asked = {a, b} - {""}
    if not any(asked <= there for there in stored.values()):
        where = "; ".join(
            f"{tag} has {', '.join(sorted(there & asked)) or 'neither'}" for tag, there in stored.items()
        )
        raise ConfigError(f"{a} and {b} are not stored on the same data: {where}")
    for tag, there in stored.items():
        if b and asked <= there:
            echo_pair(found[tag].comparison(a, b, measure))
        elif asked <= there:
            echo_brief([found[tag].pairs(a or None, measure)])
