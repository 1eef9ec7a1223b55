"""``asc-bench score``: predictions that other software made, in our tables and tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo, echo_brief
from asc_bench.cli.shared import Recordings, takes

if TYPE_CHECKING:
    from asc_bench.bench.bench import Bench

Name = Annotated[str, typer.Option(help="What tables call the system; else the name of the file.")]


@takes(Recordings)
def command(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: file names, labels, probabilities of classes.")],
    protocol: options.Protocol,
    name: Name = "",
    fold: Annotated[str, typer.Option(help="The fold whose test clips these are; else those of all folds.")] = "",
    separator: Annotated[
        str, typer.Option(help="tab, comma, semicolon or one character; else found in the first line.")
    ] = "",
    columns: Annotated[
        str, typer.Option(help="Names of the columns in order, separated by commas, where line 1 is data.")
    ] = "",
    results: options.Results = options.RESULTS,
    *,
    given: Recordings,
) -> None:
    """Check predictions made elsewhere, store them as those of an external system, and print its scores.

    Every test clip needs one row. Without probabilities the accuracies are computed, and what needs probabilities
    is left out. The recordings need not be here, but the lists of the data set must.
    """
    from asc_bench.digests import file_digest
    from asc_bench.external import keep
    from asc_bench.runs.store import ResultsStore
    from asc_bench.screen import Screen
    from asc_bench.submissions.prediction_file import read_prediction_file

    called = name or file.stem.removesuffix(".output")
    with Screen() as screen, screen.phase("lists") as progress:
        bench = given.source().bench(protocol, progress, audio=False)
    read = read_prediction_file(
        file, bench.protocol.labels.fine, separator=separator, columns=options.split(columns)
    )
    keep(
        read.table(bench.protocol.labels.fine),
        bench,
        ResultsStore(results),
        name=called,
        folds=options.split(fold),
        origin={"file": file.name, "sha256": file_digest(file), "probabilities": read.probabilities is not None},
    )
    show(bench, called, results, folds=options.split(fold))


def show(bench: Bench, name: str, results: Path, *, folds: list[str]) -> None:
    """Print the scores of an external system, and how it gets into other tables."""
    from asc_bench.reporting.terminal import brief_tables
    from asc_bench.stored_results import stored_results

    dataset = bench.dataset
    found = stored_results(
        results,
        bench.protocol,
        systems=name,
        folds=folds or None,
        synthetic=dataset.synthetic,
        unofficial_split=dataset.unofficial_split,
        unofficial_files=dataset.unofficial_files,
    )
    table, *_ = brief_tables(found[bench.tag].evaluation)
    echo_brief([replace(table, complete_in="results.md of asc-bench report")])
    kind = " --synthetic" if dataset.synthetic else ""
    where = "" if results == options.RESULTS else f" --results {results}"
    of_protocol = f"-p {bench.protocol.name}{kind}{where}"
    echo(
        f"Stored as {name}.\n"
        f"Beside other systems: asc-bench report {of_protocol} -s '*'\n"
        f"Tested against one: asc-bench compare {name} SYSTEM {of_protocol}",
        err=True,
    )
