"""Where a network runs, repeatably and without denormal numbers, and whether the data fit beside it."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from asc_bench.errors import ConfigError
from asc_bench.training.plan import TrainingPlan

if TYPE_CHECKING:
    from torch import nn

ALL_GPUS = "cuda:*"
RESIDENT_SHARE = 0.4
"""Share of the free memory that a split's features may take to be held as one tensor on the device."""


def choose_device(name: str = "auto") -> str:
    """Turn "auto", "cpu", "cuda" or "cuda:n" into a torch device that is there.

    Raises
    ------
    ConfigError
        For an unknown name, or a GPU that torch does not see.
    """
    kind, _, index = name.partition(":")
    if name == ALL_GPUS:
        raise ConfigError(f"device {name!r} spreads the runs of one machine over its GPUs; name one here, or auto")
    if name not in ("auto", "cpu") and (kind != "cuda" or (index and not index.isdigit())):
        raise ConfigError(f"device {name!r} is none of auto, cpu, cuda, cuda:<number>, {ALL_GPUS}")
    # Torch takes a second to import, which a command of systems without a network need not wait for.
    if name == "cpu" or (name == "auto" and not _has_gpu_driver()):
        return "cpu"
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if n_gpus else "cpu"
    if int(index or 0) >= n_gpus:
        raise ConfigError(f"device {name!r}: torch {torch.__version__} sees {n_gpus} GPUs here; use cpu or auto")
    return name


def choose_devices(name: str, n_jobs: int) -> tuple[str, ...]:
    """What the runs of this machine are spread over, one after the other.

    Parameters
    ----------
    name : str
        As for `choose_device`, or "cuda:*" for all GPUs.
    n_jobs : int
        Runs side by side: more than one with "auto" are spread over all GPUs, too.

    Returns
    -------
    tuple of str
        Torch devices, at least one.

    Raises
    ------
    ConfigError
        As `choose_device`; and for "cuda:*" without a GPU.
    """
    try:
        one = choose_device("cuda" if name == ALL_GPUS else name)
    except ConfigError as error:
        if name == ALL_GPUS:
            raise ConfigError(str(error).replace("'cuda'", repr(ALL_GPUS))) from None
        raise
    if one != "cuda" or name == "cuda" or (name == "auto" and n_jobs == 1):
        return (one,)
    import torch

    return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))


def uses_gpu(name: str) -> bool:
    """Whether a device as `choose_devices` takes it is a GPU here; one that is not there counts as it is named."""
    return name.startswith("cuda") or (name == "auto" and choose_device(name) != "cpu")


def _has_gpu_driver() -> bool:
    """Whether torch can see a GPU at all: on Linux it finds none without the driver of NVIDIA, AMD or Windows."""
    if "torch" in sys.modules or sys.platform != "linux":
        return True
    if any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")):
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def in_layout(module: nn.Module, plan: TrainingPlan) -> nn.Module:
    """The network itself, its weights in the memory layout of its plan: another layout rounds otherwise."""
    import torch

    if plan.channels_last:
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def fits_on(device: str, n_bytes: int, *, share: float = RESIDENT_SHARE) -> bool:
    """Whether ``n_bytes`` are at most ``share`` of the memory now free on the device."""
    return n_bytes <= share * _free_bytes(device)


def _free_bytes(device: str) -> int:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    # Without Linux's own estimate, half of the memory built in is a cautious guess.
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


@contextmanager
def reproducible(device: str) -> Iterator[None]:
    """Seed freely inside, with repeatable convolutions in full float32 and denormal numbers as zeros.

    All is restored afterwards. On some CPUs denormal numbers, below 1.2e-38, take many times as long as others: on
    an Intel Xeon, steps of the hierarchical CNN with grown weights took three times as long.
    """
    import torch

    gpus = [torch.device(device)] if device.startswith("cuda") else []
    # Every flag is stated, because this context manager's own default switches cuDNN off.
    cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.random.fork_rng(devices=gpus), cudnn, _denormals_flushed():
        yield


@contextmanager
def _denormals_flushed() -> Iterator[None]:
    import torch

    before = _flushes_denormals()
    torch.set_flush_denormal(True)
    _release_openmp_threads()
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
        _release_openmp_threads()


def _flushes_denormals() -> bool:
    import torch

    smallest = torch.tensor([torch.finfo(torch.float32).tiny])
    return float(smallest / 2) == 0.0


def _release_openmp_threads() -> None:
    """Let the threads of this one's parallel loops end, so that the next ones begin with its handling of denormals.

    torch sets that of the calling thread alone, and the others of GNU's OpenMP keep what they began with: with two
    threads, half of a result was flushed. Other OpenMP libraries hand it to their threads in each parallel loop.
    """
    for function in _omp_pause_functions():
        function(_OMP_PAUSE_HARD)


_OMP_PAUSE_HARD = 2
"""Of ``omp_pause_resource_all`` in OpenMP 5.0: end the threads; the next parallel loop starts new ones."""


@lru_cache(maxsize=1)
def _omp_pause_functions() -> tuple[Callable[[int], int], ...]:
    from threadpoolctl import ThreadpoolController

    libraries = [i["filepath"] for i in ThreadpoolController().info() if i["prefix"] == "libgomp"]
    found = (getattr(ctypes.CDLL(path), "omp_pause_resource_all", None) for path in libraries)
    return tuple(function for function in found if function is not None)
