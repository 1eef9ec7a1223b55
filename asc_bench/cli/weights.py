"""``asc-bench prepare`` for published weights: fetch them, or say what is there."""

from __future__ import annotations

from pathlib import Path

import typer

from asc_bench.cli.printing import echo


def prepare(name: str, *, download: bool, cache: Path) -> None:
    """Fetch a set of weights if that is asked for, and list its files.

    Raises
    ------
    Exit
        With code 1 if a file is absent.
    """
    from asc_bench.data.download.fetch import check_digest
    from asc_bench.data.weights import fetch_weights, how_to_fetch, weight_files, weights_folder
    from asc_bench.screen import Screen

    if download:
        with Screen() as screen, screen.phase("download") as progress:
            fetch_weights(name, cache=cache, progress=progress)
    folder = weights_folder(name, cache)
    echo(f"weights {name}: {folder}")
    absent = 0
    for archive in weight_files(name):
        path = folder / archive.file
        if path.is_file():
            digest = check_digest(archive, path)
            echo(f"  {archive.file}: {path.stat().st_size:,} bytes, verified; {digest}")
        else:
            absent += 1
            echo(f"  {archive.file}: absent; it is offered at {archive.url}")
    if absent:
        echo(f"fetch what is absent with {how_to_fetch(name)}", err=True)
        raise typer.Exit(1)
