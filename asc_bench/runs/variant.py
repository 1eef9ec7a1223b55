"""``name[param=value,...]``: one text for a system with its settings, wherever it is named."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import itertools
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from asc_bench.budget import Budget
from asc_bench.errors import ConfigError
from asc_bench.names import near, require_text
from asc_bench.registry import origin, system_fault, systems
from asc_bench.systems.base import Params, System, Task
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.wrapper import WrapperSystem
from asc_bench.training.plan_changes import AUGMENT, KEYS, PREFIX, UNCHANGED, PlanChanges, check_key, read_change
from asc_bench.typed_text import default_of, split_items, to_text, to_value


@dataclass(frozen=True)
class Variant:
    """A system with resolved settings, and changes of its training plan."""

    system: type[System]
    params: Params
    changes: PlanChanges = UNCHANGED

    @property
    def name(self) -> str:
        """The system's name."""
        return self.system.card.name

    def __str__(self) -> str:
        """Canonical text: settings that differ from their defaults, in the order of their declaration."""
        changed = [
            f"{f.name}={to_text(getattr(self.params, f.name))}"
            for f in dataclasses.fields(self.params)
            if getattr(self.params, f.name) != default_of(f)
        ]
        changed += [str(self.changes)] if self.changes else []
        return f"{self.name}[{','.join(changed)}]" if changed else self.name

    def __reduce__(self) -> tuple[Callable[..., Variant], tuple[object, ...]]:
        """Travel to a worker as text, since it may have to load the plug-in first; as its class if unregistered."""
        if systems().found.get(self.name) is self.system:
            return _read_one, (str(self),)
        return Variant, (self.system, self.params, self.changes)

    def build(self, task: Task, budget: Budget) -> System:
        """The system itself, bound to a task; of a wrapper also the system inside."""
        system = self.system(task, self.params, budget)
        if self.changes:
            assert isinstance(system, TorchSystem)
            system.change_plan(self.changes)
        if isinstance(system, WrapperSystem):
            system.inner = inner_variant(self).build(system.inner_task, budget)
        return system


def inner_variant(wrapper: Variant) -> Variant:
    """The system inside of a wrapper.

    Raises
    ------
    ConfigError
        If its setting names no system that there is, or several.
    """
    assert issubclass(wrapper.system, WrapperSystem)
    found = parse_variants(wrapper.system.inner_name(wrapper.params))
    if len(found) > 1:
        setting = wrapper.system.inner_setting
        raise ConfigError(f"{wrapper}: {setting} stands for {len(found)} systems, such as {found[1]}; name one")
    return found[0]


def _read_one(text: str) -> Variant:
    (variant,) = parse_variants(text)
    return variant


SystemLike = str | type[System] | System | Variant
"""A system by name (with settings in brackets), as a class, an instance or a variant; it need not be registered."""


def variants_of(given: SystemLike | Iterable[SystemLike]) -> list[Variant]:
    """Variants of one or several systems; texts are read as in `parse_variants`, repeats are dropped.

    Raises
    ------
    ConfigError
        As `parse_variants` and `variant_of`; or if nothing is given.
    """
    found: dict[Variant, None] = {}
    for item in listed(given):
        found |= dict.fromkeys(parse_variants(item) if isinstance(item, str) else [variant_of(item)])
    if not found:
        raise ConfigError("no system is named; try 'all'")
    return list(found)


def listed(given: SystemLike | Iterable[SystemLike]) -> list[SystemLike]:
    """One or several systems as a list."""
    several = isinstance(given, Iterable) and not isinstance(given, str | type | System | Variant)
    return list(given) if several else [given]  # type: ignore[arg-type, list-item] # just checked


