"""A synthetic stand-in on disk, marked as one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from asc_bench.data.computed import Contents, Kind, Progress, silent, write_once
from asc_bench.data.seeds import VERSION
from asc_bench.errors import ConfigError
from asc_bench.synthetic.sizes import sizes
from asc_bench.synthetic.write import LAYOUT_NAMES, plan_stand_in

MARKER = "asc-bench-synthetic.json"


def write_synthetic(
    name: str,
    root: Path,
    *,
    size: str = "small",
    seed: int = 0,
    n_jobs: int = 2,
    progress: Progress = silent,
) -> Path:
    """Write the synthetic stand-in of a data set, unless it is there already.

    Parameters
    ----------
    name : str
        A layout, one of ``LAYOUT_NAMES`` of ``asc_bench.synthetic.write``.
    root : Path
        Folder below which the data set's own folder, with its official name, is made.
    size : str
        A key of ``sizes()``.
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
    from asc_bench.data.layouts import LAYOUTS

    target = Path(root).absolute() / LAYOUTS[name].folders[0]
    identity = {"layout": name, "size": size, "seed": seed, "version": VERSION}
    kind = Kind(noun="a synthetic stand-in", doing="synthesising", marker=MARKER, identity=identity)

    def contents() -> Contents:
        stand_in = plan_stand_in(name, size=size, seed=seed)
        texts = (*stand_in.lists, ("README.md", _readme(identity)))
        return Contents(stand_in.jobs, texts, stand_in.n_bytes, {"counts": stand_in.counts})

    write_once(target, kind, contents, n_jobs=n_jobs, progress=progress)
    return target


def _check(name: str, size: str, seed: int, n_jobs: int) -> None:
    if name not in LAYOUT_NAMES:
        raise ConfigError(f"there is no synthetic stand-in for {name!r}; there are: {', '.join(LAYOUT_NAMES)}")
    if size not in sizes():
        raise ConfigError(f"synthetic size {size!r} is not one of {', '.join(sizes())}")
    if seed < 0 or n_jobs < 1:
        raise ConfigError(f"seed {seed} and n_jobs {n_jobs}: a seed is 0 or more, and jobs are 1 or more")


def _readme(identity: Mapping[str, object]) -> str:
    return (
        f"# SYNTHETIC stand-in for {identity['layout']}\n\n"
        "Nothing in this folder was recorded. Every sound was computed by asc-bench, and the lists were\n"
        "written in the official format of the data set that the folder is named after. Results on it say\n"
        "nothing about results on the data set.\n\n"
        f"Size `{identity['size']}`, seed {identity['seed']}, version {identity['version']}.\n"
        "The folder is written anew when another size, seed or version is asked for: keep nothing in it.\n"
    )
