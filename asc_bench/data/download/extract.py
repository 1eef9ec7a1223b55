"""Extraction of archives that trusts nothing in them.

What is extracted is plain files and folders with portable names, in the declared sizes and within stated
limits. Anything else refuses the whole archive: a partly extracted one would look complete.
"""

from __future__ import annotations

import filecmp
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asc_bench.data.download.formats import Entry, open_entries
from asc_bench.errors import DataError
from asc_bench.files import require_space, write_all, writing

SCRATCH_PREFIX = ".asc-bench-extracting-"
"""Name of the folder inside the target in which an archive is unpacked before it is merged."""

MAX_MEMBERS = 500_000
"""More than twenty times what the largest official archive has."""

RATIO_FLOOR_BYTES = 2**20
"""Archives that unpack to no more than this are no bomb, whatever their ratio: short tables compress well."""

_MAX_NAME_BYTES = 255


@dataclass(frozen=True)
class _Limits:
    n_bytes: int
    reason: str
    n_members: int


def extract(
    archive_path: Path,
    target: Path,
    *,
    max_bytes: int | None = None,
    max_ratio: float = 200,
    max_members: int = MAX_MEMBERS,
) -> list[Path]:
    """Extract a zip, tar or tar.gz into ``target``, beside what other archives put there.

    The members are unpacked into a hidden folder inside ``target`` (so on the same file system, also where
    ``target`` is a mount point) and renamed into place only after every one of them proved sound. Files that
    exist already must be identical. Modes, owners and times of the archive are not taken over.

    Parameters
    ----------
    archive_path : Path
        The archive; its kind is told by its first bytes, not by its name.
    target : Path
        Folder to extract into, made if missing.
    max_bytes : int, optional
        Most bytes that the members may have together.
    max_ratio : float
        Most bytes that the members may have together, as a multiple of the archive's size. Archives that
        unpack to at most ``RATIO_FLOOR_BYTES`` are exempt.
    max_members : int
        Most members.

    Returns
    -------
    list of Path
        The extracted files, in the archive's order.

    Raises
    ------
    DataError
        For an archive that is damaged, too large, encrypted, or has a member that is no plain file or folder
        with a plain relative name; and for an existing file that differs. Nothing of it is left behind.
    StoreError
        If the target cannot be written or has too little room.
    """
    where, target = str(archive_path), target.resolve()
    with open_entries(archive_path) as entries:
        limits = _limits(archive_path.stat().st_size, max_bytes, max_ratio, max_members)
        accepted = _accept(entries, where=where, limits=limits)
        total = sum(entry.n_bytes for entry in accepted.values())
        require_space(target, total, purpose=f"unpacking {archive_path.name}")
        with writing(target):
            target.mkdir(parents=True, exist_ok=True)
            scratch = tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=target)
        with scratch as folder:
            for path, entry in accepted.items():
                _unpack(entry, Path(folder) / path, where=where, n_bytes_in_all=total)
            return _merge(Path(folder), target, accepted, where=where)


def _limits(n_archive_bytes: int, max_bytes: int | None, max_ratio: float, max_members: int) -> _Limits:
    by_ratio = max(int(max_ratio * n_archive_bytes), RATIO_FLOOR_BYTES)
    if max_bytes is not None and max_bytes < by_ratio:
        return _Limits(max_bytes, f"the limit of {max_bytes:,} bytes", max_members)
    return _Limits(by_ratio, f"{max_ratio:g} times the archive's {n_archive_bytes:,} bytes", max_members)


