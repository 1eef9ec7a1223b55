"""Protocol, systems, folds and repeats become a list of runs. Nothing is computed or written here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from asc_bench.bench import keys
from asc_bench.bench.augmentation import Augmentation
from asc_bench.bench.bench import Bench, Selection
from asc_bench.bench.seeds import derive_seed
from asc_bench.budget import Budget
from asc_bench.errors import ConfigError
from asc_bench.features.frontends import FrontEnd
from asc_bench.names import near, slug
from asc_bench.protocol import Fold
from asc_bench.runs.key_parts import (
    code_of,
    external_digests,
    named_files,
    numerics_of_kinds,
    or_fault,
    require_keyed,
)
from asc_bench.runs.teachers import School, school_of
from asc_bench.runs.variant import Variant, inner_variant, parse_variants
from asc_bench.systems.base import MultiLabelTask, Reason, System, Task
from asc_bench.systems.distilled import DistilledParams
from asc_bench.systems.fused import FusedSystem
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.transfer.settings import TransferParams
from asc_bench.systems.transfer.system import TransferredSystem
from asc_bench.systems.wrapper import WrapperSystem
from asc_bench.training.transforms.base import Transform


@dataclass(frozen=True)
class RunSpec:
    """One system on one fold with one seed: the unit of work, of storage and of failure."""

    protocol: str
    tag: str
    variant: Variant
    fold: str
    repeat: int
    budget: Budget
    seed: int
    front_end: FrontEnd | None
    """None if the system crashes when it is asked for it; then the run will fail, and say so."""
    parts: Mapping[str, object] = field(hash=False)
    selection: Selection = Selection.OWN
    refusal: str | None = None
    """Why the system cannot work on this task; such a run is skipped."""
    augmentation: Augmentation | None = None
    has_validation: bool = False
    """Whether it leaves predictions of validation clips that it was not trained on."""
    members: tuple[RunSpec, ...] = ()
    """Of a fusion: the runs whose predictions it combines."""
    origin: Origin | None = None
    """Of a transfer: the run whose weights it starts from."""
    code: str = ""
    """Digest of all code it is computed with; no part of the key, see ``asc_bench.bench.keys``."""
    fault: str = ""
    """What of the system's own files or code the key would need and cannot be read; then the run will fail."""
    teachers: tuple[RunSpec, ...] = ()
    """Of a distillation: the runs whose predictions of the training clips it learns from."""
    external: tuple[str, ...] = ()
    """Names of the files that its settings name, such as weights: what they were made from is not known here."""
    part: Fold | None = None
    """Of a teacher that is trained on a part of the training clips of a fold: that part, and what it predicts."""
    keeps_weights: bool = False
    """Whether its weights are needed afterwards, whatever the command says of all runs."""

    @cached_property
    def key(self) -> str:
        """sha256 over all that the numbers depend on."""
        return keys.digest(self.parts)

    @property
    def folder(self) -> str:
        """Path below ``results/runs``."""
        return (
            f"{self.tag}/{self.budget}/{slug(str(self.variant))}/{slug(self.fold)}-r{self.repeat}-{self.key[:12]}"
        )

    @property
    def needs(self) -> tuple[RunSpec, ...]:
        """Runs that must be finished before this one."""
        return (*self.members, *self.teachers)

    def bench_in(self, bench: Bench) -> Bench:
        """The bench that has its fold: the one given, or of a part of a fold the one with that part alone."""
        return bench if self.part is None else bench.divided((self.part,))

    @property
    def title(self) -> str:
        """A few words for progress and messages."""
        repeat = f", repeat {self.repeat}" if self.repeat else ""
        return f"{self.variant} {self.fold}{repeat}"


@dataclass(frozen=True)
class Origin:
    """A run on another task, with its weights, that a transfer starts from."""

    spec: RunSpec
    task: Task


Origins = Callable[[Variant, str, int], Origin]
"""From a transfer, a fold of the target and a repeat to what it starts from."""


