"""Room on disk: asked for before large files are written, and named when writing fails after all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from asc_bench.errors import StoreError


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
            f"make room for {n_bytes - free:,} more or choose another folder"
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
            f"{needed}{free_bytes(path.parent):,} bytes are free there"
        ) from error


def write_all(sink: IO[bytes], chunk: bytes) -> None:
    """Write to an unbuffered file, which may take less than it is given.

    Unbuffered, because a full disk is then met while writing and not when the file is closed.
    """
    rest = memoryview(chunk)
    while rest:
        rest = rest[sink.write(rest) :]
