"""Headers that were written before the length was known: a program wrote into a pipe, or was ended.

libsndfile reads such a WAV file to its end, but for a ``data`` chunk of 0 bytes; and no such FLAC file. What it
does not read is given to it with a header that is completed in memory; the file stays as it is.
"""

from __future__ import annotations

from typing import BinaryIO

STREAMED_BYTES = 0x7FFF0000
"""A chunk of this size or more, in a file that does not hold it, has no known length. Programs write 0xFFFFFFFF
(ffmpeg), 0x80000000 (arecord), 0x7FFFF000 (SoX) and numbers nearby."""

_FLAC_LENGTH = slice(21, 26)
"""Bytes of the file that end in the number of samples, 36 bits: the second half of the first is theirs."""


def holds_samples(tail: bytes) -> bool:
    """Whether what follows a ``data`` chunk of 0 bytes are samples: anything but a row of whole chunks."""
    position = 0
    while position + 8 <= len(tail):
        if not all(0x20 <= byte < 0x7F for byte in tail[position : position + 4]):
            return True
        size = int.from_bytes(tail[position + 4 : position + 8], "little")
        position += 8 + size + size % 2
    return position not in (len(tail), len(tail) + 1)


def completed_wav(file: BinaryIO, start: int) -> bytes | None:
    """A WAV file whose data chunk, from ``start``, has no size: with the true sizes, if samples follow.

    RF64 becomes RIFF, its chunk of 64-bit sizes junk (EBU Tech 3306, section 3), as these sizes are wrong, too.
    """
    file.seek(0)
    raw = bytearray(file.read())
    if not holds_samples(bytes(raw[start:])):
        return None
    raw[start - 4 : start] = min(len(raw) - start, 0xFFFFFFFF).to_bytes(4, "little")
    if raw[:4] == b"RF64":
        raw[:4], raw[12:16] = b"RIFF", b"JUNK"
    raw[4:8] = min(len(raw) - 8, 0xFFFFFFFF).to_bytes(4, "little")
    return bytes(raw)


def flac_is_streamed(file: BinaryIO) -> bool:
    """Whether the header of a FLAC file gives no number of samples (RFC 9639, section 8.2)."""
    file.seek(0)
    head = file.read(26)
    return len(head) == 26 and head[:4] == b"fLaC" and _stated_samples(head) == 0


def completed_flac(file: BinaryIO) -> bytes | None:
    """A FLAC file of unknown length, with the length that its last frame ends at; None if that one is not whole."""
    file.seek(0)
    raw = bytearray(file.read())
    n_samples = _end_of_last_frame(bytes(raw))
    if n_samples is None:
        return None
    kept = (raw[21] & 0xF0) << 32
    raw[_FLAC_LENGTH] = (kept | n_samples).to_bytes(5, "big")
    return bytes(raw)


def _stated_samples(head: bytes) -> int:
    return int.from_bytes(head[_FLAC_LENGTH], "big") & 0xF_FFFF_FFFF


def _end_of_last_frame(raw: bytes) -> int | None:
    """Samples up to the end of the frame that the file ends with, both of its checksums right."""
    block_size, largest_block = (int.from_bytes(raw[at : at + 2], "big") for at in (8, 10))
    format_bits = int.from_bytes(raw[18:22], "big") >> 4
    n_channels, n_bits = (format_bits >> 5 & 7) + 1, (format_bits & 31) + 1
    # Samples that are not compressed are the longest form of a frame; a difference of channels has a bit more.
    lowest = max(42, len(raw) - (largest_block * n_channels * (n_bits + 1) // 8 + 64))
    position = raw.rfind(b"\xff", lowest)
    while position >= lowest:
        header = _frame_header(raw[position : position + 18])
        frame = raw[position:] if header else b""
        if header and _crc(frame[:-2], bits=16, polynomial=0x8005) == int.from_bytes(frame[-2:], "big"):
            number, n_samples, fixed = header
            return (number * block_size if fixed else number) + n_samples
        position = raw.rfind(b"\xff", lowest, position)
    return None


def _frame_header(frame: bytes) -> tuple[int, int, bool] | None:
    """Number of a frame or of its first sample, its samples, and which of the two (RFC 9639, section 9.1)."""
    if len(frame) < 10 or frame[1] & 0xFE != 0xF8:
        return None
    size_code, rate_code = frame[2] >> 4, frame[2] & 15
    n_ones = 8 - (frame[4] ^ 0xFF).bit_length()  # as in UTF-8: none, or the number of bytes
    if n_ones in (1, 8) or size_code == 0 or rate_code == 15:
        return None
    at = 4 + max(1, n_ones)
    number = frame[4] & (0x7F >> n_ones)
    for byte in frame[5:at]:
        number = number << 6 | byte & 0x3F
    n_samples, width = _block_size(size_code)
    if width:
        n_samples = int.from_bytes(frame[at : at + width], "big") + 1
    at += width + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if at >= len(frame) or _crc(frame[:at], bits=8, polynomial=0x07) != frame[at]:
        return None
    return number, n_samples, frame[1] == 0xF8


def _block_size(code: int) -> tuple[int, int]:
    """Samples of a frame by its code, or how many bytes behind the number say it."""
    if code in (6, 7):
        return 0, code - 5
    return 192 if code == 1 else 576 << (code - 2) if code <= 5 else 256 << (code - 8), 0


def _crc(data: bytes, *, bits: int, polynomial: int) -> int:
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    value = 0
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
    return value
