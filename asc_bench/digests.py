"""Digests of files that a user names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from asc_bench.errors import ConfigError


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
