"""Published weights of networks that others trained: where they are fetched from, and where they lie here."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

from asc_bench.data.download.fetch import Progress, check_digest, download, require_fetchable, silent
from asc_bench.data.resources import Archive
from asc_bench.data.store import cache_root
from asc_bench.errors import ConfigError
from asc_bench.files import writing

FOLDER = "weights"


def weight_sets() -> tuple[str, ...]:
    """Names of the sets that can be fetched."""
    return tuple(dict.fromkeys(row["set"] for row in _rows()))


def weight_files(name: str) -> tuple[Archive, ...]:
    """Files of a set, each with its published SHA-256 or what is published of it.

    Raises
    ------
    ConfigError
        For a set that there is not.
    """
    found = tuple(
        Archive(
            dataset=row["set"],
            file=row["file"],
            url=row["url"],
            n_bytes=int(row["bytes"]) if row["bytes"] else None,
            md5=None,
            sha256=row["sha256"],
        )
        for row in _rows()
        if row["set"] == name
    )
    if not found:
        raise ConfigError(f"there is no set of weights {name!r}; there are: {', '.join(weight_sets())}")
    return found


def weights_folder(name: str, cache: Path | None = None) -> Path:
    """Folder of a set, beside the features: in ``cache``, else in the folder that ``ASC_BENCH_CACHE`` names."""
    return (cache if cache is not None else cache_root()) / FOLDER / name


def cached_weights(name: str, file: str) -> Path | None:
    """A file of a set if it lies in the cache, else None; nothing is fetched and nothing is read.

    Raises
    ------
    ConfigError
        For a set or file that there is not.
    """
    path = weights_folder(name) / _listed(name, file).file
    return path if path.is_file() else None


def verified_weights(name: str, file: str) -> Path:
    """A file of a set in the cache, once its content was compared with what is published.

    The full digest is recorded beside it the first time.

    Raises
    ------
    ConfigError
        For a set or file that there is not, or if the file is not in the cache.
    DataError
        If it has another content.
    """
    found = cached_weights(name, file)
    if found is None:
        raise ConfigError(f"{weights_folder(name) / file} is not there; fetch it with {how_to_fetch(name)}")
    check_digest(_listed(name, file), found)
    return found


def how_to_fetch(name: str) -> str:
    """The command that does it."""
    return f"`asc-bench prepare {name} --download`"


def fetch_weights(name: str, *, cache: Path | None = None, progress: Progress = silent) -> tuple[Path, ...]:
    """Fetch the files of a set that are not in the cache yet, and verify all of them.

    Returns
    -------
    tuple of Path
        The verified files.

    Raises
    ------
    ConfigError, DataError, StoreError
        As ``download`` does.
    """
    listed, folder = weight_files(name), weights_folder(name, cache)
    for archive in listed:
        require_fetchable(archive, allow_unverified=False)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, archive in enumerate(listed):

        def step(fraction: float, text: str, number: int = number) -> None:
            progress((number + fraction) / len(listed), text)

        paths.append(download(archive, folder, progress=step))
    return tuple(paths)


def _listed(name: str, file: str) -> Archive:
    listed = {archive.file: archive for archive in weight_files(name)}
    if file not in listed:
        raise ConfigError(f"the weights {name} have no file {file!r}; there are: {', '.join(listed)}")
    return listed[file]


def _rows() -> list[dict[str, str]]:
    with (files("asc_bench.data.resources") / "weights.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
