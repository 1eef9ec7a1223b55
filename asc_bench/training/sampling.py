"""Which clips make up a batch, and where they are cut: pure functions of the seed and the step.

Nothing here has a state, so a training that is taken up again at step n needs no more than n.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

_ORDER, _CROP, _TORCH, _MIX = 0, 1, 2, 3


def _sequence(seed: int, purpose: int, index: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(entropy=seed, spawn_key=(purpose, index))


@lru_cache(maxsize=4)
def _permutation(n_clips: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    order = np.random.default_rng(_sequence(seed, _ORDER, epoch)).permutation(n_clips)
    order.flags.writeable = False
    return order


def batch_rows(
    n_clips: int, batch_size: int, *, seed: int, step: int, short: bool = False
) -> npt.NDArray[np.int64]:
    """Clips of one step, shape (batch_size,).

    Epochs are permutations laid end to end and cut into batches of equal size: every clip comes once in each
    epoch, and no batch is too small for batch normalisation. With ``short`` each epoch is cut by itself, and its
    last batch has the clips that are left.
    """
    if short:
        epoch, place = divmod(step, -(-n_clips // batch_size))
        return _permutation(n_clips, seed, epoch)[place * batch_size : (place + 1) * batch_size].copy()
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    return np.array([_permutation(n_clips, seed, int(p // n_clips))[p % n_clips] for p in places], dtype=np.int64)


def crop_starts(n_frames: int, length: int, *, size: int, seed: int, step: int) -> npt.NDArray[np.int64]:
    """First frame of each excerpt of one step, uniform over all places, shape (size,)."""
    if n_frames <= length:
        return np.zeros(size, dtype=np.int64)
    rng = np.random.default_rng(_sequence(seed, _CROP, step))
    return rng.integers(0, n_frames - length + 1, size=size)


def mixup_draw(alpha: float, *, size: int, seed: int, step: int) -> tuple[float, npt.NDArray[np.int64]]:
    """Share of each clip that stays, from Beta(alpha, alpha), and its partner in the batch, shape (size,)."""
    rng = np.random.default_rng(_sequence(seed, _MIX, step))
    return float(rng.beta(alpha, alpha)), rng.permutation(size)


def torch_seed(seed: int, step: int) -> int:
    """Seed of dropout and masking in one step; step -1 is the initialisation of the weights."""
    return int(_sequence(seed, _TORCH, step + 1).generate_state(1, np.uint64)[0])
