"""The baseline of DCASE 2018 Task 1: two convolutional layers on 40 log-mel bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from asc_bench.api import (
    AnyParams,
    Budget,
    Card,
    Context,
    DeviceUse,
    LabelledClips,
    LogMel,
    Params,
    Published,
    Reason,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import nn

_N_BANDS = 40
_ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Dcase2018BaselineParams(Params):
    """Which clips it learns from.

    Attributes
    ----------
    train_device : str
        The only device whose training clips are used, as published for subtask B; "all" takes every clip. It
        changes nothing where the data set names no devices.
    """

    train_device: str = "A"


class Dcase2018Baseline(TorchSystem):
    """Heittola's network, its batch normalisation taken over bands as the released code does."""

    numerics_version = 2
    card = Card(
        name="dcase2018-baseline",
        title="DCASE 2018 baseline",
        citation="A. Mesaros, T. Heittola and T. Virtanen, A multi-device dataset for urban acoustic scene "
        "classification, DCASE 2018; code: github.com/DCASE-REPO/dcase2018_baseline, task1",
        year=2018,
        input="40-band log-mel, 44.1 kHz, window 40 ms, hop 20 ms",
        guesses=(
            "Clips of another length than 10 s: the second pooling spans the whole clip, as it does for 10 s.",
            "The validation split is the protocol's, where the source holds out 30 % of the training clips and "
            "also standardises by these.",
            "Adam adds 1e-8 to its denominator, the Keras 2.1.5 of the source 1e-7.",
            "Data sets without device names are learnt from as a whole.",
            "Features are standardised by the training clips of all devices, as the source does it, whatever "
            "clips are learnt from.",
            "quick trains 1,500 steps, looks for the best weights from the first on, with the running statistics "
            "of normalisation at a momentum of 0.9 instead of 0.99, because it has few of them; smoke is also a "
            "quarter as wide and trains 60 steps.",
        ),
        published=(
            Published(
                "dcase2018",
                "dcase2018_task1b",
                {"system": "DCASE2018 baseline"},
                when={"train_device": "A"},
            ),
        ),
    )
    Params: ClassVar[type[Params]] = Dcase2018BaselineParams
    params: Dcase2018BaselineParams

    @property
    def needs_device(self) -> DeviceUse:
        """To choose training clips by; test clips are all treated alike."""
        return "training" if self._chooses else "no"

    @property
    def _chooses(self) -> bool:
        return bool(self.task.devices) and self.params.train_device != _ALL

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """A device that is not among the training clips leaves nothing to learn from."""
        if built is None or not built._chooses or built.params.train_device in built.task.devices:
            return None
        return Reason(
            "unsupported-task",
            f"there are no training clips of device {built.params.train_device!r}, only of "
            f"{', '.join(built.task.devices)}; train_device={_ALL} takes them all",
        )

    def front_end(self) -> LogMel:
        """Magnitudes in bands of equal area; 10 s are 501 frames, of which the network reads 500."""
        return LogMel(
            sample_rate_hz=44_100,
            n_fft=2_048,
            window_length=1_764,
            hop_length=882,
            n_mels=_N_BANDS,
            fmin_hz=0.0,
            fmax_hz=22_050.0,
            window="hamming",
            power=1.0,
            pad="reflect",
            floor=2.220446049250313e-16,
        )

    def build(self) -> nn.Module:
        """116,022 parameters for ten classes and clips of 10 s."""
        from ._dcase2018_baseline_network import Network

        n_frames = self.front_end().shape(self.task.clip_duration_s)[0] - 1
        return Network(
            n_bands=_N_BANDS,
            n_frames=n_frames,
            n_classes=len(self.task.labels.fine),
            widths=(8, 16) if self.budget is Budget.SMOKE else (32, 64),
            momentum=0.01 if self.budget is Budget.PAPER else 0.1,
        )

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Standardise by all clips; train on those of ``train_device``, if there is one, and validate on such."""
        self.standardise_by(train, context)
        if self._chooses:
            train = self._of_device(train)
            validation = None if validation is None else self._of_device(validation)
        self.module = self.train_network(train, validation, context)

    def _of_device(self, clips: LabelledClips) -> LabelledClips:
        assert clips.device is not None
        return clips.where(clips.device == self.task.devices.index(self.params.train_device))

    def training_plan(self) -> TrainingPlan:
        """Adam at a constant rate; the weights that do best on the validation split."""
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=16,
                epochs=200,
                learning_rate=1e-3,
                standardise="per-band",
                short_batches=True,
                select="best",
                validate_every=1,
                validate_after=51,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16,
            iterations=60 if smoke else 1_500,
            learning_rate=1e-3,
            standardise="per-band",
            select="best",
            validate_every=20 if smoke else 50,
        )
