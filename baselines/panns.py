"""PANNs: CNN6, CNN10, CNN14 and MobileNetV1 of AudioSet, trained from scratch or from a published checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from asc_bench.api import (
    AnyParams,
    Budget,
    Card,
    ConfigError,
    Cosine,
    Crop,
    FineTunedSystem,
    FineTuningParams,
    LogMel,
    Mixup,
    Params,
    Reason,
    SpecAugment,
    TrainingPlan,
    panns_log_mel,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

_NETWORKS = ("cnn6", "cnn10", "cnn14", "mobilenet-v1")
_SMOKE_DIVISOR = 8
_FRAMES_PER_S = 100

_MIXUP = Mixup(alpha=1.0)
_MASKS = SpecAugment(frequency=8, time=0.064, n_frequency=2, n_time=2)
"""Of 10 s two masks of up to 64 frames, as in the source; of shorter clips the same share."""


@dataclass(frozen=True, kw_only=True)
class PannsParams(FineTuningParams):
    """Which network.

    Attributes
    ----------
    network : {"cnn10", "cnn6", "cnn14", "mobilenet-v1"}
        With the classes of AudioSet 5.2, 4.8, 80.8 and 4.8 million parameters.
    """

    network: Literal["cnn10", "cnn6", "cnn14", "mobilenet-v1"] = "cnn10"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in _NETWORKS:
            raise ConfigError(f"panns: network is {self.network!r}, must be one of {', '.join(_NETWORKS)}")


class Panns(FineTunedSystem):
    """Kong and others' networks, with softmax over scenes in place of the sigmoids of AudioSet."""

    numerics_version = 1
    card = Card(
        name="panns",
        title="PANNs",
        citation="Q. Kong, Y. Cao, T. Iqbal, Y. Wang, W. Wang and M. D. Plumbley, PANNs: Large-scale pretrained "
        "audio neural networks for audio pattern recognition, IEEE/ACM Transactions on Audio, Speech, and Language "
        "Processing 28, 2020; code: github.com/qiuqiangkong/audioset_tagging_cnn",
        year=2020,
        input="64 mel bands, 50 to 14,000 Hz, in decibels, 32 kHz, window 32 ms, hop 10 ms",
        guesses=(
            "weights=FILE takes a checkpoint of zenodo.org/records/3987831 that suits network= "
            "(Cnn6_mAP=0.343.pth, Cnn10_mAP=0.380.pth, Cnn14_mAP=0.431.pth, MobileNetV1_mAP=0.389.pth). They were "
            "not at hand: names and shapes are those of the released code, no accuracy was measured with them, and "
            "their digests are not known, so none is checked; that of the file is a part of the run's key.",
            "The released code fine-tunes with softmax, Adam at 0.0001, batch 32, mixup and 10,000 steps "
            "(github.com/qiuqiangkong/panns_transfer_to_gtzan, music genres); paper is that with weights, and the "
            "same at 0.001, the rate of AudioSet, without. For scenes the paper names no lengths. The last weights "
            "are kept. AMSGrad is left out.",
            "The new classification layer takes the place of that of AudioSet; the released code puts one more "
            "behind the dense layer, which is the same. layers=classifier trains it alone, on what the frozen "
            "network gives at test; the released code leaves dropout and batch statistics on.",
            "Mixup has one share for a batch and pairs it with a permutation of itself, where the source draws one "
            "for each pair of a batch twice as large.",
            "Masks lie before the first normalisation, on bands that are standardised by the training split, so "
            "that 0 is what the source masks with. With weights, bands are not standardised, as the checkpoint "
            "does that itself, and there are no masks.",
            "quick: 1,000 steps of 16 excerpts of 2 s, a cosine to 0, mixup alone, and the mean over the excerpts "
            "of a clip at test; lengths by analogy, not tuned. smoke: an eighth as wide unless there are weights, "
            "40 steps of 16 excerpts of 1 s (Adam at 0.003 without weights), without mixup.",
        ),
    )
    Params: ClassVar[type[Params]] = PannsParams
    params: PannsParams

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Four or five poolings need 16 or 32 frames."""
        if built is None:
            return None
        from asc_bench.modules.panns import LEAST_FRAMES

        n_frames = built.front_end().shape(built.task.clip_duration_s)[0]
        least, name = LEAST_FRAMES[built.params.network], built.params.network
        if n_frames >= least:
            return None
        duration_s = built.task.clip_duration_s
        why = f"clips of {duration_s:g} s have {n_frames} frames; network={name} needs {least}"
        return Reason("unsupported-task", why)

    def front_end(self) -> LogMel:
        """1,001 frames for 10 s."""
        return panns_log_mel()

    def build(self) -> nn.Module:
        """The network; whole at every budget where it starts from a checkpoint."""
        from asc_bench.modules.panns import Panns as Network

        narrow = self.budget is Budget.SMOKE and not self.params.weights
        n_classes = len(self.task.labels.fine)
        return Network(self.params.network, n_classes, divisor=_SMOKE_DIVISOR if narrow else 1)

    def published_tensors(self, content: Mapping[str, Any]) -> dict[str, Tensor]:
        """Without the front end, which must be this one."""
        from asc_bench.modules.panns import without_front_end

        return without_front_end(Path(self.params.weights), super().published_tensors(content))

    def training_plan(self) -> TrainingPlan:
        """Adam at 0.001, or at 0.0001 with weights; see the card for lengths."""
        given = bool(self.params.weights)
        rate = 1e-4 if given else 1e-3
        standardise: Literal["none", "per-band"] = "none" if given else "per-band"
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=32,
                iterations=10_000,
                learning_rate=rate,
                standardise=standardise,
                augment=(_MIXUP,) if given else (_MASKS, _MIXUP),
                precision="auto",
                channels_last=True,
            )
        smoke = self.budget is Budget.SMOKE
        n_frames = self.front_end().shape(self.task.clip_duration_s)[0]
        length = min(n_frames, _FRAMES_PER_S if smoke else 2 * _FRAMES_PER_S)
        return TrainingPlan(
            batch_size=16,
            iterations=40 if smoke else 1_000,
            learning_rate=3e-3 if smoke and not given else rate,
            schedule=Cosine(warmup=0.1),
            standardise=standardise,
            crop=Crop(length=length, test_hop=length),
            augment=() if smoke else (_MIXUP,),
            precision="auto",
            channels_last=True,
        )
