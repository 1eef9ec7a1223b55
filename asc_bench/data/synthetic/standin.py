"""A stand-in on disk: written beside, renamed into place, written once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from asc_bench.data.synthetic.seeds import VERSION
from asc_bench.data.synthetic.sizes import SIZES
from asc_bench.data.synthetic.write import LAYOUT_NAMES, StandIn, plan_stand_in
from asc_bench.errors import ConfigError, StoreError
from asc_bench.files import require_space, writing
from asc_bench.interrupts import undisturbed

MARKER = "asc-bench-synthetic.json"
_PLAN = "asc-bench-plan.json"

Progress = Callable[[float, str], None]


def _silent(fraction: float, message: str) -> None:
    """Report nothing."""


def write_synthetic(
    name: str,
    root: Path,
    *,
    size: str = "small",
    seed: int = 0,
    n_jobs: int = 2,
    progress: Progress = _silent,
) -> Path:
    """Write the synthetic stand-in of a data set, unless it is there already.

    Parameters
    ----------
    name : str
        A layout: ``tut-urban-2018-mobile``, ``tau-urban-2019-mobile``, ``esc-50`` or ``esc-10``.
    root : Path
        Folder below which the data set's own folder, with its official name, is made.
    size : str
        A key of ``SIZES``.
    seed : int
        Another seed, another world: every sound is different.
    n_jobs : int
        Processes to write with; the files do not depend on it.
    progress : callable
        Given the finished fraction, from 0 to 1, and a message.

    Returns
    -------
    Path
        The data set's folder. Its file ``asc-bench-synthetic.json`` says what it is. A stand-in of another
        size, seed or version is replaced; an interrupted one is continued.

    Raises
    ------
    ConfigError
        For an unknown layout or size, or a number out of range.
    StoreError
        If there is no room, the folder cannot be written, or a folder of this name holds something else.
    """
    _check(name, size, seed, n_jobs)
    from filelock import FileLock

    from asc_bench.data.layouts import LAYOUTS

    root = Path(root).absolute()
    target = root / LAYOUTS[name].folders[0]
    identity: dict[str, object] = {"layout": name, "size": size, "seed": seed, "version": VERSION}
    if _state(target) == identity:
        return target
    stand_in = plan_stand_in(name, size=size, seed=seed)
    with writing(target, n_bytes=stand_in.n_bytes):
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{target.name}.lock"):
            if _state(target) != identity:
                _build(target, stand_in, identity, n_jobs, progress)
    return target


def _check(name: str, size: str, seed: int, n_jobs: int) -> None:
    if name not in LAYOUT_NAMES:
        raise ConfigError(f"there is no synthetic stand-in for {name!r}; there are: {', '.join(LAYOUT_NAMES)}")
    if size not in SIZES:
        raise ConfigError(f"synthetic size {size!r} is not one of {', '.join(SIZES)}")
    if seed < 0 or n_jobs < 1:
        raise ConfigError(f"seed {seed} and n_jobs {n_jobs}: a seed is 0 or more, and jobs are 1 or more")


def _state(target: Path) -> dict[str, object] | None:
    """What the marker says the folder is; None where there is nothing yet.

    Raises
    ------
    StoreError
        If the folder holds something that is no stand-in, which is never overwritten.
    """
    if not target.exists() and not target.is_symlink():
        return None
    try:
        marker = json.loads((target / MARKER).read_text(encoding="utf-8"))
        return {key: marker[key] for key in ("layout", "size", "seed", "version")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        if target.is_dir() and not any(target.iterdir()):
            return None
        raise StoreError(
            f"{target}: exists and is not a synthetic stand-in (no readable {MARKER}); it is left as it is, "
            "choose another folder for the stand-in"
        ) from error


def _build(target: Path, stand_in: StandIn, identity: dict[str, object], n_jobs: int, progress: Progress) -> None:
    partial = target.with_name(f".{target.name}.partial")
    plan = partial / _PLAN
    text = json.dumps(identity)
    if partial.exists() and not (plan.is_file() and plan.read_text(encoding="utf-8") == text):
        shutil.rmtree(partial)
    written = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    require_space(partial, max(0, stand_in.n_bytes - written), purpose=f"the synthetic {identity['layout']}")
    partial.mkdir(exist_ok=True)
    plan.write_text(text, encoding="utf-8")
    _run_jobs(partial, stand_in, n_jobs, progress)
    for file_name, content in (*stand_in.lists, ("README.md", _readme(identity))):
        (partial / file_name).parent.mkdir(parents=True, exist_ok=True)
        (partial / file_name).write_text(content, encoding="utf-8", newline="\n")
    plan.unlink()
    marker = json.dumps({**identity, "counts": stand_in.counts}, indent=1)
    (partial / MARKER).write_text(marker + "\n", encoding="utf-8")
    _swap(partial, target)


def _run_jobs(partial: Path, stand_in: StandIn, n_jobs: int, progress: Progress) -> None:
    from joblib import Parallel, delayed

    n = len(stand_in.jobs)
    finished = Parallel(n_jobs=min(n_jobs, n), return_as="generator_unordered")(
        delayed(undisturbed)(job, partial) for job in stand_in.jobs
    )
    for index, _ in enumerate(finished, start=1):
        progress(index / n, f"synthesising {partial.name[1:].removesuffix('.partial')}")


def _swap(partial: Path, target: Path) -> None:
    """Put the finished folder into place; an outdated stand-in goes away whole, never file by file."""
    outdated = target.with_name(f".{target.name}.outdated")
    if outdated.exists():
        shutil.rmtree(outdated)
    if target.exists():
        target.replace(outdated)
    partial.replace(target)
    if outdated.exists():
        shutil.rmtree(outdated)


def _readme(identity: dict[str, object]) -> str:
    return (
        f"# SYNTHETIC stand-in for {identity['layout']}\n\n"
        "Nothing in this folder was recorded. Every sound was computed by asc-bench, and the lists were\n"
        "written in the official format of the data set that the folder is named after. Results on it say\n"
        "nothing about results on the data set.\n\n"
        f"Size `{identity['size']}`, seed {identity['seed']}, version {identity['version']}.\n"
        "The folder is written anew when another size, seed or version is asked for: keep nothing in it.\n"
    )
