"""``asc-bench`` in forks of one process that has imported the libraries: each command of a test starts 2 s sooner.

The package itself is imported anew in each fork. What an interpreter reads as it starts (``PYTHONPATH``, locale,
number of threads) cannot be set for a fork: `is_read_at_start` says which variables these are.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

MODULE = "asc_bench.cli.main"
LIBRARIES = (
    "librosa",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "pandas",
    "pydantic",
    "safetensors.torch",
    "scipy.signal",
    "scipy.stats",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.svm",
    "soundfile",
    "torch",
    "typer",
)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(LIBRARIES))


def is_read_at_start(variable: str) -> bool:
    """Whether the interpreter or a library reads this variable of the environment as it starts."""
    return variable.startswith(("PYTHON", "LC_", "LANG", "OMP_", "MPL"))


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, seconds: float
) -> subprocess.CompletedProcess[str]:
    """The command in a folder, with one thread, as `subprocess.run` with ``capture_output`` gives it.

    Raises
    ------
    subprocess.TimeoutExpired
        Where it takes longer than ``seconds``; it is ended.
    """
    with tempfile.TemporaryDirectory() as kept:
        out, err = Path(kept, "out"), Path(kept, "err")
        process = _context.Process(target=_command, args=(list(arguments), dict(environment), folder, out, err))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(arguments), seconds)
        return subprocess.CompletedProcess(
            list(arguments), process.exitcode, out.read_text("utf-8"), err.read_text("utf-8")
        )


def _command(arguments: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in ((1, out), (2, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = ["asc-bench", *arguments]
    sys.path.insert(0, str(folder))
    try:
        runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
