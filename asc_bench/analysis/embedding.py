"""Embeddings of clips: which systems give them, and what they must look like."""

from __future__ import annotations

import inspect
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from asc_bench.clips import Clips
from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.systems.base import System
from asc_bench.systems.torch_system import TorchSystem


class Embeds(Protocol):
    """A system that turns clips into points."""

    def embed(self, clips: Clips) -> npt.NDArray[np.float32]:
        """One embedding for each clip, shape (n_clips, d); asked of fitted systems only."""


def can_embed(system: type[System]) -> bool:
    """Whether the systems of a class have the method ``embed(clips)``, or a network whose last layer has an input.

    Whether that input is an embedding shows once there is a network: ``embeddings`` then says why it is not.
    """
    return _embeds(system) or issubclass(system, TorchSystem)


def embeddings(system: System, clips: Clips) -> npt.NDArray[np.float32]:
    """Ask a fitted system for its embeddings: its own method, or what its network's classification layer sees.

    Parameters
    ----------
    system : System
        Fitted or loaded.
    clips : Clips
        As ``predict`` takes them.

    Returns
    -------
    float32 array, shape (n_clips, d)

    Raises
    ------
    ConfigError
        If the system has no embeddings; see also ``asc_bench.systems.embedding.embed_clips``.
    SystemFailure
        If what it returns are no such numbers.
    """
    name = system.card.name
    if not can_embed(type(system)):
        raise ConfigError(f"{name} gives no embeddings: it has no method embed(clips)")
    if _embeds(type(system)):
        found = np.asarray(cast(Embeds, system).embed(clips))
    else:
        from asc_bench.systems.embedding import embed_clips

        assert isinstance(system, TorchSystem)
        found = embed_clips(system, clips)
    if found.ndim != 2 or len(found) != len(clips) or not found.shape[1] or found.dtype.kind != "f":
        raise SystemFailure(
            f"{name}: embed gave {found.dtype} of shape {found.shape}, expected floats of shape ({len(clips)}, d)"
        )
    faulty = ~np.isfinite(found).all(axis=1)
    if faulty.any():
        raise SystemFailure(
            f"{name}: {faulty.sum()} of {len(found)} embeddings have NaN or infinite numbers, the first is that of "
            f"clip number {int(faulty.argmax())}"
        )
    return found.astype(np.float32)


def _embeds(system: type[System]) -> bool:
    """By the argument's name: ``embed(features)`` of an ``SklearnSystem`` prepares what its classifier sees."""
    method = getattr(system, "embed", None)
    return callable(method) and list(inspect.signature(method).parameters)[1:] == ["clips"]
