"""The embedding of a clip in the network of any torch system: what its classification layer sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.labels import FINE

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.clips import Clips
    from asc_bench.systems.torch_system import TorchSystem
    from asc_bench.training.batches import Batch
    from asc_bench.training.evaluate import Learner, Outputs

_N_PROBED = 2


def embedding(system: TorchSystem, module: nn.Module, batch: Batch) -> Tensor:
    """Embedding of each clip or excerpt of a batch, through which gradients flow.

    It is what the network's method ``embed(features)`` gives (of a tuple the first), where there is one. Otherwise
    it is the input of the classification layer: the last dense or convolutional layer of the network, which must
    have as many outputs as there are fine classes. Further axes are averaged: those after the channels of a
    convolution, those between the first and the last of a dense layer, and several rows for each clip.

    Parameters
    ----------
    system : TorchSystem
        Whose ``forward`` runs the network; its task says how many fine classes there are.
    module : nn.Module
        The network, in the mode (training or evaluation) that is wanted.
    batch : Batch
        n clips or excerpts.

    Returns
    -------
    Tensor, shape (n, d)
        In float32.

    Raises
    ------
    ConfigError
        If the network has no such method and no such layer.

    Notes
    -----
    Whether the network's answer depends on this layer alone is not asked here, but by ``check_embedding``.
    """
    embed = getattr(module, "embed", None)
    if callable(embed):
        given = embed(batch.features)
        found: Tensor = given[0] if isinstance(given, tuple) else given
        if found.ndim != 2 or len(found) != len(batch.features):
            raise ConfigError(
                f"{system.card.name}: embed of its network gave shape {tuple(found.shape)}, expected "
                f"({len(batch.features)}, d)"
            )
        return found.float()
    layer = _classification_layer(system, module)
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        system.forward(module, batch)
    finally:
        handle.remove()
    if len(seen) != 1:
        raise ConfigError(
            f"{system.card.name}: its last layer, {layer}, ran {len(seen)} times for one batch, so that its input "
            f"is no embedding; {_TODO}"
        )
    return _one_vector_each(seen[0], len(batch.features), system, layer).float()


def check_embedding(system: TorchSystem, module: nn.Module, batch: Batch) -> None:
    """Prove that the network knows of a clip only what the input of its classification layer says.

    A network of several networks, say, has a last layer as well, but only of one of them. Nothing is asked of a
    network that has a method ``embed(features)``.

    Raises
    ------
    ConfigError
        If it has no such layer, or if its answer depends on the clip in another way, too.
    """
    import torch

    if callable(getattr(module, "embed", None)):
        return
    layer = _classification_layer(system, module)
    was_training = module.training
    # The clip reaches the answer through this layer or past it; cut here, no slope may be left.
    handle = layer.register_forward_pre_hook(lambda _, inputs: tuple(x.detach() for x in inputs))
    try:
        with torch.enable_grad():
            features = batch.features.detach().clone().requires_grad_()
            probabilities = system.probabilities(system.forward(module.eval(), replace(batch, features=features)))
            fine = probabilities if isinstance(probabilities, torch.Tensor) else probabilities[FINE]
            (slope,) = torch.autograd.grad(fine.square().sum(), features, allow_unused=True)
    finally:
        handle.remove()
        module.train(was_training)
    if slope is not None:
        raise ConfigError(
            f"{system.card.name}: the network's answer depends on more than the input of its last layer, {layer}, "
            f"which is therefore no embedding of the clip; {_TODO}"
        )


def embed_clips(system: TorchSystem, clips: Clips, *, device: str | None = None) -> npt.NDArray[np.float32]:
    """Embeddings of clips by a fitted system, in evaluation mode and float32.

    Parameters
    ----------
    system : TorchSystem
        Fitted or loaded.
    clips : Clips
        As ``predict`` takes them.
    device : str, optional
        torch device, to which the system is moved; by default where it is.

    Returns
    -------
    float32 ndarray, shape (n_clips, d)
        Where the plan predicts a clip by several excerpts, the arithmetic mean over them.

    Raises
    ------
    ConfigError
        If the system is not fitted, or its network has no embedding.
    DataError
        If there is no clip, or a feature is no number.
    SystemFailure
        If the network cannot take these clips: their duration is not the one that it was built for, say.
    """
    import torch

    from asc_bench.training.batches import ClipStore
    from asc_bench.training.device import reproducible
    from asc_bench.training.evaluate import evaluate

    if device is not None:
        system.move_to(device)
    module = system.module
    if module is None:
        raise ConfigError(
            f"{system.card.name}: there is no fitted network to embed clips with; fit or load it first. A system "
            "of several networks, or of none, has no embedding (settings may choose a single one)"
        )
    plan = system.training_plan()
    if plan.crop is not None:
        plan = replace(plan, crop=replace(plan.crop, average="arithmetic"))
    store = ClipStore(clips, device=system._device, statistics=system._statistics)
    with reproducible(system._device):
        rows = np.arange(min(_N_PROBED, len(clips)))
        length = plan.crop.length if plan.crop is not None else None
        try:
            check_embedding(system, module, store.batch(rows, starts=np.zeros_like(rows), length=length))
            found = evaluate(module, cast("Learner", _Embedder(system)), store, plan)
        except torch.cuda.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError) as error:
            raise SystemFailure(_untaken(system, clips, error)) from error
    vectors: npt.NDArray[np.float32] = found.probabilities[_NAME]
    return vectors


class _Embedder:
    """What ``evaluate`` asks of a system, answered with embeddings."""

    def __init__(self, system: TorchSystem) -> None:
        self.system = system

    def forward(self, module: nn.Module, batch: Batch) -> Outputs:
        return embedding(self.system, module, batch)

    def probabilities(self, outputs: Outputs) -> dict[str, Tensor]:
        return {_NAME: outputs}


_NAME = "embedding"
_TODO = "give the network a method embed(features) that returns (n, d)"


def _untaken(system: TorchSystem, clips: Clips, error: Exception) -> str:
    """Why the network failed, as far as the shapes tell."""
    built_for, shape = system.task.clip_duration_s, clips.features.shape[1:]
    if shape != system.front_end().shape(built_for):
        why = f"it was built for clips of {built_for:g} s"
    else:
        why = "a system that gives its network only a part of the features has no embedding with these settings"
    return f"{system.card.name}: the network cannot take features of shape {shape} ({why}): {error}"


def _classification_layer(system: TorchSystem, module: nn.Module) -> nn.Module:
    from torch import nn

    n_classes = len(system.task.labels.fine)
    layers = [x for x in module.modules() if isinstance(x, nn.Linear | nn.Conv1d | nn.Conv2d)]
    if not layers:
        raise ConfigError(f"{system.card.name}: its network has no dense or convolutional layer; {_TODO}")
    last = layers[-1]
    n_outputs = last.out_features if isinstance(last, nn.Linear) else last.out_channels
    if n_outputs != n_classes:
        raise ConfigError(
            f"{system.card.name}: the last layer of its network, {last}, has {n_outputs} outputs, not one for each "
            f"of the {n_classes} fine classes, so that its input is no embedding of the clip; {_TODO}"
        )
    return last


def _one_vector_each(seen: Tensor, n: int, system: TorchSystem, layer: nn.Module) -> Tensor:
    from torch import nn

    if seen.ndim > 2:
        channels = seen.movedim(-1, 1) if isinstance(layer, nn.Linear) else seen
        seen = channels.flatten(start_dim=2).mean(dim=2)
    if seen.ndim != 2 or len(seen) % n:
        raise ConfigError(
            f"{system.card.name}: its last layer, {layer}, sees {tuple(seen.shape)} of {n} clips, which is no "
            f"vector for each; {_TODO}"
        )
    return seen if len(seen) == n else seen.reshape(n, -1, seen.shape[1]).mean(dim=1)
