"""How runs are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Settings:
    """How runs are computed; no number depends on it, but for floating-point rounding."""

    cache: Path
    device: str = "cpu"
    n_threads: int = 1
    keep_weights: bool = False
    """Store what ``System.save`` writes beside the predictions; a stored run without it is computed again."""
