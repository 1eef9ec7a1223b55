"""``asc-bench verify``: do the tables say what the predictions say?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from asc_bench.cli.printing import echo


def command(
    results: Annotated[
        list[Path] | None, typer.Argument(help="Folders of results.", show_default="results")
    ] = None,
) -> None:
    """Recompute the numbers of every table (CSV, Markdown, LaTeX, text) from the stored predictions.

    Digests of the runs' files are compared first; figures and web pages are not looked at. Nothing is changed.
    Whether the predictions come from the systems that they are named after is not looked at: that needs the
    recordings and another training. Exit code 1 if something is wrong.
    """
    from asc_bench.verification import verify

    wrong = False
    for folder in results or [Path("results")]:
        counts: Counter[tuple[str, str]] = Counter()
        for finding in verify(folder):
            counts[finding.what, finding.state] += 1
            if finding.text:
                echo(f"{finding.state}: {finding.what} {finding.place}: {finding.text}")
        for what, meaning in (
            ("run", "their files are those that were stored"),
            ("table", "every number follows from the predictions"),
        ):
            n = {state: counts[what, state] for state in ("verified", "wrong", "not verified")}
            total = sum(n.values())
            others = "".join(f", {n[state]} {state}" for state in ("wrong", "not verified") if n[state])
            echo(f"{folder}: {n['verified']} of {total} {what}s verified ({meaning}){others}")
        wrong = wrong or any(state == "wrong" for _, state in counts)
    if wrong:
        raise typer.Exit(1)
