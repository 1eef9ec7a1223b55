"""Transforms of the sound itself: gain and device responses, before features are standardised."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from asc_bench.data.audio import read_audio
from asc_bench.data.devices.devices import fir
from asc_bench.data.seeds import generator
from asc_bench.errors import AscBenchError, ConfigError
from asc_bench.features.frontends import LogMel
from asc_bench.names import near
from asc_bench.training.transforms.base import Given, Transform, require_positive, require_share, require_types

if TYPE_CHECKING:
    from torch import Tensor

    from asc_bench.training.batches import Batch

ALL_DEVICES = "all"

_OCTAVES_HZ = tuple(31.25 * 2**k for k in range(10))
_N_TAPS = 1_023


@dataclass(frozen=True)
class Gain(Transform):
    """Multiply each clip by a gain of its own, uniform in decibels.

    Of log-mel features the gain is applied inside the logarithm, to what the bands hold without their floor.

    Source: https://github.com/fschmid56/EfficientAT, which draws whole decibels up to 12.

    Attributes
    ----------
    db : float
        Largest gain, either way.
    """

    name: ClassVar[str] = "gain"
    raw: ClassVar[bool] = True

    db: float = 12.0

    def __post_init__(self) -> None:
        require_types(self)
        require_positive(self.name, db=self.db)

    def why_not(self, given: Given) -> str:
        """Samples, or bands from which the floor can be taken off again."""
        front_end = given.front_end
        if given.is_waveform or (type(front_end) is LogMel and front_end.floor_by == "add"):
            return ""
        if type(front_end) is LogMel:
            return "bands that are cut off at a floor do not tell what a louder clip would have given"
        return f"needs samples or plain log-mel bands: it cannot be computed from {given.source}"

    def __call__(self, batch: Batch, given: Given) -> Batch:
        """Louder or softer."""
        import torch

        x = batch.features
        gain = 10.0 ** (self.db * (2.0 * torch.rand(len(x)) - 1.0) / 20.0).to(x)
        gain = gain.reshape(-1, *[1] * (x.ndim - 1))
        front_end = given.front_end
        return replace(batch, features=louder(x, gain, front_end) if isinstance(front_end, LogMel) else gain * x)


def louder(x: Tensor, gain: Tensor, front_end: LogMel) -> Tensor:
    """Log-mel bands of clips times ``gain``, from those of the clips: exact where the floor was added to the bands.

    With ``x = c ln(m + f)`` for bands m and the floor f, and ``g = gain ** power``, they are
    ``c ln(g m + f) = x + c ln g + c ln(1 + f (1 - g) / (g (m + f)))``.
    """
    c = {"ln": 1.0, "log10": 1.0 / math.log(10.0), "db": 20.0 / front_end.power / math.log(10.0)}[front_end.log]
    g = gain**front_end.power
    with_floor = (x / c).exp().clamp_min(front_end.floor)
    return x + c * (g.log() + (front_end.floor * (1.0 - g) / (g * with_floor)).log1p())


@dataclass(frozen=True)
class _Response(Transform):
    """Filter clips of some devices with the impulse response of another one, drawn anew for each clip.

    The convolution is full, cut to the length of the clip, and its level is left as it is.
    """

    raw: ClassVar[bool] = True

    devices: str = "A"
    p: float = 0.6

    def __post_init__(self) -> None:
        require_types(self)
        require_share(self.name, self.p)
        if not self.names:
            raise ConfigError(f"{self.name}: devices is {self.devices!r}; name one or several, as A+B, or all")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the devices whose clips are filtered."""
        return tuple(name.strip() for name in self.devices.split("+") if name.strip())

    @property
    def reads_device(self) -> bool:
        """Unless all clips are filtered."""
        return self.devices != ALL_DEVICES

    def why_not(self, given: Given) -> str:
        """Samples, and clips of these devices."""
        if not given.is_waveform:
            return f"filters the waveform, and the network reads {given.source}, which are computed before"
        if self.reads_device and not given.devices:
            return "the data name no recording devices; devices=all filters every clip"
        unknown = [name for name in self.names if self.reads_device and name not in given.devices]
        if unknown:
            return f"no training clip was recorded with a device {unknown[0]!r}{near(unknown[0], given.devices)}"
        return ""

    def responses(self, sample_rate_hz: int) -> Tensor:
        """All of them, shape (n_responses, n_taps)."""
        raise NotImplementedError

    def __call__(self, batch: Batch, given: Given) -> Batch:
        """Some clips filtered."""
        import torch

        assert given.front_end is not None
        x = batch.features
        bank = self.responses(given.front_end.sample_rate_hz)
        chosen = torch.rand(len(x)) < self.p
        which = torch.randint(len(bank), (len(x),))
        if self.reads_device:
            assert batch.device_names is not None
            chosen &= torch.from_numpy(np.isin(batch.device_names, self.names))
        if not chosen.any():
            return batch
        filtered = x.clone()
        rows = chosen.to(x.device)
        filtered[rows] = convolved(x[rows], bank[which[chosen]].to(x))
        return replace(batch, features=filtered)


