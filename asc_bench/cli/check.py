"""``asc-bench check``: does a system keep its contract?"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from asc_bench.cli import completion, options
from asc_bench.cli.printing import echo


def command(
    system: Annotated[str, typer.Argument(autocompletion=completion.system, help="A system, or all.")],
    cache: options.Cache = None,
) -> None:
    """Examine whether a system keeps its contract.

    On a tiny synthetic three-device set: shapes, seeds, independence of clips, saving, cost.
    """
    from asc_bench.conformance import check
    from asc_bench.errors import ConfigError
    from asc_bench.runs.variant import variants_of

    n_failed = 0
    variants = variants_of(system)
    for variant in variants:
        started = time.perf_counter()
        echo(f"{variant}")
        try:
            found = check(variant, cache=cache, watch=lambda outcome: echo(str(outcome)))
        except ConfigError as error:
            if len(variants) == 1:
                raise
            echo(f"  left out: {error}")
            continue
        n_failed += sum(not outcome.passed for outcome in found.outcomes)
        echo(f"  {time.perf_counter() - started:.1f} s")
    if n_failed:
        echo(f"{n_failed} checks failed", err=True)
        raise typer.Exit(1)
