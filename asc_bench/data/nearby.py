"""The near thing that is there where a file or a folder is not: for messages that name it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from asc_bench.data.foreign import is_side_car

_MOST_FILES, _MOST_FOLDERS = 200_000, 20_000
"""So many are looked at: a message has to come in seconds, wherever it is asked for."""
_DEPTH = 4
_COPY = (" (1)", " - copy", ".txt", ".csv")


def near_path(path: Path) -> str:
    """What is there under nearly the name of an absent file: a sentence after a blank, or nothing.

    Parameters
    ----------
    path : Path
        A file that does not exist; its folder may not exist either.
    """
    absent = path
    while not absent.parent.is_dir() and absent.parent != absent:
        absent = absent.parent
    names = _names(absent.parent)
    if not names:
        return f" The folder {absent.parent} is empty"
    for name in names:
        if _folded(name) == _folded(absent.name):
            return f" {absent.parent / name} is there: {_difference(name, absent.name)}"
    copies = {_folded(absent.stem + mark) for mark in _COPY} | {_folded(absent.name + mark) for mark in _COPY}
    for name in names:
        if _folded(name) in copies or _folded(Path(name).stem) in copies:
            return f" {absent.parent / name} is there: is it this file under another name?"
    for found in _files(_places(absent.parent, ())):
        if found.name == path.name:
            return f" {found} is there, in another folder: move what lies beside it to {path.parent}"
    return ""


def near_files(absent: Sequence[Path], root: Path) -> tuple[str, ...]:
    """Say which of the absent files of a data set are there under nearly their name, or in another folder.

    Parameters
    ----------
    absent : sequence of Path
        Files below ``root`` that do not exist.
    root : Path
        Folder of the data set. It is searched, and so are folders beside it that are named after it.

    Returns
    -------
    tuple of str
        One sentence for each kind of difference and each place.
    """
    by_stem: dict[str, list[Path]] = {}
    tops = {path.relative_to(root).parts[0] for path in absent if path.is_relative_to(root) and path.parent != root}
    for found in _files(_places(root, sorted(tops))):
        by_stem.setdefault(_folded(found.stem), []).append(found)
    wanted = set(absent)
    pairs: dict[tuple[str, Path], list[tuple[Path, Path]]] = {}
    for path in absent:
        candidates = [found for found in by_stem.get(_folded(path.stem), ()) if found not in wanted]
        if candidates:
            found = min(candidates, key=lambda there: (*_distance(there, path), there))
            pairs.setdefault((_kind(found, path), found.parent), []).append((found, path))
    return tuple(_sentence(kind, alike) for (kind, _), alike in pairs.items())


def folders_below(roots: Iterable[Path], names: Sequence[str]) -> Iterator[Path]:
    """Folders of these names, in letters of any case, some levels below the roots."""
    wanted = {_folded(name) for name in names}
    for root in roots:
        for folder, _ in islice(_walk(root, _DEPTH), _MOST_FOLDERS):
            if _folded(folder.name) in wanted and folder != root:
                yield folder


def _sentence(kind: str, alike: Sequence[tuple[Path, Path]]) -> str:
    found, path = alike[0]
    those = f"{len(alike)} of them" if len(alike) > 1 else "it" if kind != "place" else "one of them"
    verb = "are" if len(alike) > 1 else "is"
    if kind == "place":
        lie = "lie" if len(alike) > 1 else "lies"
        where = "" if found.name == path.name else f" (as {found.name}: {_difference(found.name, path.name)})"
        return f"{those} {lie} in another folder, {found.parent}{where}: move to {path.parent}"
    if kind == "ending":
        return f"{those} {verb} there with another ending, such as {found.name} for {path.name}"
    return f"{those} {verb} there as {found.name} for {path.name}: {_difference(found.name, path.name)}"


def _difference(found: str, wanted: str) -> str:
    """In what two names differ that are equal but for letters and accents."""
    if unicodedata.normalize("NFC", found) == unicodedata.normalize("NFC", wanted):
        return "its accents are decomposed or composed in another way (NFD, as macOS writes, and NFC); rename it"
    if found.casefold() == wanted.casefold():
        return "upper and lower case count; rename it"
    return "case and accents count; rename it"


def _kind(found: Path, path: Path) -> str:
    if _folded(found.name) != _folded(path.name):
        return "ending"
    return "name" if found.parent == path.parent else "place"


def _distance(found: Path, path: Path) -> tuple[bool, bool, bool]:
    return _folded(found.name) != _folded(path.name), found.parent != path.parent, found.name != path.name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _places(root: Path, tops: Sequence[str]) -> Iterator[tuple[Path, int]]:
    """Where files of a data set may have gone, each with the depth to search: beside it, or loose."""
    yield root, _DEPTH
    for name in _names(root.parent):
        beside = root.parent / name
        if name != root.name and beside.is_dir() and (name.startswith(root.name) or name in tops):
            yield beside, _DEPTH
    yield root.parent, 0


def _files(places: Iterable[tuple[Path, int]]) -> Iterator[Path]:
    every = (folder / name for place, depth in places for folder, names in _walk(place, depth) for name in names)
    return islice(every, _MOST_FILES)


def _walk(root: Path, depth: int) -> Iterator[tuple[Path, list[str]]]:
    """Folders and the names of their files, without side-car files and hidden folders."""
    for place, folders, names in os.walk(root):
        here = Path(place)
        deep = len(here.relative_to(root).parts) >= depth
        folders[:] = [] if deep else sorted(f for f in folders if not is_side_car(f) and not f.startswith("."))
        yield here, sorted(name for name in names if not is_side_car(name))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not is_side_car(name))  # noqa: PTH208 - names alone
    except OSError:
        return []
