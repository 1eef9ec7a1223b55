"""What a front end does, as a line for readers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from asc_bench.features.frontends import FrontEnd

_TOLD = {
    "sample_rate_hz": "{:,} Hz",
    "n_fft": "FFT of {:,} samples",
    "window_length": "windows of {:,} samples",
    "hop_length": "hop {:,} samples",
    "n_mels": "{:,} mel bands",
    "fmin_hz": "fmin {:,g} Hz",
    "fmax_hz": "fmax {:,g} Hz",
    "n_coefficients": "{:,} coefficients",
}
"""Settings that are always named; of the others those that differ from their default."""

_SPANS = ("window_length", "hop_length")


def in_words(front_end: FrontEnd) -> str:
    """Class and settings of a front end, in the order of their declaration.

    Examples
    --------
    >>> from asc_bench.features.frontends import Waveform
    >>> in_words(Waveform(sample_rate_hz=16_000))
    'Waveform: 16,000 Hz'
    """
    return f"{type(front_end).__name__}: {', '.join(_settings(front_end))}"


def _settings(front_end: FrontEnd) -> Iterator[str]:
    for setting in fields(front_end):
        value: Any = getattr(front_end, setting.name)
        words = setting.name.replace("_", " ")
        if setting.name in _TOLD:
            span = f" ({1000 * value / front_end.sample_rate_hz:.3g} ms)" if setting.name in _SPANS else ""
            yield _TOLD[setting.name].format(value) + span
        elif setting.default is not MISSING and value == setting.default:
            continue
        elif isinstance(value, bool):
            yield words if value else f"{words} off"
        elif isinstance(value, FrontEnd):
            yield f"{words} {_nested(value)}"
        elif isinstance(value, tuple) and value and all(isinstance(part, FrontEnd) for part in value):
            yield f"{words} {' and '.join(_nested(part) for part in value)}"
        else:
            yield f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}"


def _nested(front_end: FrontEnd) -> str:
    return f"{type(front_end).__name__} ({', '.join(_settings(front_end))})"
