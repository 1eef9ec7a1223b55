"""Faults of audio files that a decoder hides: libsndfile silently shortens a cut WAV or Ogg file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_UNKNOWN_SIZE = 0xFFFFFFFF
_HTML_STARTS = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")
_OGG_PAGE_MAX_BYTES = 65_307
_OGG_END_OF_STREAM = 0x04


def container_fault(file: BinaryIO) -> str | None:
    """Check the outer structure of an open file (WAV, Ogg; others are left to the decoder).

    Returns
    -------
    str or None
        One sentence on an empty or cut file or on sizes that contradict each other; None if all is well.
    """
    n_bytes = os.fstat(file.fileno()).st_size
    if n_bytes == 0:
        return "is empty (0 bytes)"
    file.seek(0)
    start = file.read(12)
    if start[:4] in {b"RIFF", b"RF64"} and start[8:12] == b"WAVE":
        return _riff_fault(file, n_bytes, n_riff_bytes=int.from_bytes(start[4:8], "little"))
    if start[:4] == b"OggS":
        return _ogg_fault(file, n_bytes)
    return None


def not_audio_reason(path: Path, error: Exception) -> str:
    """Say why a file is no audio, given the decoder's complaint: mostly a web page under an audio name."""
    with path.open("rb") as file:
        start = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_HTML_STARTS):
        return "is not audio, it looks like a web page: the download failed, fetch the file again"
    return f"cannot be decoded: {getattr(error, 'error_string', error)}"


def _riff_fault(file: BinaryIO, n_bytes: int, *, n_riff_bytes: int) -> str | None:
    """Walk the chunks up to ``data`` (EBU Tech 3306 for RF64; chunks are padded to even length)."""
    position = 12
    long_sizes: tuple[int, int] | None = None
    while position + 8 <= n_bytes:
        file.seek(position)
        head = file.read(8)
        name, size = head[:4], int.from_bytes(head[4:8], "little")
        if name == b"ds64":
            body = file.read(16)
            long_sizes = int.from_bytes(body[:8], "little"), int.from_bytes(body[8:16], "little")
            n_riff_bytes = long_sizes[0]
        elif name == b"data":
            if size == _UNKNOWN_SIZE and long_sizes is not None:
                size = long_sizes[1]
            return _data_fault(n_bytes, n_riff_bytes, start=position + 8, n_data_bytes=size)
        position += 8 + size + size % 2
    return "has a header but no samples: the WAV file has no data chunk"


def _data_fault(n_bytes: int, n_riff_bytes: int, *, start: int, n_data_bytes: int) -> str | None:
    if n_data_bytes == 0:
        return "has a header but no samples: its data chunk is empty"
    if start + n_data_bytes > n_bytes:
        return f"is cut: its data chunk claims {n_data_bytes} bytes, the file holds {n_bytes - start} of them"
    # Bytes after the RIFF form (tags appended by some recorders) do no harm. The pad byte of the last chunk
    # is counted by some writers and left out by others.
    announced = 8 + n_riff_bytes
    if announced > n_bytes + 1 or announced < start + n_data_bytes:
        return f"has a wrong RIFF size: {announced} bytes announced, {n_bytes} in the file"
    return None


def _ogg_fault(file: BinaryIO, n_bytes: int) -> str | None:
    """A complete Ogg stream ends with a whole page that is marked as the last one (RFC 3533, section 6)."""
    file.seek(max(0, n_bytes - 2 * _OGG_PAGE_MAX_BYTES))
    tail = file.read()
    at = tail.rfind(b"OggS")
    page = tail[at:]
    if at < 0 or len(page) < 27 or len(page) < 27 + page[26]:
        return "is cut: its last Ogg page is incomplete"
    n_page_bytes = 27 + page[26] + sum(page[27 : 27 + page[26]])
    if len(page) < n_page_bytes:
        return f"is cut: its last Ogg page claims {n_page_bytes} bytes, the file holds {len(page)} of them"
    if not page[5] & _OGG_END_OF_STREAM:
        return "is cut: its last Ogg page is not marked as the end of the stream"
    return None
