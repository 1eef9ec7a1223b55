"""How and where runs are computed."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asc_bench.bench.host import n_cores
from asc_bench.data.store import CACHE_VARIABLE, cache_root
from asc_bench.training.precision import Decision

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Progress = Callable[[float, str], None]
Backend = Literal["loky", "dask"]


@dataclass(frozen=True)
class Settings:
    """How runs are computed; no number depends on it, but for floating-point rounding.

    Attributes
    ----------
    cache : Path
        Folder of features.
    device : str
        As ``asc_bench.training.device.choose_devices`` takes it.
    n_threads : int
        Threads of one run; 0 shares the cores of the machine evenly among the runs on it.
    keep_weights : bool
        Store what ``System.save`` writes beside the predictions; a stored run without it is computed again.
    precision : Decision, optional
        Arithmetic of training networks; decided where a run is computed if not given.
    measure_inference : bool
        Time predictions of single clips at the end of each run; stored runs without are not computed again.
    energy : str
        ISO code of the country whose electricity counts; empty to measure no energy.
    log : tuple of str
        Kinds of logs that runs write while they are computed, see ``asc_bench.runs.trackers``.
    """

    cache: Path
    device: str = "cpu"
    n_threads: int = 1
    keep_weights: bool = False
    precision: Decision | None = None
    measure_inference: bool = False
    energy: str = ""
    log: tuple[str, ...] = ()

    def accept(self, manifest: Mapping[str, Any]) -> bool:
        """Whether a stored run was trained in the arithmetic that is asked for, if one is and it trained."""
        if self.precision is None or not self.precision.fixed:
            return True
        return manifest.get("facts", {}).get("training_precision") in (None, self.precision.precision)

    def here(self, *, n_sharing: int) -> Settings:
        """With the device and the threads that this machine has for one of so many runs on it."""
        from asc_bench.training.device import choose_device

        n_threads = self.n_threads or max(1, n_cores() // max(n_sharing, 1))
        return replace(self, device=choose_device(self.device), n_threads=n_threads)


@dataclass(frozen=True)
class Workers:
    """How many runs go side by side, and on what.

    Attributes
    ----------
    n_jobs : int
        Runs at a time on this machine.
    backend : {"loky", "dask"}
        Processes of this machine, or the workers of a dask cluster (needs ``asc-bench[dask]``).
    scheduler : str
        Address of a dask scheduler; for dask without one, a cluster of ``n_jobs`` workers is made on this machine.
    """

    n_jobs: int = 1
    backend: Backend = "loky"
    scheduler: str = ""


@dataclass(frozen=True)
class Planner:
    """The machine where runs were planned, for those that compute them.

    Attributes
    ----------
    host : str
        Its name.
    cache : Path
        Its cache, absolute.
    n_workers : tuple of (str, int)
        How many workers each machine has that is known to have some.
    """

    host: str
    cache: Path
    n_workers: tuple[tuple[str, int], ...] = ()

    @classmethod
    def this(cls, settings: Settings) -> Planner:
        """The present machine."""
        return cls(platform.node(), settings.cache.absolute())

    @property
    def n_workers_here(self) -> int:
        """Workers of this machine; one that is not known to have any has one."""
        return dict(self.n_workers).get(platform.node(), 1)

    @property
    def is_here(self) -> bool:
        """Whether this is that machine."""
        return platform.node() == self.host

    def cache_here(self) -> Path:
        """The cache to use: that of the planner, unless another machine has ``$ASC_BENCH_CACHE`` of its own."""
        named = not self.is_here and os.environ.get(CACHE_VARIABLE)
        return cache_root() if named else self.cache


def limit_threads(n_threads: int) -> None:
    """Keep the numerical libraries of this process to so many threads."""
    _thread_pools(len(sys.modules)).limit(limits=n_threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(n_threads)


@lru_cache(maxsize=1)
def _thread_pools(n_modules: int) -> ThreadpoolController:
    """The libraries loaded so far, which are searched for again only once modules were imported since."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
