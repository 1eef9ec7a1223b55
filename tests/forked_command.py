"""``asc-bench`` in forks of one process that has imported the libraries: each command of a test starts 2 s sooner.

The package itself is imported anew in each fork, and ``PYTHONPATH`` and ``PYTHONIOENCODING`` are heeded. What
else an interpreter reads as it starts (locale, number of threads) cannot be set for a fork: `is_read_at_start` says
which variables these are.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.unrendered import do_not_render

MODULE = "asc_bench.cli.main"
LIBRARIES = (
    "PIL.PngImagePlugin",
    "filelock",
    "jinja2",
    "librosa.core.spectrum",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "pandas",
    "pooch",
    "pyarrow.parquet",
    "pydantic.types",
    "rich.progress",
    "safetensors.torch",
    "scipy.signal",
    "scipy.stats",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.svm",
    "soundfile",
    "soxr",
    "tabulate",
    "torch",
    "typer",
    "yaml",
)

_HEEDED = ("PYTHONPATH", "PYTHONIOENCODING")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(LIBRARIES))


def is_read_at_start(variable: str) -> bool:
    """Whether the interpreter or a library reads this variable as it starts, and a fork cannot."""
    return variable.startswith(("PYTHON", "LC_", "LANG", "OMP_", "MPL")) and variable not in _HEEDED


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, seconds: float, rendered: bool
) -> subprocess.CompletedProcess[str]:
    """The command in a folder, with one thread, as `subprocess.run` with ``capture_output`` gives it.

    Parameters
    ----------
    rendered : bool
        Whether files of figures are pictures, or next to nothing: `tests.unrendered`.

    Raises
    ------
    subprocess.TimeoutExpired
        Where it takes longer than ``seconds``; it is ended.
    """
    with tempfile.TemporaryDirectory() as kept:
        out, err = Path(kept, "out"), Path(kept, "err")
        process = _context.Process(
            target=_command, args=(list(arguments), dict(environment), folder, out, err, rendered)
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(arguments), seconds)
        written = (path.read_text(_encoding(environment)) for path in (out, err))
        return subprocess.CompletedProcess(list(arguments), process.exitcode, *written)


def _encoding(environment: Mapping[str, str]) -> str:
    return environment.get("PYTHONIOENCODING", "utf-8")


def _command(
    arguments: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path, rendered: bool
) -> None:
    gc.freeze()  # else the collector walks through all that the libraries hold, 0.3 s each time
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in ((1, out), (2, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    encoding = _encoding(environment)
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = ["asc-bench", *arguments]
    places = list(filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)))
    sys.path[:0] = [str(folder), *places]
    if not rendered:
        do_not_render(setattr)
    try:
        for first in (path for place in places if (path := Path(place, "sitecustomize.py")).exists()):
            runpy.run_path(str(first))
        runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
    finally:
        # In the order of an interpreter that ends: joblib dismisses its processes in the first, and the second
        # waits for them; without the first they would leave after 300 idle seconds.
        threading._shutdown()
        atexit._run_exitfuncs()
