"""A bench that was made on one machine, on the recordings of another: the same files, wherever they lie there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from asc_bench.bench.bench import Bench
from asc_bench.bench.host import host_name, n_cores
from asc_bench.data.index import inspect_dataset
from asc_bench.data.layouts import Layout
from asc_bench.data.manifest import Dataset
from asc_bench.data.store import DATA_VARIABLE, data_roots
from asc_bench.errors import ConfigError, DataError
from asc_bench.registry import layout_of


def found_here(bench: Bench, *, cache: Path) -> Bench:
    """Find the recordings of a bench on this machine and compare them with those that it was made from.

    They are looked for where they lay there, as on a shared file system, then as data sets are looked for here.

    Parameters
    ----------
    bench : Bench
        Made on another machine; every audio file has its digest.
    cache : Path
        Holds the index of files that were checked already.

    Returns
    -------
    Bench
        With the paths of this machine.

    Raises
    ------
    DataError
        If the recordings are not found, broken, or other files than there.
    """
    dataset = bench.dataset
    paths: dict[str, str] = {}
    roots: dict[Path, Path] = {}
    for part in dataset.parts or (dataset,):
        roots[part.root] = _root(part)
        paths |= _same_files(part, roots[part.root], cache)
    if all(old == new for old, new in roots.items()):
        return bench
    return Bench(bench.protocol, _moved(dataset, paths, roots), _with_paths(bench.clips, paths), bench.folds)


def _root(dataset: Dataset) -> Path:
    if dataset.root.is_dir():
        return dataset.root
    layout: Layout | None = None
    found: Path | None = None
    try:
        layout = layout_of(dataset.name)
        found = None if dataset.synthetic or layout.derived_from else layout.place(data_roots())
    except ConfigError:
        pass  # a layout of the planner's alone, such as a folder of the user's
    if found is not None:
        return found.absolute()
    if dataset.synthetic or (layout is not None and layout.derived_from):
        raise DataError(
            f"{host_name()} does not see {dataset.root}, where {dataset.name} was computed: put the cache on a "
            "file system that all machines share (--cache)"
        )
    looked = ", ".join(str(root.absolute()) for root in (dataset.root, *data_roots()))
    raise DataError(
        f"{host_name()} does not see {dataset.name}; looked in {looked}. Put it on a file system that all machines "
        f"share, or name its place there with {DATA_VARIABLE}"
    )


def _same_files(dataset: Dataset, root: Path, cache: Path) -> dict[str, str]:
    """Paths here by paths there."""
    old_root = str(dataset.root)
    paths = {
        path: str(root) + path.removeprefix(old_root) if path.startswith(f"{old_root}/") else path
        for path in dataset.clips["path"]
    }
    moved = replace(dataset, root=root, clips=_with_paths(dataset.clips, paths), file_digests={})
    indexed, _ = inspect_dataset(moved, cache=cache, n_jobs=n_cores())
    other = [new for old, new in paths.items() if indexed.file_digests[new] != dataset.file_digests[old]]
    if other:
        raise DataError(
            f"{host_name()}: {len(other)} of {len(paths)} files of {dataset.name} are others than on the machine "
            f"that planned the runs, such as {other[0]}"
        )
    return paths


def _moved(dataset: Dataset, paths: Mapping[str, str], roots: Mapping[Path, Path]) -> Dataset:
    return replace(
        dataset,
        root=roots[dataset.root],
        clips=_with_paths(dataset.clips, paths),
        file_digests={paths[old]: sha256 for old, sha256 in dataset.file_digests.items()},
        parts=tuple(_moved(part, paths, roots) for part in dataset.parts),
    )


def _with_paths(clips: pd.DataFrame, paths: Mapping[str, str]) -> pd.DataFrame:
    return clips.assign(path=clips["path"].map(paths))
