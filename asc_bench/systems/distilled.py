"""Knowledge distillation: a network that learns from labels and from what other systems say of the same clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self, cast

import numpy as np
import numpy.typing as npt

from asc_bench.clips import Clips, LabelledClips
from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.labels import FINE
from asc_bench.systems.base import AnyParams, Context, DeviceUse, Params, Probabilities, Reason
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.wrapper import NetworkWrapper
from asc_bench.typed_text import split_items

if TYPE_CHECKING:
    from torch import Tensor

    from asc_bench.training.batches import Batch
    from asc_bench.training.evaluate import Outputs

SEPARATOR = "+"


@dataclass(frozen=True, kw_only=True)
class DistilledParams(Params):
    """Who learns from whom, and how. The defaults are those of CP-JKU's systems in DCASE 2023 to 2025.

    Attributes
    ----------
    student : str
        A neural system, such as ``cp-mobile`` or ``sb-cnn[bn=true]``.
    teachers : str
        One system or several, such as ``cp-resnet-128k+tf-sepnet``. Their order does not matter.
    logits : {"in-sample", "cross-fitted"}
        Where the teachers' logits of a training clip come from: from the teachers as they are trained on the fold,
        that clip included, as published; or from teachers trained without the clip's recording location.
    cv : int
        Of ``cross-fitted``: groups of recording locations, and trainings of each teacher.
    temperature : float
        What logits of both are divided by in the distillation loss.
    label_weight : float
        Lambda of the source, 0 to 1: weight of the student's own loss; the rest is that of the distillation loss.
        With 1 the student is trained as alone, to the bit.
    external_weights : {"refuse", "allow"}
        Whether teachers may read weights from files. Which clips these were trained on is not known here: test
        clips of the fold may be among them.
    """

    student: str = ""
    teachers: str = ""
    logits: Literal["in-sample", "cross-fitted"] = "in-sample"
    cv: int = 5
    temperature: float = 2.0
    label_weight: float = 0.02
    external_weights: Literal["refuse", "allow"] = "refuse"

    def __post_init__(self) -> None:
        if not self.student:
            raise ConfigError("distilled: name the system that learns, as in student=cp-mobile")
        names = self.teacher_names
        if not names or len(set(names)) < len(names):
            raise ConfigError(
                f"distilled: name one teacher at least, and each once, as in teachers=sb-cnn{SEPARATOR}cp-resnet; "
                f"got {self.teachers!r}"
            )
        if self.cv < 2:
            raise ConfigError(f"distilled: cv is {self.cv}, must be at least 2")
        if not 0 < self.temperature < float("inf"):
            raise ConfigError(f"distilled: temperature is {self.temperature}, must be positive")
        if not 0 <= self.label_weight <= 1:
            raise ConfigError(f"distilled: label_weight is {self.label_weight}, must be between 0 and 1")
        object.__setattr__(self, "teachers", SEPARATOR.join(sorted(names)))
        if self.logits == "in-sample":
            object.__setattr__(self, "cv", type(self).cv)

    @property
    def teacher_names(self) -> list[str]:
        """The teachers, each as ``name[param=value]``."""
        return split_items(self.teachers, SEPARATOR)


class DistilledSystem(NetworkWrapper):
    """Base of distillation. The training clips that ``fit`` is given hold the teachers' logits.

    The student is all that is stored and that predicts. Its logits are compared with those of the teachers; of a
    student whose outputs are no logits, these are the logarithms of its probabilities, which differ from logits by
    a constant for each clip that no softmax sees.
    """

    numerics_version: ClassVar[int | None] = 1

    Params: ClassVar[type[Params]] = DistilledParams
    inner_setting = "student"
    seeded_as_inner = True
    params: DistilledParams

    @property
    def needs_device(self) -> DeviceUse:
        """As the student alone."""
        return self.inner.needs_device

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """A student that is trained by one plan is needed. Teachers are asked when runs are planned."""
        if built is None:
            return None
        inner, name = built.inner, built.params.student
        if not isinstance(inner, TorchSystem):
            why = f"{name} is no neural network that is trained by a plan; it cannot learn from logits"
        elif type(inner).fit is not TorchSystem.fit:
            why = f"{name} is trained in several steps; which of them should learn from logits is not defined"
        else:
            return inner.why_not(inner.params, built=inner)
        return Reason("unsupported-task", why)

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Train the student by its own plan, with the distillation loss beside its own.

        Raises
        ------
        SystemFailure
            If the training clips hold no logits of teachers, or not one for each clip and class, or none that is a
            number.
        """
        n_classes, given = len(self.task.labels.fine), train.teacher_logits
        if given is None:
            raise SystemFailure(f"{self.card.name}: the training clips hold no logits of teachers")
        if given.shape != (len(train), n_classes) or not np.isfinite(given).all():
            raise SystemFailure(
                f"{self.card.name}: the teachers' logits must be finite and of shape {(len(train), n_classes)}; "
                f"they are of shape {given.shape}, {int((~np.isfinite(given)).sum())} of them not finite"
            )
        with _learning_from_teachers(self._network, self.params):
            self._network.fit(train, validation, context)

    def predict(self, clips: Clips) -> Probabilities:
        """By the student."""
        return self.inner.predict(clips)

    def attention(self, clips: Clips) -> npt.NDArray[np.float32]:
        """Of the student."""
        return self.inner.attention(clips)

    def save(self, folder: Path) -> None:
        """Write the student, as it would be written alone."""
        self.inner.save(folder)

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote; errors are the student's."""
        self.inner.load(folder)

    def move_to(self, device: str) -> None:
        """See ``System.move_to``."""
        self.inner.move_to(device)

    def facts(self) -> Mapping[str, str | int | float]:
        """Those of the student; what the teachers cost is known to whoever trained them."""
        return self.inner.facts()

    def complexity(self) -> Mapping[str, int]:
        """Of the student alone: no teacher is needed to predict."""
        return self.inner.complexity()


def mean_logits(predicted: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Logarithms of the probabilities of some teachers, (n_clips, n_classes) each, averaged over the teachers.

    A vanished probability counts as the smallest normal number of its type, so that no logarithm is infinite.
    """
    tiny = np.finfo(np.float32).tiny
    mean: npt.NDArray[np.float64] = np.mean(
        [np.log(np.maximum(np.asarray(values, dtype=np.float64), tiny)) for values in predicted], axis=0
    )
    return mean.astype(np.float32)


@contextmanager
def _learning_from_teachers(network: TorchSystem, params: DistilledParams) -> Iterator[None]:
    """Let a network also learn from logits where a batch has some, which those of validation clips never do."""
    from asc_bench.modules.losses import distillation_loss

    own_loss, own_weight = network.loss, params.label_weight

    def loss(outputs: Outputs, batch: Batch) -> Tensor:
        own = own_loss(outputs, batch)
        if batch.teacher_logits is None or own_weight == 1.0:
            return own
        taught = distillation_loss(_logits(network, outputs), batch.teacher_logits, temperature=params.temperature)
        return own_weight * own + (1.0 - own_weight) * taught

    network.loss = loss  # type: ignore[method-assign]
    try:
        yield
    finally:
        network.loss = own_loss  # type: ignore[method-assign]


def _logits(network: TorchSystem, outputs: Outputs) -> Tensor:
    """Fine logits, (n, n_classes), up to a constant for each clip."""
    import torch

    if type(network).probabilities is TorchSystem.probabilities:
        return cast("Tensor", outputs)
    found = network.probabilities(outputs)
    fine = found[FINE] if isinstance(found, Mapping) else found
    return fine.clamp_min(torch.finfo(fine.dtype).tiny).log()
