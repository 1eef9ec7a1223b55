"""Facts about the machine and the software: for manifests and bug reports."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HOST_VARIABLE = "ASC_BENCH_HOST"

PACKAGES = (
    "asc-bench", "torch", "torchaudio", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "librosa",
    "soundfile", "soxr", "joblib",
)  # fmt: skip


@cache
def _package_versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def package_versions() -> dict[str, str]:
    """Installed version of every package that can move a number; read once per process."""
    return dict(_package_versions())


def host_facts(device: str = "cpu") -> dict[str, str | int]:
    """Name, processor, cores and system, and the GPU where ``device`` is one; no user name."""
    facts: dict[str, str | int] = {
        "name": host_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "n_cores": n_cores(),
    }
    if device.startswith("cuda"):
        import torch

        facts["gpu"] = torch.cuda.get_device_name(device)
    return facts


def host_name() -> str:
    """Name of this machine, or what ``ASC_BENCH_HOST`` says instead, for results that are to be published."""
    return os.environ.get(HOST_VARIABLE, platform.node())


def n_cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


class PeakMemory:
    """Highest resident memory since construction; since the start of the process where there is no /proc."""

    def __init__(self) -> None:
        self._status = Path("/proc/self/status")
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            self._status = Path("/nonexistent")

    def n_bytes(self) -> int:
        """Bytes, whole process."""
        if self._status.exists():
            for line in self._status.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        if sys.platform == "win32":
            return 0
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
