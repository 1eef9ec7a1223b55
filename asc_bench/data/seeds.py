"""Where every random number of a synthetic dataset comes from: its name, and nothing else."""

from __future__ import annotations

import hashlib

import numpy as np

VERSION = 1
"""Version of the sounds. Raise it with every change that moves a sample, a clip or a file name."""


def seed_of(*parts: str | int) -> int:
    """Seed made from named parts, the same on every machine and in every order of asking.

    Parameters
    ----------
    *parts : str or int
        What the number is for, such as ``("scene", 0, "tut-urban-2018-mobile", "park", "paris-12")``.

    Returns
    -------
    int
        The first 128 bits of a sha256 over the parts; each part is written with its length, so that
        ``("ab", "c")`` and ``("a", "bc")`` differ.
    """
    whole = hashlib.sha256()
    for part in parts:
        text = f"{type(part).__name__}:{part}".encode()
        whole.update(len(text).to_bytes(4, "big") + text)
    return int.from_bytes(whole.digest()[:16], "big")


def generator(*parts: str | int) -> np.random.Generator:
    """Random generator of ``seed_of(*parts)``."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed_of(*parts))))
