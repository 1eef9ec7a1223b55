"""Names: hints for those that are unknown, and those that become paths."""

from __future__ import annotations

import difflib
import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from asc_bench.errors import ConfigError
from asc_bench.printable import printable

N_LISTED = 50


def count(n: int, thing: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def near(name: object, names: Iterable[str], *, listed: int = N_LISTED) -> str:
    """A half sentence that suggests the nearest names, or lists them; of more than ``listed``, the first.

    Examples
    --------
    >>> near("brid", ["bird", "tram"])
    "; did you mean 'bird'?"
    >>> near("x", ["bird", "tram"])
    '; there are: bird, tram'
    """
    known = list(names)
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(repr(c) for c in close)}?"
    if not known:
        return ""
    rest = f", and {len(known) - listed:,} more" if len(known) > listed else ""
    return f"; there are: {', '.join(known[:listed])}{rest}"


def require_text(name: str | Path, *, what: str) -> None:
    """Refuse a name of which tables and libraries could hold no text.

    Parameters
    ----------
    name : str or Path
        As the operating system gave it; a byte that is no text is a lone surrogate in it.
    what : str
        What is so called, for the message.

    Raises
    ------
    ConfigError
        With the bytes, and what to do.
    """
    try:
        str(name).encode()
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        advice = "" if encoding == "utf-8" else " or set PYTHONUTF8=1, which takes names for UTF-8,"
        raise ConfigError(
            f"{what} {printable(name)} has a name with bytes that are no {encoding} text; rename it{advice} or "
            "reach it through a link with a plain name"
        ) from None


_MAX_LENGTH = 60
_LOOKS_DIGESTED = re.compile(r"-[0-9a-f]{8}\Z")


def slug(text: str) -> str:
    """Turn any name into a safe, unique name for a file or folder.

    Parameters
    ----------
    text : str
        Name of a system, protocol or data set, as given by anybody.

    Returns
    -------
    str
        Words of ``[a-z0-9]`` joined by single hyphens, at most 60 characters, followed by a hyphen and the
        first 8 hexadecimal digits of the name's sha256 unless the name is such a word chain itself. Different
        names give different slugs, also on file systems that fold case.

    Examples
    --------
    >>> slug("sb-cnn")
    'sb-cnn'
    >>> slug("../../x")
    'x-9cdf6a50'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:_MAX_LENGTH].rstrip("-")
    # A name that already ends like a digest gets one more: it could be the slug of another name.
    if plain and plain == text and not _LOOKS_DIGESTED.search(text):
        return plain
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain or 'unnamed'}-{digest}"
