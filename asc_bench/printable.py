"""Text on a terminal: foreign strings cannot steer it, and one that knows few characters is given others."""

from __future__ import annotations

import codecs
import logging
import re
import warnings

_STEERING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline; 0x9b alone begins a sequence, too
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\ud800-\udfff"  # bytes of a file name that is no text
    "]"
)
"""Characters that a terminal obeys instead of showing them, and those that hide or turn what stands beside them."""

_SIMPLER = {
    **dict.fromkeys("–—−━", "-"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”", '"'),
    "≈": "~",
    "†": "+",
    "‡": "#",
    "§": "!",
    "¶": "^",
    "≤": "<=",
    "≥": ">=",
    "×": "x",
    "…": "...",
    "·": ".",
    "±": "+/-",
    "→": "->",
}
"""What a character of our own tables and messages becomes where the terminal has no such character."""

DEGRADED = "asc-bench-simpler"
"""Name of the error handler of streams that writes simpler characters, and foreign ones as escapes."""


def printable(text: object) -> str:
    r"""Text with every character visible that would steer a terminal; tabs and newlines stay.

    Examples
    --------
    >>> print(printable("caf\xe9 \x1b[2J"))
    café \x1b[2J
    """
    return _STEERING.sub(lambda found: _escape(found[0]), str(text))


def encodable(text: str, encoding: str) -> str:
    r"""Text as a stream of this encoding shows it: simpler characters and escapes where it has no such character.

    Examples
    --------
    >>> encodable("68.0 ≤ é", "ascii")
    '68.0 <= \\xe9'
    """
    return text.encode(encoding, DEGRADED).decode(encoding)


def printable_record(record: logging.LogRecord) -> bool:
    """A filter of a log, which lets every record through with its message made printable."""
    record.msg, record.args = printable(record.getMessage()), ()
    return True


def printable_warnings() -> None:
    """Let no warning that this process prints steer a terminal, whatever library or plug-in gives it."""
    if warnings.formatwarning is not _formatted:
        warnings.formatwarning = _formatted


_as_before = warnings.formatwarning


def _formatted(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return printable(_as_before(message, category, filename, lineno, line))


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # the byte that stands there
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _simpler(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_SIMPLER.get(c) or _escape(c) for c in error.object[error.start : error.end]), error.end


codecs.register_error(DEGRADED, _simpler)
