"""PaSST: a vision transformer for spectrograms, fine-tuned from a published checkpoint or trained from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    FreqMixStyle,
    KaldiLogMel,
    Linear,
    Params,
    Reason,
    SpecAugment,
    TimeRoll,
    TrainingPlan,
    Transform,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

_STRIDES = (10, 12, 14, 16)
_PATCH, _N_BANDS, _MOST_FRAMES, _FRAMES_PER_S = 16, 128, 1_000, 100
_UNREAD = ("head_dist.weight", "head_dist.bias")
"""Of the release: a classification layer of the distillation token, which its code makes and does not use."""


@dataclass(frozen=True, kw_only=True)
class PasstParams(FineTuningParams):
    """Size of the network, and what training leaves out of its input.

    Attributes
    ----------
    stride : {10, 12, 14, 16}
        Of the patches of 16 by 16, in bands and in frames.
    depth : int
        Blocks: 12 in PaSST-S, 7 in PaSST-L.
    patchout_frequency, patchout_time : int
        Rows and columns of patches that each training step drops.
    """

    stride: Literal[10, 12, 14, 16] = 10
    depth: int = 12
    patchout_frequency: int = 6
    patchout_time: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stride not in _STRIDES:
            raise ConfigError(f"passt: stride is {self.stride}, must be one of {', '.join(map(str, _STRIDES))}")
        if self.depth < 1:
            raise ConfigError(f"passt: depth is {self.depth}, must be at least 1")
        n_rows = _n_patches(_N_BANDS, self.stride)
        if not 0 <= self.patchout_frequency < n_rows:
            raise ConfigError(
                f"passt: patchout_frequency is {self.patchout_frequency}, must be between 0 and {n_rows - 1}, as "
                f"stride={self.stride} makes {n_rows} rows of patches"
            )
        if self.patchout_time < 0:
            raise ConfigError(f"passt: patchout_time is {self.patchout_time}, must not be negative")


class Passt(FineTunedSystem):
    """Koutini and others' transformer, with softmax over scenes in place of the sigmoids of AudioSet."""

    numerics_version = 1
    only_by_name = "without weights=FILE 85 million weights are trained from scratch"
    card = Card(
        name="passt",
        title="PaSST",
        citation="K. Koutini, J. Schlüter, H. Eghbal-zadeh and G. Widmer, Efficient training of audio transformers "
        "with patchout, Interspeech 2022; code: github.com/kkoutini/PaSST; fine-tuned for scenes: "
        "github.com/fschmid56/cpjku_dcase23",
        year=2022,
        input="128 Kaldi mel bands to 15 kHz, 32 kHz, pre-emphasis, window 25 ms, hop 10 ms",
        guesses=(
            "weights=FILE takes a checkpoint of the code's releases for 10 s and a hop of 320 samples that suits "
            "stride= and depth= (passt-s-f128-p16-s10-ap.476-swa.pt, passt-s-kd-ap.486.pt, those of strides 12, 14 "
            "and 16; passt-l-kd-ap.47.pt with depth=7). They were not at hand: names and shapes are those of the "
            "code, no accuracy was measured with them, and their digests are not known, so none is checked; that "
            "of the file is a part of the run's key.",
            "The code has no experiment on scenes. paper is the recipe by which the authors' group fine-tuned the "
            "teachers of DCASE 2023, from ap.476, on seconds of TAU 2022 Mobile: patchout of 6 rows, Adam "
            "(0.00001, L2 of 0.001), batch 80, 25 epochs, a rise over 3, then a line to 0.01 at the 13th, masks of "
            "up to 48 bands and 20 frames, Freq-MixStyle (0.4, 0.4), rolling. It is the same for longer clips.",
            "Left out as they need the waveform at every step: device responses (probability 0.6) and the random "
            "upper end of the mel bands. Bands end at 15 kHz, as at the test on AudioSet; that recipe has 15.5.",
            "Rolling by up to 10,000 samples shifts frames, not samples; the learning rate changes at every step, "
            "not every epoch; training may be in bfloat16, the source's is in float32.",
            "Without weights the rate is 0.0001, by analogy: the authors start from ImageNet at least. With "
            "layers=classifier it is 0.001, as for linear layers on BEATs in github.com/yqcai888/easy_dcase_task1, "
            "there is no patchout, and places in time begin at the first.",
            "Of clips beyond 10 s, training takes 10 s at random and the test averages excerpts of 10 s.",
            "quick: 1,000 steps of 16 excerpts of 2 s, a cosine to 0, the same augmentation, and the mean over the "
            "excerpts of a clip at test; lengths by analogy, not tuned, not run. smoke: two blocks of width 128 "
            "unless there are weights, 60 steps of 16 excerpts of 0.5 s (0.001 without weights), no augmentation.",
        ),
    )
    Params: ClassVar[type[Params]] = PasstParams
    params: PasstParams

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """A patch has 16 frames, and training must keep one column of them."""
        if built is None:
            return None
        crop, duration_s = built.training_plan().crop, built.task.clip_duration_s
        length = crop.length if crop else built.front_end().shape(duration_s)[0]
        if length < _PATCH:
            why = f"clips of {duration_s:g} s have {length} frames; a patch needs {_PATCH}"
            return Reason("unsupported-task", why)
        n_columns = _n_patches(length, built.params.stride)
        if built.params.patchout_time < n_columns:
            return None
        why = (
            f"patchout_time={built.params.patchout_time} leaves nothing of the {n_columns} columns of patches of "
            f"{length} frames"
        )
        return Reason("unsupported-task", why)

    def front_end(self) -> KaldiLogMel:
        """1,000 frames for 10 s."""
        return KaldiLogMel(n_fft=1_024, window_length=800, hop_length=320, n_mels=_N_BANDS, fmax_hz=15_000.0)

    def build(self) -> nn.Module:
        """The network; whole at every budget where it starts from a checkpoint."""
        from asc_bench.modules.passt import WIDTH
        from asc_bench.modules.passt import Passt as Network

        small = self.budget is Budget.SMOKE and not self.params.weights
        return Network(
            len(self.task.labels.fine),
            stride=self.params.stride,
            depth=min(self.params.depth, 2) if small else self.params.depth,
            width=128 if small else WIDTH,
            patchout=(self.params.patchout_frequency, self.params.patchout_time),
        )

    def published_tensors(self, content: Mapping[str, Any]) -> dict[str, Tensor]:
        """Without the second classification layer, which is not used."""
        return {name: t for name, t in super().published_tensors(content).items() if name not in _UNREAD}

    def training_plan(self) -> TrainingPlan:
        """Adam with a rise and a fall of the rate; see the card for lengths."""
        length = self._excerpt()
        n_frames = self.front_end().shape(self.task.clip_duration_s)[0]
        crop = Crop(length=length, test_hop=length) if length < n_frames else None
        smoke, given = self.budget is Budget.SMOKE, bool(self.params.weights)
        rate = 1e-3 if self.params.layers == "classifier" else 1e-5 if given else 1e-3 if smoke else 1e-4
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=80,
                epochs=25,
                learning_rate=rate,
                weight_decay=1e-3,
                schedule=Linear(warmup=3 / 25, start=3 / 25, end=13 / 25, floor=0.01),
                crop=crop,
                augment=_augmentation(length),
                short_batches=True,
                precision="auto",
            )
        return TrainingPlan(
            batch_size=16,
            iterations=60 if smoke else 1_000,
            learning_rate=rate,
            weight_decay=1e-3,
            schedule=Cosine(warmup=0.1),
            crop=crop,
            augment=() if smoke else _augmentation(length),
            precision="auto",
        )

    def _excerpt(self) -> int:
        """Frames that the network is given at a time."""
        most = {Budget.SMOKE: _FRAMES_PER_S // 2, Budget.QUICK: 2 * _FRAMES_PER_S}.get(self.budget, _MOST_FRAMES)
        return min(self.front_end().shape(self.task.clip_duration_s)[0], most)


def _augmentation(n_frames: int) -> tuple[Transform, ...]:
    """Masks set the logarithm to 0, which the normalisation makes 0.9."""
    return (
        TimeRoll(seconds=0.3125),
        SpecAugment(frequency=48, time=min(20, n_frames), value=0.9),
        FreqMixStyle(p=0.4, alpha=0.4),
    )


def _n_patches(length: int, stride: int) -> int:
    return 1 + (length - _PATCH) // stride