def variant_of(system: SystemLike, **settings: object) -> Variant:
    """One system with settings given as Python values.

    Parameters
    ----------
    system : str, type, System or Variant
        As ``SystemLike``. An instance and a variant bring settings of their own, which ``settings`` replace.
    **settings
        By the names of the fields of the system's ``Params``; of a neural system also ``augment``, a text or
        transforms, and ``plan``, a mapping of fields of ``TrainingPlan`` to values, or single ``"plan.patience"``.

    Raises
    ------
    ConfigError
        For an unknown system or setting (with the near names), a value of the wrong type, a text that stands for
        several variants, a class that is no complete system, or one whose name another system has.

    Examples
    --------
    >>> str(variant_of("sb-cnn", bn=True))
    'sb-cnn[bn=true]'
    >>> str(variant_of("sb-cnn", augment="mixup+roll", plan={"epochs": 5}))
    'sb-cnn[augment=mixup+roll,plan.epochs=5]'
    """
    if isinstance(system, str) and "[" not in system and system in systems().found:
        system = systems().get(system)
    if isinstance(system, str):
        found = parse_variants(system)
        if len(found) != 1:
            raise ConfigError(f"{system!r} stands for {len(found)} systems, such as {found[0]}; give one")
        (system,) = found
    if isinstance(system, System):
        changes = system.plan_changes if isinstance(system, TorchSystem) else UNCHANGED
        system = Variant(_usable(type(system)), system.params, changes)
    if isinstance(system, Variant):
        cls, changed = system.system, dict(system.changes.values)
        given = {f.name: getattr(system.params, f.name) for f in dataclasses.fields(system.params)}
    else:
        cls, changed, given = _usable(system), {}, {}
    name, hints = cls.card.name, typing.get_type_hints(cls.Params)
    for key, value in _flat(settings, hints).items():
        if _is_of_plan(cls, key):
            changed[KEYS[key]] = read_change(name, key, to_text(value))
        else:
            _check_known(cls, key)
            given[key] = to_value(f"{name}: {key}", to_text(value), hints[key])
    return Variant(cls, _make(cls, given), PlanChanges.of(changed))


