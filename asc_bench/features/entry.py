"""One entry of the feature cache on disk: a folder of ``features.npy`` and ``meta.json``.

An entry is written beside its place and renamed into it, so one that is there was finished. It is believed
only if ``meta.json`` says exactly what is expected and the digest of ``features.npy`` is the one noted there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asc_bench.errors import StoreError
from asc_bench.files import require_space, writing

DATA_FILE = "features.npy"
META_FILE = "meta.json"
PARTIAL = ".partial"

_BLOCK_BYTES = 1 << 24
_READ_BYTES = 1 << 18
_HASHING_THREADS = 4

WriteRow = Callable[[int, npt.NDArray[np.float32]], None]


class DamagedEntry(StoreError):  # noqa: N818 - a state of the store, as its base is
    """An entry that must not be used; the message says why."""


def open_entry(folder: Path, expected: Mapping[str, object]) -> npt.NDArray[np.float32] | None:
    """Map an entry into memory, or give None where there is none.

    The digest is computed once per process for each state of the file, known by its inode, size and time of
    change; what rots on disk afterwards is found by the next process.

    Parameters
    ----------
    folder : Path
        The entry.
    expected : mapping
        All that ``meta.json`` must say apart from the digest.

    Raises
    ------
    DamagedEntry
        If anything in it was changed, cut, exchanged or lost.
    StoreError
        If it may not be read.
    """
    if not folder.exists():
        return None
    data = folder / DATA_FILE
    try:
        noted = json.loads((folder / META_FILE).read_bytes())
        state = data.stat()
        digest = _digest_of_state(data, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedEntry(f"{META_FILE} is not JSON: {error}") from None
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise DamagedEntry(str(error)) from None
    except OSError as error:
        raise StoreError(f"{folder} cannot be read: {error.strerror or error}", path=folder) from error
    if not isinstance(noted, dict) or {**noted, "digest": None} != {**expected, "digest": None}:
        raise DamagedEntry(f"{META_FILE} does not describe these features")
    if noted.get("digest") != digest:
        raise DamagedEntry(f"{DATA_FILE} has digest {digest}, {META_FILE} notes {noted.get('digest')}")
    try:
        array: npt.NDArray[np.float32] = np.load(data, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise DamagedEntry(f"{DATA_FILE} is not an array: {error}") from None
    if list(array.shape) != expected["shape"] or array.dtype != np.float32:
        raise DamagedEntry(f"{DATA_FILE} holds {array.dtype} of shape {array.shape}")
    return array


@contextmanager
def new_entry(folder: Path, expected: Mapping[str, object], *, shape: tuple[int, ...]) -> Iterator[WriteRow]:
    """Write an entry row by row and publish it if the block ends without an error; else leave nothing.

    Yields ``write(index, row)``, which several threads may call at once. Rows are written by system calls and
    not through a memory map: on a full disk the former fail with an error, the latter kills the process.

    Raises
    ------
    StoreError
        If the disk is full or the folder cannot be written.
    """
    n_bytes = int(np.prod(shape)) * np.dtype(np.float32).itemsize
    partial = partial_of(folder)
    with writing(partial, n_bytes=n_bytes):
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
    try:
        require_space(partial, n_bytes, purpose="the feature cache")
        with (partial / DATA_FILE).open("wb", buffering=0) as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            with writing(partial / DATA_FILE, n_bytes=n_bytes):
                np.lib.format.write_array_header_1_0(file, header)
            first_byte = file.tell()

            def write(index: int, row: npt.NDArray[np.float32]) -> None:
                with writing(partial / DATA_FILE, n_bytes=n_bytes):
                    _write_at(file.fileno(), row.tobytes(), first_byte + index * row.nbytes)

            yield write
            with writing(partial / DATA_FILE, n_bytes=n_bytes):
                os.fsync(file.fileno())
        with writing(folder, n_bytes=n_bytes):
            noted = {**expected, "digest": block_digest(partial / DATA_FILE)}
            with (partial / META_FILE).open("w", encoding="utf-8") as meta:
                json.dump(noted, meta, indent=1)
                meta.flush()
                os.fsync(meta.fileno())
            partial.rename(folder)
            _sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def quarantine(folder: Path, into: Path) -> Path:
    """Move a damaged entry where nothing reads it, for whoever wants to know what happened to it."""
    aside = into / f"{folder.name}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    with writing(aside):
        into.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
    return aside


def partial_of(folder: Path) -> Path:
    """Where an entry lies while it is written. Its writer holds the entry's lock, so there is one at most."""
    return folder.with_name(folder.name + PARTIAL)


def block_digest(path: Path) -> str:
    """sha256 over the sha256 digests of the file's blocks of 16 MiB, which threads compute side by side."""
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        starts = range(0, max(1, path.stat().st_size), _BLOCK_BYTES)
        digests = pool.map(lambda start: _digest_of_block(path, start), starts)
        return hashlib.sha256(b"".join(digests)).hexdigest()


@cache
def _digest_of_state(path: Path, device: int, inode: int, n_bytes: int, mtime_ns: int) -> str:
    return block_digest(path)


def _digest_of_block(path: Path, start: int) -> bytes:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_READ_BYTES))
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        for _ in range(_BLOCK_BYTES // _READ_BYTES):
            digest.update(buffer[: file.readinto(buffer)])
    return digest.digest()


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    left = memoryview(data)
    while left:
        n_written = os.pwrite(descriptor, left, offset)
        left, offset = left[n_written:], offset + n_written


def _sync_folder(folder: Path) -> None:
    """Make a rename inside a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
