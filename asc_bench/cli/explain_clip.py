"""``asc-bench explain-clip``: what a stored system makes of an audio file, and where it looks."""

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

    from asc_bench.bench.bench import Bench
    from asc_bench.clips import Clips
    from asc_bench.data.audio import AudioFacts
    from asc_bench.labels import LabelSpace
    from asc_bench.runs.plan import RunSpec
    from asc_bench.systems.base import System


@takes(Recordings)
def command(
    file: Annotated[Path, typer.Argument(help="Audio file, mono or stereo, at any rate.")],
    system: Annotated[
        str,
        typer.Option("--system", "-s", help="One system, such as 'my-net[width=64]', run with --keep-weights."),
    ],
    protocol: options.Protocol,
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    fold: Annotated[str, typer.Option(help="Fold that it was trained on; the first if not given.")] = "",
    repeat: Annotated[int, typer.Option(help="Which repeat, counted from 0.", min=0)] = 0,
    scene: Annotated[str, typer.Option(help="Class whose attention is shown; else the most probable one.")] = "",
    recorder: Annotated[
        str, typer.Option(help="Recording device, such as A, for systems that use it at test time.")
    ] = "",
    start: Annotated[float, typer.Option(help="Where the clip begins in the file, in s.", min=0.0)] = 0.0,
    out: Annotated[Path | None, typer.Option(help="Folder for the picture; else RESULTS/explained.")] = None,
    results: options.Results = options.RESULTS,
    *,
    given: Recordings,
) -> None:
    """Classify an audio file with a stored system and draw where it looks.

    The file is read as the clips of the data set are. If it is longer than such a clip, a part of it is taken;
    if it is shorter, it is refused. Of a system without attention the probabilities are printed before this is
    reported as an error.
    """
    from asc_bench.analysis.clip import check_file, outside_clip
    from asc_bench.errors import ConfigError
    from asc_bench.names import near
    from asc_bench.registry import protocols
    from asc_bench.runs.fitted import fitted_system
    from asc_bench.runs.plan import plan
    from asc_bench.runs.store import ResultsStore
    from asc_bench.runs.variant import parse_variants
    from asc_bench.screen import Screen

    variants = parse_variants(system)
    if len(variants) != 1:
        raise ConfigError(f"--system stands for {len(variants)} systems, such as {variants[0]}; give one")
    chosen_budget, selection = options.budget(budget), options.selection(as_published, hold_out)
    wanted = protocols().get(protocol)
    if scene and scene not in wanted.labels.fine:
        raise ConfigError(f"{protocol} has no class {scene!r}{near(scene, wanted.labels.fine)}")
    copies = options.augmentation(augment)
    source = given.source()
    facts = check_file(file, start_s=start, duration_s=wanted.clip_duration_s)
    with Screen() as screen, screen.phase("recordings") as progress:
        bench = source.bench(protocol, progress)
        spec, *_ = plan(
            bench,
            variants,
            budget=chosen_budget,
            repeats=[repeat],
            folds=[fold] if fold else [],
            selection=selection,
            augmentation=copies,
        )
        progress(0.9, "loading the weights")
        fitted = fitted_system(spec, bench, ResultsStore(results))
        clips = outside_clip(file, fitted, start_s=start, recorder=recorder)
        progress(1.0, "predicting")
        probabilities = _probabilities(fitted, clips)
    heading = _setting(spec, bench, recorder)
    echo(heading)
    echo(_taken(file, facts, start, wanted.clip_duration_s))
    for level, row in probabilities.items():
        echo(f"\n{_table(wanted.labels, level, row)}\n")
    folder = out if out is not None else results / "explained"
    stem = folder / "-".join(part for part in (spec.key[:8], recorder) if part)
    for path in _draw(file, fitted, clips, probabilities, scene=scene, title=heading, stem=stem):
        echo(str(path))


def _probabilities(system: System, clips: Clips) -> dict[str, npt.NDArray[np.float32]]:
    """Of the only clip, by label level, the fine one first."""
    from asc_bench.bench.examples import by_level

    given = by_level(system.predict(clips), system.task.labels)
    return {level: given[level][0] for level in system.task.labels.levels if level in given}


def _draw(
    file: Path,
    system: System,
    clips: Clips,
    probabilities: dict[str, npt.NDArray[np.float32]],
    *,
    scene: str,
    title: str,
    stem: Path,
) -> tuple[Path, ...]:
    from asc_bench.analysis.attention import attention_maps
    from asc_bench.analysis.explanation import draw_explanation
    from asc_bench.analysis.spectrogram import log_mel_of
    from asc_bench.errors import ConfigError
    from asc_bench.labels import FINE
    from asc_bench.names import slug
    from asc_bench.reporting.figures import save_figure

    maps = attention_maps(system, clips)
    front_end = log_mel_of(system.front_end())
    fine = system.task.labels.fine
    if FINE not in probabilities:
        raise ConfigError(f"{system.card.name} predicts no scene, so there is none whose attention could be shown")
    top = int(probabilities[FINE].argmax())
    shown = fine.index(scene) if scene else top
    said = f"{file.name}: {fine[top]}, probability {probabilities[FINE][top]:.3f}"
    if shown != top:
        said += f"; attention of {fine[shown]}, probability {probabilities[FINE][shown]:.3f}"
    figure = draw_explanation(
        clips.features.load()[0],
        maps[0, shown],
        front_end,
        duration_s=system.task.clip_duration_s,
        title=f"{said}\n{title}",
    )
    return save_figure(figure, stem.with_name(f"{slug(file.stem)}-{slug(fine[shown])}-{stem.name}"))


def _setting(spec: RunSpec, bench: Bench, recorder: str) -> str:
    from asc_bench.bench.bench import Selection

    dataset = bench.dataset
    kind = " (synthetic)" if dataset.synthetic else ""
    device = f", device {recorder}" if recorder else ""
    chosen = f", selection {spec.selection}" if spec.selection is not Selection.OWN else ""
    chosen += f", augmentation {spec.augmentation}" if spec.augmentation else ""
    return f"{spec.title}{device}, {spec.protocol} on {dataset.name}{kind}, {spec.budget} budget{chosen}"


def _taken(file: Path, facts: AudioFacts, start_s: float, duration_s: float) -> str:
    """Which part of the file is looked at."""
    left_s = facts.duration_s - start_s
    lasts = f"{file} lasts {round(facts.duration_s, 3):g} s"
    if left_s < duration_s:
        return f"{lasts}; {1000 * (duration_s - left_s):.0f} ms of silence are added to a clip of {duration_s:g} s"
    if left_s > duration_s:
        return f"{lasts}; taken are the {duration_s:g} s from {start_s:g} s on (--start chooses others)"
    return lasts


def _table(labels: LabelSpace, level: str, row: npt.NDArray[np.float32]) -> str:
    from tabulate import tabulate

    order = (-row).argsort(kind="stable")
    names = labels.classes(level)
    return tabulate([(names[i], row[i]) for i in order], headers=(level, "probability"), floatfmt=".3f")
