"""Hints for names that are unknown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, names: Iterable[str]) -> str:
    """A half sentence that suggests the nearest names, or lists all of them."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(repr(c) for c in close)}?"
    return f"; there are: {', '.join(known)}" if known else ""