@dataclass(frozen=True)
class DeviceResponse(_Response):
    """Filter clips of some devices with measured impulse responses of others.

    Source: Morocutti et al. 2023, "Device-robust acoustic scene classification via impulse response augmentation";
    https://github.com/fschmid56/cpjku_dcase23, datasets/dcase23.py, whose 66 responses are in datasets/dirs.

    Attributes
    ----------
    devices : str
        Names of the devices whose clips are filtered, joined by ``+``, or ``all``.
    p : float
        Probability of such a clip to be filtered.
    folder : str
        Folder with WAV files, one response each; brought to the rate of the clips and to one channel.
    """

    name: ClassVar[str] = "device-response"

    folder: str = ""

    def why_not(self, given: Given) -> str:
        """As all responses; and there must be some."""
        if not self.folder:
            return "needs folder=DIRECTORY with WAV files; simulated-response needs none"
        if not self.files():
            return f"there is no WAV file in the folder {self.folder}"
        return super().why_not(given)

    def files(self) -> tuple[Path, ...]:
        """The WAV files, by name."""
        folder = Path(self.folder)
        if not self.folder or not folder.is_dir():
            return ()
        return tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() == ".wav"))

    def responses(self, sample_rate_hz: int) -> Tensor:
        """The files, shorter ones followed by zeros."""
        return _read_responses(self.files(), sample_rate_hz)


@dataclass(frozen=True)
class SimulatedResponse(_Response):
    """Filter clips of some devices with synthetic responses: smooth curves over frequency, drawn once.

    The level at each octave from 31.25 Hz to 16 kHz is normally distributed, and their mean is taken off; the
    filter has minimum phase. The same responses for every seed, fold and system; those of the simulated devices of
    ``esc10-devices`` are not among them.

    Attributes
    ----------
    devices : str
        Names of the devices whose clips are filtered, joined by ``+``, or ``all``.
    p : float
        Probability of such a clip to be filtered.
    n : int
        How many responses there are.
    db : float
        Standard deviation of the levels.
    """

    name: ClassVar[str] = "simulated-response"

    n: int = 60
    db: float = 6.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self.name, n=self.n, db=self.db)

    def responses(self, sample_rate_hz: int) -> Tensor:
        """Computed once for each rate."""
        return _simulated_responses(self.n, self.db, sample_rate_hz)


def convolved(x: Tensor, responses: Tensor) -> Tensor:
    """Full convolution of each row of (n, samples) with that of (n, taps), cut to the samples."""
    import torch

    n_fft = 2 ** math.ceil(math.log2(x.shape[1] + responses.shape[1] - 1))
    spectrum = torch.fft.rfft(x, n_fft) * torch.fft.rfft(responses, n_fft)
    whole: Tensor = torch.fft.irfft(spectrum, n_fft)
    return whole[:, : x.shape[1]]


@lru_cache(maxsize=4)
def _read_responses(files: tuple[Path, ...], sample_rate_hz: int) -> Tensor:
    import torch

    try:
        found = [torch.from_numpy(read_audio(path, sample_rate_hz=sample_rate_hz)) for path in files]
    except AscBenchError as error:
        raise ConfigError(f"device-response: {error}") from error
    return torch.nn.utils.rnn.pad_sequence(found, batch_first=True)


@lru_cache(maxsize=4)
def _simulated_responses(n: int, db: float, sample_rate_hz: int) -> Tensor:
    import torch

    return torch.stack([torch.from_numpy(simulated_response(i, db, sample_rate_hz)) for i in range(n)])


def simulated_response(number: int, db: float, sample_rate_hz: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """One of the synthetic responses, shape (512,)."""
    from scipy import signal

    levels = db * generator("simulated-response", number).standard_normal(len(_OCTAVES_HZ))
    levels -= levels.mean()
    # The filter of minimum phase has the square root of the magnitudes that it is made from.
    twice = tuple(zip(_OCTAVES_HZ, (2.0 * levels).tolist(), strict=True))
    return np.asarray(signal.minimum_phase(fir(twice, sample_rate_hz, _N_TAPS)), dtype=np.float32)
