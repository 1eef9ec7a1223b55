"""The contract of an encoder: a frozen network that turns a waveform into embeddings."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.digests import file_digest
from asc_bench.errors import ConfigError, DataError, StoreError
from asc_bench.features.frontends import FrontEnd


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where an encoder comes from, as its documents say."""

    title: str
    citation: str
    trained_on: str
    licence: str
    """Of the weights, in the words of whoever publishes them; also that there is none."""
    source: str
    """Package or address."""


@dataclass(frozen=True, kw_only=True)
class Encoder(FrontEnd):
    """A frozen network. Its output for a clip is the mean and the standard deviation of its embeddings, (2, d).

    Both are taken over the windows of the clip and over the frames that the network gives for each; of a single
    embedding the standard deviation is zero. An embedding is thus computed once for each clip, whatever folds,
    seeds and classifiers there are, and both ways of pooling it are read from one cache entry.

    Attributes
    ----------
    weights : str
        File or folder of the weights, where no package brings them.
    window_s : float
        Cut the clip into windows of this length that do not overlap; what is left at the end is dropped. 0 for the
        whole clip.
    """

    numerics_version: ClassVar[int | None] = 1
    axes: ClassVar[tuple[str, ...]] = ("moments", "dimensions")
    name: ClassVar[str] = ""
    about: ClassVar[Provenance]
    needs: ClassVar[tuple[str, ...]] = ()
    """Modules without which it cannot run."""
    install: ClassVar[str] = ""
    """The command that installs them, or how its file is come by."""
    wants_file: ClassVar[bool] = False
    """Whether it has no weights but those that ``weights`` names."""

    weights: str = ""
    window_s: float = 0.0

    def __post_init__(self) -> None:
        if self.sample_rate_hz < 1:
            raise ConfigError(f"{self.title}: sample_rate_hz is {self.sample_rate_hz}, must be at least 1")
        if not 0 <= self.window_s < float("inf"):
            raise ConfigError(f"{self.title}: window_s is {self.window_s}, must be 0 or above")
        if self.window_s and self.window_samples < 1:
            raise ConfigError(f"{self.title}: window_s of {self.window_s} s is less than a sample")

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"extractor={self.name}"

    @property
    def window_samples(self) -> int:
        """Samples of a window; 0 for the whole clip."""
        return round(self.window_s * self.sample_rate_hz)

    @property
    def n_parameters(self) -> int | None:
        """Weights of the network, where they can be counted."""
        return None

    def absent(self) -> str:
        """Which module this machine lacks, and the command that installs it; empty if none."""
        for module in self.needs:
            if importlib.util.find_spec(module) is None:
                return f"extractor {self.name} needs the package {module}: {self.install}"
        return ""

    def lacking(self) -> str:
        """Which file must be named and is not, and where it is published; empty if none."""
        if self.weights or not self.wants_file:
            return ""
        return f"extractor {self.name} has no weights here: {self.install}"

    def files(self) -> tuple[Path, ...]:
        """Files that the embedding depends on."""
        if not self.weights:
            return ()
        path = Path(self.weights)
        return tuple(sorted(p for p in path.rglob("*") if p.is_file())) if path.is_dir() else (path,)

    def key(self) -> dict[str, object]:
        """Class, settings, and the contents of the files; not where these lie.

        Raises
        ------
        ConfigError
            If a file cannot be read.
        """
        return {
            "front_end": type(self).__name__,
            "sample_rate_hz": self.sample_rate_hz,
            "window_s": self.window_s,
            "files": [digest_of(path) for path in self.files()],
            "packages": {module: package_version(module) for module in self.needs},
        }

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(2, d)``.

        Raises
        ------
        DataError
            If a window is longer than the clip.
        """
        n_samples = round(duration_s * self.sample_rate_hz)
        if n_samples < max(1, self.window_samples):
            raise DataError(f"windows of {self.window_s:g} s in clips of {duration_s:g} s")
        return 2, self.dimensions(self.window_samples or n_samples)

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Embed one mono waveform, shape (n_samples,), in [-1, 1].

        Raises
        ------
        DataError
            If it is shorter than a window, or than what the network needs.
        """
        length = self.window_samples or len(waveform)
        n_windows = len(waveform) // length if length else 0
        if not n_windows:
            raise DataError(f"{self.title}: {len(waveform)} samples, at least {max(1, length)} are needed")
        windows = np.ascontiguousarray(waveform[: n_windows * length], dtype=np.float32).reshape(n_windows, length)
        embeddings = self.embed(windows)
        rows = embeddings.reshape(-1, embeddings.shape[-1]).astype(np.float64)
        return np.stack([rows.mean(axis=0), rows.std(axis=0)]).astype(np.float32)

    @abstractmethod
    def dimensions(self, n_samples: int) -> int:
        """d of an embedding of windows of so many samples."""

    @abstractmethod
    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Embed windows, (n, n_samples) to (n, n_frames, d); called by several threads at once."""


def overlapping(frames: npt.NDArray[np.float32], length: int, hop: int) -> npt.NDArray[np.float32]:
    """Blocks of so many frames, (n, length, bands); too few frames for one are filled with zeros."""
    if len(frames) < length:
        frames = np.pad(frames, ((0, length - len(frames)), (0, 0)))
    return np.stack([frames[i : i + length] for i in range(0, len(frames) - length + 1, hop)])


def centred_windows(waveforms: npt.NDArray[np.float32], length: int, hop: int) -> npt.NDArray[np.float32]:
    """Windows that overlap, the first of which is centred on the start of the waveform.

    Before the waveforms lies half a window of zeros, and behind them as many as the last window lacks.

    Parameters
    ----------
    waveforms : array of shape (n, n_samples)
    length, hop : int
        Of a window, and between the starts of two, in samples.

    Returns
    -------
    array of shape (n, n_windows, length)
        A view that cannot be written to.
    """
    n_windows = n_centred_windows(waveforms.shape[1], length, hop)
    before = length // 2
    after = max(0, (n_windows - 1) * hop + length - before - waveforms.shape[1])
    padded = np.pad(waveforms, ((0, 0), (before, after)))
    every: npt.NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    return every[:, ::hop][:, :n_windows]


def n_centred_windows(n_samples: int, length: int, hop: int) -> int:
    """How many windows ``centred_windows`` makes of so many samples."""
    return 1 + max(0, -(-(n_samples + length // 2 - length) // hop))


def package_version(module: str) -> str:
    """Version of the installed package of this name; ``""`` if it is not installed."""
    try:
        return importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        return ""


def package_file(module: str, *parts: str) -> Path:
    """A file of an installed package, which is not imported.

    Raises
    ------
    ConfigError
        If the package is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"the package {module} is not installed")
    return Path(next(iter(spec.submodule_search_locations))).joinpath(*parts)


def digest_of(path: Path) -> str:
    """sha256 of a file, read once for each state of it.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    return _digest(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=256)
def _digest(path: Path, mtime_ns: int, n_bytes: int) -> str:
    return file_digest(path)


def verified(path: Path, sha256: str, *, name: str) -> Path:
    """The file itself, once its content was compared with what is known of it.

    Raises
    ------
    StoreError
        If it has another content.
    """
    found = digest_of(path)
    if not found.startswith(sha256):
        raise StoreError(
            f"{path}: sha256 {found[:16]}..., extractor {name} expects {sha256[:16]}...; other weights would give "
            "other numbers under the same name"
        )
    return path
