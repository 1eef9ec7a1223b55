"""Where data sets and the cache lie, and how a data set is found by name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from asc_bench.data.layouts import LAYOUTS, FolderLayout, Layout
from asc_bench.data.manifest import Dataset
from asc_bench.errors import ConfigError, DataError
from asc_bench.names import near

DATA_VARIABLE = "ASC_BENCH_DATA"
CACHE_VARIABLE = "ASC_BENCH_CACHE"


def data_roots(explicit: Sequence[Path] = ()) -> list[Path]:
    """Folders to look in: those given, else those of ``$ASC_BENCH_DATA``, else ``./data``."""
    if explicit:
        return [Path(p).expanduser() for p in explicit]
    named = [p for p in os.environ.get(DATA_VARIABLE, "").split(os.pathsep) if p]
    return [Path(p).expanduser() for p in named] or [Path("data")]


def cache_root() -> Path:
    """Folder of everything that can be computed again: ``$ASC_BENCH_CACHE`` or the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("asc-bench"))


def get_layout(name: str | Layout) -> Layout:
    """The layout of this name, or the layout itself if it is given.

    Raises
    ------
    ConfigError
        If there is none; the message suggests near names.
    """
    if isinstance(name, Layout):
        return name
    if name in LAYOUTS:
        return LAYOUTS[name]
    raise ConfigError(f"there is no data set {name!r}{near(name, LAYOUTS)}")


def find_dataset(name: str | Layout, roots: Sequence[Path]) -> Path:
    """Folder of a data set: below one of the roots, or a root itself. The first found counts.

    Raises
    ------
    ConfigError
        For an unknown name.
    DataError
        If it is nowhere; the message says where it was looked for and how to get it.
    """
    folder = get_layout(name).place(roots)
    if folder is None:
        raise DataError(_not_found([get_layout(name)], roots))
    return folder


def load_dataset(name_or_names: str | Layout | Iterable[str | Layout], roots: Sequence[Path]) -> Dataset:
    """Read the lists of the first data set that is found among the names, in their order. Not yet indexed.

    Raises
    ------
    ConfigError
        For an unknown name.
    DataError
        If none is found, or if its lists are wrong.
    """
    names = [name_or_names] if isinstance(name_or_names, str | Layout) else list(name_or_names)
    layouts = [get_layout(name) for name in names]
    for layout in layouts:
        folder = layout.place(roots)
        if folder is not None:
            return layout.read(folder)
    raise DataError(_not_found(layouts, roots))


def _not_found(layouts: Sequence[Layout], roots: Sequence[Path]) -> str:
    own = [layout for layout in layouts if isinstance(layout, FolderLayout)]
    if own:
        return f"{own[0].name}: {own[0].folder_path} is not a folder"
    lines = [f"{' or '.join(layout.title for layout in layouts)} was not found."]
    folders = " or ".join(f"{folder}/" for layout in layouts for folder in layout.folders)
    lines.append(f"  looked for: a folder {folders}")
    lines += [f"  looked in:  {r.absolute()}{'' if r.is_dir() else ' (does not exist)'}" for r in roots]
    for layout in layouts:
        lines.append(f"  {layout.title}: {layout.homepage}")
        if layout.archives is not None:
            lines.append(f"    asc-bench prepare {layout.name} --download")
    lines.append(f"  or set {DATA_VARIABLE} to the folder that holds it,")
    lines.append("  or add --synthetic (in Python: synthetic=True) to run on a synthetic dataset,")
    lines.append("  whose numbers mean nothing beyond that.")
    return "\n".join(lines)
