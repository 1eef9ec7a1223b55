"""Does a system keep its contract? A suite that runs on any registered system, in under a minute on a CPU."""

from __future__ import annotations

import dataclasses
import random
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asc_bench.bench.bench import Bench
from asc_bench.bench.examples import by_level, labelled, limited, unlabelled
from asc_bench.bench.source import Source
from asc_bench.budget import Budget
from asc_bench.clips import Clips, Features
from asc_bench.data.manifest import Dataset
from asc_bench.errors import ConfigError
from asc_bench.labels import FINE, LabelSpace
from asc_bench.limits import COSTS
from asc_bench.protocol import Fold, Protocol
from asc_bench.runs.variant import SystemLike, Variant, expand, parse_variants, variant_of
from asc_bench.scoring.predictions import prediction_frame
from asc_bench.systems.base import Context, System, Task
from asc_bench.systems.distilled import DistilledSystem
from asc_bench.systems.fused import FusedSystem
from asc_bench.systems.torch_system import TorchSystem

SEED = 20
TOLERANCE = 1e-4
"""Between batches of different make-up, whose sums are rounded in another order."""

PROTOCOL = "dcase2018"


@dataclass(frozen=True)
class Outcome:
    """One check and how it ended; ``detail`` says what is wrong or was left out."""

    title: str
    passed: bool
    detail: str = ""

    def __str__(self) -> str:
        """What was checked; below it, what is wrong."""
        note = f" ({self.detail})" if self.passed and self.detail else ""
        fault = () if self.passed else (f"        {line}" for line in self.detail.splitlines())
        return "\n".join([f"  {'ok  ' if self.passed else 'FAIL'}  {self.title}{note}", *fault])


@dataclass(frozen=True, repr=False)
class Examination:
    """All checks of one system."""

    system: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(outcome.passed for outcome in self.outcomes)

    def __str__(self) -> str:
        """A line for each check."""
        return "\n".join([self.system, *(str(outcome) for outcome in self.outcomes)])

    __repr__ = __str__


class Violation(Exception):  # noqa: N818 - a finding about a system, not an error of this program
    """The system breaks its contract in the way the message says."""


class Subject:
    """A system under examination, with a tiny synthetic three-device bench to examine it on."""

    def __init__(self, variant: Variant, bench: Bench, cache: Path) -> None:
        self.variant = variant
        self.bench = bench
        self.cache = cache
        self.fold = bench.folds[0]
        self.task = bench.task(self.fold)
        self._scratch = 0

    def system(self, task: Task | None = None) -> System:
        """A fresh instance at the smoke budget."""
        return self.variant.build(task or self.task, Budget.SMOKE)

    def array(self, bench: Bench | None = None) -> npt.NDArray[np.float32]:
        """Features of all clips."""
        chosen = bench or self.bench
        return chosen.features(self.system().front_end(), cache=self.cache).array

    def fitted(self, folder: Path, bench: Bench | None = None) -> tuple[System, Clips]:
        """A system trained with the fixed seed, and the test clips."""
        chosen = bench or self.bench
        task = chosen.task(chosen.folds[0])
        system = self.system(task)
        fold = limited(chosen.folds[0], chosen.rows, system.uses_validation)
        array = self.array(chosen)
        self._scratch += 1
        scratch = folder / str(self._scratch)
        scratch.mkdir()
        validation = labelled(chosen, fold.validation, array, system) if fold.validation else None
        train = labelled(chosen, fold.train, array, system)
        if isinstance(system, DistilledSystem):
            # Of a teacher that does not know: what it says is not what is examined.
            undecided = np.zeros((len(train), len(task.labels.fine)), np.float32)
            train = dataclasses.replace(train, teacher_logits=undecided)
        system.fit(train, validation, Context(seed=SEED, folder=scratch))
        return system, unlabelled(chosen, fold.test, array, system)


def check(
    system: SystemLike,
    *,
    cache: str | Path | None = None,
    watch: Callable[[Outcome], None] = lambda outcome: None,
) -> Examination:
    """Examine whether a system keeps its contract, on a tiny synthetic set of three devices.

    Parameters
    ----------
    system : str, type, System or Variant
        By name, or one of your own; it need not be registered.
    cache : path, optional
        Folder of features and synthetic data; else ``$ASC_BENCH_CACHE`` or the user's cache folder.
    watch : callable
        Given each outcome as it is known.

    Raises
    ------
    ConfigError
        For an unknown system, or one that cannot run here, with the reason.

    Examples
    --------
    >>> print(check("logmel-svm"))  # doctest: +SKIP
    """
    variant = variant_of(system)
    if reason := variant.system.why_not(variant.params):
        raise ConfigError(f"{variant} cannot be examined: {reason.text}")
    source = Source(synthetic=True, synthetic_size="tiny", cache=None if cache is None else Path(cache))
    outcomes = []
    for outcome in examine(subject(variant, source)):
        watch(outcome)
        outcomes.append(outcome)
    return Examination(str(variant), tuple(outcomes))


