"""Whole data sets from their publishers, archive by archive, each one once."""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from asc_bench.data.download.extract import SCRATCH_PREFIX, extract
from asc_bench.data.download.fetch import Progress, check_digest, download, require_fetchable, silent
from asc_bench.data.resources import Archive
from asc_bench.errors import DataError, StoreError
from asc_bench.files import locked, require_space, write_atomic, writing

LEDGER = ".asc-bench-archives.json"
DOWNLOADS = ".asc-bench-downloads"

_LOCK = ".asc-bench-archives.lock"
_ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")

# Audio hardly compresses; short tables do.
_MAX_RATIO = 200
_ALWAYS_ALLOWED_BYTES = 2**20

_Ledger = dict[str, dict[str, Any]]


def fetch_archives(
    archives: Sequence[Archive],
    folder: Path,
    *,
    keep_archives: bool = False,
    progress: Progress = silent,
    allow_unverified: bool = False,
) -> Path:
    """Fetch archives and unpack them into ``folder``, one after another.

    A ledger in the folder says which are done, with the names and sizes of their files. A later call skips
    those whose files are all still there, so an interruption costs one archive at most.

    Parameters
    ----------
    archives : sequence of Archive
        What to fetch, such as all `archives_of` a data set.
    folder : Path
        Folder that holds data sets. The archives bring the data set's own folder; files that are no archives
        go to ``folder / archive.dataset``.
    keep_archives : bool
        Whether the archives stay, in ``folder / DOWNLOADS``.
    progress, allow_unverified
        As for `download`; the fraction is that of all bytes still to fetch. An archive without a published digest
        may unpack to 200 times its size at most.

    Returns
    -------
    Path
        ``folder``.

    Raises
    ------
    DataError, ConfigError, StoreError
        As `download` and `extract` do; and StoreError if there is too little room for all of it, or another
        process is fetching into the same folder.
    """
    for archive in archives:
        require_fetchable(archive, allow_unverified=allow_unverified)
    with writing(folder):
        (folder / DOWNLOADS).mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        ledger = _read_ledger(folder)
        todo = [a for a in archives if not _is_done(a, ledger, folder)]
        _require_room(todo, folder, keep_archives=keep_archives)
        with writing(folder):
            for scratch in folder.glob(f"{SCRATCH_PREFIX}*"):  # left by a process that was killed
                shutil.rmtree(scratch)
        total, before = sum(a.n_bytes or 1 for a in todo), 0
        for archive in todo:
            report = _part_of(progress, before / total, (archive.n_bytes or 1) / total)
            before += archive.n_bytes or 1
            path = download(archive, folder / DOWNLOADS, progress=report, allow_unverified=allow_unverified)
            report(1.0, f"{archive.file}: unpacking")
            members = _put_in_place(archive, path, folder)
            ledger[_ledger_key(archive)] = {
                "digest": f"md5:{archive.md5}" if archive.md5 else check_digest(archive, path),
                "n_members": len(members),
                "members": {p.relative_to(folder.resolve()).as_posix(): p.stat().st_size for p in members},
            }
            write_atomic(folder / LEDGER, json.dumps({"version": 1, "archives": ledger}, indent=1))
            if not keep_archives:
                path.unlink(missing_ok=True)
    return folder


def _part_of(progress: Progress, start: float, share: float) -> Progress:
    return lambda fraction, message: progress(start + share * fraction, message)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    from filelock import Timeout

    with ExitStack() as held:
        try:
            held.enter_context(locked(folder / _LOCK, wait=False))
        except Timeout as error:
            raise StoreError(f"{folder}: another process is fetching into this folder; wait for it") from error
        yield


def _require_room(todo: Sequence[Archive], folder: Path, *, keep_archives: bool) -> None:
    """Ask for the room of the archives and at least as much for what they hold: audio hardly compresses."""
    sizes = [a.n_bytes or 0 for a in todo]
    stored = sum(sizes) if keep_archives else max(sizes, default=0)
    there = [folder / DOWNLOADS / f"{a.file}{suffix}" for a in todo for suffix in ("", ".part")]
    n_there = sum(path.stat().st_size for path in there if path.exists())
    require_space(
        folder,
        max(0, sum(sizes) + stored - n_there),
        purpose=f"fetching {len(todo)} archives ({sum(sizes):,} bytes, and at least as much unpacked)",
    )


def _put_in_place(archive: Archive, path: Path, folder: Path) -> list[Path]:
    if path.name.lower().endswith(_ARCHIVE_SUFFIXES):
        limit = max(_ALWAYS_ALLOWED_BYTES, _MAX_RATIO * path.stat().st_size)
        return extract(path, folder, max_bytes=None if archive.md5 else limit)
    final = folder.resolve() / archive.dataset / archive.file
    if not final.exists():
        write_atomic(final, path.read_bytes())
    if not filecmp.cmp(path, final, shallow=False):
        raise DataError(f"{final} exists and differs from {archive.url}; move it away, nothing was replaced")
    return [final]


# The ledger is {"version": 1, "archives": {"dataset/file": {"digest": ..., "members": {path: n_bytes}}}}.


def _ledger_key(archive: Archive) -> str:
    return f"{archive.dataset}/{archive.file}"


def _is_done(archive: Archive, ledger: _Ledger, folder: Path) -> bool:
    match ledger.get(_ledger_key(archive)):
        case {"digest": str(digest), "members": dict(members)}:
            same = archive.md5 is None or digest == f"md5:{archive.md5}"
            files = {folder / name: n_bytes for name, n_bytes in members.items()}
            return same and all(f.is_file() and f.stat().st_size == n_bytes for f, n_bytes in files.items())
    return False


def _read_ledger(folder: Path) -> _Ledger:
    path = folder / LEDGER
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        content = error
    match content:
        case {"version": 1, "archives": dict(done)}:
            return done
    raise StoreError(f"{path} is no list of fetched archives; delete it, and all archives are fetched again")
