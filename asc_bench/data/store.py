"""Where data sets and the cache lie, and how a data set is found by name."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from asc_bench.data.foreign import is_archive
from asc_bench.data.layouts import LAYOUTS, FolderLayout, Layout
from asc_bench.data.manifest import Dataset
from asc_bench.data.nearby import folders_below
from asc_bench.data.resources import archives_of
from asc_bench.errors import ConfigError, DataError
from asc_bench.names import near, require_text
from asc_bench.printable import printable

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
    """Folder of a data set: below one of the roots, or a root itself; see ``Layout.place``.

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
            return replace(read_layout(layout, folder), elsewhere=elsewhere(layout, folder, roots))
    raise DataError(_not_found(layouts, roots))


def elsewhere(layout: Layout, folder: Path, roots: Sequence[Path]) -> tuple[Path, ...]:
    """Further folders of a data set that is read from ``folder``."""
    return tuple(place for place in layout.places(roots) if place != folder)


def how_to_get(layout: Layout, place: Path | None = None) -> str:
    """What to do to get a data set, for messages: a command that works, or where to get it by hand.

    Parameters
    ----------
    layout : Layout
        Of a published data set.
    place : Path, optional
        Folder that holds the data set, or will; named where it is none that is looked in by itself.
    """
    if layout.archives is None:
        then = f", then: {layout.by_hand}" if layout.by_hand else ""
        return f"get it by hand from {layout.homepage} (there is no list of its archives here){then}"
    unverified = any(archive.md5 is None for archive in archives_of(layout.archives))
    usual = [root.absolute() for root in data_roots()]
    named = "" if place is None or place.absolute() in usual else f" --data {shlex.quote(str(place))}"
    return f"asc-bench prepare {layout.name} --download{' --allow-unverified' if unverified else ''}{named}"


def read_layout(layout: Layout, folder: Path) -> Dataset:
    """What ``layout.read`` gives of a folder.

    Raises
    ------
    ConfigError
        If the folder's name is no text.
    DataError
        As ``layout.read``; and if the name of a file in it is no text.
    """
    require_text(folder.absolute(), what="folder")
    try:
        return layout.read(folder)
    except UnicodeEncodeError as error:
        raise DataError(
            f"{folder}: the name of a file, {printable(str(error.object)[-200:])}, has bytes that are no "
            f"{sys.getfilesystemencoding()} text; rename it"
        ) from error


def _not_found(layouts: Sequence[Layout], roots: Sequence[Path]) -> str:
    own = [layout for layout in layouts if isinstance(layout, FolderLayout)]
    if own:
        return f"{own[0].name}: {own[0].folder_path} is not a folder"
    lines = [f"{' or '.join(layout.title for layout in layouts)} was not found."]
    folders = " or ".join(f"{folder}/" for layout in layouts for folder in layout.folders)
    lines.append(f"  looked for: a folder {folders}")
    lines += [f"  looked in:  {r.absolute()}{'' if r.is_dir() else ' (does not exist)'}" for r in roots]
    lines += [f"  {sentence}" for layout in layouts for sentence in _nearby(layout, roots)]
    for layout in layouts:
        lines.append(f"  {layout.title}: {layout.homepage}")
        if layout.archives is not None:
            lines.append(f"    {how_to_get(layout, roots[0])}")
        elif layout.by_hand:
            lines.append(
                f"    unpack its archive with: {layout.by_hand.replace('DIR', shlex.quote(str(roots[0])))}"
            )
    lines.append(f"  or set {DATA_VARIABLE} to the folder that holds it,")
    lines.append("  or add --synthetic (in Python: synthetic=True) to run on a synthetic dataset,")
    lines.append("  whose numbers mean nothing beyond that.")
    return "\n".join(lines)


def _nearby(layout: Layout, roots: Sequence[Path]) -> Iterator[str]:
    """What lies in or around the roots that is nearly the data set's folder."""
    for folder in folders_below(roots, layout.folders):
        if folder.name in layout.folders:
            yield f"lies deeper: {folder}; give --data {shlex.quote(str(folder.parent))}"
        else:
            yield f"is there in other letters: {folder}; rename it to {layout.folders[0]}"
    for root in map(Path.absolute, roots):
        above = next((parent for parent in root.parents if parent.name in layout.folders), None)
        if above is not None and root.is_dir():
            yield f"{root} lies inside of {above}; give --data {shlex.quote(str(above.parent))}"
        for name in layout.folders:
            if (root / name).is_symlink() and not (root / name).exists():
                yield f"{root / name} is a link to nothing: {(root / name).readlink()}"
            elif (root / name).is_file():
                yield f"{root / name} is a file, not a folder"
        archives = sorted(p for name in layout.folders for p in root.glob(f"{name}*") if is_archive(p.name))
        if archives:
            yield f"{root} holds archives that are not unpacked: {', '.join(p.name for p in archives[:3])}"
