"""``asc-bench info``: all that is known of one system, protocol or data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import completion
from asc_bench.cli.describe import field, system_lines
from asc_bench.cli.printing import echo

if TYPE_CHECKING:
    from asc_bench.data.layouts.base import Layout
    from asc_bench.protocol import Protocol


def command(
    name: Annotated[
        str,
        typer.Argument(
            autocompletion=completion.named,
            help="A system, also with settings (name[param=value]); a protocol or a data set.",
        ),
    ],
    protocol: Annotated[
        str,
        typer.Option("--protocol", "-p", help="Describe a system on this protocol's task, not the default one."),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Show all published numbers of a system.")] = False,
) -> None:
    """Describe a system, a protocol or a data set; no data are needed."""
    from asc_bench.errors import ConfigError
    from asc_bench.names import near
    from asc_bench.registry import layouts, protocols, systems

    base, bracket, _ = name.partition("[")
    if base in systems().found:
        lines = list(system_lines(name, protocol=protocol, everything=everything))
    elif base in systems().unavailable:
        lines = [f"{base} is unavailable: {systems().unavailable[base].reason}"]
    elif (base in protocols().found or base in layouts().found) and (bracket or protocol or everything):
        raise ConfigError(f"{base} is no system: settings, --protocol and --all are for systems only")
    elif name in protocols().found:
        lines = _protocol(protocols().get(name))
    elif name in layouts().found:
        lines = _dataset(layouts().get(name))
    else:
        known = [*systems().names(), *protocols().names(), *layouts().names()]
        raise ConfigError(f"there is no system, protocol or data set {base!r}{near(base, known)}")
    echo("\n".join(lines))


def _protocol(cls: type[Protocol]) -> list[str]:
    protocol = cls()
    lines = [
        f"{cls.name}: {cls.title} (version {cls.version})",
        *_data(cls),
        *field("scenes", ", ".join(cls.labels.fine)),
    ]
    for coarse in cls.labels.coarse:
        members = [
            f for f, c in zip(cls.labels.fine, cls.labels.coarse_of, strict=True) if cls.labels.coarse[c] == coarse
        ]
        lines += field(f"coarse {coarse}", ", ".join(members))
    for measure in (m for m in cls.measures if not m.group):
        over = "pooled over" if measure.pooled else "mean over"
        strata = f", {over} {measure.strata} {', '.join(measure.of)}".rstrip() if measure.strata else ""
        top = f"top-{measure.top_k} " if measure.top_k > 1 else ""
        level = f", {measure.level} classes" if cls.sources else ""
        derived = (
            " derived from the fine prediction" if measure.derived and measure.scored_by.name == "accuracy" else ""
        )
        lines += field(
            f"measure {measure.name}", f"{top}{measure.scored_by.name} ({measure.average}{strata}{level}{derived})"
        )
    columns = list(dict.fromkeys(m.column for m in cls.measures if m.group))
    if columns:
        groups = list(dict.fromkeys(m.group for m in cls.measures if m.group))
        strata = next(m.strata for m in cls.measures if m.group)
        lines += field(f"on each {strata} alone", f"{', '.join(columns)}; of {', '.join(groups)}")
    for reference in protocol.references:
        values = "; ".join(f"{k}: {v}" for k, v in reference.values.items())
        lines += field(f"published {reference.title}", f"{values} ({reference.source})")
    if cls.limits:
        words = f"{cls.limits}; never enforced. {cls.limits.remark}".strip()
        lines += field("limits", f"{words} ({cls.limits.source})" if cls.limits.source else words)
    if cls.notes:
        lines += field("notes", cls.notes)
    return lines


def _data(cls: type[Protocol]) -> list[str]:
    from asc_bench.protocol import dataset_names

    if not cls.sources:
        return field("data sets", " or ".join(dataset_names(cls)))
    joined = [
        name if layouts == (name,) else f"{name} ({' and '.join(layouts)})" for name, layouts in cls.sources.items()
    ]
    return field("sources", f"{', '.join(joined)}; all of them are joined, or those of --sources")


def _dataset(layout: Layout) -> list[str]:
    seconds = getattr(layout, "clip_duration_s", None)
    return [
        f"{layout.name}: {layout.title}",
        *field("holds", layout.nature),
        *field("folder", " or ".join(layout.folders)),
        *field("home page", layout.homepage),
        *field("licence", layout.licence),
        *([] if seconds is None else field("clip length", f"{seconds:g} s")),
        *field("how to get it", _how_to_get(layout)),
    ]


def _how_to_get(layout: Layout) -> str:
    if layout.derived_from:
        return f"computed into the cache on first use, from {' or '.join(layout.derived_from)}"
    return f"asc-bench prepare {layout.name} --download" if layout.archives else "by hand"
