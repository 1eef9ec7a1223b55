"""``asc-bench check``: does a system keep its contract?"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from asc_bench.cli import options


def command(
    system: Annotated[str, typer.Argument(help="A system, or all.")],
    cache: options.Cache = None,
) -> None:
    """Examine whether a system keeps its contract.

    On a tiny synthetic three-device set: shapes, seeds, independence of clips, saving, cost.
    """
    from asc_bench.bench.source import Source
    from asc_bench.conformance import examine, subject
    from asc_bench.errors import ConfigError
    from asc_bench.runs.variant import parse_variants

    source = Source(synthetic=True, synthetic_size="tiny", cache=cache)
    n_failed = 0
    variants = parse_variants(system)
    for variant in variants:
        started = time.perf_counter()
        if lack := variant.system.lacks(variant.params):
            if len(variants) == 1:
                raise ConfigError(f"{variant} cannot be examined: {lack}")
            typer.echo(f"{variant}\n  left out: {lack}")
            continue
        typer.echo(f"{variant}")
        for outcome in examine(subject(variant, source)):
            note = f" ({outcome.detail})" if outcome.passed and outcome.detail else ""
            typer.echo(f"  {'ok  ' if outcome.passed else 'FAIL'}  {outcome.title}{note}")
            if not outcome.passed:
                n_failed += 1
                typer.echo("\n".join(f"        {line}" for line in outcome.detail.splitlines()))
        typer.echo(f"  {time.perf_counter() - started:.1f} s")
    if n_failed:
        typer.echo(f"{n_failed} checks failed", err=True)
        raise typer.Exit(1)
