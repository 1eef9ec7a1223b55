"""``asc-bench embed``: where stored systems put the clips, as a file, as distances and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo
from asc_bench.cli.shared import Recordings, takes

if TYPE_CHECKING:
    from asc_bench.analysis.embedded_runs import Embedded
    from asc_bench.analysis.projection import Panel
    from asc_bench.bench.bench import Bench
    from asc_bench.labels import LabelSpace
    from asc_bench.reporting.setting import Setting
    from asc_bench.runs.plan import RunSpec


@takes(Recordings)
def command(
    system: Annotated[
        str,
        typer.Option("--system", "-s", help="One system, such as 'my-net[width=64]', run with --keep-weights."),
    ],
    protocol: options.Protocol,
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    folds: options.Folds = "",
    repeat: Annotated[int, typer.Option(help="Which repeat, counted from 0.", min=0)] = 0,
    split: Annotated[str, typer.Option(help="Which clips of each fold: test, validation or train.")] = "test",
    projection: Annotated[str, typer.Option(help="pca or tsne.")] = "pca",
    seed: Annotated[int, typer.Option(help="Seed of t-SNE.", min=0)] = 0,
    device: options.Device = "auto",
    out: Annotated[Path | None, typer.Option(help="Folder for the files; else below RESULTS/embeddings.")] = None,
    results: options.Results = options.RESULTS,
    *,
    given: Recordings,
) -> None:
    """Write the embeddings of clips by a stored system, measure their clusters and draw them.

    A neural system that says nothing else embeds a clip as what its network's last layer sees.
    Every fold's network embeds its own clips, and is measured and drawn alone: networks share no space. A clip
    that is given as several waveforms has the mean of their embeddings. The Parquet file has a row for each clip
    and a column for each number (e000, e001, ...); its metadata name the runs.
    """
    from asc_bench.analysis.embedded_runs import SPLITS, embedded, refuse_without_embedding
    from asc_bench.bench.host import n_cores
    from asc_bench.errors import ConfigError
    from asc_bench.reporting.setting import Setting
    from asc_bench.runs.fitted import fitted_system
    from asc_bench.runs.plan import plan
    from asc_bench.runs.settings import Settings
    from asc_bench.runs.store import ResultsStore
    from asc_bench.runs.variant import parse_variants
    from asc_bench.screen import Screen
    from asc_bench.training.device import choose_device

    options.one_of("--split", split, SPLITS)
    options.one_of("--projection", projection, ("pca", "tsne"))
    variants = parse_variants(system)
    if len(variants) != 1:
        raise ConfigError(f"--system stands for {len(variants)} systems, such as {variants[0]}; give one")
    refuse_without_embedding(variants[0].name)
    chosen_budget, selection = options.budget(budget), options.selection(as_published, hold_out)
    copies = options.augmentation(augment)
    source = given.source()
    settings = Settings(cache=source.cache_folder, device=choose_device(device), n_threads=n_cores())
    store = ResultsStore(results)
    with Screen() as screen:
        with screen.phase("recordings") as progress:
            bench = source.bench(protocol, progress)
        specs = plan(
            bench,
            variants,
            budget=chosen_budget,
            repeats=[repeat],
            folds=options.split(folds),
            selection=selection,
            augmentation=copies,
        )
        by_name = {fold.name: fold for fold in bench.folds}
        with screen.phase("embedding") as progress:
            fitted = [fitted_system(spec, bench, store, device=settings.device) for spec in specs]
            parts, manifests = [], []
            for i, (spec, one) in enumerate(zip(specs, fitted, strict=True)):
                progress(i / len(specs), spec.fold)
                parts.append(embedded(one, bench, by_name[spec.fold], settings, split=split))
                run = store.load(spec)
                assert run is not None
                manifests.append(run.manifest)
    setting = Setting.of(manifests)
    tag = bench.tagged(selection, copies)
    folder = out if out is not None else results / "embeddings" / tag / budget
    about = f"{specs[0].variant}{f', repeat {repeat}' if repeat else ''}, {split} clips"
    stem = folder / _stem(specs, split)
    written = [_write(stem, parts, bench, setting, manifests, split=split)]
    echo(f"{setting.title}\n{about}\n\n{_distances(parts, bench.protocol.labels)}\n")
    for sentence in (*setting.caveats, *_notes(specs, bench, parts, split)):
        echo(sentence)
    echo(str(written[0]))
    heading = f"{about}\n{setting.title}"
    for path in _draw(stem, parts, bench.protocol.labels, heading, setting, method=projection, seed=seed):
        echo(str(path))


def _stem(specs: Sequence[RunSpec], split: str) -> str:
    """File name of these folds; a digest of the run keys keeps what was computed from other runs."""
    from asc_bench.bench import keys
    from asc_bench.names import slug

    return f"{slug(str(specs[0].variant))}-{split}-{keys.digest([spec.key for spec in specs])[:8]}"


def _write(
    stem: Path,
    parts: Sequence[Embedded],
    bench: Bench,
    setting: Setting,
    manifests: Sequence[Mapping[str, Any]],
    *,
    split: str,
) -> Path:
    from asc_bench.analysis.embedded_runs import embedding_file
    from asc_bench.files import write_atomic

    about = {
        "title": setting.title,
        "system": manifests[0]["system"],
        "variant": manifests[0]["variant"],
        "protocol": setting.protocol,
        "protocol_version": setting.protocol_version,
        "dataset": setting.dataset,
        "synthetic": setting.synthetic,
        "synthetic_size": setting.synthetic_size,
        "budget": setting.budget,
        "selection": setting.selection,
        "augmentation": setting.augmentation,
        "split": split,
        "repeat": manifests[0]["repeat"],
        "runs": {manifest["fold"]: manifest["key"] for manifest in manifests},
        "caveats": list(setting.caveats),
    }
    path = stem.with_name(f"{stem.name}.parquet")
    write_atomic(path, embedding_file(parts, bench.protocol.labels, about))
    return path


def _distances(parts: Sequence[Embedded], labels: LabelSpace) -> str:
    """A line for each fold, level and scale."""
    from tabulate import tabulate

    from asc_bench.analysis.embedded_runs import SCALES, distances
    from asc_bench.reporting.text import decimals

    rows, reasons = [], []
    for part in parts:
        measured, undefined = distances(part, labels)
        for level in reversed(labels.levels):
            for scale in SCALES:
                found = measured.get((level, scale))
                numbers = [decimals(found.icd), decimals(found.iccd), str(found.n_clusters)] if found else ["–"] * 3
                rows.append((part.fold, level, scale, *numbers, str(found.n_alone) if found else "–"))
        reasons += [f"{part.fold}, {level}, {scale}: {reason}." for (level, scale), reason in undefined.items()]
    headers = ("fold", "level", "embedding", "ICD", "ICCD", "classes", "with one clip")
    table = tabulate(rows, headers=headers, disable_numparse=True, colalign=("left",) * 3 + ("right",) * 4)
    return "\n".join([table, "", *reasons] if reasons else [table])


def _notes(specs: Sequence[RunSpec], bench: Bench, parts: Sequence[Embedded], split: str) -> list[str]:
    from asc_bench.bench.examples import limited

    notes = [
        f"ICD: mean over classes of the mean distance between two clips. ICCD: mean distance of two centroids. "
        f"Euclidean, {parts[0].vectors.shape[1]} numbers per clip; unit: each embedding divided by its length."
    ]
    if "views" in bench.clips.columns and (bench.clips["views"] != "").any():
        notes.append("A binaural clip has the mean of the embeddings of its waveforms, before any division.")
    if len(parts) > 1:
        notes.append("The networks of different folds share no space: do not mix their rows.")
    uses = specs[0].variant.build(bench.task(bench.folds[0]), specs[0].budget).uses_validation
    seen = limited(bench.folds[0], bench.rows, uses, specs[0].selection)
    if set(parts[0].clips["clip_id"]) & set(seen.train):
        notes.append(f"The network was trained on these {split} clips.")
    return notes


def _draw(
    stem: Path,
    parts: Sequence[Embedded],
    labels: LabelSpace,
    heading: str,
    setting: Setting,
    *,
    method: str,
    seed: int,
) -> tuple[Path, ...]:
    from asc_bench.analysis.embedded_runs import class_names
    from asc_bench.analysis.projection import Panel, draw_projections, project
    from asc_bench.reporting.figures import save_figure

    level = labels.levels[-1]
    panels: list[Panel] = []
    for part in parts:
        found = project(part.vectors, method=method, seed=seed)
        kept = f", {100 * found.kept:.0f} % of the variance" if found.kept is not None else ""
        title = f"{part.fold}: {len(part.vectors):,} clips{kept}"
        panels.append(Panel(title=title, projection=found, classes=class_names(part.clips, labels)[level]))
    how = {"pca": "principal components", "tsne": f"t-SNE, seed {seed}"}[method]
    alone = "; each fold has a network and axes of its own" if len(parts) > 1 else ""
    title = "\n".join([f"Embeddings by {how}, coloured by {level} class{alone}", heading, *setting.caveats])
    figure = draw_projections(panels, classes=labels.classes(level), title=title)
    return save_figure(figure, stem.with_name(f"{stem.name}-{method}"))
