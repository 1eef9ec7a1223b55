"""Files that are either whole or absent."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from asc_bench.errors import StoreError


@contextlib.contextmanager
def storing(path: Path, *, n_bytes: int | None = None) -> Iterator[None]:
    """Turn an operating system's refusal while writing ``path`` into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            need = f"{n_bytes:,} bytes are needed" if n_bytes is not None else "more space is needed"
            raise StoreError(f"the disk is full at {path}: {need}; free some, then run the same command") from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise StoreError(f"{path} cannot be written ({error.strerror}); choose another folder") from error
        raise StoreError(f"{path} could not be written: {error}") from error


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that no other process uses and that a listing shows as unfinished."""
    return path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file beside its place, flush it to the disk and rename it into place.

    Raises
    ------
    StoreError
        If the folder cannot be written or the disk is full; nothing is left behind then.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = temporary_beside(path)
    with storing(path, n_bytes=len(data)):
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


def publish_folder(temporary: Path, target: Path) -> None:
    """Flush every file of a finished folder and rename it into place, over an older one if there is one."""
    with storing(target):
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
