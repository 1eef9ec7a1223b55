"""How runs are computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asc_bench.training.precision import Decision

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Settings:
    """How runs are computed; no number depends on it, but for floating-point rounding.

    Attributes
    ----------
    cache : Path
        Folder of features.
    device : str
        torch device string; ``auto`` until one is chosen.
    n_threads : int
        Of each run.
    keep_weights : bool
        Store what ``System.save`` writes beside the predictions; a stored run without it is computed again.
    precision : Decision, optional
        Arithmetic of training networks; decided where a run is computed if not given.
    """

    cache: Path
    device: str = "cpu"
    n_threads: int = 1
    keep_weights: bool = False
    precision: Decision | None = None

    def accept(self, manifest: Mapping[str, Any]) -> bool:
        """Whether a stored run was trained in the arithmetic that is asked for, if one is and it trained."""
        if self.precision is None or not self.precision.fixed:
            return True
        return manifest.get("facts", {}).get("training_precision") in (None, self.precision.precision)