def plan(
    bench: Bench,
    variants: Iterable[Variant],
    *,
    budget: Budget,
    repeats: Sequence[int] = (0,),
    folds: Sequence[str] = (),
    selection: Selection = Selection.OWN,
    augmentation: Augmentation | None = None,
    origins: Origins | None = None,
) -> list[RunSpec]:
    """List the runs of a command, system by system.

    Parameters
    ----------
    bench : Bench
        Protocol and data.
    variants : iterable of Variant
        Systems with their settings.
    budget : Budget
        How long each may train.
    repeats : sequence of int
        Repetitions; each has a seed of its own.
    folds : sequence of str
        Fold names; empty for all.
    selection : Selection
        What may be chosen on which clips.
    augmentation : Augmentation, optional
        Deformed copies of the training clips to train on as well.
    origins : callable, optional
        What transfers start from; without it those that need something are refused.

    Raises
    ------
    ConfigError
        For an unknown fold, or a fusion of systems, or teachers, that there are not.
    """
    known = [f.name for f in bench.folds]
    for name in folds:
        if name not in known:
            raise ConfigError(f"{bench.protocol.name} has no fold {name!r}{near(name, known)}")
    chosen = [f for f in bench.folds if not folds or f.name in folds]
    labels = bench.protocol.labels
    label_digest = keys.digest([labels.fine, labels.coarse, labels.coarse_of])
    fold_digests = {f.name: keys.digest([f.name, f.train, f.validation, f.test]) for f in chosen}
    data_digest = bench.data_digest
    views = keys.NUMERICS["views"] if bench.protocol.views else None
    copies = {fold.name: augmentation.key_part(fold) for fold in chosen} if augmentation else {}
    specs = []
    for variant in variants:
        moved = variant.params if isinstance(variant.params, TransferParams) else None
        kinds, seeded_as = [variant.system], variant
        if issubclass(variant.system, WrapperSystem):
            kinds.append(inner_variant(variant).system)
            seeded_as = inner_variant(variant) if variant.system.seeded_as_inner else variant
        numerics_of: dict[FrontEnd | None, dict[str, object]] = {}
        code, fault = or_fault(partial(code_of, kinds), "")
        team: dict[tuple[str, int], list[RunSpec]] = {}
        for fold in chosen:
            task = bench.task(fold)
            told = _ask(variant, task, budget)
            if told.members and not team:
                for member in plan(
                    bench,
                    told.members,
                    budget=budget,
                    repeats=repeats,
                    folds=folds,
                    selection=selection,
                    augmentation=augmentation,
                ):
                    team.setdefault((member.fold, member.repeat), []).append(member)
            features = told.front_end.key() if told.front_end else None
            school = School()
            if isinstance(variant.params, DistilledParams) and not told.refusal:
                planned = partial(plan, budget=budget, repeats=repeats, selection=selection)
                school = school_of(
                    bench, fold, variant.params, told.uses_validation, planned, budget, selection, augmentation
                )
            for repeat in repeats:
                members = tuple(team.get((fold.name, repeat), ()))
                teachers = school.of(repeat)
                needs_origin = moved is not None and moved.needs_source and not told.refusal
                origin = origins(variant, fold.name, repeat) if origins and needs_origin else None
                if told.front_end not in numerics_of and not fault:
                    numerics_of[told.front_end], fault = or_fault(
                        partial(numerics_of_kinds, kinds, told.front_end, told.transforms), dict[str, object]()
                    )
                seed = derive_seed(
                    protocol=bench.protocol.name, fold=fold.name, system=str(seeded_as), repeat=repeat
                )
                parts: dict[str, object] = {
                    "numerics": numerics_of.get(told.front_end, {}),
                    "variant": str(variant),
                    "protocol": f"{bench.protocol.name} v{bench.protocol.version}",
                    "labels": label_digest,
                    "fold": fold_digests[fold.name],
                    "data": data_digest,
                    "features": features,
                    "seed": seed,
                    "budget": str(budget),
                    "versions": keys.versions(),
                    **({"selection": str(selection)} if selection is not Selection.OWN else {}),
                    **({"files": told.files} if told.files else {}),
                    **({"fault": told.fault or fault} if told.fault or fault else {}),
                    **({"views": views} if views else {}),
                    **({"augmentation": copies[fold.name]} if augmentation else {}),
                    **({"members": {str(m.variant): m.key for m in members}} if members else {}),
                    **({"origin": origin.spec.key} if origin else {}),
                    **({"teachers": [[str(t.variant), t.fold, t.key] for t in teachers]} if teachers else {}),
                }
                specs.append(
                    RunSpec(
                        bench.protocol.name,
                        bench.tagged(selection, augmentation),
                        variant,
                        fold.name,
                        repeat,
                        budget,
                        seed,
                        told.front_end,
                        parts,
                        selection,
                        told.refusal
                        or _refused_with(members, told.uses_validation)
                        or (_NO_ORIGIN if needs_origin and not origin else None)
                        or school.refusal,
                        augmentation,
                        told.has_validation(selection, fold, members),
                        members,
                        origin,
                        code,
                        told.fault or fault,
                        teachers,
                        told.external,
                    )
                )
    return specs


