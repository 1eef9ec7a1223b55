"""``asc-bench check-submission``: whether a challenge could take a submission as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asc_bench.cli.printing import echo


def command(
    folder: Annotated[Path, typer.Argument(help="Of one submission, as export-submission writes it.")],
    year: Annotated[int, typer.Option(help="Challenge, 2020 to 2025.")],
    list_: Annotated[
        Path | None,
        typer.Option("--list", help="List of the files to be predicted; else the evaluation set of 2020 to 2024."),
    ] = None,
) -> None:
    """Hold a submission against a year's format, more strictly than the official validators do.

    Every file has one row; probabilities sum to one, and the label is the most probable class; every field is
    there, filled in, of the right type and within the limits of the year.
    """
    from asc_bench.errors import ConfigError
    from asc_bench.names import count
    from asc_bench.submissions.check import listed_files, submission_faults
    from asc_bench.submissions.years import YEARS

    if year not in YEARS:
        raise ConfigError(f"there is no submission format of {year}; there are {', '.join(map(str, YEARS))}")
    files = listed_files(list_) if list_ is not None else ()
    faults = submission_faults(folder, YEARS[year], files=files)
    for fault in faults:
        echo(fault)
    if faults:
        echo(f"{count(len(faults), 'fault')} in {folder}", err=True)
        raise typer.Exit(1)
    echo(f"{folder}: whole, as {year} asked for it")
