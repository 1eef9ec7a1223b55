"""``asc-bench score-package``: an inference package of DCASE 2025 on the test clips of a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.score import Name, show
from asc_bench.cli.shared import Recordings, takes


@takes(Recordings)
def command(
    package: Annotated[Path, typer.Argument(help="Folder with the package, such as Schmid_CPJKU_task1.")],
    protocol: options.Protocol,
    trust: Annotated[bool, typer.Option("--trust", help="Run its code, which you have read.")] = False,
    index: Annotated[int, typer.Option(help="Which of its modules.", min=1, max=4)] = 1,
    python: Annotated[
        Path | None, typer.Option(help="Python of the environment that it needs; else this one.")
    ] = None,
    cuda: Annotated[bool, typer.Option("--cuda", help="Tell it that it may use the GPU.")] = False,
    time_limit: Annotated[float, typer.Option(help="Seconds after which it is ended.", min=1)] = 3600.0,
    name: Name = "",
    results: options.Results = options.RESULTS,
    *,
    given: Recordings,
) -> None:
    """Run a package's predict in a process of its own, store what it gives as an external system, print its scores.

    It is given the recording device of each clip, "unknown" for devices that are not trained on. What it prints is
    kept in RESULTS/packages.
    """
    import pandas as pd

    from asc_bench.bench.completeness import incomplete
    from asc_bench.errors import ConfigError
    from asc_bench.external import PREFIX, keep
    from asc_bench.names import slug
    from asc_bench.runs.made_elsewhere import check_name
    from asc_bench.runs.store import ResultsStore
    from asc_bench.screen import Screen
    from asc_bench.submissions.package import Package, device_names, require_trust, run_package

    found = Package.of(package, index)
    require_trust(trust, found)
    called = name or found.name
    check_name(called)
    with Screen() as screen:
        with screen.phase("recordings") as progress:
            bench = given.source().bench(protocol, progress)
        if not bench.dataset.complete:
            raise incomplete(bench.protocol.name, bench.dataset)
        if len(bench.folds) != 1:
            raise ConfigError(f"{protocol} has {len(bench.folds)} folds; a package is trained on one")
        (fold,) = bench.folds
        with screen.phase(found.name) as progress:
            progress(0.0, f"{len(fold.test):,} files")
            classes = bench.protocol.labels.fine
            values = run_package(
                found,
                [bench.dataset.root / path for path in bench.column("path", fold.test)],
                device_names(list(bench.column("device", fold.test)), bench.task(fold).devices),
                classes,
                folder=results / "packages" / slug(called),
                time_limit_s=time_limit,
                python=python,
                cuda=cuda,
            )
    columns = {"clip_id": fold.test} | {PREFIX + scene: values[:, i] for i, scene in enumerate(classes)}
    keep(
        pd.DataFrame(columns),
        bench,
        ResultsStore(results),
        name=called,
        origin={"package": found.module, "probabilities": True, "needs_device": "test"},
    )
    show(bench, called, results, folds=[])
