"""Loss landscapes: the loss over a plane through a network's weights, along two random directions.

The directions are normalised filter by filter, so that networks whose weights differ in size can be compared: H. Li
et al., "Visualizing the loss landscape of neural nets", NeurIPS 2018, section 4.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asc_bench.clips import LabelledClips
from asc_bench.errors import ConfigError, StoreError, SystemFailure

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.systems.torch_system import TorchSystem

_VERSION = 1
"""Of the arithmetic: to be raised whenever a change would move a loss."""
_TINY = 1e-10

_log = logging.getLogger("asc_bench")


def _silent(fraction: float, text: str) -> None:
    """Report nothing."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Where the loss is asked for.

    Attributes
    ----------
    n_points : int
        Points along each direction; odd, so that the network itself is the one in the middle.
    span : float
        How far it goes along each direction, both ways; at 1 each filter is moved by its own length.
    seed : int
        Of the two directions, at least 0.
    """

    n_points: int = 21
    span: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_points < 3 or self.n_points % 2 == 0:
            raise ConfigError(f"a landscape needs an odd number of points, 3 or more, got {self.n_points}")
        if not (np.isfinite(self.span) and self.span > 0) or self.seed < 0:
            raise ConfigError(
                f"a landscape needs a positive span and a seed from 0 on, got {self.span} and {self.seed}"
            )

    @property
    def steps(self) -> npt.NDArray[np.float64]:
        """Coordinates along both directions, shape (n_points,); the middle one is exactly 0."""
        half = self.n_points // 2
        return self.span * np.arange(-half, half + 1) / half


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """Losses over a plane.

    Attributes
    ----------
    steps : float64 array, shape (n_points,)
        Coordinates along both directions.
    losses : float64 array, shape (n_points, n_points)
        ``losses[i, j]`` at ``steps[i]`` along the first direction and ``steps[j]`` along the second; NaN or
        infinite where the loss is.
    """

    steps: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]

    @property
    def trained(self) -> float:
        """Loss of the network as it is."""
        middle = len(self.steps) // 2
        return float(self.losses[middle, middle])

    @property
    def lowest(self) -> tuple[float, float, float]:
        """Coordinates along both directions of the least finite loss, and this loss.

        Raises
        ------
        SystemFailure
            If no loss is finite.
        """
        finite = np.where(np.isfinite(self.losses), self.losses, np.inf)
        i, j = np.unravel_index(int(finite.argmin()), finite.shape)
        if not np.isfinite(finite[i, j]):
            raise SystemFailure(
                "the loss is NaN or infinite at every point of the landscape: the training diverged"
            )
        return float(self.steps[i]), float(self.steps[j]), float(finite[i, j])


def direction(module: nn.Module, *, seed: int, number: int) -> dict[str, Tensor]:
    """A random direction in the space of a network's parameters, normalised filter by filter.

    Gaussian; then each filter ``d`` (a slice along the first axis of a weight ``w``: kernels of one output channel,
    a row of a dense layer) becomes ``d |w| / (|d| + 1e-10)``. Biases and all else of one dimension do not move.

    Parameters
    ----------
    module : nn.Module
        The network.
    seed, number : int
        The same directions for the same seed on every device; ``number`` tells the two of a plane apart.

    Returns
    -------
    dict of str to Tensor
        By parameter name, with its shape, on its device.

    Raises
    ------
    ConfigError
        If no parameter has a filter, so that nothing would move.
    """
    import torch

    parameters = dict(module.named_parameters())
    if all(p.dim() < 2 for p in parameters.values()):
        raise ConfigError(f"{type(module).__name__} has no weight of two dimensions or more: nothing can be moved")
    rng = np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(number,)))
    found: dict[str, Tensor] = {}
    for name, parameter in parameters.items():
        weight = parameter.detach()
        if weight.dim() < 2:
            found[name] = torch.zeros_like(weight)
            continue
        # Drawn by numpy, so that a GPU goes where a CPU goes.
        noise = torch.from_numpy(rng.standard_normal(tuple(weight.shape), dtype=np.float32))
        axes = tuple(range(1, weight.dim()))
        size = torch.linalg.vector_norm(weight.float().cpu(), dim=axes, keepdim=True)
        noise *= size / (torch.linalg.vector_norm(noise, dim=axes, keepdim=True) + _TINY)
        found[name] = noise.to(weight)
    return found


def landscape(
    module: nn.Module,
    loss: Callable[[], float],
    plane: Plane,
    *,
    folder: Path | None = None,
    identity: Mapping[str, object] | None = None,
    progress: Callable[[float, str], None] = _silent,
) -> Landscape:
    """Ask for the loss at every point of a plane. The network is as it was afterwards, also after an exception.

    Parameters
    ----------
    module : nn.Module
        The network; its buffers are left alone.
    loss : callable
        Gives the loss of the network as it is when called.
    plane : Plane
        Where.
    folder : Path, optional
        Where points are kept as they are found, in a file for each landscape; an interrupted call goes on from
        there, and a finished one costs nothing again. A damaged file is computed again, with a warning.
    identity : mapping, optional
        What the loss depends on beside the weights (data, code), as JSON values: kept in the file, and part of its
        name.
    progress : callable
        Given the finished fraction and a few words.

    Raises
    ------
    ConfigError
        See ``direction``.
    StoreError
        If the points cannot be written.
    """
    axes = [direction(module, seed=plane.seed, number=number) for number in (0, 1)]
    facts: dict[str, object] = {
        "version": _VERSION,
        "plane": asdict(plane),
        "weights": _weights_digest(module),
        "loss": dict(identity or {}),
    }
    shape = (plane.n_points, plane.n_points)
    losses, known = np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_)
    file = None
    if folder is not None:
        file = folder / f"{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]}.safetensors"
        losses, known = _kept(file, facts, losses, known)
    steps = plane.steps
    with _restored(module) as trained:
        for i, j in np.argwhere(~known):
            _move(module, trained, axes, (float(steps[i]), float(steps[j])))
            losses[i, j], known[i, j] = loss(), True
            if file is not None:
                _keep(file, facts, losses, known)
            progress(float(known.mean()), f"{known.sum()} of {known.size} points")
    return Landscape(steps=steps, losses=losses)


def mean_loss(system: TorchSystem, clips: LabelledClips) -> Callable[[], float]:
    """The loss that a system is trained with, of given clips, each time its network is asked.

    In evaluation mode (no dropout, stored statistics of batch normalisation), in float32, with the excerpts of a
    prediction and without augmentation; the mean over all excerpts.

    Parameters
    ----------
    system : TorchSystem
        Fitted or loaded.
    clips : LabelledClips
        Standardised as in its training.

    Raises
    ------
    SystemFailure
        If it is neither fitted nor loaded.
    """
    from asc_bench.training.batches import ClipStore
    from asc_bench.training.device import reproducible
    from asc_bench.training.evaluate import evaluate

    module = system.module
    if module is None:
        raise SystemFailure(f"{system.card.name} is neither fitted nor loaded; call fit or load first")
    device = str(next(module.parameters()).device)
    store = ClipStore(clips, device=device, statistics=system._statistics)
    plan = system.training_plan()

    def loss() -> float:
        with reproducible(device):
            found = evaluate(module, system, store, plan, with_loss=True).loss
        assert found is not None
        return found

    return loss


@contextmanager
def _restored(module: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Copies of the parameters, which are put back in the end."""
    import torch

    trained = {name: p.detach().clone() for name, p in module.named_parameters()}
    try:
        yield trained
    finally:
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(trained[name])


