"""How runs are planned, computed and stored, as plain values: names, types and defaults of the options of `run`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict, TypeVar, cast

from asc_bench.errors import ConfigError
from asc_bench.names import near
from asc_bench.plain_values import checked

PathLike = str | Path
Choice = TypeVar("Choice", bound=str)


class Options(TypedDict, total=False):
    """How runs are planned, computed and stored, as plain values.

    Attributes
    ----------
    budget : {"quick", "smoke", "paper"}
        How long each system may train.
    folds : str or sequence of str, optional
        A fold or several; by default all.
    repeats : int
        Repeats of every run, each with a seed of its own.
    selection : {"own", "held-out", "test"}
        What may be chosen on which clips; see ``asc_bench.bench.bench.Selection``.
    augment : str or int
        Deformed copies of the training clips to train on as well: a number of 20, ``all``, or names.
    n_jobs : int
        Runs side by side.
    backend : {"loky", "dask"}, scheduler : str
        What they run on: processes of this machine, or the workers of a dask cluster; the address of its scheduler,
        which implies dask.
    n_threads : int
        Threads of each run; 0 shares the cores of each machine.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N``, or ``cuda:*`` for a run on each GPU of this machine.
    precision : {"auto", "float32", "bfloat16"}
        Arithmetic in which networks are trained. ``auto``: as their training plans say, most of which take the
        one that is found to be faster. Stored runs that were trained in another one than is asked for are
        computed again.
    data : path or sequence of paths, optional
        Folders that hold data sets; else ``$ASC_BENCH_DATA``, else ``./data``.
    synthetic : bool
        Use a synthetic dataset instead of real recordings, of ``synthetic_size`` (``tiny``, ``small``, ``medium``
        or ``full``) and with the seed ``synthetic_seed``.
    sources : str or sequence of str
        For a protocol that joins data sets: one or several of them; empty for all.
    allow_missing_training : float
        Fraction of the training and validation clips that are left out if their files are missing, such as videos
        that were taken down; every table says how many. Test clips are never left out. 0 by default.
    unofficial_split : bool
        Accept folds that are not the official ones: every table says so, and results are kept apart.
    unofficial_files : bool
        Accept files of an official data set that are not as published; likewise.
    cache : path, optional
        Folder of features and synthetic data; else ``$ASC_BENCH_CACHE`` or the user's cache folder.
    results : path
        Folder for results.
    keep_weights : bool
        Keep the fitted systems.
    measure_inference : bool
        Time front end and prediction of single clips on one core at the end of each run, for at most two seconds
        (longer where seven clips take longer). Stored runs without are not computed again.
    energy : str
        ISO code of a country, such as ``DEU``: measure the electricity of each run, or estimate it, and the carbon
        dioxide by the country's mix. Stored runs without are not computed again.
    log : str or sequence of str
        Logs that runs write while they are computed, into ``logs`` of the results: of ``csv``, ``tensorboard``,
        ``wandb``.
    only : {"", "missing", "failed"}
        Leave the other runs alone.
    force, strict_code : bool
        Compute again what is stored; or only what other code computed, whatever it declares.
    """

    budget: str
    folds: str | Iterable[str] | None
    repeats: int
    selection: str
    augment: str | int
    n_jobs: int
    backend: str
    scheduler: str
    n_threads: int
    device: str
    precision: str
    data: PathLike | Iterable[PathLike] | None
    synthetic: bool
    synthetic_size: str
    synthetic_seed: int
    sources: str | Iterable[str]
    allow_missing_training: float
    unofficial_split: bool
    unofficial_files: bool
    cache: PathLike | None
    results: PathLike
    keep_weights: bool
    measure_inference: bool
    energy: str
    log: str | Iterable[str]
    only: str
    force: bool
    strict_code: bool


DEFAULTS: Options = {
    "budget": "quick",
    "folds": None,
    "repeats": 1,
    "selection": "own",
    "augment": "",
    "n_jobs": 1,
    "backend": "loky",
    "scheduler": "",
    "n_threads": 0,
    "device": "auto",
    "precision": "auto",
    "data": None,
    "synthetic": False,
    "synthetic_size": "small",
    "synthetic_seed": 0,
    "sources": (),
    "allow_missing_training": 0.0,
    "unofficial_split": False,
    "unofficial_files": False,
    "cache": None,
    "results": "results",
    "keep_weights": False,
    "measure_inference": False,
    "energy": "",
    "log": (),
    "only": "",
    "force": False,
    "strict_code": False,
}


def complete(options: Options) -> Options:
    """With the defaults of those that were left out.

    Raises
    ------
    ConfigError
        For an option that there is not, with the near ones, or a value of the wrong type.
    """
    return cast("Options", {**DEFAULTS, **checked(options, Options)})


def one_of(what: str, value: str, choices: Iterable[Choice]) -> Choice:
    """The choice of this name.

    Raises
    ------
    ConfigError
        If it is none, with the near ones.
    """
    known = {str(choice): choice for choice in choices}
    if value not in known:
        raise ConfigError(f"{what} is {value!r}{near(value, [name for name in known if name])}")
    return known[value]
