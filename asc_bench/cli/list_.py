"""``asc-bench list``: what there is, and what cannot be used and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo, text_table

if TYPE_CHECKING:
    from asc_bench.papers.item import PaperItem
    from asc_bench.protocol import Protocol
    from asc_bench.registry import Registry

Item = TypeVar("Item", bound="PaperItem")


def command(
    kind: Annotated[
        str,
        typer.Argument(help="systems, transforms, protocols, datasets, reproductions or figures; all if empty."),
    ] = "",
    data: options.Data = None,
) -> None:
    """List systems, transforms, protocols, data sets, and the papers' tables and figures that can be made again."""
    kinds: dict[str, Callable[[], str]] = {
        "systems": _systems,
        "transforms": _transforms,
        "protocols": _protocols,
        "datasets": partial(datasets, data),
        "reproductions": _reproductions,
        "figures": _figures,
    }
    options.one_of("kind", kind, ("", *kinds))
    for i, name in enumerate([kind] if kind else kinds):
        if i:
            echo()
        echo(kinds[name]())


def _systems() -> str:
    from asc_bench.registry import by_name_only, remark, systems

    found = systems()
    named = [found.found[n] for n in found.names()]
    rows = [(cls.card.name, cls.card.title, cls.card.input, remark(cls) or by_name_only(cls)) for cls in named]
    rows += [(u.name, "", "", f"unavailable: {u.reason}") for _, u in sorted(found.unavailable.items())]
    return text_table(rows, ("system", "title", "input", "note"))


def _transforms() -> str:
    from dataclasses import fields

    from asc_bench.training.transforms.table import TRANSFORMS
    from asc_bench.typed_text import default_of, to_text

    rows = [
        (
            name,
            ", ".join(f"{field.name}={to_text(default_of(field))}" for field in fields(transform)),
            (transform.__doc__ or "").partition("\n")[0],
        )
        for name, transform in TRANSFORMS.items()
    ]
    return text_table(rows, ("transform", "parameters", "what it does in training"))


def _protocols() -> str:
    from asc_bench.registry import protocols

    found = protocols()
    rows = [(n, p.title, _data(p), _note(p)) for n in found.names() for p in (found.found[n],)]
    rows += [(u.name, "", "", f"unavailable: {u.reason}") for _, u in sorted(found.unavailable.items())]
    return text_table(rows, ("protocol", "title", "data set", "note"))


def _note(protocol: type[Protocol]) -> str:
    if protocol.multi_label:
        return "several labels a clip: `asc-bench transfer`"
    return f"one of the set `{protocol.mean_of}`, which has a mean" if protocol.mean_of else ""


def _data(protocol: type[Protocol]) -> str:
    """Any one of several data sets, or sources that are joined."""
    from asc_bench.protocol import dataset_names

    return " + ".join(protocol.sources) if protocol.sources else " or ".join(dataset_names(protocol))


def _reproductions() -> str:
    from asc_bench.papers.registry import reproductions

    return _papers(reproductions())


def _figures() -> str:
    from asc_bench.papers.registry import figures

    return _papers(figures())


def _papers(found: Registry[type[Item]]) -> str:
    rows = [(n, found.found[n].title, found.found[n].protocol, "") for n in found.names()]
    rows += [(u.name, "", "", f"unavailable: {u.reason}") for _, u in sorted(found.unavailable.items())]
    return text_table(rows, (found.kind, "title", "protocol", "note"))


def datasets(data: list[Path] | None) -> str:
    from asc_bench.data.store import data_roots
    from asc_bench.registry import layouts

    roots = data_roots(tuple(data or ()))
    rows = []
    for name, layout in sorted(layouts().found.items()):
        places = [_place(source, roots) for source in layout.derived_from or (name,)]
        place = next((p for p in places if p), "not found")
        if layout.derived_from:
            place = f"computed from {' or '.join(layout.derived_from)}: {place}"
        rows.append((name, layout.title, layout.licence, place))
    rows += [(u.name, "", "", f"unavailable: {u.reason}") for _, u in sorted(layouts().unavailable.items())]
    return text_table(rows, ("data set", "title", "licence", "place"))


def _place(name: str, roots: Sequence[Path]) -> str:
    from asc_bench.data.store import find_dataset
    from asc_bench.errors import DataError
    from asc_bench.registry import layout_of

    try:
        return str(find_dataset(layout_of(name), roots))
    except DataError:
        return ""
