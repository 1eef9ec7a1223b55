"""One of the nine networks of the CNN-ensemble: one representation, one division of the clip along time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from asc_bench.api import (
    AnyParams,
    Budget,
    Card,
    Cosine,
    Crop,
    FrontEnd,
    LogMel,
    Mixup,
    Params,
    Reason,
    SeparatedLogMel,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import nn

_WIDTHS = (32, 64, 128, 256)
_DROPOUT = 0.3
_LEAST_FRAMES = 2 ** len(_WIDTHS)

_DIVISORS: Mapping[str, int] = MappingProxyType({"whole": 1, "half": 2, "quarter": 4})


@dataclass(frozen=True, kw_only=True)
class CnnEnsembleMemberParams(Params):
    """Which member.

    Attributes
    ----------
    features : {"logmel", "harmonic", "percussive"}
        Log-mel spectrogram of the clip, or of its harmonic or percussive part.
    division : {"whole", "half", "quarter"}
        Length of the pieces that the network sees. They overlap by half, so that a clip has 1, 3 or 7.
    """

    features: Literal["logmel", "harmonic", "percussive"] = "logmel"
    division: Literal["whole", "half", "quarter"] = "whole"


class CnnEnsembleMember(TorchSystem):
    """Eight convolutions in the manner of VGG; a clip's probabilities are the mean over its pieces."""

    numerics_version = 1
    card = Card(
        name="cnn-ensemble-member",
        title="CNN-ensemble, one member",
        citation="Y. Sakashita and M. Aono, Acoustic scene classification by ensemble of spectrograms based on "
        "adaptive temporal divisions, DCASE 2018 Challenge, technical report",
        year=2018,
        input="128-band log-mel of all, the harmonic or the percussive sound, 16 kHz, window 64 ms, hop 20 ms",
        guesses=(
            "The ensemble is the mean of all nine members, three representations times three divisions; the "
            "published numbers are its, see cnn-ensemble.",
            "No code was at hand: known are nine networks of eight convolutions with batch normalisation, max "
            "pooling and ReLU, the three representations, divisions along time, and mixup. Widths (32 to 256), "
            "global average pooling, dropout 0.3 (77/256) after each pooling, lengths and overlap of the pieces "
            "are guesses.",
            "Recordings are mono here; the challenge's system also read both channels.",
            "Separation by medians over 31 bins or frames of the magnitudes, soft masks of power 2, before the mel "
            "bands. Features are standardised per band by the training split.",
            "paper: Adam (0.001, cosine to 0), batch 32, mixup 0.2, as many epochs as make 100 passes over the "
            "pieces.",
            "quick: 240 steps of 16 whole clips, twice as many of halves, four times as many of quarters. smoke: "
            "60 steps, an eighth of the maps.",
        ),
    )
    Params: ClassVar[type[Params]] = CnnEnsembleMemberParams
    params: CnnEnsembleMemberParams

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Four poolings need 16 frames."""
        if built is None or built._length >= _LEAST_FRAMES:
            return None
        return Reason(
            "unsupported-task",
            f"pieces of clips of {built.task.clip_duration_s:g} s have {built._length} frames for "
            f"division={built.params.division}; four poolings need at least {_LEAST_FRAMES}",
        )

    def front_end(self) -> FrontEnd:
        """``ln(x + 1e-10)`` of the power in bands up to half the rate."""
        settings: dict[str, Any] = {
            "sample_rate_hz": 16_000,
            "n_fft": 1_024,
            "window_length": 1_024,
            "hop_length": 320,
            "n_mels": 128,
            "fmin_hz": 0.0,
            "fmax_hz": 8_000.0,
            "floor": 1e-10,
        }
        if self.params.features == "logmel":
            return LogMel(**settings)
        return SeparatedLogMel(**settings, part=self.params.features)

    def build(self) -> nn.Module:
        """Four groups of two convolutions and a pooling, the mean over the bins, one dense layer."""
        from torch import nn

        from asc_bench.modules.conv import AddChannel, normalised_convolution, pooled_group

        widths = [width // 8 for width in _WIDTHS] if self.budget is Budget.SMOKE else list(_WIDTHS)
        groups: list[nn.Module] = []
        for n_in, n_out in zip((1, *widths[:-1]), widths, strict=True):
            pair = normalised_convolution(n_in, n_out), normalised_convolution(n_out, n_out)
            groups += pooled_group(*pair, dropout=_DROPOUT)
        dense = nn.Linear(widths[-1], len(self.task.labels.fine))
        return nn.Sequential(AddChannel(), *groups, nn.AdaptiveAvgPool2d(1), nn.Flatten(), dense)

    def training_plan(self) -> TrainingPlan:
        """Adam and mixup; see the card's guesses for the lengths."""
        n_frames, _ = self.front_end().shape(self.task.clip_duration_s)
        crop = None
        if self.params.division != "whole":
            crop = Crop(length=self._length, test_hop=max(1, self._length // 2))
        n_pieces = len(crop.test_starts(n_frames)) if crop is not None else 1
        paper = self.budget is Budget.PAPER
        quick = 240 * _DIVISORS[self.params.division]
        return TrainingPlan(
            batch_size=32 if paper else 16,
            epochs=100 * n_pieces if paper else None,
            iterations=None if paper else 60 if self.budget is Budget.SMOKE else quick,
            learning_rate=1e-3,
            schedule=Cosine(),
            standardise="per-band",
            crop=crop,
            augment=(Mixup(alpha=0.2),),
            precision="auto",
            channels_last=True,
        )

    @property
    def _length(self) -> int:
        """Frames of a piece."""
        n_frames, _ = self.front_end().shape(self.task.clip_duration_s)
        return n_frames // _DIVISORS[self.params.division]
