"""Folders of audio that is computed: written beside, renamed into place, written once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asc_bench.errors import StoreError
from asc_bench.files import locked, require_space, writing
from asc_bench.interrupts import undisturbed

_PLAN = "asc-bench-plan.json"

Job = Callable[[Path], None]
Progress = Callable[[float, str], None]


def silent(fraction: float, message: str) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Contents:
    """Everything to be written into a folder.

    Attributes
    ----------
    jobs : tuple
        Functions that write some audio files below the folder that they are given, but for those that exist
        there. They can be pickled and run in any order.
    texts : tuple of (str, str)
        Relative path and text of every other file.
    n_bytes : int
        About what the audio takes, rather more than less.
    facts : mapping
        What the marker says beside the identity, such as clip counts.
    found : callable, optional
        Gives further such facts, read from the folder when everything else is in it.
    """

    jobs: tuple[Job, ...]
    texts: tuple[tuple[str, str], ...]
    n_bytes: int
    facts: Mapping[str, object] = field(default_factory=dict)
    found: Callable[[Path], Mapping[str, object]] | None = None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a computed folder is.

    Attributes
    ----------
    noun : str
        For messages, such as ``a synthetic dataset``.
    doing : str
        For progress, such as ``synthesising``.
    marker : str
        Name of the file that says what the folder holds.
    identity : mapping
        All that the content depends on.
    """

    noun: str
    doing: str
    marker: str
    identity: Mapping[str, object]


def write_once(
    target: Path, kind: Kind, plan: Callable[[], Contents], *, n_jobs: int = 2, progress: Progress = silent
) -> None:
    """Write a folder of computed files, unless it is there already.

    Parameters
    ----------
    target : Path
        The folder. One of another identity is replaced; an interrupted one is continued.
    kind : Kind
        What it is.
    plan : callable
        Gives what is to be written; asked only if something is.
    n_jobs : int
        Processes to write with.
    progress : callable
        Given the finished fraction, from 0 to 1, and a message.

    Raises
    ------
    StoreError
        If there is no room, the folder cannot be written, or a folder of this name holds something else.
    """
    if _state(target, kind) == kind.identity:
        return
    contents = plan()
    with writing(target, n_bytes=contents.n_bytes):
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent / f".{target.name}.lock"):
            if _state(target, kind) != kind.identity:
                _build(target, kind, contents, n_jobs, progress)


def run_jobs(
    jobs: Sequence[Job], folder: Path, *, n_jobs: int, progress: Progress = silent, message: str = ""
) -> None:
    """Let every job write into a folder, some at a time."""
    from joblib import Parallel, delayed

    finished = Parallel(n_jobs=min(n_jobs, len(jobs)), return_as="generator_unordered")(
        delayed(undisturbed)(job, folder) for job in jobs
    )
    for index, _ in enumerate(finished, start=1):
        progress(index / len(jobs), message)


def write_whole(path: Path, content: bytes) -> None:
    """Write beside and rename, so that a file which exists is whole."""
    unfinished = path.with_name(path.name + ".unfinished")
    with writing(path, n_bytes=len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(path)


def delimited(rows: Iterable[Sequence[str]], delimiter: str) -> str:
    """Text of a list file."""
    return "".join(delimiter.join(row) + "\n" for row in rows)


def _state(target: Path, kind: Kind) -> dict[str, object] | None:
    """What the marker says the folder is; None where there is nothing yet.

    Raises
    ------
    StoreError
        If the folder holds something else, which is never overwritten.
    """
    if not target.exists() and not target.is_symlink():
        return None
    try:
        marker = json.loads((target / kind.marker).read_text(encoding="utf-8"))
        return {key: marker[key] for key in kind.identity}
    except (OSError, ValueError, KeyError, TypeError) as error:
        if target.is_dir() and not any(target.iterdir()):
            return None
        raise StoreError(
            f"{target}: exists and is not {kind.noun} (no readable {kind.marker}); it is left as it is: "
            "move it away or choose another folder"
        ) from error


def _build(target: Path, kind: Kind, contents: Contents, n_jobs: int, progress: Progress) -> None:
    partial = target.with_name(f".{target.name}.partial")
    plan = partial / _PLAN
    text = json.dumps(kind.identity)
    if partial.exists() and not (plan.is_file() and plan.read_text(encoding="utf-8") == text):
        shutil.rmtree(partial)
    written = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    require_space(partial, max(0, contents.n_bytes - written), purpose=f"{kind.doing} {target.name}")
    partial.mkdir(exist_ok=True)
    plan.write_text(text, encoding="utf-8")
    run_jobs(contents.jobs, partial, n_jobs=n_jobs, progress=progress, message=f"{kind.doing} {target.name}")
    for file_name, content in contents.texts:
        (partial / file_name).parent.mkdir(parents=True, exist_ok=True)
        (partial / file_name).write_text(content, encoding="utf-8", newline="\n")
    plan.unlink()
    found = contents.found(partial) if contents.found else {}
    marker = json.dumps({**kind.identity, **contents.facts, **found}, indent=1)
    (partial / kind.marker).write_text(marker + "\n", encoding="utf-8")
    _swap(partial, target)


def _swap(partial: Path, target: Path) -> None:
    """Put the finished folder into place; an outdated one goes away whole, never file by file."""
    outdated = target.with_name(f".{target.name}.outdated")
    if outdated.exists():
        shutil.rmtree(outdated)
    if target.exists():
        target.replace(outdated)
    partial.replace(target)
    if outdated.exists():
        shutil.rmtree(outdated)
