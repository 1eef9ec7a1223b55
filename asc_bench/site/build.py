"""The site on disk: every page, what they link to, and a list of all files by which the next build tidies up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from asc_bench.errors import ConfigError, StoreError
from asc_bench.files import write_atomic, writing
from asc_bench.names import slug
from asc_bench.reporting.page import Place, html_page
from asc_bench.reporting.page.content import LARGEST_FILE
from asc_bench.reporting.page.render import as_script, policy_for, source, templates
from asc_bench.reporting.report import text_files
from asc_bench.reporting.report_runs import evaluate
from asc_bench.site.boards import Board, boards, remembering
from asc_bench.site.folders import ResultsFolder, read_folders, refuse_faults
from asc_bench.site.index_page import address_of, index_content, system_of
from asc_bench.site.system_page import system_content

LIST = "site.json"
"""Names of all files of a site, which makes its folder known as one."""
INDEX = "index.html"

SYNTHETIC = (
    "What is marked synthetic was computed on a synthetic dataset, not on the named recordings: those numbers say "
    "nothing about any system on real data."
)

_PACKAGE = "asc_bench.site"


@dataclass(frozen=True)
class Site:
    """What was built.

    Attributes
    ----------
    folder : Path
        Its ``index.html`` is the place to begin.
    folders : tuple of ResultsFolder
        What it was made of.
    n_protocols, n_systems : int
        Pages of each kind.
    """

    folder: Path
    folders: tuple[ResultsFolder, ...]
    n_protocols: int
    n_systems: int


def build_site(
    results: Sequence[Path | str], out: Path | str, *, allow_unverified: bool = False, documentation: str = ""
) -> Site:
    """Write a static site of folders of results: files that need no server and ask for nothing.

    The same results give the same files. No recordings are needed, and nothing in the folders is changed.

    Parameters
    ----------
    results : sequence of path
        Folders of results.
    out : path
        Folder of the site: a new or empty one, or that of an earlier site, whose other files are then removed.
    allow_unverified : bool
        Let folders that do not verify take part with the runs that do; each page with their rows says so.
    documentation : str
        Address of the documentation, for the navigation bar; relative to the site, or beginning with ``https://``.

    Raises
    ------
    ConfigError
        For a folder that is none or is named twice, and a folder for the site that holds other things.
    StoreError
        If a folder holds no run or does not verify, if no run can be shown, or if a file cannot be written.
    """
    target = Path(out)
    before = _earlier(target)
    _check_address(documentation)
    remembered = remembering(evaluate)
    folders = read_folders([Path(path) for path in results], evaluate=remembered)
    if not allow_unverified:
        refuse_faults(folders)
    tables, left_out = boards(folders, evaluate=remembered)
    folders = [replace(folder, left_out=tuple(left_out.get(folder.label, ()))) for folder in folders]
    if not allow_unverified:
        refuse_faults(folders)  # of runs that are whole, but cannot be shown
    if not tables:
        raise StoreError(f"no run can be shown: {'; '.join(f'{f.label}: {f.state}' for f in folders)}")
    files = _files([_noted(board, folders) for board in tables], folders, documentation)
    for name, text in files.items():
        write_atomic(target / name, text)
    for name in before - files.keys():
        with writing(target / name):
            (target / name).unlink(missing_ok=True)
    write_atomic(target / LIST, json.dumps({"files": sorted(files)}, indent=1) + "\n")
    n_systems = sum(name.startswith("systems/") for name in files)
    return Site(target, tuple(folders), len(tables), n_systems)


def _files(tables: Sequence[Board], folders: Sequence[ResultsFolder], documentation: str) -> dict[str, str]:
    """Every file of the site by its name."""
    names = sorted({system_of(outcome) for board in tables for outcome in board.outcomes})
    systems = {name: f"systems/{slug(name)}.html" for name in names}
    bar = _links(documentation)
    below = tuple((text, address if _absolute(address) else f"../{address}") for text, address in bar)
    shown = index_content(tables, folders, systems)
    files = {".nojekyll": "", INDEX: _page("index.html.j2", shown, Place(links=bar, here=INDEX))}
    for board in tables:
        texts = {name: text for name, text in text_files(board.evaluation).items() if text}
        large = {name: text for name, text in texts.items() if len(text) > LARGEST_FILE}
        files |= {f"protocols/{board.name}/{name}": text for name, text in large.items()}
        place = Place(
            links=below,
            systems={name: f"../{address}" for name, address in systems.items()},
            files={name: f"{board.name}/{name}" for name in large},
        )
        files[address_of(board)] = html_page(board.evaluation, files=texts, place=place)
    for name, address in systems.items():
        files[address] = _page("system.html.j2", system_content(name, tables, folders), Place(links=below))
    return files


def _links(documentation: str) -> tuple[tuple[str, str], ...]:
    """The navigation bar, seen from the index."""
    sections = (("Protocols", "protocols"), ("Systems", "across"), ("Folders", "folders"))
    own = (("All results", INDEX), *((text, f"{INDEX}#{section}") for text, section in sections))
    return (*own, ("Documentation", documentation)) if documentation else own


def _page(template: str, shown: Mapping[str, Any], place: Place) -> str:
    style = source("page.css") + source("site.css", package=_PACKAGE)
    script = as_script(source("theme.js"), source("sort.js", package=_PACKAGE))
    return (
        templates(_PACKAGE)
        .get_template(template)
        .render(
            shown=shown,
            place=place,
            style=style,
            script=script,
            policy=policy_for(style, script),
            caveat=SYNTHETIC,
            version=version("asc-bench"),
        )
    )


def _noted(board: Board, folders: Sequence[ResultsFolder]) -> Board:
    """The same, with whose runs they are among its notes, if there are several folders or one does not verify."""
    own = [folder for folder in folders if folder.label in board.folders]
    notes = [f"Runs from {', '.join(board.folders)}."] if len(folders) > 1 else []
    notes += [f"Runs from {folder.label}: {folder.state}." for folder in own if folder.faults]
    if not notes:
        return board
    evaluation = replace(board.evaluation, notes=(*board.evaluation.notes, *notes))
    return replace(board, evaluation=evaluation)


def _earlier(target: Path) -> set[str]:
    """Files of the site that stands there; raises ConfigError if something else does."""
    try:
        if not target.exists() or (target.is_dir() and not any(target.iterdir())):
            return set()
        names = json.loads((target / LIST).read_bytes())["files"]
        known = {str(name) for name in names}
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{target} holds other things than a site of asc-bench; name a new folder (--out), or empty it"
        ) from None
    inside = target.resolve()
    return {name for name in known if (target / name).resolve().is_relative_to(inside)}


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if address and not (parts.scheme == "https" or not (parts.scheme or parts.netloc or address.startswith("/"))):
        raise ConfigError(
            f"the address of the documentation is {address!r}; give one relative to the site, such as "
            "docs/index.html, or one that begins with https://"
        )


def _absolute(address: str) -> bool:
    return bool(urlsplit(address).scheme)
