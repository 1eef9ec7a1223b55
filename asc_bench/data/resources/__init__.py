"""Facts as data: archive lists and taxonomies."""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from importlib.resources import files

from asc_bench.errors import ConfigError


@dataclass(frozen=True)
class Archive:
    """One file of a data set as its publisher offers it.

    Attributes
    ----------
    dataset : str
        Official name of the data set.
    file : str
        File name.
    url : str
        Where it is offered.
    n_bytes : int or None
        Size, ``None`` where it is not known.
    md5 : str or None
        Published digest, lower-case hexadecimal, ``None`` where there is none.
    sha256 : str or None
        Published SHA-256 or, where no more is published, its beginning, such as the eight digits that torch.hub
        has in file names.
    """

    dataset: str
    file: str
    url: str
    n_bytes: int | None
    md5: str | None
    sha256: str | None = None


def archives_of(dataset: str) -> tuple[Archive, ...]:
    """List the archives of a data set, in the publisher's order.

    Raises
    ------
    ConfigError
        For a data set that is not in the list, with the names near to it.
    """
    with (files(__package__) / "archives.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    found = tuple(
        Archive(
            dataset=row["dataset"],
            file=row["file"],
            url=row["url"],
            n_bytes=int(row["bytes"]) if row["bytes"] else None,
            md5=row["md5"] or None,
        )
        for row in rows
        if row["dataset"] == dataset
    )
    if not found:
        names = sorted({row["dataset"] for row in rows})
        near = difflib.get_close_matches(dataset, names, n=3) or names
        raise ConfigError(f"no archives are known for {dataset!r}; did you mean {', '.join(near)}?")
    return found
