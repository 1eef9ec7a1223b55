"""A synthetic dataset on disk, in the official layout of a real one and marked as what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from asc_bench.data.computed import Contents, Kind, Progress, silent, write_once
from asc_bench.data.layouts import LAYOUTS, OfficialLayout
from asc_bench.data.layouts.counts import SYNTHETIC_MARKER
from asc_bench.data.official_lists import digests_of
from asc_bench.data.seeds import VERSION
from asc_bench.errors import ConfigError
from asc_bench.synthetic.cochlscene import cochlscene
from asc_bench.synthetic.esc_sets import esc_10, esc_50
from asc_bench.synthetic.greatest_hits import greatest_hits
from asc_bench.synthetic.mobile import tau_2019, tut_2018
from asc_bench.synthetic.recordings import (
    dares_g1,
    litis_rouen,
    tut_2016_development,
    tut_2017_development,
    tut_2017_evaluation,
)
from asc_bench.synthetic.sizes import Size, sizes
from asc_bench.synthetic.task4 import task4
from asc_bench.synthetic.tau_mobile import tau_2020, tau_2022
from asc_bench.synthetic.urban import openset, three_class, urban_2018, urban_2019

_PLANNERS: dict[str, Callable[[Size, int], Contents]] = {
    "tut-urban-2018-mobile": tut_2018,
    "tau-urban-2019-mobile": tau_2019,
    "tau-2020-mobile": tau_2020,
    "tau-2022-mobile": tau_2022,
    "tut-urban-2018": urban_2018,
    "tau-urban-2019": urban_2019,
    "tau-2019-openset": openset,
    "tau-2020-3class": three_class,
    "cochlscene": cochlscene,
    "esc-50": esc_50,
    "esc-10": esc_10,
    "litis-rouen": litis_rouen,
    "tut-2016-development": tut_2016_development,
    "tut-2017-development": tut_2017_development,
    "tut-2017-evaluation": tut_2017_evaluation,
    "dares-g1": dares_g1,
    "audioset-dcase2017": task4,
    "greatest-hits": greatest_hits,
}
LAYOUT_NAMES = tuple(_PLANNERS)
"""Layouts that there is a synthetic dataset for."""


def plan_dataset(layout: str, *, size: str, seed: int) -> Contents:
    """Plan the synthetic dataset of one of ``LAYOUT_NAMES`` without writing anything.

    Returns
    -------
    Contents
        Jobs that write the audio, the texts of the official lists, and as ``counts`` among the facts the clip
        counts for the marker; digests of the lists follow when they are written.
    """
    return replace(_PLANNERS[layout](sizes()[size], seed), found=partial(_list_digests, LAYOUTS[layout]))


def write_synthetic(
    name: str,
    root: Path,
    *,
    size: str = "small",
    seed: int = 0,
    n_jobs: int = 2,
    progress: Progress = silent,
) -> Path:
    """Write the synthetic dataset of a layout, unless it is there already.

    Parameters
    ----------
    name : str
        A layout, one of ``LAYOUT_NAMES``.
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
        The data set's folder. Its file ``asc-bench-synthetic.json`` says what it is. A synthetic dataset of another
        size, seed or version is replaced; an interrupted one is continued.

    Raises
    ------
    ConfigError
        For an unknown layout or size, or a number out of range.
    StoreError
        If there is no room, the folder cannot be written, or a folder of this name holds something else.
    """
    _check(name, size, seed, n_jobs)
    target = Path(root).absolute() / LAYOUTS[name].folders[0]
    identity = {"layout": name, "size": size, "seed": seed, "version": VERSION}
    kind = Kind(noun="a synthetic dataset", doing="synthesising", marker=SYNTHETIC_MARKER, identity=identity)

    def contents() -> Contents:
        plan = plan_dataset(name, size=size, seed=seed)
        return replace(plan, texts=(*plan.texts, ("README.md", _readme(identity))))

    write_once(target, kind, contents, n_jobs=n_jobs, progress=progress)
    return target


def _list_digests(layout: OfficialLayout, folder: Path) -> dict[str, object]:
    """Digests of the folds, for the marker: other lists in this folder later are not its own."""
    dataset = layout.read(folder)
    lists: dict[str, dict[str, str]] = {}
    for (fold, part), sha256 in digests_of(dataset.clips, dataset.splits).items():
        lists.setdefault(fold, {})[part] = sha256
    return {"lists": lists}


def _check(name: str, size: str, seed: int, n_jobs: int) -> None:
    if name not in LAYOUT_NAMES:
        raise ConfigError(f"there is no synthetic dataset for {name!r}; there are: {', '.join(LAYOUT_NAMES)}")
    if size not in sizes():
        raise ConfigError(f"synthetic size {size!r} is not one of {', '.join(sizes())}")
    if seed < 0 or n_jobs < 1:
        raise ConfigError(f"seed {seed} and n_jobs {n_jobs}: a seed is 0 or more, and jobs are 1 or more")


def _readme(identity: Mapping[str, object]) -> str:
    return (
        f"# SYNTHETIC dataset in the layout of {identity['layout']}\n\n"
        "Nothing in this folder was recorded. Every sound was computed by asc-bench, and the lists were\n"
        "written in the official format of the data set that the folder is named after. Results on it say\n"
        "nothing about results on the data set.\n\n"
        f"Size `{identity['size']}`, seed {identity['seed']}, version {identity['version']}.\n"
        "The folder is written anew when another size, seed or version is asked for: keep nothing in it.\n"
    )
