"""What happens to files: bits flip, writes stop half way, names are mixed up, a proxy answers with a page."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"

Damage = Callable[[bytes, bytes, random.Random], bytes]
"""From the bytes of a file, those of another file of its kind and a generator: what is there afterwards."""


def _flipped(content: bytes, _: bytes, rng: random.Random) -> bytes:
    place, changed = rng.randrange(len(content)), bytearray(content)
    changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(content: bytes, _: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, len(content))]


def _zeroed(content: bytes, _: bytes, rng: random.Random) -> bytes:
    """A block that the disk never got."""
    start = rng.randrange(len(content))
    n = min(512, len(content) - start)
    return content[:start] + bytes(n) + content[start + n :]


DAMAGES: Mapping[str, Damage] = {
    "flipped bit": _flipped,
    "cut": _cut,
    "block of zeros": _zeroed,
    "empty": lambda content, other, rng: b"",
    "swapped": lambda content, other, rng: other,
    "web page": lambda content, other, rng: PAGE,
}


def damage(path: Path, how: str, rng: random.Random, *, other: Path) -> bool:
    """Damage a file; false if that left it as it was, such as a block of zeros where zeros were.

    Parameters
    ----------
    path : Path
        What is damaged.
    how : str
        One of ``DAMAGES``.
    rng : random.Random
        Where bits flip and files are cut.
    other : Path
        A sound file of the same kind, which stands there when they are swapped.
    """
    before = path.read_bytes()
    after = DAMAGES[how](before, other.read_bytes(), rng)
    path.write_bytes(after)
    return after != before
