"""``asc-bench info``: all that is known of one system, protocol or data set."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asc_bench.data.layouts.base import Layout
    from asc_bench.protocol import Protocol
    from asc_bench.systems.base import System


def command(name: Annotated[str, typer.Argument(help="A system, protocol or data set.")]) -> None:
    """Describe a system, a protocol or a data set."""
    from asc_bench.errors import ConfigError
    from asc_bench.names import near
    from asc_bench.registry import layouts, protocols, systems

    if name in systems().found:
        lines = _system(systems().get(name))
    elif name in systems().unavailable:
        lines = [f"{name} is unavailable: {systems().unavailable[name].reason}"]
    elif name in protocols().found:
        lines = _protocol(protocols().get(name))
    elif name in layouts().found:
        lines = _dataset(layouts().get(name))
    else:
        known = [*systems().names(), *protocols().names(), *layouts().names()]
        raise ConfigError(f"there is no system, protocol or data set {name!r}{near(name, known)}")
    typer.echo("\n".join(lines))


def _system(cls: type[System]) -> list[str]:
    from asc_bench.registry import origin, remark

    card = cls.card
    lines = [
        f"{card.name}: {card.title} ({card.year})",
        *_field("source", card.citation),
        *_field("input", card.input),
        *_field("defined in", origin(cls)),
    ]
    if note := remark(cls):
        lines += _field("note", note)
    lines.append("  parameters")
    fields = dataclasses.fields(cls.Params)
    lines += [f"    {f.name} = {_default(f)}   ({_kind(f)})" for f in fields] or ["    none"]
    if card.guesses:
        lines.append("  what the sources leave open")
        for guess in card.guesses:
            lines += textwrap.wrap(guess, 96, initial_indent="    - ", subsequent_indent="      ")
    for entry in card.published:
        where = ", ".join(f"{k}={v}" for k, v in entry.where.items())
        lines += _field("published", f"{entry.protocol}: {entry.table} ({where}) {entry.comment}".rstrip())
    return lines


def _protocol(cls: type[Protocol]) -> list[str]:
    protocol = cls()
    lines = [
        f"{cls.name}: {cls.title} (version {cls.version})",
        *_data(cls),
        *_field("scenes", ", ".join(cls.labels.fine)),
    ]
    for coarse in cls.labels.coarse:
        members = [
            f for f, c in zip(cls.labels.fine, cls.labels.coarse_of, strict=True) if cls.labels.coarse[c] == coarse
        ]
        lines += _field(f"coarse {coarse}", ", ".join(members))
    for measure in (m for m in cls.measures if not m.group):
        strata = f", mean over {measure.strata} {', '.join(measure.of)}".rstrip() if measure.strata else ""
        top = f"top-{measure.top_k} " if measure.top_k > 1 else ""
        level = f", {measure.level} classes" if cls.sources else ""
        derived = (
            " derived from the fine prediction" if measure.derived and measure.scored_by.name == "accuracy" else ""
        )
        lines += _field(
            f"measure {measure.name}", f"{top}{measure.scored_by.name} ({measure.average}{strata}{level}{derived})"
        )
    columns = list(dict.fromkeys(m.column for m in cls.measures if m.group))
    if columns:
        groups = list(dict.fromkeys(m.group for m in cls.measures if m.group))
        lines += _field(f"on each of {', '.join(groups)} alone", ", ".join(columns))
    for reference in protocol.references:
        values = ", ".join(f"{k} {v}" for k, v in reference.values.items())
        lines += _field(f"published {reference.title}", f"{values} ({reference.source})")
    if cls.notes:
        lines += _field("notes", cls.notes)
    return lines


def _data(cls: type[Protocol]) -> list[str]:
    from asc_bench.protocol import dataset_names

    if not cls.sources:
        return _field("data sets", " or ".join(dataset_names(cls)))
    joined = [
        name if layouts == (name,) else f"{name} ({' and '.join(layouts)})" for name, layouts in cls.sources.items()
    ]
    return _field("sources", f"{', '.join(joined)}; all of them are joined, or those of --sources")


def _dataset(layout: Layout) -> list[str]:
    seconds = getattr(layout, "clip_duration_s", None)
    return [
        f"{layout.name}: {layout.title}",
        *_field("holds", layout.nature),
        *_field("folder", " or ".join(layout.folders)),
        *_field("home page", layout.homepage),
        *_field("licence", layout.licence),
        *([] if seconds is None else _field("clip length", f"{seconds:g} s")),
        *_field("how to get it", _how_to_get(layout)),
    ]


def _how_to_get(layout: Layout) -> str:
    if layout.derived_from:
        return f"computed into the cache on first use, from {' or '.join(layout.derived_from)}"
    return f"asc-bench prepare {layout.name} --download" if layout.archives else "by hand"


def _field(name: str, text: str) -> list[str]:
    return textwrap.wrap(text, 96, initial_indent=f"  {name}: ", subsequent_indent="    ") or [f"  {name}:"]


def _default(field: dataclasses.Field[object]) -> str:
    return repr(field.default)


def _kind(field: dataclasses.Field[object]) -> str:
    return field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
