"""How a network is trained: everything that changes its numbers, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from asc_bench.errors import ConfigError
from asc_bench.training.transforms.base import Transform, type_fault


@dataclass(frozen=True, kw_only=True)
class Constant:
    """The learning rate stays as it is."""

    def factor(self, step: int, n_steps: int) -> float:
        """Multiplier of the learning rate at ``step`` of ``n_steps``."""
        return 1.0


MOST_WARMUP = 0.5
"""Share of all steps that a rise of so many steps takes at most."""


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Linear rise over the first ``warmup`` share of the steps, then half a cosine down to zero.

    ``warmup_steps`` are steps instead of a share: so many, but half of all steps at most.

    With several ``cycles`` the cosine starts again where it has reached zero; each cycle is twice as long as the
    one before (Loshchilov and Hutter, SGDR, ICLR 2017, with a factor of 2).
    """

    warmup: float = 0.0
    cycles: int = 1
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"cosine schedule: warmup is a share of the steps, 0 to 1, got {self.warmup}")
        if self.warmup_steps < 0 or (self.warmup_steps and self.warmup):
            raise ConfigError(
                f"cosine schedule: give warmup ({self.warmup}) or warmup_steps ({self.warmup_steps}), none negative"
            )
        if self.cycles < 1:
            raise ConfigError(f"cosine schedule: cycles is {self.cycles}, must be at least 1")

    def n_warm(self, n_steps: int) -> float:
        """Steps of the rise, of ``n_steps`` in all."""
        return min(self.warmup_steps, MOST_WARMUP * n_steps) if self.warmup_steps else self.warmup * n_steps

    def factor(self, step: int, n_steps: int) -> float:
        """Multiplier of the learning rate at ``step`` of ``n_steps``."""
        n_warm = self.n_warm(n_steps)
        if step < n_warm:
            return (step + 1) / (n_warm + 1)
        done, length = step - n_warm, max(n_steps - n_warm, 1)
        if self.cycles > 1:
            length /= 2**self.cycles - 1
            while done >= length:
                done, length = done - length, 2 * length
        return 0.5 * (1.0 + math.cos(math.pi * done / length))