def subject(system: SystemLike, source: Source) -> Subject:
    """Prepare one system for examination."""
    bench = source.bench(PROTOCOL, lambda fraction, text: None)
    return Subject(variant_of(system), bench, source.cache_folder)


def examine(subject: Subject) -> Iterator[Outcome]:
    """Run every check; one that crashes is a failed one, and the next still runs."""
    state: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for check in checks_of(subject.variant.system):
            title = (check.__doc__ or check.__name__).splitlines()[0].rstrip(".")
            try:
                note = check(subject, state, Path(folder))
            except Violation as violation:
                yield Outcome(title, False, str(violation))
            except Exception:  # noqa: BLE001 - whatever foreign code raises is the finding
                yield Outcome(title, False, traceback.format_exc(limit=-3).strip())
            else:
                yield Outcome(title, True, note or "")


def _card(subject: Subject, state: dict[str, Any], folder: Path) -> None:
    """The card says what it is, who proposed it and what it reads."""
    card = type(subject.system()).card
    empty = [f for f in ("name", "title", "citation", "input") if not getattr(card, f).strip()]
    if empty or not 1950 < card.year < 2100:
        raise Violation(f"the card lacks {', '.join(empty) or 'a plausible year'}")


def _params(subject: Subject, state: dict[str, Any], folder: Path) -> None:
    """Settings are a frozen dataclass with defaults, and can be written and read as text."""
    params = type(subject.system()).Params
    if not dataclasses.is_dataclass(params) or not params.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise Violation(f"{params.__name__} is not a frozen dataclass")
    written = str(subject.variant).removeprefix(subject.variant.name)
    again = list(expand(subject.variant.system, written[1:-1]))
    if again != [subject.variant]:
        raise Violation(f"{subject.variant} is read back as {again}")


def _members(subject: Subject, state: dict[str, Any], folder: Path) -> None:
    """Its members are two systems at least, all different, that take the task."""
    system = subject.system()
    assert isinstance(system, FusedSystem)
    members = parse_variants(",".join(system.members))
    if len(members) < 2 or len(members) < len(system.members):
        raise Violation(f"its members are {', '.join(system.members) or 'none'}; they must be two different ones")
    for member in members:
        built = member.build(subject.task, Budget.SMOKE)
        if reason := built.why_not(member.params, built=built):
            raise Violation(f"its member {member} cannot run on {PROTOCOL}: {reason.text}")


def _front_end(subject: Subject, state: dict[str, Any], folder: Path) -> None:
    """The front end states the shape it gives, and is finite on silence."""
    front_end = subject.system().front_end()
    hash(front_end)
    duration_s = subject.task.clip_duration_s
    silence = front_end(np.zeros(round(duration_s * front_end.sample_rate_hz), dtype=np.float32))
    if silence.shape != front_end.shape(duration_s):
        raise Violation(f"shape() says {front_end.shape(duration_s)}, the output has {silence.shape}")
    if silence.dtype != np.float32 or not np.isfinite(silence).all():
        raise Violation(f"silence gives {silence.dtype} values that are not all finite")
    state["silence"] = silence


def _fit_predict(subject: Subject, state: dict[str, Any], folder: Path) -> None:
    """It trains and gives one probability distribution for each clip."""
    system, clips = subject.fitted(folder)
    given = by_level(system.predict(clips), subject.task.labels)
    table = subject.bench.select(subject.fold.test)
    prediction_frame(table, subject.task.labels, given, split="test")
    state |= {"system": system, "clips": clips, "given": given}


def _random(subject: Subject, state: dict[str, Any], folder: Path) -> None:
    """It leaves the global random generators as they were."""
    before, after = _fitted(state, "random_states")
    moved = [name for name in before if not np.array_equal(before[name], after[name])]
    if moved:
        raise Violation(f"the global generator of {', '.join(moved)} was moved; draw from context.rng() or fork it")


def _repeatable(subject: Subject, state: dict[str, Any], folder: Path) -> None:
    """The same seed gives the same probabilities, to the bit."""
    # Watched here and not at the first fit, because importing a library may move a generator too.
    before = _random_states()
    system, clips = subject.fitted(folder)
    again = by_level(system.predict(clips), subject.task.labels)
    state["random_states"] = before, _random_states()
    for level, first in _fitted(state, "given").items():
        if not np.array_equal(first, again[level]):
            raise Violation(f"{level}: probabilities differ by up to {np.abs(first - again[level]).max():.3g}")


def _independent(subject: Subject, state: dict[str, Any], folder: Path) -> None:
    """A clip's prediction does not depend on the clips predicted with it."""
    clips: Clips = _fitted(state, "clips")
    order = np.arange(len(clips))[::-3]
    features = Features(clips.features.source, clips.features.rows[order])
    device = None if clips.device is None else clips.device[order]
    part = by_level(state["system"].predict(Clips(features, device)), subject.task.labels)
    for level, whole in state["given"].items():
        gap = float(np.abs(np.asarray(whole)[order] - part[level]).max())
        if gap > TOLERANCE:
            raise Violation(f"{level}: every third clip alone, backwards, differs by up to {gap:.3g}")


