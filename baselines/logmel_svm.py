"""The honest floor: mean and standard deviation of a log-mel spectrogram, and a support vector machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from asc_bench.api import AnyParams, Card, Context, DeviceUse, LabelledClips, LogMel, Params, Reason, SklearnSystem

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin


@dataclass(frozen=True, kw_only=True)
class LogmelSvmParams(Params):
    """Settings of the front end and of the classifier.

    Attributes
    ----------
    n_mels : int
        Mel bands from 0 to 11,025 Hz.
    C : float
        Cost of a margin violation.
    gamma : float
        Width of the kernel ``exp(-gamma * distance**2)``; 0 stands for 1 / (dimensions x variance).
    """

    n_mels: int = 128
    C: float = 10.0
    gamma: float = 0.0


class LogmelSvm(SklearnSystem):
    """Standardised band statistics into an SVM with a radial basis function; the same at every budget."""

    numerics_version = 1
    card = Card(
        name="logmel-svm",
        title="Log-mel statistics + SVM",
        citation="no publication: a reference point of this harness",
        year=2024,
        input="128-band log-mel, 22.05 kHz, mean and standard deviation over the clip",
        guesses=(
            "C = 10 and the default kernel width are taken as they are and not tuned.",
            "Rate, hop and floor were chosen among a few while looking at the five folds of ESC-10, so its ESC-10 "
            "score is a little optimistic.",
        ),
    )
    Params: ClassVar[type[Params]] = LogmelSvmParams
    params: LogmelSvmParams

    def front_end(self) -> LogMel:
        """Windows of 93 ms every 23 ms; the floor hides padding with digital silence."""
        return LogMel(
            sample_rate_hz=22_050,
            n_fft=2_048,
            window_length=2_048,
            hop_length=512,
            n_mels=self.params.n_mels,
            fmin_hz=0.0,
            fmax_hz=11_025.0,
            floor=1e-6,
        )

    def embed(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Mean and standard deviation over time, (n_clips, 2 n_mels)."""
        return np.concatenate([features.mean(axis=1), features.std(axis=1)], axis=1)

    def build(self) -> ClassifierMixin:
        """Standardisation and SVM, without Platt scaling: that would be slow and random."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        # Nothing here is random, but without a state of its own SVC would draw from the process-wide generator.
        svm = SVC(C=self.params.C, gamma=self.params.gamma or "scale", random_state=0)
        return make_pipeline(StandardScaler(), svm)

    def complexity(self) -> Mapping[str, int]:
        """Support vectors times dimensions, for the kernel's distances; nothing before the fit."""
        if self.estimator is None:
            return {}
        svm = self.estimator[-1]
        n_vectors, n_dimensions = svm.support_vectors_.shape
        n_stored = n_vectors * n_dimensions + svm.dual_coef_.size + svm.intercept_.size
        return {"n_parameters": int(n_stored), "n_multiply_adds": int(n_vectors * n_dimensions)}


@dataclass(frozen=True, kw_only=True)
class LogmelSvmOneDeviceParams(LogmelSvmParams):
    """Settings of ``LogmelSvm``, and the device.

    Attributes
    ----------
    train_device : str
        The only device whose training clips are used.
    """

    train_device: str = "A"


class LogmelSvmOneDevice(LogmelSvm):
    """The same classifier trained on one device's clips: its other columns show what a device mismatch costs."""

    numerics_version = 1
    card = Card(
        name="logmel-svm-one-device",
        title="Log-mel statistics + SVM, trained on one device",
        citation=LogmelSvm.card.citation,
        year=LogmelSvm.card.year,
        input=LogmelSvm.card.input,
        guesses=LogmelSvm.card.guesses,
    )
    Params: ClassVar[type[Params]] = LogmelSvmOneDeviceParams
    params: LogmelSvmOneDeviceParams

    @property
    def needs_device(self) -> DeviceUse:
        """To choose training clips by; test clips are all treated alike."""
        return "training"

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Nothing to choose from without device names."""
        if built is None or built.params.train_device in built.task.devices:
            return None
        return Reason("unsupported-task", f"there are no training clips of device {built.params.train_device!r}")

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Fit on the clips of ``train_device`` alone."""
        assert train.device is not None
        chosen = train.device == self.task.devices.index(self.params.train_device)
        super().fit(train.where(chosen), validation, context)
