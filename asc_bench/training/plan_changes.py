"""Settings of a training plan that a user types: ``augment=mixup+roll`` and ``plan.patience=5``."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from asc_bench.errors import ConfigError
from asc_bench.names import near
from asc_bench.training.plan import Constant, Cosine, Crop, Linear, Plateau, Step, TrainingPlan
from asc_bench.training.transforms.base import Transform
from asc_bench.typed_text import name_of, split_items, to_instance, to_text, to_value

PREFIX = "plan."
AUGMENT = "augment"

_FIELDS = tuple(field.name for field in dataclasses.fields(TrainingPlan))

KEYS: Mapping[str, str] = {AUGMENT: AUGMENT} | {f"{PREFIX}{name}": name for name in _FIELDS if name != AUGMENT}
"""What can be typed, and the field of the plan that it sets, in the order of canonical texts."""


@dataclass(frozen=True)
class PlanChanges:
    """Fields of a training plan that are set to other values than the system's own, whatever the budget.

    Attributes
    ----------
    values : tuple of (str, object)
        Field and value, in the order of ``KEYS``.
    """

    values: tuple[tuple[str, object], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, object]) -> PlanChanges:
        """From values by field."""
        return cls(tuple((name, values[name]) for name in KEYS.values() if name in values))

    def __bool__(self) -> bool:
        return bool(self.values)

    def __str__(self) -> str:
        """Canonical text."""
        return ",".join(f"{key}={text}" for key, text in self.texts().items())

    def texts(self) -> dict[str, str]:
        """What was typed for each key, in canonical form."""
        key_of = {name: key for key, name in KEYS.items()}
        return {key_of[name]: to_text(value) for name, value in self.values}

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """Those that a user named."""
        return next((typing.cast("tuple[Transform, ...]", v) for name, v in self.values if name == AUGMENT), ())

    def apply(self, plan: TrainingPlan) -> TrainingPlan:
        """The plan with these values; a length in epochs takes the place of one in iterations, and the other way.

        Raises
        ------
        ConfigError
            If the plan that comes of it is impossible.
        """
        values = dict(self.values)
        for unit, other in (("epochs", "iterations"), ("iterations", "epochs")):
            if unit in values and other not in values and getattr(plan, other) is not None:
                values[other] = None
                if plan.validate_every and "validate_every" not in values:
                    raise ConfigError(
                        f"{self}: the system's own plan validates every {plan.validate_every} {other}, and is now "
                        f"counted in {unit}; give {PREFIX}validate_every, too"
                    )
        try:
            return dataclasses.replace(plan, **values)  # type: ignore[arg-type] # read by the types of the fields
        except ConfigError as error:
            raise ConfigError(f"{self}: {error}") from error


UNCHANGED = PlanChanges()


def read_change(where: str, key: str, text: str) -> object:
    """The value that is typed for one of ``KEYS``.

    Raises
    ------
    ConfigError
        If it is no value of that field; for unknown names of transforms or schedules, with the near ones.

    Examples
    --------
    >>> read_change("sb-cnn", "augment", "mixup(0.2)+roll")
    (Mixup(alpha=0.2), TimeRoll(seconds=0.1))
    >>> read_change("sb-cnn", "plan.schedule", "cosine(warmup=0.1)")
    Cosine(warmup=0.1, cycles=1, warmup_steps=0)
    """
    name, where = KEYS[key], f"{where}: {key}"
    if name == AUGMENT:
        from asc_bench.training.transforms.table import TRANSFORMS

        items = split_items(text, "+")
        if items == ["none"]:
            return ()
        if "none" in items:
            raise ConfigError(f"{where} is {text!r}, but 'none' stands for no augmentation, and alone")
        found = tuple(to_instance(where, item, TRANSFORMS) for item in items)
        names = [name_of(type(transform)) for transform in found]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"{where} is {text!r}; name transforms once each, or none for no augmentation")
        return found
    if name in _INSTANCES:
        return None if name == "crop" and text == "none" else to_instance(where, text, _INSTANCES[name])
    return to_value(where, text, _hints()[name])


def check_key(name: str, key: str) -> None:
    """Refuse a text that looks like a setting of a plan and is none.

    Raises
    ------
    ConfigError
        With the near ones.
    """
    if key not in KEYS:
        raise ConfigError(f"{name}: a training plan has no {key.removeprefix(PREFIX)!r}{near(key, KEYS)}")


@cache
def _hints() -> dict[str, object]:
    return dict(typing.get_type_hints(TrainingPlan))


_INSTANCES: Mapping[str, Mapping[str, type]] = {
    "schedule": {name_of(kind): kind for kind in (Constant, Cosine, Step, Linear, Plateau)},
    "crop": {name_of(Crop): Crop},
}
"""Fields that hold settings of their own."""
