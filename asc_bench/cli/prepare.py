"""``asc-bench prepare``: find or fetch a data set or weights, check every file, compute the features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import completion, options
from asc_bench.cli.printing import echo
from asc_bench.cli.shared import Recordings, takes

if TYPE_CHECKING:
    from collections.abc import Callable

    from asc_bench.bench.augmentation import Augmentation
    from asc_bench.bench.bench import Bench
    from asc_bench.data.manifest import Dataset
    from asc_bench.screen import Screen


@takes(Recordings)
def command(
    name: Annotated[
        str, typer.Argument(autocompletion=completion.datasets, help="Data set, protocol or set of weights.")
    ],
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the archives unless the data set is complete.")
    ] = False,
    allow_unverified: Annotated[
        bool, typer.Option("--allow-unverified", help="Also fetch archives that have no published digest.")
    ] = False,
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="Do not delete archives.")] = False,
    systems: Annotated[str, typer.Option("--systems", "-s", help="Compute the features of these systems.")] = "",
    budget: options.BudgetName = "quick",
    augment: options.Augment = "",
    *,
    given: Recordings,
) -> None:
    """Find or fetch a data set or a set of weights, check it, compute features."""
    from asc_bench.cli import weights
    from asc_bench.data.store import data_roots
    from asc_bench.data.weights import weight_sets
    from asc_bench.errors import ConfigError
    from asc_bench.names import near
    from asc_bench.protocol import dataset_names
    from asc_bench.registry import layouts, protocols
    from asc_bench.screen import Screen

    source = given.source()
    is_protocol = name in protocols().found
    if name in weight_sets():
        if systems or given.sources or given.synthetic or augment:
            raise ConfigError(f"{name} is a set of weights: only --download and --cache apply to it")
        weights.prepare(name, download=download, cache=source.cache_folder)
        return
    if not is_protocol and name not in layouts().found:
        known = [*layouts().names(), *protocols().names(), *weight_sets()]
        raise ConfigError(f"there is no data set {name!r}{near(name, known)}")
    copies = options.augmentation(augment)
    if copies and not systems:
        raise ConfigError("--augment makes features of deformed copies: say for which systems with --systems")
    if given.sources and not is_protocol:
        raise ConfigError(f"{name} is a data set: --sources chooses those of a protocol that joins several")
    if given.allow_missing_training and not is_protocol:
        raise ConfigError(f"{name} is a data set: --allow-missing-training needs a protocol, which divides it")
    protocol = protocols().get(name) if is_protocol else None
    names = dataset_names(protocol) if protocol else (name,)
    joined: list[tuple[str, ...]] = []
    if protocol:
        joined = [(layout,) for s in source.chosen(protocol) for layout in protocol.sources[s]]
    with Screen() as screen:
        if download and not given.synthetic:
            with screen.phase("download") as progress:
                for wanted in joined or [layouts().get(names[0]).derived_from or names]:
                    roots = data_roots(tuple(given.data or ()))
                    _download(wanted, roots, progress, keep_archives, allow_unverified)
        with screen.phase("recordings") as progress:
            dataset = source.dataset_of(protocol, progress) if protocol else source.dataset(names, progress)
        for part in dataset.parts or (dataset,):
            _describe(part)
        if dataset.parts:
            _describe_joined(dataset)
        if systems:
            alone = [p for p in protocols().names() if not protocols().get(p).sources]
            benches = [p for p in alone if dataset.name in dataset_names(protocols().get(p))]
            for each in [name] if is_protocol else benches:
                bench = source.bench(each, lambda f, m: None)
                _features(screen, bench, systems, budget, source.cache_folder, copies)
    if protocol and given.allow_missing_training and not dataset.complete:
        partial = source.bench(protocol, lambda f, m: None)
        echo("\n".join(f"  {sentence}" for sentence in partial.dataset.caveats))
        dataset = partial.dataset
    if not dataset.complete:
        raise typer.Exit(1)


def _download(
    names: tuple[str, ...], roots: list[Path], progress: Callable[[float, str], None], keep: bool, unverified: bool
) -> None:
    """Fetch the data set, unless it is there and complete; an incomplete one is completed where it lies."""
    from asc_bench.data.download.datasets import fetch_archives
    from asc_bench.data.resources import archives_of
    from asc_bench.data.store import load_dataset
    from asc_bench.errors import DataError
    from asc_bench.registry import layout_of

    known = [layout_of(name) for name in names]
    layout = next((one for one in known if one.archives), known[0])
    place = roots[0]
    try:
        found = load_dataset(known, roots)
    except DataError:
        pass  # absent, or its lists are damaged: fetching is what was asked for
    else:
        if found.complete:
            return
        layout, place = layout_of(found.name), found.root.parent
    if layout.archives is None:
        raise DataError(f"{layout.title} has no list of archives here; get it from {layout.homepage}")
    listed = archives_of(layout.archives)
    fetch_archives(listed, place, keep_archives=keep, allow_unverified=unverified, progress=progress)


def _describe(dataset: Dataset) -> None:
    from asc_bench.bench.completeness import advice, faults
    from asc_bench.registry import layouts

    kind = "SYNTHETIC dataset" if dataset.synthetic else layouts().get(dataset.name).nature
    echo(f"{dataset.name}: {dataset.root} ({kind})")
    table = dataset.clips
    echo(f"  {len(table)} clips, {table['scene'].nunique()} scenes, {table['location'].nunique()} locations")
    for split in dataset.splits:
        echo(f"  {split.name}: {len(split.train)} train, {len(split.test)} test")
    if dataset.lists:
        echo(f"  lists: {dataset.lists}")
    echo(f"  format: {dataset.files}")
    for fault in faults(dataset):
        echo(f"  INCOMPLETE: {fault}")
    if not dataset.complete:
        echo(f"  To repair the data set: {advice(dataset)}")
    for caveat in dataset.caveats:
        echo(f"  {caveat}")
    echo(f"  every audio file present was decoded and is sound; content digest {dataset.digest()[:16]}")


def _describe_joined(dataset: Dataset) -> None:
    """What became of the recordings: how many clips of each source, and which of them are unusual."""
    table = dataset.clips
    echo(f"joined: {len(table)} clips of {table['duration_s'].iloc[0]:g} s")
    for name, clips in table.groupby("source", sort=False):
        flags = clips["flag"].value_counts().drop("", errors="ignore").sort_index()
        flagged = ", ".join(f"{n} {flag}" for flag, n in flags.items()) or "none"
        echo(f"  {name}: {len(clips)} clips, {clips['location'].nunique()} locations; flagged: {flagged}")
    echo(f"  no clip is left out here (`asc-bench info` says what flags mean); digest {dataset.digest()[:16]}")


def _features(
    screen: Screen, bench: Bench, systems: str, budget: str, cache: Path, augmentation: Augmentation | None
) -> None:
    from asc_bench.runs.plan import plan
    from asc_bench.runs.variant import parse_variants
    from asc_bench.runs.work import fill_cache, front_ends

    ends = front_ends(plan(bench, parse_variants(systems), budget=options.budget(budget)))
    with screen.phase("features") as progress:
        fill_cache(bench, ends, cache, progress, augmentation=augmentation)
    for front_end in ends:
        shape = front_end.shape(bench.protocol.clip_duration_s)
        copies = f", with copies (augmentation {augmentation})" if augmentation else ""
        echo(f"  features {type(front_end).__name__} {shape} of {bench.protocol.name} are cached{copies}")
