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
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
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
    "torch._dynamo",
    "torch.utils.data",
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
    started = start(arguments, environment, folder, rendered=rendered)
    try:
        out, err = started.communicate(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        raise
    assert started.returncode is not None
    return subprocess.CompletedProcess(list(arguments), started.returncode, out, err)


def start(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, rendered: bool) -> Started:
    """The command in a process group of its own, which hears Ctrl-C; parameters are those of `run`."""
    kept = tempfile.TemporaryDirectory()
    out, err = Path(kept.name, "out"), Path(kept.name, "err")
    process = _context.Process(
        target=_command, args=(list(arguments), dict(environment), folder, out, err, rendered)
    )
    process.start()
    return Started(process, kept, _encoding(environment))


class Started:
    """A command that was started, with what the tests use of `subprocess.Popen`."""

    def __init__(self, process: BaseProcess, kept: tempfile.TemporaryDirectory[str], encoding: str) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self._process, self._kept, self._encoding = process, kept, encoding

    @property
    def returncode(self) -> int | None:
        """Its exit code, minus a signal that ended it, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The `returncode`."""
        return self.returncode

    def wait(self, timeout: float) -> int:
        """The exit code once there is one; raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("asc-bench", timeout)
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """All that it printed, once it has ended; raises subprocess.TimeoutExpired."""
        self.wait(timeout)
        return self._written("out"), self._written("err")

    def send_signal(self, number: int) -> None:
        """To the command alone."""
        os.kill(self.pid, number)

    def _written(self, name: str) -> str:
        path = Path(self._kept.name, name)
        return path.read_text(self._encoding) if path.exists() else ""


def _encoding(environment: Mapping[str, str]) -> str:
    return environment.get("PYTHONIOENCODING", "utf-8")


def _command(
    arguments: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path, rendered: bool
) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner in the background leaves it ignored
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
