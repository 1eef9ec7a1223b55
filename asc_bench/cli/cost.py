"""``asc-bench cost``: what systems cost on a protocol's task, by layer too, beside the limits of the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.describe import field, input_of, wrapped
from asc_bench.cli.printing import echo, terminal_width

if TYPE_CHECKING:
    from asc_bench.limits import Limits
    from asc_bench.runs.describe import Description
    from asc_bench.training.complexity import LayerCost

_NARROWEST = 8
"""Columns that the name of a layer keeps in a narrow window."""


def command(
    systems: Annotated[
        str, typer.Argument(help="all, or names, globs and name[param=value], separated by commas.")
    ],
    protocol: options.Protocol,
    budget: options.BudgetName = "paper",
    layers: Annotated[bool, typer.Option("--layers", help="Also a table of the layers of each network.")] = False,
) -> None:
    """Count parameters, bytes and operations of systems; no data are needed, and nothing is trained.

    Operations are those of predicting one clip: multiply-adds of all convolutions and matrix products, and MACs
    (DCASE), which is what the challenges count since 2022. A limit of the protocol keeps no system from running.
    """
    from asc_bench.errors import ConfigError
    from asc_bench.registry import protocols
    from asc_bench.runs.describe import describe
    from asc_bench.runs.variant import parse_variants

    limits = protocols().get(protocol).limits
    chosen, variants = options.budget(budget), parse_variants(systems)
    found: list[Description] = []
    refusals: dict[str, ConfigError] = {}
    for variant in variants:
        try:
            found.append(describe(variant, protocol=protocol, budget=chosen))
        except ConfigError as error:
            refusals[str(variant)] = error
    if not found:
        raise next(iter(refusals.values()))
    table = _table(found, limits) if len(found) > 1 else ""
    if table and max(map(len, table.splitlines())) <= terminal_width():
        lines = [f"on the task of {protocol} (untrained, budget {budget})", "", table, ""]
        lines += [line for about in found if about.undefined for line in field(*_not_counted(about), indent=0)]
    else:
        lines = [line for about in found for line in (*_block(about, limits), "")]
    lines += field("limits", _rule(limits) if limits else f"{protocol} has none on size and cost", indent=0)
    for name, refusal in refusals.items():
        lines += field(f"left out {name}", str(refusal), indent=0)
    echo("\n".join(lines))
    if layers:
        for about in found:
            echo(f"\n{_layers(about)}")


def _not_counted(about: Description) -> tuple[str, str]:
    return str(about.variant), f"not counted before it is fitted: {about.undefined}"


def _table(found: Sequence[Description], limits: Limits | None) -> str:
    """A row for each system."""
    from asc_bench.limits import BYTES_OF
    from asc_bench.reporting.text import MISSING, quantity

    headers = ["system", "parameters", "bytes", "in", "MACs (DCASE)", "multiply-adds"]
    rows = []
    for about in found:
        stored = about.cost.get("n_stored", about.n_parameters)
        counted = limits.count(about.cost, precision=about.precision)["bytes"] if limits else None
        if limits is None and stored is not None:
            counted = BYTES_OF[about.precision] * stored
        row = [
            str(about.variant),
            quantity(stored),
            quantity(counted),
            MISSING if counted is None else about.precision,
            quantity(about.cost.get("n_macs_dcase")),
            quantity(about.n_multiply_adds),
        ]
        rows.append([*row, _verdict(about, limits)] if limits else row)
    titles = [*headers, "limits"] if limits else headers
    return _aligned([titles, *rows], ("left", "right", "right", "left", "right", "right", "left"))


def _verdict(about: Description, limits: Limits) -> str:
    over = limits.exceeded(about.cost, precision=about.precision)
    if over:
        return f"over: {', '.join(quantity.removesuffix(' (DCASE)') for quantity in over)}"
    return "not known" if limits.unknown(about.cost) else "within"


def _block(about: Description, limits: Limits | None) -> Iterator[str]:
    """Every count of one system, exactly, a line each."""
    from asc_bench.limits import BYTES_OF

    yield from wrapped(
        f"{about.variant} on the task of {about.protocol} (untrained, budget {about.budget})", "", "  "
    )
    if about.front_end is not None:
        yield from field("input", input_of(about))
    if about.undefined:
        yield from field("cost", f"not counted before it is fitted: {about.undefined}")
    cost = about.cost
    stored = cost.get("n_stored", about.n_parameters)
    if stored is not None:
        text = "all of them trainable" if stored == about.n_parameters else f"{about.n_parameters:,} trainable"
        models = f"; {cost['n_device_models']} networks, one for each device" if "n_device_models" in cost else ""
        yield from field("parameters", f"{stored:,} ({text}{models})")
        if "n_nonzero" in cost:
            yield from field("with statistics of normalisations", f"{cost['n_nonzero']:,} numbers")
        yield from field("bytes", ", ".join(f"{n * stored:,} in {name}" for name, n in BYTES_OF.items()))
    if "n_macs_dcase" in cost:
        yield from field("MACs (DCASE)", f"{cost['n_macs_dcase']:,} for one clip")
    if about.n_multiply_adds is not None:
        yield from field("multiply-adds", f"{about.n_multiply_adds:,} for one clip")
    if limits is not None:
        yield "  against the limits"
        for name, text in _checks(cost, limits, about.precision):
            yield from field(name, text, indent=4)


def _rule(limits: Limits) -> str:
    source = f" ({limits.source})" if limits.source else ""
    return f"{limits}{source}; no system is kept from running. {limits.remark}".rstrip()


def _checks(cost: Mapping[str, int], limits: Limits, precision: str) -> Iterator[tuple[str, str]]:
    """Each limited quantity: how much it is, and whether that is too much."""
    from asc_bench.limits import BYTES_OF

    counted = limits.count(cost, precision=precision)
    for quantity, limit in limits.values().items():
        value = counted[quantity]
        if value is None:
            yield quantity, f"not known; at most {limit:,}"
            continue
        within = f"at most {limit:,}: {'over' if value > limit else 'within'}"
        if quantity != "bytes":
            yield quantity, f"{value:,}; {within}"
            continue
        others = [p for p in BYTES_OF if value > limit and (limits.count(cost, precision=p)["bytes"] or 0) <= limit]
        hint = f"; within it in {' and '.join(others)}" if others else ""
        yield quantity, f"{value:,} in {precision}, which it predicts in; {within}{hint}"


def _layers(about: Description) -> str:
    from asc_bench.runs.describe import layer_costs

    found = layer_costs(about)
    if not found:
        return "\n".join(wrapped(f"{about.variant}: there is no network whose layers could be counted", "", "  "))
    title = wrapped(f"layers of {about.variant}, on one clip", "", "  ")
    return "\n".join([*title, "", _layer_table(found)])


def _layer_table(found: Sequence[LayerCost]) -> str:
    """Without the classes of the layers, and with broken names, where the window is narrow."""
    numbers = [(layer.n_parameters, layer.n_macs_dcase, layer.n_multiply_adds) for layer in found]
    numbers.append((sum(n for n, _, _ in numbers), sum(n for _, n, _ in numbers), sum(n for _, _, n in numbers)))
    labels = [(layer.name or "(network)", layer.kind) for layer in found] + [("total", "")]
    rows = [["layer", "class", "parameters", "MACs (DCASE)", "multiply-adds"]]
    rows += [[*label, *(f"{n:,}" for n in row)] for label, row in zip(labels, numbers, strict=True)]
    if sum(_widths(rows)) + 2 * 4 > terminal_width():
        rows = [[row[0], *row[2:]] for row in rows]
    others = _widths(rows)[1:]
    most = max(_NARROWEST, terminal_width() - sum(others) - 2 * len(others))
    return _aligned(rows, ("left", *["left"] * (len(others) - 3), *["right"] * 3), first_at_most=most)


def _aligned(rows: Sequence[Sequence[str]], alignment: Sequence[str], *, first_at_most: int = 0) -> str:
    """Titles, a rule and rows; the first column may be kept to some width."""
    from tabulate import tabulate

    widths = _widths(rows)
    if first_at_most:
        widths[0] = min(widths[0], first_at_most)
    # Titles given as such would make their columns two wider than they are.
    return tabulate(
        [rows[0], ["-" * width for width in widths], *rows[1:]],
        tablefmt="plain",
        disable_numparse=True,
        maxcolwidths=[widths[0] if first_at_most else None, *[None] * (len(widths) - 1)],
        colalign=alignment[: len(widths)],
    )


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
