"""``asc-bench site``: many folders of results as a static leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asc_bench.cli.printing import echo

OUT = Path("site")


def command(
    results: Annotated[
        list[Path] | None, typer.Argument(help="Folders of results.", show_default="results")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the site: a new or empty one, or that of an earlier site.")
    ] = OUT,
    allow_unverified: Annotated[
        bool,
        typer.Option(
            "--allow-unverified", help="Show what verifies of folders that do not verify as a whole, and say so."
        ),
    ] = False,
    documentation: Annotated[
        str, typer.Option(help="Address of the documentation for the navigation bar, relative to the site.")
    ] = "",
) -> None:
    """Write a static leaderboard of folders of results: an index, a page for each protocol and for each system.

    Every number is computed from stored predictions. The folders are verified first, and nothing in them changes.
    The pages need no server and ask for nothing from anywhere.
    """
    from asc_bench.site.build import build_site

    site = build_site(
        results or [Path("results")], out, allow_unverified=allow_unverified, documentation=documentation
    )
    for folder in site.folders:
        echo(f"{folder.label}: {folder.state}")
    echo(f"{site.n_protocols} pages of protocols, {site.n_systems} of systems: {site.folder / 'index.html'}")
