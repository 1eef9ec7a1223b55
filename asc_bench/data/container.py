"""Faults of audio files that a decoder hides: libsndfile silently shortens a cut WAV or Ogg file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

from asc_bench.data import streamed
from asc_bench.data.foreign import N_BYTES, foreign_kind

_UNKNOWN_SIZE = 0xFFFFFFFF
_OGG_PAGE_MAX_BYTES = 65_307
_OGG_END_OF_STREAM = 0x04


def container_fault(file: BinaryIO) -> str | None:
    """Check the outer structure of an open file (WAV, Ogg, FLAC of unknown length; others are left to the decoder).

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
    if _is_wav(start):
        return _riff_fault(file, n_bytes, n_riff_bytes=int.from_bytes(start[4:8], "little"))
    if start[:4] == b"OggS":
        return _ogg_fault(file, n_bytes)
    if streamed.flac_is_streamed(file) and streamed.completed_flac(file) is None:
        return "is cut or damaged: its header gives no length, and its last FLAC frame is not whole"
    return None


def decodable(path: Path) -> Path | io.BytesIO:
    """What the decoder is to be given: the file, or its bytes with a header that gives the length.

    Parameters
    ----------
    path : Path
        Without a `container_fault`.
    """
    with path.open("rb") as file:
        completed = None
        if _is_wav(file.read(12)):
            n_bytes = os.fstat(file.fileno()).st_size
            start, size, _ = _data_chunk(file, n_bytes, n_riff_bytes=0)
            # The decoder reads to the end by itself where a size of 32 bits is too large.
            if start and (size == 0 or (size > _UNKNOWN_SIZE and start + size > n_bytes)):
                completed = streamed.completed_wav(file, start)
        elif streamed.flac_is_streamed(file):
            completed = streamed.completed_flac(file)
    return path if completed is None else io.BytesIO(completed)


def not_audio_reason(path: Path, error: Exception) -> str:
    """Say why a file is no audio, given the decoder's complaint: mostly a web page under an audio name."""
    with path.open("rb") as file:
        kind = foreign_kind(file.read(N_BYTES))
    if kind is not None:
        return f"is not audio, it {kind}" if kind.startswith("looks") else kind
    return f"cannot be decoded: {getattr(error, 'error_string', error)}"


def _is_wav(start: bytes) -> bool:
    return start[:4] in {b"RIFF", b"RF64"} and start[8:12] == b"WAVE"


def _data_chunk(file: BinaryIO, n_bytes: int, *, n_riff_bytes: int) -> tuple[int, int, int]:
    """Walk the chunks up to ``data`` (EBU Tech 3306 for RF64; chunks are padded to even length).

    Returns
    -------
    start, n_data_bytes, n_riff_bytes : int
        Where the samples start, 0 if there is no such chunk; and the sizes that the headers give.
    """
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
            return position + 8, size, n_riff_bytes
        position += 8 + size + size % 2
    return 0, 0, n_riff_bytes


def _riff_fault(file: BinaryIO, n_bytes: int, *, n_riff_bytes: int) -> str | None:
    start, n_data_bytes, n_riff_bytes = _data_chunk(file, n_bytes, n_riff_bytes=n_riff_bytes)
    if not start:
        return "has a header but no samples: the WAV file has no data chunk"
    if n_data_bytes == 0:
        file.seek(start)
        return (
            None if streamed.holds_samples(file.read()) else "has a header but no samples: its data chunk is empty"
        )
    if start + n_data_bytes > n_bytes:
        if n_data_bytes >= streamed.STREAMED_BYTES:
            return None
        return f"is cut: its data chunk claims {n_data_bytes} bytes, the file holds {n_bytes - start} of them"
    # Bytes after the RIFF form (tags appended by some recorders) do no harm. The pad byte of the last chunk
    # is counted by some writers and left out by others, and so are the 8 bytes of the RIFF header.
    announced = 8 + n_riff_bytes
    unknown = n_riff_bytes == 0 or n_riff_bytes >= streamed.STREAMED_BYTES
    if not unknown and (announced > n_bytes + 9 or announced < start + n_data_bytes):
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
