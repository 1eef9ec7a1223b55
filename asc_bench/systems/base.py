"""The contract of a system: what it is given, what it must give back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from asc_bench.budget import Budget
from asc_bench.clips import Clips, LabelledClips
from asc_bench.data.tags import SEGMENT_S
from asc_bench.errors import ConfigError
from asc_bench.labels import LabelSpace
from asc_bench.training.history import History

if TYPE_CHECKING:
    from asc_bench.features.frontends import FrontEnd
    from asc_bench.training.precision import Decision

Probabilities = npt.NDArray[np.float32] | Mapping[str, npt.NDArray[np.float32]]
"""``(n_clips, n_classes)``, or one such array for each label level."""

DeviceUse = Literal["no", "training", "test"]


@dataclass(frozen=True)
class Task:
    """What a system must know of a protocol before it is built.

    Attributes
    ----------
    labels : LabelSpace
        Classes to tell apart.
    devices : tuple of str
        Recording devices of the training split, in order; empty where the data set names none. Last is
        ``asc_bench.clips.UNKNOWN_DEVICE`` where clips of others are tested: nothing is trained on it.
    clip_duration_s : float
        Length of every clip, in seconds.
    """

    labels: LabelSpace
    devices: tuple[str, ...]
    clip_duration_s: float


@dataclass(frozen=True)
class MultiLabelTask(Task):
    """A task whose clips have several labels each, and strong ones at test."""

    @property
    def n_segments(self) -> int:
        """Segments of a clip."""
        return max(1, round(self.clip_duration_s / SEGMENT_S))


@dataclass(frozen=True)
class Published:
    """A published number of this system: rows of ``results/published/{table}.csv`` where ``where`` holds."""

    protocol: str
    table: str
    where: Mapping[str, str]
    comment: str = ""
    when: Mapping[str, str] = field(default_factory=dict)
    """Further settings that must hold for the number to be comparable, though no column tells them."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a reader wants to know of a system before trusting its row in a table."""

    name: str
    title: str
    citation: str
    year: int
    input: str
    guesses: tuple[str, ...] = ()
    """What the sources leave open and how it was resolved here."""
    published: tuple[Published, ...] = ()


ReasonKind = Literal["missing-dependency", "missing-file", "unsupported-task"]


@dataclass(frozen=True)
class Reason:
    """Why a system cannot run.

    Attributes
    ----------
    kind : {"missing-dependency", "missing-file", "unsupported-task"}
        A package or module that is not installed, a file (of weights, say) that this machine lacks, or settings
        that make no sense for the task.
    text : str
        What is the matter and what to do, as it stands in lists and tables.

    Raises
    ------
    ConfigError
        For another kind or an empty text.
    """

    kind: ReasonKind
    text: str

    def __post_init__(self) -> None:
        if self.kind not in get_args(ReasonKind):
            raise ConfigError(
                f"a Reason's kind is {self.kind!r}, but must be one of {', '.join(get_args(ReasonKind))}"
            )
        if not self.text.strip():
            raise ConfigError(f"a Reason of kind {self.kind!r} has an empty text; say what is the matter")


def _ignore(fraction: float, message: str) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Context:
    """The circumstances of one run."""

    seed: int
    folder: Path
    """Scratch folder of this run: checkpoints go here and are gone once the run is done."""
    device: str = "cpu"
    """torch device string."""
    precision: Decision | None = None
    """Arithmetic of training networks; decided by each training if not given."""
    progress: Callable[[float, str], None] = _ignore
    """Call with the fraction done (0 to 1) and a few words."""
    history: History = field(default_factory=History)
    """Where trainings by the common loop note how they go."""

    def rng(self) -> np.random.Generator:
        """A generator seeded for this run; two calls give equal generators."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True, kw_only=True)
class Params:
    """Base of a system's settings; subclass it as a frozen dataclass with defaults for every field."""


AnyParams = Params
"""The base under a second name: inside a system's class the first one is the system's own settings class."""


class System(ABC):
    """Base of every system. One file each; most subclass ``TorchSystem`` or ``SklearnSystem``.

    Importing the file must be cheap: import torch and scikit-learn inside methods, so that listing systems does
    not wait for them.
    """

    card: ClassVar[Card]
    Params: ClassVar[type[AnyParams]] = Params
    api_version: ClassVar[int] = 1
    numerics_version: ClassVar[int | None] = None
    """Raised in a class whenever a change to it, or to what it imports, moves a predicted number: run keys hold
    these integers of the class and its bases. A class that declares none in its own body, as every new or foreign
    system, is keyed by its code and all that this imports."""

    only_by_name: ClassVar[str] = ""
    """Why ``all`` and globs leave it out, in a few words; empty if they do not."""

    def __init__(self, task: Task, params: AnyParams | None = None, budget: Budget = Budget.QUICK) -> None:
        self.task = task
        self.params = params if params is not None else self.Params()
        self.budget = budget

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Why it cannot run, as far as can be said from what is known so far, or None.

        Asked without arguments when it is registered: with a reason that no settings can change it is unavailable.
        Asked with settings before a task is known: the reason against the defaults stands in the list of systems.
        Asked with both before each run: it is skipped, with the reason in the table. What this machine lacks comes
        before what the task lacks.

        Parameters
        ----------
        params : Params, optional
            Settings, of the class ``cls.Params``.
        built : System, optional
            The system with these settings, built for a task and not fitted.
        """
        return None

    def external_files(self) -> tuple[Path, ...]:
        """Files that these settings name, such as weights; their contents are a part of the run key."""
        return ()

    @property
    def needs_device(self) -> DeviceUse:
        """Whether the device label is read: never, in training only, or also at test time (marked in tables)."""
        return "no"

    @property
    def uses_validation(self) -> bool:
        """Whether anything is chosen on the validation split. If not, those clips are given for training."""
        return False

    @abstractmethod
    def front_end(self) -> FrontEnd:
        """How a waveform becomes this system's input."""

    @abstractmethod
    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Train. ``validation`` is None where ``uses_validation`` is false."""

    @abstractmethod
    def predict(self, clips: Clips) -> Probabilities:
        """Class probabilities of clips: finite, non-negative, rows summing to one."""

    def attention(self, clips: Clips) -> npt.NDArray[np.float32]:
        """Where a fitted system looks.

        Returns
        -------
        float32 ndarray, shape (n_clips, n_classes, time, bands)
            Weight of every bin for every fine class; each map sums to one. Bins may be coarser than the input's.

        Raises
        ------
        ConfigError
            If the system has nothing of the kind.
        """
        raise ConfigError(f"{self.card.name} has no attention to show")

    def save(self, folder: Path) -> None:
        """Write the fitted state (safetensors or JSON, never pickle) into ``folder``."""
        raise NotImplementedError(f"{self.card.name} cannot be saved")

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote."""
        raise NotImplementedError(f"{self.card.name} cannot be loaded")

    def move_to(self, device: str) -> None:  # noqa: B027 - not abstract: most have no choice
        """Compute on this torch device from now on, before or after ``load``; by default there is no choice."""

    def facts(self) -> Mapping[str, str | int | float]:
        """Anything else that the manifest should tell of a fitted system, such as its arithmetic."""
        return {}

    def complexity(self) -> Mapping[str, int]:
        """Counts by their names in ``asc_bench.limits.COSTS``, of the fitted system, where they are defined."""
        return {}
