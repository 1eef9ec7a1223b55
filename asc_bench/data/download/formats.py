"""The members of zip and tar archives, listed by one interface and with the traps of each format closed."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from asc_bench.errors import DataError

CHUNK_BYTES = 2**20

_MAX_TAR_READ_BYTES = 2**22
_MAX_TAR_PADDING_BYTES = 2**24
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x01 | 0x40
_SPECIAL = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFCHR: "a device node",
    stat.S_IFBLK: "a device node",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}
_TAR_SPECIAL = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device node",
    tarfile.BLKTYPE: "a device node",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


@dataclass(frozen=True)
class Entry:
    """One plain file or folder of an archive.

    Attributes
    ----------
    name : str
        What the archive says, untrusted.
    n_bytes : int
        Size that the archive declares, untrusted.
    is_folder : bool
        Whether the entry is a folder.
    chunks : callable
        Gives the content piece by piece, at most ``CHUNK_BYTES`` each.
    """

    name: str
    n_bytes: int
    is_folder: bool
    chunks: Callable[[], Iterator[bytes]]


@contextmanager
def open_entries(path: Path) -> Iterator[Iterator[Entry]]:
    """List an archive lazily, so that a caller can stop at an entry before its content must be skipped.

    The kind is told by the first bytes: a file's name proves nothing.

    Raises
    ------
    DataError
        For a file that is neither zip, tar nor tar.gz, for damage, and for members that are encrypted, links,
        devices or anything else but plain files and folders.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist or is no file")
    with path.open("rb") as stream:
        head = stream.read(512)
        stream.seek(0)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            with _damage(str(path)):
                archive = zipfile.ZipFile(stream)
            with archive:
                yield _zip_entries(archive, str(path))
        elif head.startswith(b"\x1f\x8b"):
            with gzip.open(stream) as unpacked:
                yield _tar_entries(_Sober(unpacked), str(path))
        elif head[257:262] == b"ustar":
            yield _tar_entries(_Sober(stream), str(path))
        else:
            raise DataError(f"{path} is neither a zip nor a tar archive: it begins with {head[:16]!r}")


@contextmanager
def _damage(where: str) -> Iterator[None]:
    """Turn what the standard readers raise on damaged input into one error."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        UnicodeDecodeError,
        RecursionError,  # a long chain of pax headers
    ) as error:
        raise DataError(f"{where} is damaged ({error}); delete the archive and download it again") from error


def _zip_entries(archive: zipfile.ZipFile, where: str) -> Iterator[Entry]:
    for info in archive.infolist():
        # orig_filename: what zipfile offers as filename was already cut at NUL and had separators replaced.
        name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & _ENCRYPTED:
            raise DataError(f"{where}: member {name!r} is encrypted; asc-bench reads no encrypted archives")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _not_plain(where, name, _SPECIAL.get(kind, "of an unknown type"))
        if info.compress_type not in _ZIP_METHODS:
            # The other decompressors of zipfile cannot bound the memory that one read takes.
            raise DataError(
                f"{where}: member {name!r} uses compression method {info.compress_type}; "
                f"only stored (0) and deflated (8) members are read"
            )
        opened = partial(archive.open, info)
        yield Entry(name, info.file_size, name.endswith("/"), partial(_chunks, opened, where, name))


def _tar_entries(stream: _Sober, where: str) -> Iterator[Entry]:
    with _damage(where):
        archive = tarfile.TarFile(fileobj=stream)
    while True:
        with _damage(where):
            info = archive.next()
        if info is None:
            break
        if info.issparse() or not (info.isreg() or info.isdir()):
            kind = "a sparse file" if info.issparse() else _TAR_SPECIAL.get(info.type, "of an unknown type")
            raise _not_plain(where, info.name, kind)
        opened = partial(archive.extractfile, info)
        yield Entry(info.name, info.size, info.isdir(), partial(_chunks, opened, where, info.name))
    with _damage(where):
        _require_tar_end(stream, archive.offset, where)


def _not_plain(where: str, name: str, kind: str) -> DataError:
    return DataError(f"{where}: member {name!r} is {kind}; only plain files and folders are extracted")


def _require_tar_end(stream: _Sober, offset: int, where: str) -> None:
    """Refuse a tar without its end mark: tarfile takes a broken header for the end of the archive."""
    stream.seek(offset)
    if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise DataError(
            f"{where} is damaged (neither a header nor the end mark at byte {offset:,}); "
            f"delete the archive and download it again"
        )
    n_padding = 0
    while chunk := stream.read(CHUNK_BYTES):  # to the end, where gzip compares its checksum
        n_padding += len(chunk)
        if n_padding > _MAX_TAR_PADDING_BYTES:
            raise DataError(f"{where}: over {_MAX_TAR_PADDING_BYTES:,} bytes follow the end of the archive")


def _chunks(opened: Callable[[], IO[bytes] | None], where: str, name: str) -> Iterator[bytes]:
    with _damage(f"{where}: member {name!r}"):
        stream = opened()
        if stream is None:
            raise DataError(f"{where}: member {name!r} has no content")
        with stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk


class _Sober(io.BufferedIOBase):
    """A stream for tarfile without huge reads: tarfile takes extended headers of any size into memory."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        super().__init__()
        self._stream = stream

    def read(self, n_bytes: int | None = -1, /) -> bytes:
        if n_bytes is None or not 0 <= n_bytes <= _MAX_TAR_READ_BYTES:
            raise tarfile.ReadError(f"a header of {n_bytes} bytes")
        return self._stream.read(n_bytes)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True