def _accept(entries: Iterable[Entry], *, where: str, limits: _Limits) -> dict[PurePosixPath, Entry]:
    """Check every entry against the ones before it; the entries by their clean relative path."""
    accepted: dict[PurePosixPath, Entry] = {}
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    total = 0
    for n_seen, entry in enumerate(entries, start=1):
        if n_seen > limits.n_members:
            raise DataError(f"{where} has more than {limits.n_members:,} members, the limit; is it the right file?")
        total += entry.n_bytes
        if entry.n_bytes < 0 or total > limits.n_bytes:
            raise DataError(
                f"{where} would unpack to {total:,} bytes or more, which is over {limits.reason} "
                f"(at member {entry.name!r}): a decompression bomb, or the wrong file"
            )
        path = _clean_path(entry.name, where=where)
        if not path.parts:  # the archive's own root, "./"
            continue
        key, *parent_keys = [_key(p) for p in (path, *path.parents[:-1])]
        taken = [files[k] for k in (key, *parent_keys) if k in files]
        if not entry.is_folder and key in folders:
            taken.append(folders[key])
        if taken:
            raise DataError(
                f"{where}: member {entry.name!r} is a duplicate of {taken[0]!r} "
                f"(names that differ in case only are one file on many systems)"
            )
        for folder in (*parent_keys, *([key] if entry.is_folder else [])):
            folders.setdefault(folder, entry.name)
        if not entry.is_folder:
            files[key] = entry.name
        accepted[path] = entry
    return accepted


def _key(path: PurePosixPath) -> str:
    """What two names have in common that are one file on some file system."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(path)).casefold())


def _clean_path(name: str, *, where: str) -> PurePosixPath:
    fault = _name_fault(name)
    if fault:
        raise DataError(f"{where}: member {name!r} {fault}; nothing was extracted")
    return PurePosixPath(name)


def _name_fault(name: str) -> str | None:
    """What makes a name unfit to be joined to a folder, on any system."""
    parts = name.split("/")
    if not name or name.startswith("/"):
        return "has an empty name or an absolute path"
    if ".." in parts:
        return "leads out of its folder by '..'"
    if "\\" in name:
        return "has a backslash, which separates folders on Windows"
    if any(re.match(r"[A-Za-z]:", part) for part in parts):
        return "has a drive letter"
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        return "has control characters or undecodable bytes in its name"
    if any(len(part.encode()) > _MAX_NAME_BYTES for part in parts):
        return f"has a name of more than {_MAX_NAME_BYTES} bytes"
    if parts[0].startswith(SCRATCH_PREFIX):
        return "has a name that extraction itself uses"
    return None


def _unpack(entry: Entry, path: Path, *, where: str, n_bytes_in_all: int) -> None:
    """Write one member, counting what really comes."""
    with writing(path, n_bytes=n_bytes_in_all):
        (path if entry.is_folder else path.parent).mkdir(parents=True, exist_ok=True)
        if entry.is_folder:
            return
        sink = path.open("xb", buffering=0)
    n_read = 0
    with sink:
        for chunk in entry.chunks():
            n_read += len(chunk)
            if n_read > entry.n_bytes:
                break
            with writing(path, n_bytes=n_bytes_in_all):
                write_all(sink, chunk)
    if n_read != entry.n_bytes:
        found = f"{n_read:,}" if n_read < entry.n_bytes else "more"
        raise DataError(
            f"{where}: member {entry.name!r} declares {entry.n_bytes:,} bytes and holds {found}; "
            f"delete the archive and download it again"
        )


def _merge(scratch: Path, target: Path, accepted: Mapping[PurePosixPath, Entry], *, where: str) -> list[Path]:
    """Rename the unpacked members into place, once it is sure that none of them replaces anything."""
    for path, entry in accepted.items():
        _require_mergeable(scratch, target, path, is_folder=entry.is_folder, where=where)
    merged = []
    for path, entry in accepted.items():
        final = target / path
        with writing(final):
            (final if entry.is_folder else final.parent).mkdir(parents=True, exist_ok=True)
            if not entry.is_folder:
                (scratch / path).replace(final)
                merged.append(final)
    return merged


def _require_mergeable(scratch: Path, target: Path, path: PurePosixPath, *, is_folder: bool, where: str) -> None:
    for part in (path, *path.parents[:-1]):
        existing = target / part
        if existing.is_symlink():
            raise DataError(
                f"{where}: {existing} is a symbolic link, and nothing is written through links; "
                f"replace it by a real folder or extract elsewhere"
            )
        if existing.exists() and existing.is_dir() != (is_folder or part != path):
            raise DataError(f"{where}: {existing} exists and is of another kind (file or folder); move it away")
    final = target / path
    if not is_folder and final.exists() and not filecmp.cmp(scratch / path, final, shallow=False):
        raise DataError(
            f"{where}: {final} exists already and differs from the archive's; nothing was replaced. "
            f"Move it away if the archive is the right one"
        )
