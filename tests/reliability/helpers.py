"""What the reliability tests and the storm share: commands with toys plugged in, digests of results, and faults."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

PLUGINS = Path(__file__).parents[1] / "plugins"

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
"""A terminal and file names without UTF-8."""

STEERING = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
"""Characters that a terminal obeys instead of showing them."""

NO_LOCKS = """
import errno, fcntl, os
flock = fcntl.flock
def refusing(fd, how):
    number = fd if isinstance(fd, int) else fd.fileno()
    if os.environ["NO_LOCKS_BELOW"] in os.readlink(f"/proc/self/fd/{number}"):
        refusal = getattr(errno, os.environ.get("REFUSAL", "ENOLCK"))
        raise OSError(refusal, os.strerror(refusal))
    return flock(fd, how)
fcntl.flock = refusing
"""
"""As ``sitecustomize.py``: files below ``$NO_LOCKS_BELOW`` cannot be locked, for a reason ``$REFUSAL``."""

FOREIGN = r"""
import logging
import warnings
from asc_bench.api import Card, Reason
from toys import Toy

CLEAR = "\x1b[2J\x1b]0;owned\x07\u202e"

class Rude(Toy):
    card = Card(name="rude", title="Rude" + CLEAR, citation="none" + CLEAR, year=2026, input="log-mel" + CLEAR)

    def fit(self, train, validation, context):
        context.progress(0.5, "fitting" + CLEAR)
        logging.getLogger("asc_bench").warning("logged" + CLEAR)
        warnings.warn("warned" + CLEAR)
        raise RuntimeError("crashed" + CLEAR)

class Shy(Toy):
    card = Card(name="shy", title="Shy", citation="none", year=2026, input="log-mel")

    @classmethod
    def why_not(cls, params=None, *, built=None):
        return Reason("missing-file", "no file" + CLEAR)
"""
"""A plug-in whose every text would steer a terminal; it derives from the toys, which must be importable."""


def environment_of(cache: Path, folder: Path) -> dict[str, str]:
    """Environment of a user with the toy systems plugged in; they write their log into ``folder``."""
    return {
        **os.environ,
        "ASC_BENCH_CACHE": str(cache),
        "ASC_BENCH_PLUGINS": str(PLUGINS),
        "TOY_LOG": str(folder / "toy.log"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }


def start(arguments: Sequence[str], environment: Mapping[str, str], cwd: Path) -> subprocess.Popen[str]:
    """``asc-bench`` in a process group of its own, which hears Ctrl-C and whose output is kept."""
    return subprocess.Popen(
        [sys.executable, "-m", "asc_bench.cli.main", *arguments],
        env=environment,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_listen,
    )


def _listen() -> None:
    """Undo what a runner in the background leaves to its children: Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def digests(results: Path, name: str = "predictions.parquet") -> dict[str, str]:
    """sha256 of every stored file of this name, by its place."""
    found = (results / "runs").rglob(name) if results.exists() else ()
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(results).parts)
    }


def fits(log: Path) -> Counter[str]:
    """How often each toy was fitted."""
    lines = log.read_text().splitlines() if log.exists() else []
    return Counter(json.loads(line)[1] for line in lines)


def run_arguments(results: Path, systems: str, *more: str) -> list[str]:
    """A small ``run`` command."""
    return [
        *("run", "--protocol", "dcase2018", "--systems", systems, "--synthetic", "--synthetic-size", "tiny"),
        *("--budget", "smoke", "--results", str(results), *more),
    ]