def _move(
    module: nn.Module, trained: Mapping[str, Tensor], axes: list[dict[str, Tensor]], place: tuple[float, float]
) -> None:
    import torch

    first, second = axes
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(trained[name] + place[0] * first[name] + place[1] * second[name])


def _weights_digest(module: nn.Module) -> str:
    """Of all parameters and buffers: equal where the landscape is."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _kept(
    file: Path, facts: Mapping[str, object], losses: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """What the file holds, or what is given where there is none that can be trusted."""
    from asc_bench.training.checkpoint import read_tensors

    if not file.exists():
        return losses, known
    try:
        tensors, stated = read_tensors(file)
        if stated != json.loads(json.dumps(facts)) or any(
            name not in tensors or tuple(tensors[name].shape) != losses.shape for name in ("losses", "known")
        ):
            raise StoreError(f"{file}: holds another landscape than its name says")
    except StoreError as error:
        _log.warning("%s; the landscape is computed again", error)
        return losses, known
    return tensors["losses"].numpy().copy(), tensors["known"].numpy().copy()


def _keep(
    file: Path, facts: Mapping[str, object], losses: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]
) -> None:
    import torch

    from asc_bench.training.checkpoint import write_tensors

    write_tensors(file, {"losses": torch.from_numpy(losses), "known": torch.from_numpy(known)}, facts)
