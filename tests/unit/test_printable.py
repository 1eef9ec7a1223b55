"""Foreign text on a terminal: what would steer it is shown, and what it lacks is degraded."""

from __future__ import annotations

import io
import logging
import os
import unicodedata
import warnings

import pytest

from asc_bench.printable import DEGRADED, printable


def test_what_would_steer_a_terminal_is_shown_and_text_stays() -> None:
    assert printable("\x1b[2J\x1b]0;title\x07") == r"\x1b[2J\x1b]0;title\x07"
    assert printable("over\rwritten\b\x9b1A") == r"over\x0dwritten\x08\x9b1A"
    assert printable("a\u202eb\u2066c\u200fd") == r"a\u202eb\u2066c\u200fd"
    assert printable(os.fsdecode(b"caf\xe9")) == r"caf\xe9"
    ours = "a table\n\twith – † ≈ Café, 広場, ساحة, 👩\u200d🔬\n"
    assert printable(ours) == ours


def test_no_control_format_or_separator_character_is_left() -> None:
    everything = "".join(map(chr, range(0x110000)))
    left = {c for c in printable(everything) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    # Joiners form letters and emoji; the number and annotation marks of some scripts are shown.
    joiners, shown = {"\u200c", "\u200d"}, {"Arabic", "Syriac", "Kaithi", "Egyptian", "Shorthand", "Musical"}
    kept = left - {"\t", "\n"} - joiners
    names = {unicodedata.name(c, "?").replace("SHORTHAND", "Shorthand").split()[0].capitalize() for c in kept}
    assert names <= shown, sorted(f"U+{ord(c):04X}" for c in kept)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "cp1252", "koi8-r"])
def test_a_terminal_of_few_characters_gets_simpler_ones(encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=DEGRADED)
    text = "68.0 ≈ † ‡ ≤ − – … é 広 👩"
    stream.write(text)
    stream.flush()
    written = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    simpler = dict(
        zip("≈†‡≤−–…é広👩", ["~", "+", "#", "<=", "-", "-", "...", r"\xe9", r"\u5e83", r"\U0001f469"], strict=True)
    )
    expected = ""
    for character in text:
        try:
            expected += character.encode(encoding).decode(encoding)
        except UnicodeEncodeError:
            expected += simpler[character]
    assert written == expected


def test_the_log_of_the_harness_holds_nothing_that_steers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="asc_bench"):
        logging.getLogger("asc_bench").warning("%s failed: %d %%", "\x1b[2J", 3)
    assert caplog.messages == [r"\x1b[2J failed: 3 %"]


def test_warnings_and_tracebacks_of_the_command_line_are_printable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    from asc_bench.cli.printing import echo, guard_terminal

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    guard_terminal()
    assert r"a\x1b[2Jb" in warnings.formatwarning(UserWarning("a\x1b[2Jb"), UserWarning, "file.py", 1, "line")
    error = ValueError("c\x1b[2Jd")
    sys.excepthook(ValueError, error, None)
    echo("e\x1b[2Jf")
    seen = capsys.readouterr()
    assert seen.err == "ValueError: c\\x1b[2Jd\n"
    assert seen.out == "e\\x1b[2Jf\n"
