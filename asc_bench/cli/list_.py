"""``asc-bench list``: what there is, and what cannot be used and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from asc_bench.cli import options


def command(
    kind: Annotated[str, typer.Argument(help="systems, protocols or datasets; all three if not given.")] = "",
    data: options.Data = None,
) -> None:
    """List systems, protocols and data sets."""
    kinds: dict[str, Callable[[], str]] = {
        "systems": _systems,
        "protocols": _protocols,
        "datasets": partial(datasets, data),
    }
    options.one_of("kind", kind, ("", *kinds))
    for i, name in enumerate([kind] if kind else kinds):
        if i:
            typer.echo()
        typer.echo(kinds[name]())


def _table(rows: Sequence[tuple[str, ...]], headers: tuple[str, ...]) -> str:
    from tabulate import tabulate

    return tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True, maxcolwidths=60)


def _systems() -> str:
    from asc_bench.registry import systems

    found = systems()
    rows = [(n, found.found[n].card.title, found.found[n].card.input, "") for n in found.names()]
    rows += [(u.name, "", "", f"unavailable: {u.reason}") for _, u in sorted(found.unavailable.items())]
    return _table(rows, ("system", "title", "input", "note"))


def _protocols() -> str:
    from asc_bench.registry import protocols

    found = protocols()
    rows = [(n, found.found[n].title, " or ".join(found.found[n].datasets), "") for n in found.names()]
    rows += [(u.name, "", "", f"unavailable: {u.reason}") for _, u in sorted(found.unavailable.items())]
    return _table(rows, ("protocol", "title", "data set", "note"))


def datasets(data: list[Path] | None) -> str:
    from asc_bench.data.layouts import LAYOUTS
    from asc_bench.data.store import data_roots, find_dataset
    from asc_bench.errors import DataError

    roots = data_roots(tuple(data or ()))
    rows = []
    for name, layout in sorted(LAYOUTS.items()):
        try:
            place = str(find_dataset(name, roots))
        except DataError:
            place = "not found"
        rows.append((name, layout.title, layout.licence, place))
    return _table(rows, ("data set", "title", "licence", "place"))
