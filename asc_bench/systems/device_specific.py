"""One network for each recording device: a general one, fine-tuned on the training clips of each device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from asc_bench.clips import UNKNOWN_DEVICE, Clips, LabelledClips
from asc_bench.errors import ConfigError, StoreError, SystemFailure
from asc_bench.labels import FINE
from asc_bench.limits import COUNTED
from asc_bench.systems.base import AnyParams, Context, DeviceUse, Params, Probabilities, Reason
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.wrapper import NetworkWrapper

if TYPE_CHECKING:
    from torch import nn

    from asc_bench.training.plan import TrainingPlan

_WEIGHTS = "weights.safetensors"
_GENERAL = ""
_GENERAL_SHARE = 0.75
"""Of the progress that is shown: 150 epochs of all clips, then 50 of each device's, in the source."""


@dataclass(frozen=True, kw_only=True)
class DeviceSpecificParams(Params):
    """What is fine-tuned, and how. The defaults are those of the DCASE 2025 baseline.

    Attributes
    ----------
    of : str
        A neural system, such as ``dcase2025-baseline`` or ``sb-cnn[bn=true]``.
    rate : float
        Learning rate of the fine-tuning, as a share of the system's own.
    length : float
        Passes over the clips of a device, as a share of those over all clips before.
    """

    of: str = ""
    rate: float = 0.1
    length: float = 0.333

    def __post_init__(self) -> None:
        if not self.of:
            raise ConfigError("device-specific: name the system to fine-tune, as in of=dcase2025-baseline")
        for name in ("rate", "length"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ConfigError(f"device-specific: {name} is {value}, must be positive")


class DeviceSpecificSystem(NetworkWrapper):
    """Base of systems that fine-tune a network for each device and choose by the device of a test clip.

    Clips of devices without training clips are left to the general network.
    """

    numerics_version: ClassVar[int | None] = 1

    Params: ClassVar[type[Params]] = DeviceSpecificParams
    inner_setting = "of"
    params: DeviceSpecificParams

    _models: dict[str, nn.Module] | None = None
    """By name of the device; the general network under the empty name, and last."""

    @property
    def needs_device(self) -> DeviceUse:
        """The network is chosen by the device."""
        return "test"

    @property
    def devices(self) -> tuple[str, ...]:
        """Known devices of the task."""
        return tuple(name for name in self.task.devices if name != UNKNOWN_DEVICE)

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Without device names, or around a system that is not trained in one go or uses the device itself."""
        if built is None:
            return None
        inner, name = built.inner, built.params.of
        if not isinstance(inner, TorchSystem):
            why = f"{name} is no neural network that is trained by a plan; there is nothing to fine-tune"
        elif type(inner).fit is not TorchSystem.fit:
            why = f"{name} is trained in several steps, none of which can be repeated for each device"
        elif not built.devices:
            why = "the training clips have no names of recording devices, so there is no device to fine-tune for"
        elif inner.needs_device != "no":
            why = f"{name} uses the recording device itself; fine-tuned on one device it would have nothing to tell"
        else:
            return inner.why_not(inner.params, built=inner)
        return Reason("unsupported-task", why)

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Train the general network, then a copy of it for each device; each part has a checkpoint of its own.

        Raises
        ------
        SystemFailure
            If the system chooses on validation clips and a device has none.
        """
        from asc_bench.training.fine_tuning import fine_tuning

        network, device = self._network, train.device
        assert device is not None
        present = [i for i, name in enumerate(self.task.devices) if name in self.devices and (device == i).any()]
        blind = None if validation is None else replace(validation, device=None)
        self._models = {}
        network.standardise_by(train, context)
        general = network.train_network(
            replace(train, device=None), blind, _reported(context, "", 0.0, _GENERAL_SHARE)
        )
        done = _GENERAL_SHARE
        for place in present:
            name, chosen = self.task.devices[place], device == place
            share = (1.0 - _GENERAL_SHARE) * float(chosen.sum()) / len(train)
            plan = fine_tuning(
                network.training_plan(),
                n_clips=len(train),
                n_of_device=int(chosen.sum()),
                rate=self.params.rate,
                length=self.params.length,
            )
            with _starting_from(network, general, plan):
                self._models[name] = network.train_network(
                    replace(train.where(chosen), device=None),
                    self._of_device(validation, place),
                    _reported(context, f"device {name}: ", done, share),
                    part=f"device-{place}",
                )
            done += share
        self._models[_GENERAL] = general
        network.module = general

    def _of_device(self, validation: LabelledClips | None, place: int) -> LabelledClips | None:
        if validation is None:
            return None
        assert validation.device is not None
        found = validation.where(validation.device == place)
        if not len(found):
            raise SystemFailure(
                f"{self.params.of} chooses its weights on validation clips, and device {self.task.devices[place]} "
                "has none; give it a plan that keeps the last weights, as in "
                f"of={self.params.of.partition('[')[0]}[plan.select=last]"
            )
        return replace(found, device=None)

    def predict(self, clips: Clips) -> Probabilities:
        """Each clip by the network of its device, or by the general one."""
        if clips.device is None:
            raise SystemFailure(f"{self.card.name}: predict was given no devices, by which networks are chosen")
        models, network = self._fitted(), self._network
        found: dict[str, npt.NDArray[np.float32]] = {}
        for place in np.unique(clips.device):
            chosen = clips.device == place
            network.module = models.get(self.task.devices[place], models[_GENERAL])
            given = network.predict(Clips(clips.where(chosen).features))
            for level, values in (given if isinstance(given, Mapping) else {FINE: given}).items():
                found.setdefault(level, np.empty((len(clips), values.shape[1]), np.float32))[chosen] = values
        network.module = models[_GENERAL]
        return found[FINE] if set(found) == {FINE} else found

    def save(self, folder: Path) -> None:
        """Write the weights of all networks and the training split's statistics as ``weights.safetensors``."""
        from asc_bench.training.checkpoint import write_tensors

        models, statistics = self._fitted(), self._network._statistics
        tensors = {f"{i}/{name}": t for i, m in enumerate(models.values()) for name, t in m.state_dict().items()}
        if statistics is not None:
            tensors |= {"statistics/mean": statistics.mean, "statistics/std": statistics.std}
        facts = {"system": self.card.name, "params": repr(self.params), "models": list(models)}
        write_tensors(folder / _WEIGHTS, tensors, facts)

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote.

        Raises
        ------
        StoreError
            If the file is missing or damaged, or belongs to another system or other devices.
        """
        from asc_bench.training.batches import Statistics
        from asc_bench.training.checkpoint import load_matching, read_tensors
        from asc_bench.training.device import in_layout

        path, network = folder / _WEIGHTS, self._network
        tensors, facts = read_tensors(path)
        if facts.get("system") != self.card.name:
            raise StoreError(f"{path}: weights of {facts.get('system')!r}, expected {self.card.name!r}")
        names = list(facts["models"])
        if foreign := sorted(set(names) - {*self.devices, _GENERAL}):
            raise StoreError(f"{path}: networks of devices {foreign}; this task has {list(self.devices)}")
        self._models = {}
        for i, name in enumerate(names):
            module = network.build()
            state = {n.partition("/")[2]: t for n, t in tensors.items() if n.startswith(f"{i}/")}
            load_matching(module, state, source=str(path))
            self._models[name] = in_layout(module, network.training_plan()).to(network._device)
        if "statistics/mean" in tensors:
            network._statistics = Statistics(tensors["statistics/mean"], tensors["statistics/std"])
        network.module = self._models[_GENERAL]

    def move_to(self, device: str) -> None:
        """See ``System.move_to``."""
        self._network.move_to(device)
        for module in (self._models or {}).values():
            module.to(device)

    def facts(self) -> Mapping[str, str | int | float]:
        """Those of the inner system, how many networks there are, and their parameters, for one and for all."""
        found = dict(self._network.facts())
        each = self._network.complexity().get("n_parameters", 0)
        fine_tuned = [name for name in self._models or {} if name]
        return found | {
            "fine_tuned_devices": ", ".join(fine_tuned),
            "n_parameters_per_device_model": each,
            "n_parameters_of_all_models": each * (len(fine_tuned) + 1),
        }

    def complexity(self) -> Mapping[str, int]:
        """What all networks store, and what the one that predicts a clip computes."""
        one = self._network.complexity()
        n_models = len(self._models) if self._models else len(self.devices) + 1
        stored = {key: n_models * one[key] for key in ("n_parameters", *COUNTED) if key in one}
        return {**one, **stored, "n_device_models": n_models}

    def _fitted(self) -> dict[str, nn.Module]:
        if not self._models:
            raise SystemFailure(f"{self.card.name} is neither fitted nor loaded; call fit or load first")
        return self._models


@contextmanager
def _starting_from(network: TorchSystem, general: nn.Module, plan: TrainingPlan) -> Iterator[None]:
    """Let a system train by another plan, from a copy of trained weights."""
    from asc_bench.training.evaluate import copy_of

    start, own_plan = network.starting_network, network.training_plan
    network.starting_network = lambda: copy_of(general)  # type: ignore[method-assign]
    network.training_plan = lambda: plan  # type: ignore[method-assign]
    try:
        yield
    finally:
        network.starting_network, network.training_plan = start, own_plan  # type: ignore[method-assign]


def _reported(context: Context, what: str, done: float, share: float) -> Context:
    """The context of one part of the training, whose progress is a share of the whole."""
    return replace(
        context, progress=lambda fraction, message: context.progress(done + share * fraction, f"{what}{message}")
    )
