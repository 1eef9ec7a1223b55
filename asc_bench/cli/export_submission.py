"""``asc-bench export-submission``: a stored system in the files that a challenge asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo
from asc_bench.cli.shared import Recordings, takes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from asc_bench.runs.store import StoredRun


@takes(Recordings)
def command(
    system: Annotated[str, typer.Argument(help="A stored system, such as caa-net or sb-cnn[bn=true].")],
    protocol: Annotated[
        str,
        typer.Option("--protocol", "-p", help="Protocol; for 2024 all five, such as dcase2024-5,dcase2024-10."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    year: Annotated[int | None, typer.Option(help="Challenge, 2020 to 2025; else that of the protocol.")] = None,
    label: Annotated[str, typer.Option(help="Submission label, such as Lastname_Institute_task1_1.")] = "",
    evaluation: Annotated[
        Path | None,
        typer.Option(help="Folder of the evaluation set, predicted with the weights that --keep-weights kept."),
    ] = None,
    repeat: Annotated[int, typer.Option(help="Which repeat, counted from 0.", min=0)] = 0,
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    results: options.Results = options.RESULTS,
    *,
    given: Recordings,
) -> None:
    """Write output.csv and meta.yaml of a stored system in a year's format.

    Without --evaluation the predictions are those of the development set's test clips, for which no recordings
    are needed. What only the authors know begins with FILL IN in the meta file, and check-submission refuses it.
    """
    from asc_bench.errors import ConfigError
    from asc_bench.files import write_atomic
    from asc_bench.submissions.check import META
    from asc_bench.submissions.meta import checked_label, complexity_of, default_label, meta_of, meta_text
    from asc_bench.submissions.write import development_results, fine_rows, output_text
    from asc_bench.submissions.years import year_of

    names = options.split(protocol)
    if not names:
        raise ConfigError("name a protocol (--protocol)")
    format_ = year_of(names[0], year)
    label = checked_label(label or default_label(format_), format_)
    texts, measured, runs = {}, {}, []
    for name in names:
        output = year_of(name, format_.year).output_of(name)
        assert output is not None  # year_of raises then
        run = _stored(system, name, repeat, given, results, budget, as_published, hold_out, augment)
        rows = fine_rows(run.predictions)
        if evaluation is None:
            files = [f"audio/{clip}.wav" for clip in rows["clip_id"]]
            values = _stacked(run)
        else:
            files, values = _predicted(run, name, evaluation, given, results)
        texts[format_.file_name(label, output)] = output_text(files, values)
        measured[output] = development_results(rows, format_)
        runs.append(run)
    meta = meta_of(
        format_,
        label,
        title=str(runs[0].manifest["variant"]),
        complexity=complexity_of(runs[0].manifest, format_),
        results=measured,
    )
    texts[f"{label}{META}"] = meta_text(meta, format_, notes=_notes(runs[0]))
    for file_name, text in texts.items():
        write_atomic(out / file_name, text)
        echo(str(out / file_name))
    lacking = [file for o in format_.outputs if (file := format_.file_name(label, o)) not in texts]
    if lacking:
        echo(f"still missing in {format_.year}: {', '.join(lacking)}; name all protocols at once", err=True)


def _notes(run: StoredRun) -> list[str]:
    """What a reader of the meta file must know of its numbers."""
    from asc_bench.reporting.setting import Setting
    from asc_bench.submissions.meta import MACS_DCASE

    notes = list(Setting.of([run.manifest]).caveats)
    if run.manifest.get(MACS_DCASE) is None and run.manifest.get("n_multiply_adds") is not None:
        notes.append(
            "macs: multiply-adds as asc-bench counts them, which is not the count of the challenge's tool."
        )
    return notes


def _stored(
    system: str,
    protocol: str,
    repeat: int,
    given: Recordings,
    results: Path,
    budget: str,
    as_published: bool,
    hold_out: bool,
    augment: str,
) -> StoredRun:
    """The only run that the options name."""
    from asc_bench.errors import ConfigError
    from asc_bench.stored_results import stored_results

    found = stored_results(
        results,
        protocol,
        budget=budget,
        systems=system,
        synthetic=given.synthetic,
        selection=options.selection(as_published, hold_out),
        augment=augment,
        unofficial_split=given.unofficial_split,
        unofficial_files=given.unofficial_files,
    )
    runs = [run for one in found.values() for run in one.runs if run.done and run.manifest["repeat"] == repeat]
    if len(runs) != 1:
        there = ", ".join(f"{run.manifest['variant']} {run.folder.parents[2].name}" for run in runs) or "none"
        raise ConfigError(
            f"{len(runs)} finished runs of {system!r}, repeat {repeat}, are stored ({there}); one is needed"
        )
    return runs[0]


def _stacked(run: StoredRun) -> npt.NDArray[np.float32]:
    import numpy as np

    from asc_bench.submissions.write import fine_rows

    return np.stack(fine_rows(run.predictions)["probabilities"].to_list())


def _predicted(
    run: StoredRun, protocol: str, folder: Path, given: Recordings, results: Path
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """What the run's system says of an evaluation set."""
    from asc_bench.bench.bench import Selection
    from asc_bench.bench.host import n_cores
    from asc_bench.data.file_formats import published_format
    from asc_bench.errors import ConfigError
    from asc_bench.runs.fitted import fitted_system
    from asc_bench.runs.made_elsewhere import MADE_ELSEWHERE
    from asc_bench.runs.plan import plan
    from asc_bench.runs.store import ResultsStore
    from asc_bench.runs.variant import parse_variants
    from asc_bench.screen import Screen
    from asc_bench.submissions.evaluation import evaluation_files, predict_files

    m = run.manifest
    if MADE_ELSEWHERE in m:
        raise ConfigError(f"{m['variant']} was made elsewhere: it cannot predict other files here")
    files = evaluation_files(folder)
    with Screen() as screen:
        with screen.phase("recordings") as progress:
            bench = given.source().bench(protocol, progress)
        (spec,) = plan(
            bench,
            parse_variants(m["variant"]),
            budget=options.budget(m["budget"]),
            repeats=[m["repeat"]],
            folds=[m["fold"]],
            selection=Selection(m.get("selection", Selection.OWN)),
            augmentation=options.augmentation(m.get("augmentation", "")),
        )
        fitted = fitted_system(spec, bench, ResultsStore(results))
        with screen.phase("predicting") as progress:
            as_published = bench.dataset.official and not bench.dataset.unofficial_files
            published = published_format(bench.dataset.name) if as_published else None
            values = predict_files(fitted, files, published=published, n_jobs=n_cores(), progress=progress)
    return [one.name for one in files], values