@dataclass(frozen=True, kw_only=True)
class Step:
    """Multiply the learning rate by ``gamma`` after every ``every`` iterations."""

    every: int
    gamma: float

    def __post_init__(self) -> None:
        if self.every < 1 or not 0 < self.gamma <= 1:
            raise ConfigError(
                f"step schedule: needs every >= 1 and 0 < gamma <= 1, got every {self.every} and gamma {self.gamma}"
            )

    def factor(self, step: int, n_steps: int) -> float:
        """Multiplier of the learning rate at ``step`` of ``n_steps``."""
        return float(self.gamma ** (step // self.every))


@dataclass(frozen=True, kw_only=True)
class Linear:
    """The learning rate stays until the share ``start`` of the steps, and falls on a line to ``floor`` at ``end``.

    Attributes
    ----------
    start, end : float
        Shares of the steps, 0 to 1; after ``end`` the rate stays at its floor.
    floor : float
        Share of the learning rate that is left.
    warmup : float
        Share of the steps over which the rate rises as ``exp(-5 (1 - done)^2)`` (Laine and Aila 2017), from less
        than a hundredth of it.
    """

    start: float
    end: float = 1.0
    floor: float = 0.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= 1:
            raise ConfigError(
                f"linear schedule: needs 0 <= start < end <= 1, got start {self.start} and end {self.end}"
            )
        if not 0 <= self.warmup <= self.start:
            raise ConfigError(
                f"linear schedule: warmup is {self.warmup}, must be between 0 and start, {self.start}"
            )

    def factor(self, step: int, n_steps: int) -> float:
        """Multiplier of the learning rate at ``step`` of ``n_steps``."""
        if step < self.warmup * n_steps:
            return math.exp(-5.0 * (1.0 - step / (self.warmup * n_steps)) ** 2)
        fallen = (step / n_steps - self.start) / (self.end - self.start)
        return 1.0 - (1.0 - self.floor) * min(max(fallen, 0.0), 1.0)


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """Stages: one ends after ``patience`` validations without gain; the next starts from the best weights.

    A new stage multiplies the learning rate by ``gamma`` and forgets the optimiser's momentum; after
    ``n_stages`` stages, where they are given, training ends. Which value must gain is the plan's ``monitor``.

    Attributes
    ----------
    gamma : float
    patience : int
    n_stages : int, optional
    restart : bool
        Begin a stage from the best weights and with a new optimiser. Without it the training runs on, as under
        Keras' ``ReduceLROnPlateau``: the validation that ended a stage is the next one's first without gain.
    own_best : bool
        Each stage has a best of its own: its first validation is a gain, the next stage starts from its best, and
        the best weights of the training are those of the last stage.
    decay : float
        Within a stage the rate is divided by ``1 + decay * steps``, as Keras' optimisers have it.
    floor : float
        Share of the learning rate that stages do not go below.
    """

    gamma: float
    patience: int
    n_stages: int | None = None
    restart: bool = True
    own_best: bool = False
    decay: float = 0.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.own_best and not self.restart:
            raise ConfigError("plateau: stages with a best of their own start from it, so own_best needs restart")
        if self.decay < 0 or not 0 <= self.floor < 1:
            raise ConfigError(
                f"plateau: needs decay of at least 0 and floor in 0 to below 1, got {self.decay} and {self.floor}"
            )

    def stage_factor(self, stage: int, n_steps: int) -> float:
        """Multiplier of the learning rate in ``stage``, from 0, after ``n_steps`` steps of it."""
        return max(self.gamma**stage, self.floor) / (1.0 + self.decay * n_steps)

    def factor(self, step: int, n_steps: int) -> float:
        """One: the loop knows the stages and applies ``stage_factor``."""
        return 1.0


Schedule = Constant | Cosine | Step | Linear | Plateau


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Excerpts along time: one at random per clip and step in training, several at fixed places at test.

    Clips shorter than ``length`` are repeated. Probabilities of a clip are the mean over its test excerpts.

    Attributes
    ----------
    length : int
        Frames (or samples, for waveforms) of one excerpt.
    test_hop : int, optional
        Distance between the starts of test excerpts, in frames or samples; give this or ``n_test``.
    n_test : int, optional
        Number of evenly spaced test excerpts, the first at the start and the last at the end of the clip.
    average : {"arithmetic", "geometric"}
        Which mean; the geometric one is divided by its sum over the classes.
    """

    length: int
    test_hop: int | None = None
    n_test: int | None = None
    average: Literal["arithmetic", "geometric"] = "arithmetic"

    def __post_init__(self) -> None:
        if (self.test_hop is None) == (self.n_test is None):
            raise ConfigError(f"a crop needs either test_hop or n_test, got {self.test_hop} and {self.n_test}")
        for name in ("length", "test_hop", "n_test"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"crop: {name} must be at least 1, got {value}")

    def test_starts(self, n_frames: int) -> tuple[int, ...]:
        """First frame of every test excerpt of a clip of ``n_frames`` frames."""
        last = n_frames - self.length
        if last <= 0:
            return (0,)
        if self.test_hop is not None:
            return tuple(range(0, last + 1, self.test_hop))
        if self.n_test == 1:
            return (last // 2,)
        assert self.n_test is not None
        return tuple(last * i // (self.n_test - 1) for i in range(self.n_test))


Standardise = Literal["none", "global", "per-band"]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Settings of one training; exactly one of ``epochs`` and ``iterations`` is given.

    Attributes
    ----------
    batch_size : int
        Clips per step; fewer where the whole training split is smaller, or at the end of an epoch (see
        ``short_batches``).
    epochs, iterations : int
        Length of the training, in passes over the training split or in steps.
    optimiser : {"adam", "adamw", "sgd"}
        ``weight_decay`` is L2 in the gradient for ``adam`` and ``sgd``, decoupled for ``adamw``.
    schedule : Constant, Cosine, Step, Linear or Plateau
        Learning rate over time.
    standardise : {"none", "global", "per-band"}
        Subtract the mean and divide by the standard deviation of the training split: two numbers for all,
        or one for each entry of the last axis.
    crop : Crop, optional
        Excerpts along time; None takes whole clips.
    augment : tuple of Transform
        Random changes of training batches, in order; those of the sound itself come before standardisation.
    short_batches : bool
        End each epoch with a batch of the clips that are left over, however few, as Keras and most data loaders do;
        otherwise the last batch of an epoch is filled up from the next one.
    precision : {"float32", "bfloat16", "auto"}
        Arithmetic of training; "auto" is what ``asc_bench.training.precision`` finds the faster one.
        Validation is always float32.
    test_precision : {"float32", "float16"}
        Arithmetic and weights of prediction, for networks that must fit into half the memory there.
    channels_last : bool
        Memory layout of 2-D convolutions; changes speed, and numbers only by rounding.
    select : {"last", "best"}
        Keep the last weights, or the best by ``monitor`` on the validation split.
    monitor : {"accuracy", "loss"}
        Class-averaged accuracy, or the system's loss, on the validation split.
    validate_every : int
        Epochs (where ``epochs`` is given) or iterations between validations; 0 for none.
    validate_after : int
        Epochs or iterations before the first validation, so that earlier weights are never the best.
    patience : int, optional
        Stop after this many validations in a row without gain, counted on through the stages of a ``Plateau``.
    clip_gradient_norm : float, optional
        Upper bound of the gradient's Euclidean norm.
    """

    batch_size: int
    epochs: int | None = None
    iterations: int | None = None
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: Schedule = Constant()
    standardise: Standardise = "none"
    crop: Crop | None = None
    augment: tuple[Transform, ...] = ()
    short_batches: bool = False
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    test_precision: Literal["float32", "float16"] = "float32"
    channels_last: bool = False
    select: Literal["last", "best"] = "last"
    monitor: Literal["accuracy", "loss"] = "accuracy"
    validate_every: int = 0
    validate_after: int = 0
    patience: int | None = None
    clip_gradient_norm: float | None = None

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.iterations is None):
            raise ConfigError(f"give either epochs or iterations, got {self.epochs} and {self.iterations}")
        for name in ("batch_size", "epochs", "iterations", "learning_rate", "patience", "clip_gradient_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"training plan: {name} must be positive, got {value}")
        for name in ("momentum", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"training plan: {name} must not be negative, got {getattr(self, name)}")
        if self.nesterov and not self.momentum:
            raise ConfigError("training plan: nesterov needs a momentum above 0")
        self._check_transforms()
        if self.validate_after < 0:
            raise ConfigError(f"training plan: validate_after must not be negative, got {self.validate_after}")
        if self.optimiser != "sgd" and (self.momentum or self.nesterov):
            raise ConfigError(f"training plan: momentum and nesterov belong to sgd, not to {self.optimiser}")
        if self.needs_validation and self.validate_every < 1:
            raise ConfigError("training plan: best weights, patience and plateau need validate_every of at least 1")

    def _check_transforms(self) -> None:
        names: set[str] = set()
        for transform in self.augment:
            if not isinstance(transform, Transform) or "__dataclass_fields__" not in vars(type(transform)):
                raise ConfigError(
                    f"training plan: augment holds {transform!r}, which is no Transform that is a dataclass of its "
                    "own; a checkpoint could not tell its settings"
                )
            if transform.name in names:
                raise ConfigError(f"training plan: augment names {transform.name} twice")
            if fault := type_fault(transform):
                raise ConfigError(f"training plan: augment: {transform.name}: {fault}")
            names.add(transform.name)

    @property
    def needs_validation(self) -> bool:
        """Whether anything is decided on the validation split."""
        return self.select == "best" or self.patience is not None or isinstance(self.schedule, Plateau)

    def n_steps(self, n_clips: int) -> int:
        """Optimiser steps of the whole training on ``n_clips`` clips."""
        if self.iterations is not None:
            return self.iterations
        assert self.epochs is not None
        size = min(self.batch_size, n_clips)
        if self.short_batches:
            return self.epochs * -(-n_clips // size)
        return max(1, -(-self.epochs * n_clips // size))