def _silence(subject: Subject, state: dict[str, Any], folder: Path) -> None:
    """Silence gives finite probabilities."""
    silence = state["silence"][np.newaxis]
    device = None if _fitted(state, "clips").device is None else np.zeros(1, dtype=np.int64)
    given = by_level(
        state["system"].predict(Clips(Features(silence, np.zeros(1, np.int64)), device)), subject.task.labels
    )
    for level, values in given.items():
        if not np.isfinite(values).all():
            raise Violation(f"{level}: {values}")


def _save_load(subject: Subject, state: dict[str, Any], folder: Path) -> str | None:
    """A saved system, loaded into a new instance, predicts the same; no pickle is written."""
    system, clips = _fitted(state, "system"), state["clips"]
    place = folder / "saved"
    place.mkdir()
    try:
        system.save(place)
        again = subject.system()
        again.load(place)
    except NotImplementedError:
        return "it cannot be saved"
    foreign = [p.name for p in place.iterdir() if p.suffix not in (".safetensors", ".json", ".npy", ".parquet")]
    if foreign:
        raise Violation(f"it wrote {', '.join(foreign)}; use safetensors or JSON")
    for level, values in by_level(again.predict(clips), subject.task.labels).items():
        gap = float(np.abs(np.asarray(values) - state["given"][level]).max())
        if gap > TOLERANCE:
            raise Violation(f"{level}: differs by up to {gap:.3g}")
    return None


def _other_task(subject: Subject, state: dict[str, Any], folder: Path) -> str | None:
    """It also works with seven scenes, one label level and no device names."""
    system = subject.system()
    if system.needs_device != "no" or (isinstance(system, TorchSystem) and system.augments_by_device):
        return "left out: it needs device names"
    scenes = subject.task.labels.fine[:7]
    bench = _narrowed(subject.bench, scenes)
    system, clips = subject.fitted(folder, bench)
    given = by_level(system.predict(clips), LabelSpace(scenes))
    shape = np.shape(given[FINE])
    if shape != (len(clips), len(scenes)):
        raise Violation(f"probabilities have the shape {shape}, not {(len(clips), len(scenes))}")
    return None


def _cost(subject: Subject, state: dict[str, Any], folder: Path) -> str | None:
    """It states what it costs."""
    cost = _fitted(state, "system").complexity()
    wrong = {k: v for k, v in cost.items() if k not in COSTS or int(v) <= 0}
    if wrong:
        raise Violation(f"complexity() gives {wrong}")
    return ", ".join(f"{k} {v:,}" for k, v in cost.items()) or "it states nothing"


CHECKS: tuple[Callable[[Subject, dict[str, Any], Path], str | None], ...] = (
    _card, _params, _front_end, _fit_predict, _repeatable, _random, _independent, _silence, _save_load, _other_task,
    _cost,
)  # fmt: skip


FUSION_CHECKS: tuple[Callable[[Subject, dict[str, Any], Path], str | None], ...] = (_card, _params, _members)
"""Of a system that combines stored predictions: what it would fit and predict is its members' to prove."""


def checks_of(system: type[System]) -> tuple[Callable[[Subject, dict[str, Any], Path], str | None], ...]:
    """What a system of this kind is examined for."""
    return FUSION_CHECKS if issubclass(system, FusedSystem) else CHECKS


def _fitted(state: dict[str, Any], name: str) -> Any:
    if name not in state:
        raise Violation("not examined, because it could not be trained")
    return state[name]


def _random_states() -> dict[str, npt.NDArray[Any]]:
    import torch

    return {
        "numpy": np.random.get_state(legacy=False)["state"]["key"],  # noqa: NPY002 - the state that must not move
        "torch": torch.get_rng_state().numpy(),
        "python": np.array(random.getstate()[1]),
    }


def _narrowed(bench: Bench, scenes: tuple[str, ...]) -> Bench:
    """The same recordings as a task with fewer scenes and without devices, on device A's clips."""
    keep = bench.clips["scene"].isin(scenes) & (bench.clips["device"] == "A")
    kept = set(bench.clips.loc[keep, "clip_id"])
    clips = bench.clips[keep].assign(device="", coarse="").reset_index(drop=True)
    dataset: Dataset = dataclasses.replace(bench.dataset, clips=clips)
    (fold, *_) = bench.folds
    narrow = Fold(
        fold.name, *(tuple(c for c in part if c in kept) for part in (fold.train, fold.validation, fold.test))
    )

    class Narrow(type(bench.protocol)):  # type: ignore[misc]
        labels = LabelSpace(scenes)

    protocol: Protocol = Narrow()
    return Bench(protocol, dataset, clips, (narrow,))
