"""Samples to the bytes of an audio file, the same bytes every time."""

from __future__ import annotations

import io
import struct
import zlib

from asc_bench.data.signals import Wave

_SERIAL, _CHECKSUM, _N_LACING = 14, 22, 26
"""Offsets in the header of an Ogg page."""

_WAV_HEADER_BYTES = 100

_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def wav_bytes(wave: Wave, *, sample_rate_hz: int, bits: int) -> bytes:
    """Mono WAV of 16 or 24 bits."""
    import soundfile

    memory = io.BytesIO()
    soundfile.write(memory, wave, sample_rate_hz, format="WAV", subtype=f"PCM_{bits}")
    return memory.getvalue()


def wav_size(n_samples: int, *, bits: int, n_channels: int = 1) -> int:
    """About the bytes that ``wav_bytes`` gives, rather more than less."""
    return _WAV_HEADER_BYTES + n_samples * n_channels * bits // 8


def ogg_bytes(wave: Wave, *, sample_rate_hz: int, serial: int) -> bytes:
    """Mono Ogg Vorbis with a stream serial number that is given instead of drawn by the library."""
    import soundfile

    memory = io.BytesIO()
    soundfile.write(memory, wave, sample_rate_hz, format="OGG", subtype="VORBIS")
    return with_serial(memory.getvalue(), serial)


def with_serial(stream: bytes, serial: int) -> bytes:
    """Rewrite the serial number of every page of an Ogg stream, and its checksum (RFC 3533, section 6)."""
    fixed, at = bytearray(stream), 0
    while at < len(fixed):
        if fixed[at : at + 4] != b"OggS":
            raise ValueError(f"no Ogg page at byte {at}")
        n_lacing = fixed[at + _N_LACING]
        body_at = at + _N_LACING + 1 + n_lacing
        end = body_at + sum(fixed[body_at - n_lacing : body_at])
        struct.pack_into("<I", fixed, at + _SERIAL, serial & 0xFFFFFFFF)
        struct.pack_into("<I", fixed, at + _CHECKSUM, 0)
        struct.pack_into("<I", fixed, at + _CHECKSUM, _ogg_checksum(bytes(fixed[at:end])))
        at = end
    return bytes(fixed)


def _ogg_checksum(page: bytes) -> int:
    """CRC of RFC 3533: the polynomial of zlib's, with bits in the other order and without its inversions."""
    mirrored = zlib.crc32(page.translate(_MIRROR), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
