"""A page for each system, written from its card, settings and committed results; run by ``conf.py``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from asc_bench.budget import Budget
from asc_bench.errors import AscBenchError
from asc_bench.registry import systems
from asc_bench.reporting.system_facts import settings_of
from asc_bench.reporting.text import percent, with_interval
from asc_bench.runs.describe import DEFAULT_PROTOCOL, Description, describe
from asc_bench.systems.base import System

REFERENCE = Path(__file__).parents[1] / "results" / "reference" / "tables"


def write_pages(folder: Path) -> None:
    """Write ``index.md`` and one page for each system; pages of systems that are gone are removed."""
    folder.mkdir(exist_ok=True)
    found = systems().found
    for path in folder.glob("*.md"):
        if path.stem not in found:
            path.unlink()
    for name, cls in found.items():
        _write(folder / f"{name}.md", "\n".join(page(name, cls)) + "\n")
    rows = [
        f"| [{name}]({name}.md) | {cls.card.title} | {cls.card.year} | {cls.card.input} |"
        for name, cls in found.items()
    ]
    _write(
        folder / "index.md",
        "\n".join([
            "# Systems", "",
            "Written from the systems themselves; `asc-bench info NAME` shows the same for any settings.", "",
            "| name | system | year | input |", "| --- | --- | --- | --- |", *rows, "",
            "```{toctree}", ":hidden:", "", *found, "```", "",
        ]),
    )  # fmt: skip


def page(name: str, cls: type[System]) -> Iterator[str]:
    """Lines of one page."""
    card = cls.card
    yield from (f"# {card.title}", "", f"`{name}`, {card.year}. {card.citation}.", "", f"Input: {card.input}.", "")
    about = _about(name)
    yield from _size(about)
    yield from _settings(cls)
    if card.guesses:
        yield from ("## What the source leaves open, and what stands here", "")
        yield from (f"- {guess}" for guess in card.guesses)
        yield ""
    yield from _measured(name)
    if isinstance(about, Description):
        yield from ("## Run it", "", f"    asc-bench run -p {DEFAULT_PROTOCOL} -s {name}", "")


def _about(name: str) -> Description | AscBenchError:
    """What it is with its default settings, or why it cannot do without others, or not on that protocol."""
    try:
        return describe(name, budget=Budget.PAPER)
    except AscBenchError as error:
        return error


def _size(found: Description | AscBenchError) -> Iterator[str]:
    if isinstance(found, AscBenchError):
        yield from (f"With default settings there is no such system on `{DEFAULT_PROTOCOL}`: {found}", "")
        return
    if found.n_parameters is None or found.n_multiply_adds is None:
        yield from (f"Size: not defined before it is fitted, as {found.undefined}.", "")
        return
    axes = " × ".join(f"{n} {axis}" for n, axis in zip(found.input_shape, found.input_axes, strict=True))
    yield from (
        f"On `{DEFAULT_PROTOCOL}`, as published: {found.n_parameters:,} trainable parameters, "
        f"{found.n_multiply_adds:,} multiply-adds for a clip of {found.task.clip_duration_s:g} s, input {axes}.",
        "",
    )


def _settings(cls: type[System]) -> Iterator[str]:
    settings = settings_of(cls)
    if not settings:
        return
    yield from ("## Settings", "", "| setting | default | type |", "| --- | --- | --- |")
    for setting in settings:
        default = "required" if setting.required else f"`{setting.default}`" if setting.default != "" else "empty"
        yield f"| `{setting.name}` | {default} | `{setting.kind.replace('|', 'or')}` |"
    yield ""


def _measured(name: str) -> Iterator[str]:
    rows = [
        (path.parts[-4], row)
        for path in sorted(REFERENCE.glob("*/*/*/results.csv"))
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        if row["system"].partition("[")[0] == name and row["measure"] in ("accuracy", "average") and row["value"]
    ]
    if not rows:
        return
    yield from (
        "## Measured at `quick`",
        "",
        "| data | system | measure | percent | seeds |",
        "| --- | --- | --- | ---: | ---: |",
    )
    for data, row in rows:
        value, low, high = (float(row[name]) for name in ("value", "low", "high"))
        score = with_interval(value, low, high, percent)
        yield f"| {data} | `{row['system']}` | {row['measure']} | {score} | {row.get('n_repeats', '')} |"
    yield ""


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
