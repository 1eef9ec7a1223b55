"""Writing files: whole or absent, with room asked for first, and every refusal a StoreError that names the file."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from asc_bench.errors import StoreError

STALE_S = 3600.0
"""A file that is written takes less."""


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written under ``folder``, which need not exist yet."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free


def require_space(folder: Path, n_bytes: int, *, purpose: str) -> None:
    """Refuse work that cannot fit.

    Raises
    ------
    StoreError
        If fewer than ``n_bytes`` are free under ``folder``.
    """
    free = free_bytes(folder)
    if free < n_bytes:
        raise StoreError(
            f"{folder}: {purpose} needs {n_bytes:,} bytes and {free:,} are free; "
            f"make room for {n_bytes - free:,} more or choose another folder",
            path=folder,
        )


@contextmanager
def writing(path: Path, *, n_bytes: int | None = None) -> Iterator[None]:
    """Turn an operating system's refusal to write ``path`` (``n_bytes`` in all) into a StoreError."""
    try:
        yield
    except OSError as error:
        needed = "" if n_bytes is None else f"{n_bytes:,} bytes were needed, "
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error}): "
            f"{needed}{free_bytes(path.parent):,} bytes are free there",
            path=path,
        ) from error


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock, which the operating system frees when this process dies.

    A file that merely exists would do on file systems without locks, but outlives a killed process on another host.

    Raises
    ------
    filelock.Timeout
        If another process holds it and ``wait`` is false.
    StoreError
        If the folder cannot be written, or its file system refuses locks.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise
    except (OSError, NotImplementedError) as error:
        if isinstance(error, NotImplementedError) or error.errno in _NO_LOCKS:
            raise _without_locks(path, getattr(error, "strerror", None) or str(error)) from error
        with writing(path):
            raise
    try:
        if type(lock) is not FileLock:  # without flock, later versions of filelock make it one of the other kind
            raise _without_locks(path, os.strerror(errno.ENOSYS))
        yield
    finally:
        lock.release()


_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def _without_locks(path: Path, reason: str) -> StoreError:
    return StoreError(
        f"{path.parent}: this file system refuses locks ({reason}), which keep two processes from computing the "
        "same thing at a time; choose a folder on another one, such as a local disk",
        path=path,
    )


def write_all(sink: IO[bytes], chunk: bytes) -> None:
    """Write to an unbuffered file, which may take less than it is given.

    Unbuffered, because a full disk is then met while writing and not when the file is closed.
    """
    rest = memoryview(chunk)
    while rest:
        rest = rest[sink.write(rest) :]


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that no other process uses and that a listing shows as unfinished."""
    return path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file beside its place, flush it to the disk and rename it into place.

    What a process that was killed left beside it more than an hour ago is removed.

    Raises
    ------
    StoreError
        If the folder cannot be written or the disk is full; nothing is left behind then.
    """
    # A name from the command line may hold bytes that are no UTF-8; they must not cost what stands beside them.
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    temporary = temporary_beside(path)
    with writing(path, n_bytes=len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            with suppress(OSError):  # another process removes it, or it is not ours
                if left.stat().st_mtime < time.time() - STALE_S:
                    left.unlink()


def publish_folder(temporary: Path, target: Path) -> None:
    """Flush every file of a finished folder and rename it into place, over an older one if there is one."""
    with writing(target):
        for path in temporary.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        if target.exists():
            old = temporary_beside(target)
            target.rename(old)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.rename(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