def _flat(settings: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """Settings with those of a mapping ``plan`` as settings of their own."""
    flat = dict(settings)
    plan = flat.get("plan")
    if "plan" in flat and "plan" not in own:
        if not isinstance(plan, Mapping):
            raise ConfigError(
                f"plan is {plan!r}, but must be a mapping of fields of TrainingPlan, such as {{'epochs': 5}}"
            )
        del flat["plan"]
        if AUGMENT in plan:
            raise ConfigError(f"plan holds {AUGMENT}, which is a setting of its own: give {AUGMENT}=...")
        flat |= {f"{PREFIX}{name}": value for name, value in plan.items()}
    return flat


def _usable(system: object) -> type[System]:
    """A class that may be registered or not.

    Raises
    ------
    ConfigError
        If it is no complete system, or if its name is another one's.
    """
    if not (isinstance(system, type) and issubclass(system, System)):
        raise ConfigError(f"{system!r} is no system: give a name, a subclass of asc_bench.api.System or a variant")
    if fault := system_fault(system):
        raise ConfigError(f"{system.__qualname__} cannot be used: {fault}")
    namesake = systems().found.get(system.card.name, system)
    if namesake is not system:
        raise ConfigError(
            f"the name {system.card.name!r} of {system.__qualname__} is that of {origin(namesake)}: "
            "give its card another one"
        )
    return system


def parse_variants(text: str) -> list[Variant]:
    """Read ``all``, names, globs and ``name[param=value,...]``, separated by commas; repeats are dropped.

    ``param=*`` stands for every choice of a parameter that has choices, and ``param=a|b`` for some of them. Of
    neural systems ``augment=`` names transforms and ``plan.FIELD=`` sets a field of the training plan; both take
    ``a|b``.
    Combinations that the system's settings refuse are left out then, unless all are. ``all`` and globs leave out
    systems that cannot do without settings, and those that are ``only_by_name``.

    Raises
    ------
    ConfigError
        For unknown names or parameters (with the near ones) and for values of the wrong type.
    """
    require_text(text, what="system")
    variants: dict[str, Variant] = {}
    left_out: list[str] = []
    for item in split_items(text):
        name, _, settings = item.partition("[")
        if settings and not settings.endswith("]"):
            raise ConfigError(f"{item!r} lacks the closing bracket")
        pattern = "*" if name == "all" else name
        several = any(c in pattern for c in "*?")
        for found in systems().match(pattern) if several else [name]:
            if several and not settings and (needs_settings(found) or systems().get(found).only_by_name):
                left_out.append(found)
                continue
            for variant in expand(systems().get(found), settings.removesuffix("]")):
                variants.setdefault(str(variant), variant)
    if not variants and left_out:
        raise ConfigError(
            f"{text!r} matches no system but {', '.join(left_out)}, which must be named: they need settings, or "
            "nobody trains them unasked (`asc-bench info NAME` says which)"
        )
    if not variants:
        raise ConfigError("no system is named; try --systems all")
    return list(variants.values())


@dataclass(frozen=True)
class Named:
    """Systems that a text names, to be looked for among stored runs: these may be of systems that are gone.

    Attributes
    ----------
    patterns : tuple of str
        Names and globs; brackets stand for themselves.
    texts : frozenset of str
        Canonical texts of those that have settings, whichever way these were typed.
    """

    patterns: tuple[str, ...]
    texts: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Named:
        """Read names, globs and ``name[setting=value]``, separated by commas."""
        patterns, texts = tuple(split_items(text)), set[str]()
        for item in patterns:
            if "[" in item:
                with contextlib.suppress(ConfigError):
                    texts |= {str(variant) for variant in parse_variants(item)}
        return cls(patterns, frozenset(texts))

    def __contains__(self, variant: object) -> bool:
        """Whether it names the system with this canonical text."""
        name = str(variant)
        return name in self.texts or any(fnmatch.fnmatchcase(name, p.replace("[", "[[]")) for p in self.patterns)


def needs_settings(name: str) -> bool:
    """Whether a system cannot do with the defaults of its settings."""
    try:
        systems().get(name).Params()
    except ConfigError:
        return True
    return False


def expand(system: type[System], text: str) -> Iterator[Variant]:
    """Every variant that the settings between the brackets stand for; raises as `parse_variants`."""
    choices = _parse_choices(system, text)
    refused: ConfigError | None = None
    n_found = 0
    for combination in itertools.product(*choices.values()):
        values = dict(zip(choices, combination, strict=True))
        changes = PlanChanges.of({KEYS[key]: values.pop(key) for key in choices if _is_of_plan(system, key)})
        try:
            params = _make(system, values)
        except ConfigError as error:
            refused = error
            continue
        n_found += 1
        yield Variant(system, params, changes)
    if refused is not None and not n_found:
        raise refused


def _make(system: type[System], values: dict[str, object]) -> Params:
    try:
        return system.Params(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{system.card.name}: {error}") from error


def _is_of_plan(system: type[System], key: str) -> bool:
    """Whether a setting is of the training plan; one of the system's own of that name comes first.

    Raises
    ------
    ConfigError
        If it is, and the system has no plan, or a plan has no such field.
    """
    own = {f.name for f in dataclasses.fields(system.Params)}
    if key in own or not (key == AUGMENT or key.startswith(PREFIX)):
        return False
    name = system.card.name
    if issubclass(system, WrapperSystem):
        setting = system.inner_setting
        raise ConfigError(f"{name}: {key} belongs to the system inside, as in {setting}=NAME[{key}=...]")
    if not issubclass(system, TorchSystem):
        raise ConfigError(f"{name} has no training plan that {key} could change; neural systems have one")
    check_key(name, key)
    return True


def _check_known(system: type[System], key: str) -> None:
    known = [f.name for f in dataclasses.fields(system.Params)]
    if key not in known:
        every = [*known, *(KEYS if issubclass(system, TorchSystem) else ())]
        # A system's own settings are listed, and those of all plans only guessed at.
        hint = near(key, every)
        if not hint.startswith("; did"):
            hint = near(key, known) if known else "; it takes none"
        raise ConfigError(f"{system.card.name} has no parameter {key!r}{hint}")


def _parse_choices(system: type[System], text: str) -> dict[str, list[object]]:
    name, hints = system.card.name, typing.get_type_hints(system.Params)
    values: dict[str, list[object]] = {}
    for assignment in filter(None, split_items(text)):
        key, equals, value = (part.strip() for part in assignment.partition("="))
        if not equals:
            raise ConfigError(f"{name}: {assignment!r} is not of the form parameter=value")
        of_plan = _is_of_plan(system, key)
        if not of_plan:
            _check_known(system, key)
        if key in values:
            raise ConfigError(f"{name}: parameter {key!r} is given twice")
        if of_plan:
            values[key] = [read_change(name, key, item) for item in split_items(value, "|") or [value]]
            continue
        named = typing.get_origin(hints[key]) is typing.Literal
        if value == "*" and not named:
            raise ConfigError(f"{name}: {key} has no list of choices that * could stand for")
        texts = split_items(value, "|") or [value]
        texts = [str(c) for c in typing.get_args(hints[key])] if value == "*" else texts
        values[key] = [to_value(f"{name}: {key}", t, hints[key]) for t in texts]
    return values
