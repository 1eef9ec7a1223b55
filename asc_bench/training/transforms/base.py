"""What a transform of training examples is, and what it is told of the training."""

from __future__ import annotations

import dataclasses
import numbers
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from asc_bench.errors import ConfigError

if TYPE_CHECKING:
    from asc_bench.features.frontends import FrontEnd
    from asc_bench.training.batches import Batch


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a transform knows of the training that it is a part of.

    Attributes
    ----------
    front_end : FrontEnd, optional
        Where the features come from.
    shape : tuple of int
        Of one training example, as the plan's crop leaves it.
    standardised : bool
        Whether the plan standardises the features.
    devices : tuple of str
        Names of the recording devices of the training clips; empty where the data name none.
    network_reads_device : bool
        Whether the network or its loss is given the recording device.
    seed : int
        Of the training.
    """

    front_end: FrontEnd | None
    shape: tuple[int, ...]
    standardised: bool = False
    devices: tuple[str, ...] = ()
    network_reads_device: bool = False
    seed: int = 0

    @property
    def is_waveform(self) -> bool:
        """Whether an example is the samples of a clip."""
        return self.front_end is not None and self.front_end.axes == ("samples",)

    @property
    def has_bands(self) -> bool:
        """Whether an example is frames of frequency bands, as far as its front end says."""
        axes = () if self.front_end is None else self.front_end.axes
        return len(self.shape) == 2 and axes in ((), ("frames", "mel bands"))

    @property
    def source(self) -> str:
        """What the features are, for messages."""
        return "these features" if self.front_end is None else f"features of {type(self.front_end).__name__}"

    def steps(self, seconds: float) -> int | None:
        """How many samples or frames a duration is, rounded; None where the front end does not tell their rate."""
        if self.front_end is None:
            return None
        rate_hz = self.front_end.sample_rate_hz if self.is_waveform else self.front_end.frame_rate_hz
        return round(seconds * rate_hz) if rate_hz else None


@dataclass(frozen=True)
class Transform(ABC):
    """A random change of training batches; subclass it as a frozen dataclass with defaults of simple types.

    Random numbers come from torch's generator, which the loop seeds for each step: they depend on the seed and the
    step alone, so that a resumed training repeats them. Draw on the CPU, so that a GPU need not be waited for.
    """

    name: ClassVar[str]
    """What plans and users call it."""
    numerics_version: ClassVar[int] = 1
    """Raised when what it does, or a default, changes; part of the keys of runs that use it from 2 on."""
    raw: ClassVar[bool] = False
    """Whether it acts on features before they are standardised."""

    def why_not(self, given: Given) -> str:
        """Why it cannot be applied to such examples; empty if it can."""
        return ""

    def files(self) -> tuple[Path, ...]:
        """Files that it reads; their contents are a part of the run key."""
        return ()

    @property
    def reads_device(self) -> bool:
        """Whether it needs the names of the recording devices, ``Batch.device_names``."""
        return False

    @property
    def changes_shape(self) -> bool:
        """Whether examples have another length afterwards."""
        return False

    @abstractmethod
    def __call__(self, batch: Batch, given: Given) -> Batch:
        """A batch with changed features; the one given is left as it is."""


def applied(transforms: Iterable[Transform], batch: Batch, *, given: Given) -> Batch:
    """A batch after some transforms, in order."""
    for transform in transforms:
        batch = transform(batch, given)
    return batch


def first_fault(transforms: Iterable[Transform], given: Given) -> str:
    """Why one of several transforms cannot be applied; empty if all can."""
    faults = ((transform.name, transform.why_not(given)) for transform in transforms)
    return next((f"{name}: {why}" for name, why in faults if why), "")


def type_fault(transform: Transform) -> str:
    """Which parameter of a transform that was made in Python has a value of another type; empty if none has."""
    try:
        hints = typing.get_type_hints(type(transform))
    except NameError:  # a type that is known to type checkers only
        return ""
    for parameter in dataclasses.fields(transform):
        value, kind = getattr(transform, parameter.name), hints[parameter.name]
        if not _fits(value, kind):
            named = kind.__name__ if isinstance(kind, type) else str(kind).removeprefix("typing.")
            return f"{parameter.name} is {value!r}, but must be of the type {named}"
    return ""


def require_types(transform: Transform) -> None:
    """Refuse a parameter of another type; raises ConfigError with the transform, the parameter and the value."""
    if fault := type_fault(transform):
        raise ConfigError(f"{transform.name}: {fault}")


def _fits(value: object, kind: object) -> bool:
    """Whether a value is of a simple type; those of other types are not looked at."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return any(_fits(value, option) for option in typing.get_args(kind))
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind)
    simple = {float: numbers.Real, int: numbers.Integral, str: str, bool: bool, type(None): type(None)}
    if kind not in simple:
        return True
    return isinstance(value, simple[kind]) and isinstance(value, bool) <= (kind is bool)


def require_share(name: str, value: float) -> None:
    """Refuse a probability that is none.

    Raises
    ------
    ConfigError
        With the name of the transform and the value.
    """
    if not 0 <= value <= 1:
        raise ConfigError(f"{name}: p is {value}, must be between 0 and 1")


def require_positive(name: str, **values: float) -> None:
    """Refuse values that are not finite numbers above 0.

    Raises
    ------
    ConfigError
        With the name of the transform, of the parameter, and the value.
    """
    for key, value in values.items():
        if not 0 < value < float("inf"):
            raise ConfigError(f"{name}: {key} is {value}, must be a number above 0")
