"""``asc-bench distil``: a network that learns from other systems, beside itself alone and these."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo, echo_report
from asc_bench.cli.shared import Running, takes

Teachers = Annotated[
    str,
    typer.Option(help="Systems to learn from, separated by commas; the mean of their logits is taken."),
]
Student = Annotated[str, typer.Option(help="The neural system that learns, such as cp-mobile.")]
Logits = Annotated[
    str,
    typer.Option(help="in-sample (of teachers trained on the same clips, as published) or cross-fitted (without)."),
]
Cv = Annotated[int | None, typer.Option(help="Of cross-fitted: groups of recording locations.", min=2)]
Temperature = Annotated[float | None, typer.Option(help="Of the distillation loss.")]
LabelWeight = Annotated[
    float | None, typer.Option(help="Weight of the student's own loss, 0 to 1; the rest is the distillation's.")
]
ExternalWeights = Annotated[
    bool, typer.Option("--allow-external-weights", help="Take teachers whose files may have seen test clips.")
]


@takes(Running)
def command(
    teachers: Teachers,
    student: Student,
    logits: Logits = "",
    cv: Cv = None,
    temperature: Temperature = None,
    label_weight: LabelWeight = None,
    allow_external_weights: ExternalWeights = False,
    folds: options.Folds = "",
    table: options.Table = "",
    *,
    given: Running,
) -> None:
    """Distil teachers into a student, and compare it with the student alone and the teachers.

    Every run that is not stored is made: teachers, the student alone, the distilled one. All are runs of the same
    budget; the notes of the table say what the teachers cost. How it works: docs/howto/distillation.md.
    """
    from asc_bench.cli.work import carry_out_on, conclude, experiment_of
    from asc_bench.errors import ConfigError
    from asc_bench.runs.teachers import DISTILLED
    from asc_bench.runs.variant import variant_of, variants_of
    from asc_bench.screen import Screen
    from asc_bench.systems.distilled import SEPARATOR
    from asc_bench.typed_text import split_items

    asked = given.chosen()
    settings = {
        "logits": logits or None,
        "cv": cv,
        "temperature": temperature,
        "label_weight": label_weight,
        "external_weights": "allow" if allow_external_weights else None,
    }
    named = SEPARATOR.join(split_items(teachers))
    chosen = {name: value for name, value in settings.items() if value is not None}
    distilled = variant_of(DISTILLED, student=student, teachers=named, **chosen)
    alone = variant_of(student)
    variants = variants_of([distilled, alone, *split_items(teachers)])
    experiment = experiment_of(given, folds=folds)
    with Screen(quiet=given.quiet) as screen:
        bench = experiment.bench(asked, screen)
        specs = experiment.plan(bench, variants)
        refused = next((spec for spec in specs if spec.variant == distilled and spec.refusal), None)
        if refused is not None:
            raise ConfigError(f"{student} cannot be distilled on {refused.fold}: {refused.refusal}")
        work = carry_out_on(experiment, screen, bench, specs, dry_run=given.dry_run)
        if work is None:
            return
        with screen.phase("tables") as progress:
            progress(0.0, "resampling recording locations")
            report = experiment.results(work, table or str(distilled)).report(reference=str(alone))
    echo_report(report)
    if not given.quiet:
        echo(f"\nTables, figures and report: {report.folder}", err=True)
    conclude(work.unfinished, len(work.wanted))
