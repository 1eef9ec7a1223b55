"""Inference packages of DCASE 2025, task 1: foreign code, run in a process of its own.

A package is a folder ``LABEL`` (such as ``Schmid_CPJKU_task1``) with modules ``LABEL_1.py`` to ``LABEL_4.py``. Each
offers ``predict(file_paths, device_ids, model_file_path=None)``, which gives logits, one tensor for each file, and
the order of the classes. Source: README and evaluate_submission.py of the official package,
CPJKU/dcase2025_task1_inference.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.files import write_atomic, writing
from asc_bench.submissions import package_runner

BATCH = 512
"""Files that one call of ``predict`` is given: packages read all of them before they compute."""
UNKNOWN = "unknown"
"""What packages are told of devices that nobody trained on."""
_LONGEST_LINE = 200


@dataclass(frozen=True)
class Package:
    """A module of a package.

    Attributes
    ----------
    root : Path
        Folder that the package is imported from.
    module : str
        Such as ``Schmid_CPJKU_task1.Schmid_CPJKU_task1_1``.
    """

    root: Path
    module: str

    @property
    def name(self) -> str:
        """Label with its number."""
        return self.module.rpartition(".")[2]

    @classmethod
    def of(cls, folder: Path, index: int = 1) -> Package:
        """Find it in the folder that holds it, or that is it.

        Raises
        ------
        ConfigError
            If there is none, or several.
        """
        folder = folder.absolute()
        places = [folder, *sorted(path for path in folder.glob("*") if path.is_dir())] if folder.is_dir() else []
        found = [place for place in places if (place / f"{place.name}_{index}.py").is_file()]
        if len(found) != 1:
            there = ", ".join(place.name for place in found) or "none"
            raise ConfigError(
                f"{folder} must be or hold one package LABEL with a module LABEL_{index}.py, such as "
                f"Schmid_CPJKU_task1/Schmid_CPJKU_task1_{index}.py; found: {there}"
            )
        return cls(found[0].parent, f"{found[0].name}.{found[0].name}_{index}")


def require_trust(trusted: bool, package: Package) -> None:
    """Refuse to run foreign code that nobody has said to trust.

    Raises
    ------
    ConfigError
        With what it could do.
    """
    if not trusted:
        raise ConfigError(
            f"{package.name} is foreign code, and would run with all your rights: it can read, change and send "
            "away every file of yours. asc-bench does not contain it. Read it first, then add --trust"
        )


def run_package(
    package: Package,
    files: Sequence[Path],
    devices: Sequence[str],
    classes: Sequence[str],
    *,
    folder: Path,
    time_limit_s: float,
    batch: int = BATCH,
    python: Path | None = None,
    cuda: bool = False,
) -> npt.NDArray[np.float64]:
    """What a package predicts, computed by a process of its own, whose output is kept.

    Parameters
    ----------
    package : Package
        Which module. Only to be called once the user trusts it.
    files : sequence of Path
        Audio files.
    devices : sequence of str
        Of each file, ``a`` to ``s3`` or ``unknown``.
    classes : sequence of str
        In the order that is wanted.
    folder : Path
        Where ``stdout.txt``, ``stderr.txt`` and the job are kept.
    time_limit_s : float
        After which it is ended, with whatever processes it started.
    batch : int
        Files in one call.
    python : Path, optional
        Interpreter of the environment that the package needs; by default this one.
    cuda : bool
        Offered to packages that ask whether to compute on a GPU.

    Returns
    -------
    float64 array, shape (n_files, n_classes)
        Softmax of the logits.

    Raises
    ------
    SystemFailure
        If it crashes, takes too long, or predicts what is no logits of these files and classes.
    StoreError
        If its output cannot be written.
    """
    out, job = folder / "logits.jsonl", folder / "job.json"
    content = {
        "root": str(package.root),
        "module": package.module,
        "files": [str(path.absolute()) for path in files],
        "devices": list(devices),
        "batch": batch,
        "cuda": cuda,
        "out": str(out.absolute()),
    }
    write_atomic(job, json.dumps(content))
    out.unlink(missing_ok=True)
    _run(package, job, folder, time_limit_s, python)
    return np.asarray(softmax(_logits(package, out, len(files), classes, batch), axis=1))


def device_names(devices: Sequence[str], known: Sequence[str]) -> list[str]:
    """Recording devices as packages are given them: in small letters, ``unknown`` if not among ``known``."""
    return [device.lower() if device in known else UNKNOWN for device in devices]


def _run(package: Package, job: Path, folder: Path, time_limit_s: float, python: Path | None) -> None:
    command = [str(python or sys.executable), str(Path(package_runner.__file__).absolute()), str(job.absolute())]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    where = f"its output is kept in {folder}"
    with (
        writing(folder / "stdout.txt"),
        (folder / "stdout.txt").open("wb") as stdout,
        (folder / "stderr.txt").open("wb") as stderr,
    ):
        try:
            process = subprocess.Popen(
                command,
                cwd=package.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as error:
            raise SystemFailure(f"{package.name} cannot be started with {command[0]}: {error.strerror}") from error
        try:
            code = process.wait(time_limit_s)
        except subprocess.TimeoutExpired:
            raise SystemFailure(
                f"{package.name} was ended after {time_limit_s:g} s, its time limit; {where}"
            ) from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code:
        lines = (folder / "stderr.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1].strip()[:_LONGEST_LINE] if lines else "it printed no error"
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise SystemFailure(f"{package.name} {how}: {last}; {where}")


def _logits(
    package: Package, out: Path, n_files: int, classes: Sequence[str], size: int
) -> npt.NDArray[np.float64]:
    rows: list[list[float]] = []
    given: list[int] = []
    lines = out.read_text(encoding="utf-8").splitlines() if out.is_file() else []
    for line in lines:
        try:
            batch = json.loads(line)
        except ValueError as error:
            raise SystemFailure(f"{package.name} ended while {out} was being written") from error
        order = [str(name) for name in batch["classes"]]
        if sorted(order) != sorted(classes):
            raise SystemFailure(
                f"{package.name} predicts the classes {', '.join(order)}; those of the protocol are "
                f"{', '.join(classes)}"
            )
        place = [order.index(name) for name in classes]
        wrong = next((row for row in batch["logits"] if len(row) != len(order)), None)
        if wrong is not None:
            raise SystemFailure(
                f"{package.name} gave {len(wrong)} logits for a file, and there are {len(order)} classes"
            )
        rows += [[row[i] for i in place] for row in batch["logits"]]
        given.append(len(batch["logits"]))
    if len(rows) != n_files:
        raise SystemFailure(f"{package.name} predicted {len(rows)} of {n_files} files")
    if given != [min(size, n_files - start) for start in range(0, n_files, size)]:
        raise SystemFailure(
            f"{package.name} gave logits of {', '.join(map(str, given))} files, call by call, and was asked for "
            f"{size} at a time: whose they are cannot be told"
        )
    values = np.array(rows, dtype=np.float64)
    if not np.isfinite(values).all():
        n = int((~np.isfinite(values)).any(axis=1).sum())
        raise SystemFailure(f"{package.name} gave logits that are not finite for {n} of {n_files} files")
    if (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3):
        raise SystemFailure(
            f"{package.name} gave probabilities, no logits: none is negative and each row sums to 1, so that "
            "another softmax would make them nearly equal; let predict return what goes into its softmax"
        )
    return values
