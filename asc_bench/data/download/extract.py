"""Unpacking of archives: all of one or nothing, and never outside the folder."""

from __future__ import annotations

import filecmp
import gzip
import lzma
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from asc_bench.errors import ConfigError, DataError
from asc_bench.files import require_space, writing

SCRATCH_PREFIX = ".asc-bench-extracting-"
"""Name of the folder inside the target in which an archive is unpacked before it is merged."""

_UNSAFE = re.compile(r"^$|^/|(^|/)\.$|(^|/)\.\.(/|$)|(^|/)[A-Za-z]:|\\|[\x00-\x1f]")


def extract(archive_path: Path, target: Path, *, max_bytes: int | None = None) -> list[Path]:
    """Extract a zip or tar (plain or compressed) into ``target``, beside what other archives put there.

    The members are unpacked into a hidden folder inside ``target`` (so on the same file system, also where
    ``target`` is a mount point) and renamed into place only after every one of them proved sound. Files that
    exist already must be identical.

    Parameters
    ----------
    archive_path : Path
        The archive; a zip if its name says so, else a tar.
    target : Path
        Folder to extract into, made if missing.
    max_bytes : int, optional
        Most bytes that the members may have together, for archives that no published digest vouches for.

    Returns
    -------
    list of Path
        The extracted files, sorted.

    Raises
    ------
    DataError
        For an archive that is damaged, too large, encrypted, or has a member that is no plain file or folder
        with a plain relative name; and for an existing file that differs. Nothing of it is left behind.
    StoreError
        If the target cannot be written or has too little room.
    ConfigError
        For a tar, if this Python is too old to unpack it safely.
    """
    target = target.resolve()
    with _opened(archive_path) as archive:
        if isinstance(archive, zipfile.ZipFile):
            unpack, members = archive.extractall, _zip_members(archive)
        else:
            unpack, members = partial(archive.extractall, filter="data"), _tar_members(archive)
        _check(members, where=str(archive_path))
        n_bytes = sum(size for _, size, _ in members)
        if max_bytes is not None and n_bytes > max_bytes:
            raise DataError(
                f"{archive_path} would unpack to {n_bytes:,} bytes, which is over the limit of {max_bytes:,} for "
                f"archives without a published digest: a decompression bomb, or the wrong file"
            )
        require_space(target, n_bytes, purpose=f"unpacking {archive_path.name}")
        with writing(target, n_bytes=n_bytes):
            target.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=target) as name:
                unpack(name)
                found = sorted(Path(name).rglob("*"))
                n_found = sum(path.stat().st_size for path in found if path.is_file())
                if n_found != n_bytes:
                    raise DataError(
                        f"{archive_path} declares {n_bytes:,} bytes and holds {n_found:,}; "
                        f"delete it and download it again"
                    )
                return _merge(found, Path(name), target, where=str(archive_path))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    """Open an archive, and turn what the standard readers raise on damage into one error."""
    if not path.is_file():
        raise DataError(f"{path} does not exist or is no file")
    is_zip = path.suffix.lower() == ".zip"
    if not is_zip and not hasattr(tarfile, "data_filter"):
        raise ConfigError(f"{path}: to unpack a tar safely takes Python 3.11.4 or newer; update it")
    try:
        with zipfile.ZipFile(path) if is_zip else tarfile.open(path) as archive:
            yield archive
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        gzip.BadGzipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        RuntimeError,  # from zipfile: encrypted, or compressed by a method that it does not know
        UnicodeDecodeError,
    ) as error:
        raise DataError(
            f"{path} is damaged or cannot be read ({error}); delete it and download it again"
        ) from error


# A member is its name, which ends in a slash if it is a folder, its size, and whether it is a plain file or folder.
_Members = Sequence[tuple[str, int, bool]]


def _zip_members(archive: zipfile.ZipFile) -> _Members:
    plain = (0, stat.S_IFREG, stat.S_IFDIR)
    # orig_filename: what zipfile offers as filename was already cut at NUL and had separators replaced.
    return [(i.orig_filename, i.file_size, stat.S_IFMT(i.external_attr >> 16) in plain) for i in archive.infolist()]


def _tar_members(archive: tarfile.TarFile) -> _Members:
    infos, stream = archive.getmembers(), archive.fileobj
    assert stream is not None
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        # tarfile takes a broken header for the end of the archive.
        raise tarfile.ReadError(f"neither a header nor the end mark at byte {archive.offset:,}")
    while stream.read(2**20):  # to the end, where gzip compares its checksum
        pass
    return [(f"{i.name}/" if i.isdir() else i.name, i.size, i.isreg() or i.isdir()) for i in infos]


def _check(members: _Members, *, where: str) -> None:
    """Refuse what the readers themselves would rename, overwrite or make a link of."""
    for name, _, is_plain in members:
        if _UNSAFE.search(name):
            raise DataError(
                f"{where}: member {name!r} has no plain relative name (it is empty, absolute or has '..', a drive "
                f"letter, a backslash or a control character); nothing was extracted"
            )
        if not is_plain:
            raise DataError(
                f"{where}: member {name!r} is a link or device; only plain files and folders are extracted"
            )
    files = Counter(PurePosixPath(name) for name, _, _ in members if not name.endswith("/"))
    folders = {PurePosixPath(name) for name, _, _ in members if name.endswith("/")}
    folders.update([parent for path in (*files, *folders) for parent in path.parents])
    twice = [str(path) for path, count in files.items() if count > 1 or path in folders]
    if twice:
        raise DataError(f"{where}: {twice[0]!r} is there twice; nothing was extracted")


def _merge(found: Sequence[Path], scratch: Path, target: Path, *, where: str) -> list[Path]:
    """Rename unpacked files into place, once it is sure that none of them replaces anything."""
    final = {path: target / path.relative_to(scratch) for path in found}
    for path, existing in final.items():
        if existing.is_symlink():
            raise DataError(
                f"{where}: {existing} is a symbolic link, and nothing is written through links; "
                f"replace it by a real folder or extract elsewhere"
            )
        if existing.exists() and not (
            existing.is_dir() if path.is_dir() else filecmp.cmp(path, existing, shallow=False)
        ):
            raise DataError(
                f"{where}: {existing} exists already and differs from the archive's; nothing was replaced. "
                f"Move it away if the archive is the right one"
            )
    for path, place in final.items():
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            path.replace(place)
    return [place for place in final.values() if place.is_file()]
