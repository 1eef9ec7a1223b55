"""Networks that may start from a published checkpoint, whose classification layer is replaced."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from asc_bench.clips import LabelledClips
from asc_bench.errors import ConfigError, StoreError
from asc_bench.systems.base import Context, Params
from asc_bench.systems.torch_system import TorchSystem

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class FineTuningParams(Params):
    """Where a training starts, and what it changes.

    Attributes
    ----------
    weights : str
        File of a published checkpoint that the training starts from; empty to train from scratch. Nothing is
        downloaded.
    layers : {"all", "classifier"}
        What is trained after that: every layer, or the new classification layer alone.
    """

    weights: str = ""
    layers: Literal["all", "classifier"] = "all"

    def __post_init__(self) -> None:
        if self.layers not in ("all", "classifier"):
            raise ConfigError(f"layers is {self.layers!r}, must be all or classifier")
        if self.layers == "classifier" and not self.weights:
            raise ConfigError(
                "layers=classifier trains the last layer of a network that was trained before: name its checkpoint "
                "with weights=FILE, or drop layers"
            )


class FineTunedSystem(TorchSystem):
    """A network that is trained from scratch, or from a checkpoint that ``weights`` names.

    All tensors but those whose shape depends on the classes are taken over, and the file must hold each of these.
    A subclass whose checkpoints hold more gives ``published_tensors``. With ``layers=classifier`` all parts that
    are taken over compute as they do at test.
    """

    numerics_version: ClassVar[int | None] = 1

    params: FineTuningParams

    def external_files(self) -> tuple[Path, ...]:
        """The checkpoint, if one is named."""
        return (Path(self.params.weights),) if self.params.weights else ()

    def published_tensors(self, content: Mapping[str, Any]) -> dict[str, Tensor]:
        """Weights by their names in the network, out of what a checkpoint holds.

        Raises
        ------
        StoreError
            If the checkpoint belongs to another input than this system's.
        """
        from asc_bench.features.encoders.foreign import foreign_tensors

        return foreign_tensors(content)

    def starting_network(self) -> nn.Module:
        """A fresh network, with the weights of the checkpoint if one is named.

        Raises
        ------
        StoreError
            If the file cannot be read, or belongs to another network, with the first difference.
        """
        module = super().starting_network()
        if not self.params.weights:
            return module
        from asc_bench.features.encoders.foreign import load_foreign_state
        from asc_bench.systems.transfer.weights import class_tensors

        path, fresh = Path(self.params.weights), class_tensors(self)
        try:
            state = self.published_tensors(load_foreign_state(path))
        except StoreError as error:
            raise StoreError(f"{self.card.name}: {error}") from error
        fault = _difference(module.state_dict(), state, fresh=fresh)
        if fault:
            own = {f.name for f in fields(self.params)} - {f.name for f in fields(FineTuningParams)}
            named = ", ".join([self.card.title, *(f"{key}={getattr(self.params, key)}" for key in sorted(own))])
            raise StoreError(f"{self.card.name}: {path}: no checkpoint of {named}: {fault}")
        module.load_state_dict({name: t for name, t in state.items() if name not in fresh}, strict=False)
        return module

    def prepared(self, module: nn.Module) -> nn.Module:
        """With ``layers=classifier`` frozen but for the classification layer, for each device as well."""
        if self.params.layers == "classifier":
            from asc_bench.systems.transfer.weights import class_tensors, freeze

            freeze(module, trained=class_tensors(self))
        return module

    def train_network(
        self,
        train: LabelledClips,
        validation: LabelledClips | None,
        context: Context,
        *,
        part: str = "training",
    ) -> nn.Module:
        """As the base; layers that were frozen count as parameters afterwards."""
        return super().train_network(train, validation, context, part=part).requires_grad_()


def _difference(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], *, fresh: Set[str]) -> str:
    """What keeps a state from being loaded but for the ``fresh`` tensors, in one phrase; empty if nothing does."""
    faults = [f"it lacks {name}" for name in wanted if name not in given and name not in fresh]
    faults += [f"{name} belongs to another network" for name in given if name not in wanted]
    faults += [
        f"{name} has the shape {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and name not in fresh and given[name].shape != tensor.shape
    ]
    more = f", and {len(faults) - 1} more tensors differ" if len(faults) > 1 else ""
    return f"{faults[0]}{more}" if faults else ""
