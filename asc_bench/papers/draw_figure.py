"""A paper's figure, drawn from stored runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from asc_bench.errors import ConfigError
from asc_bench.names import slug
from asc_bench.papers.figure import Drawn, Material, PaperFigure, Part, silent
from asc_bench.papers.item import Cut, described, inside
from asc_bench.reporting.figures import any_backend, save_figure
from asc_bench.reporting.kept_scores import scored
from asc_bench.reporting.setting import Setting
from asc_bench.runs.settings import Settings
from asc_bench.runs.variant import parse_variants
from asc_bench.runs.work import Work


def asked_parts(item: PaperFigure, cut: Cut) -> list[Part]:
    """The parts that a cut leaves, with their variants written canonically.

    Raises
    ------
    ConfigError
        If none is left.
    """
    left = [part for part in item.parts() if inside(part.at, cut)]
    if not left:
        raise ConfigError(f"{item.name} shows nothing with {described(cut)}")
    return [replace(part, variant=str(variant)) for part in left for variant in parse_variants(part.variant)]


def draw_figure(
    item: PaperFigure,
    parts: Sequence[Part],
    work: Work,
    settings: Settings,
    folder: Path,
    *,
    cut: Cut,
    progress: Callable[[float, str], None] = silent,
) -> tuple[Path, ...] | None:
    """Draw and write a figure; None if no part of it has finished runs.

    Parameters
    ----------
    item : PaperFigure
        The published figure.
    parts : sequence of Part
        From ``asked_parts``. Those with a failed or missing run are left out, and the title says so.
    work : Work
        Runs of the parts, as far as they are there.
    settings : Settings
        Cache and device, for figures that need the fitted systems; the device may be ``auto``.
    folder : Path
        Where ``figure.png`` and ``.svg`` go; the name of a part of the figure says which.
    cut : mapping
        What was asked for.
    progress : callable
        Given the finished fraction and a few words by figures that take long.
    """
    runs = work.by_variant()
    whole = {v: [r for r in its if r] for v, its in runs.items() if all(r is not None and r.done for r in its)}
    drawn = tuple(
        Drawn(at=part.at, variant=part.variant, runs=tuple(whole[part.variant]))
        for part in parts
        if part.variant in whole
    )
    if not drawn:
        return None
    setting = Setting.of([run.manifest for part in drawn for run in part.runs])
    missing = [f"{len(drawn)} of {len(parts)} systems: the others failed or were not run."]
    if item.needs_weights:
        from asc_bench.training.device import choose_device

        settings = replace(settings, device=choose_device(settings.device))
    material = Material(
        parts=drawn,
        scores=scored(work.bench.protocol, {part.variant: part.runs for part in drawn}, folder),
        bench=work.bench,
        settings=settings,
        title="\n".join(
            [item.title, setting.title, *setting.caveats, *(missing if len(drawn) < len(parts) else [])]
        ),
        cut=cut,
        progress=progress,
    )
    stem = "-".join(["figure", *(value for values in cut.values() for value in values)])
    any_backend()
    return save_figure(item.draw(material), folder / slug(stem))
