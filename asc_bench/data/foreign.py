"""What a file is that is not what its name says: downloads that failed, archives, pointers, side-car files."""

from __future__ import annotations

import re

N_BYTES = 512
"""So much of a file's start is enough for `foreign_kind`."""

_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<body", b"<error>")
_LFS_POINTER = b"version https://git-lfs"
_FAILED = "the download failed, fetch the file again"
_MAGIC = (
    (0, b"PK\x03\x04", "a ZIP archive (or a spreadsheet file such as .xlsx)"),
    (0, b"PK\x05\x06", "a ZIP archive without content"),
    (0, b"\x1f\x8b", "compressed by gzip"),
    (0, b"BZh", "compressed by bzip2"),
    (0, b"\xfd7zXZ\x00", "compressed by xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (4, b"ftyp", "MPEG-4 (such as .m4a or .mp4)"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (such as .wma)"),
    (0, b"#!AMR", "AMR speech"),
    (0, b"ID3", "MP3"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (such as .xls)"),
)
_SIDE_CARS = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx"})
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def is_archive(name: str) -> bool:
    """Whether a file of this name is to be unpacked."""
    return name.lower().endswith(_ARCHIVES)


def is_side_car(name: str) -> bool:
    """Whether macOS or Windows put a file or folder of this name beside those of a data set."""
    return name.startswith("._") or name.lower() in _SIDE_CARS


def foreign_kind(start: bytes) -> str | None:
    """Say what a file is that is neither the audio nor the text that its name promises.

    Parameters
    ----------
    start : bytes
        The file's first `N_BYTES` bytes, or all of a shorter one.

    Returns
    -------
    str or None
        The rest of a sentence that begins with the file's name; None for bytes of no known kind.
    """
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "is empty (0 bytes)"
    if text.startswith(_LFS_POINTER):
        return "is a Git LFS pointer, not the file itself: run `git lfs pull` in the repository it came from"
    if text.startswith(_PAGES):
        return f"looks like a web page: {_FAILED}"
    if re.match(rb'[{\[]\s*["\[{]', text):
        return f"looks like JSON, such as a server's error message: {_FAILED}"
    if start[:4] == b"\x00\x05\x16\x07":
        return "is a side-car file of macOS (AppleDouble), not the file itself: leave it out"
    if not start.strip(b"\x00"):
        return "begins with zero bytes only: it was not written to its end, fetch or copy it again"
    for position, magic, kind in _MAGIC:
        if start[position : position + len(magic)] == magic:
            return f"is {kind}, whatever its name says: unpack or convert it, or fetch the right file"
    if start[0] == 0xFF and len(start) > 2 and start[1] & 0xE6 == 0xE2 and start[2] >> 4 not in (0, 15):
        return "is MP3, whatever its name says: unpack or convert it, or fetch the right file"
    return None