_NO_ORIGIN = "it starts from a trained network; `asc-bench transfer` finds or trains one"
_SEVERAL_LABELS = "clips have several labels here; `asc-bench transfer` trains on them, also from scratch"


@dataclass(frozen=True)
class _Told:
    """What a system says of itself before it is fitted; ``files`` are digests of those that its settings name."""

    front_end: FrontEnd | None = None
    refusal: str | None = None
    files: tuple[str, ...] = ()
    uses_validation: bool = False
    members: tuple[Variant, ...] = ()
    fault: str = ""
    transforms: tuple[Transform, ...] = ()
    external: tuple[str, ...] = ()

    def has_validation(self, selection: Selection, fold: Fold, members: Sequence[RunSpec]) -> bool:
        """Whether its runs leave predictions of validation clips that nothing was fitted on."""
        if selection is Selection.TEST or not fold.validation:
            return False
        if members:
            return not self.uses_validation and all(member.has_validation for member in members)
        return selection is Selection.HELD_OUT or self.uses_validation


def why_not(system: System) -> Reason | None:
    """Why a system cannot run on the task that it is built for, or None; a fusion cannot where a member cannot."""
    if isinstance(system.task, MultiLabelTask) and not isinstance(system, TransferredSystem | FusedSystem):
        return Reason("unsupported-task", _SEVERAL_LABELS)
    reason = system.why_not(system.params, built=system)
    network = _network(system)
    if reason is None and network is not None and (fault := network.plan_fault()):
        return Reason("unsupported-task", fault)
    return reason


def _network(system: System) -> TorchSystem | None:
    """The system itself, or the one inside of it, if that is trained by a plan."""
    inner = system.inner if isinstance(system, WrapperSystem) else system
    return inner if isinstance(inner, TorchSystem) else None


def _ask(variant: Variant, task: Task, budget: Budget) -> _Told:
    try:
        system = variant.build(task, budget)
        reason = why_not(system)
        refusal = reason.text if reason else None
        if isinstance(system, FusedSystem):
            members = tuple(parse_variants(",".join(system.members)))
            return _Told(uses_validation=system.uses_validation, members=members, refusal=refusal)
        network = _network(system)
        if refusal is not None and network is not None and network.plan_changes:
            return _Told(system.front_end(), refusal)  # an impossible plan cannot be asked for more
        transforms = network.training_plan().augment if network is not None else ()
        told = _Told(system.front_end(), refusal, uses_validation=system.uses_validation, transforms=transforms)
        of_transforms = (path for transform in transforms for path in transform.files())
        external = dict.fromkeys((*system.external_files(), *named_files(variant.params)))
        files = dict.fromkeys((*external, *of_transforms))
    except ConfigError:
        if issubclass(variant.system, FusedSystem):
            raise
        return _Told()
    except (Exception, SystemExit):  # noqa: BLE001 - foreign code; the runner meets it again and records the traceback
        return _Told()
    _, fault = or_fault(partial(require_keyed, told.front_end), "")
    if fault:
        return replace(told, front_end=None, fault=fault)
    digests, fault = or_fault(partial(external_digests, files), tuple[str, ...]())
    return replace(told, files=digests, fault=fault, external=tuple(path.name for path in external))


def _refused_with(members: Sequence[RunSpec], fits_on_validation: bool) -> str | None:
    """Why a fusion of these runs cannot be made."""
    for member in members:
        if member.refusal:
            return f"its member {member.variant}: {member.refusal}"
    blind = [str(member.variant) for member in members if not member.has_validation]
    if fits_on_validation and blind:
        return f"its weights are fitted on validation predictions, and {blind[0]} leaves none here; use --hold-out"
    return None
