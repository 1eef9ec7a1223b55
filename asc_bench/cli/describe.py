"""The lines of ``asc-bench info`` about a system: card, settings, size and cost, published numbers."""

from __future__ import annotations

import dataclasses
import math
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asc_bench.reporting.published import PublishedNumber
    from asc_bench.runs.describe import Description
    from asc_bench.systems.base import Params, System

ROWS_SHOWN = 20
"""Published numbers shown where not all are asked for."""

_MOST = 96
_CLASSES_NAMED = 15
_SHRINKING = ((3, 16), (1, 10), (0, 10))
"""Columns of the published numbers that give way in a narrow window, in this order, and down to what width."""


def system_lines(text: str, *, protocol: str, everything: bool) -> Iterator[str]:
    """All that is known of a system without data.

    Parameters
    ----------
    text : str
        Name, or name with settings.
    protocol : str
        Describe it on this one's task, and show the numbers published for it; empty for the default.
    everything : bool
        Show all published numbers.

    Raises
    ------
    ConfigError
        For wrong settings and protocols, or if it cannot run on the protocol that was asked for.
    """
    from asc_bench.errors import ConfigError, SystemFailure
    from asc_bench.registry import by_name_only, origin, remark, systems
    from asc_bench.reporting.published import published_numbers, same_settings
    from asc_bench.runs.describe import DEFAULT_PROTOCOL, describe

    name, settings, _ = text.partition("[")
    cls = systems().get(name)
    about: Description | None = None
    why = ""
    try:
        about = describe(text, protocol=protocol or DEFAULT_PROTOCOL)
    except (ConfigError, SystemFailure) as error:
        if protocol or settings:
            raise
        why = str(error)
    card = cls.card
    yield from wrapped(f"{card.name}: {card.title} ({card.year})", "", "  ")
    yield from field("source", card.citation)
    yield from field("input", card.input)
    yield from field("defined in", origin(cls))
    if about is not None and about.reason is not None:
        yield from field("note", f"unavailable: {about.reason.text}")
    elif note := (remark(cls) if about is None else "") or ("" if settings else by_name_only(cls)):
        yield from field("note", note)
    yield from _settings(cls, about.variant.params if about else None)
    if about is not None:
        yield from _plan(about)
        yield from _described(about, by_default=not protocol)
    elif not remark(cls):
        yield from field(f"on {DEFAULT_PROTOCOL}", why)
    if card.guesses:
        yield "  what the sources leave open"
        for guess in card.guesses:
            yield from wrapped(guess, "    - ", "      ")
    params = about.variant.params if about and settings else None
    numbers = published_numbers(card, protocol=protocol, params=params)
    if about is not None:  # those of the settings above come first
        given = dataclasses.asdict(about.variant.params)
        numbers.sort(key=lambda number: not same_settings(number.entry, given))
    yield from _published(numbers, cls, protocol=protocol, params=params, everything=everything)


def field(name: str, text: str, *, indent: int = 2) -> list[str]:
    """``name: text``, wrapped to the window."""
    return wrapped(text, f"{' ' * indent}{name}: ", " " * (indent + 2)) or [f"{' ' * indent}{name}:"]


def wrapped(text: str, first: str, then: str) -> list[str]:
    """Lines that fit the window, the first one indented otherwise than the rest."""
    return textwrap.wrap(text, _width(), initial_indent=first, subsequent_indent=then)


def _width() -> int:
    """Columns to fill: those of the window, but no more than can be read."""
    return min(shutil.get_terminal_size((_MOST, 24)).columns, _MOST)


def _settings(cls: type[System], params: Params | None) -> Iterator[str]:
    """Name, value and choices of each; the default where another value was asked for."""
    from asc_bench.reporting.system_facts import settings_of

    yield "  settings"
    settings = settings_of(cls)
    for setting in settings:
        value = getattr(params, setting.name) if params else setting.default
        notes = [setting.kind]
        if value != setting.default:
            notes.append(f"default {_shown(setting.default)}")
        yield from wrapped(f"{_shown(value)}   ({'; '.join(notes)})", f"    {setting.name} = ", " " * 8)
    if not settings:
        yield "    none"


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) and not value else str(value)


def _plan(about: Description) -> Iterator[str]:
    """Every setting of the training plan, as it can be typed."""
    from asc_bench.training.plan_changes import KEYS
    from asc_bench.typed_text import to_text

    if about.plan is None:
        return
    changed = about.variant.changes.texts()
    how = "changed here" if changed else f"to change: {about.variant.name}[augment=mixup,plan.batch_size=16], say"
    yield from wrapped(f"training plan (budget {about.budget}; {how})", "  ", "    ")
    for key in changed:
        yield from wrapped(f"{key} = {changed[key]}", "    ", "        ")
    others = (f"{key}={to_text(getattr(about.plan, name))}" for key, name in KEYS.items() if key not in changed)
    yield from wrapped(", ".join(others), "    ", "        ")


def _described(about: Description, *, by_default: bool) -> Iterator[str]:
    """Size, cost and input on a task."""
    default = "; the default, name another with --protocol" if by_default else ""
    task = f"on the task of {about.protocol}"
    yield from wrapped(f"{task} (untrained, budget {about.budget}{default})", "  ", "    ")
    for name, text in (*_size(about), *_input(about)):
        yield from field(name, text, indent=4)


def _size(about: Description) -> Iterator[tuple[str, str]]:
    n_parameters, n_bytes, n_multiply_adds = about.n_parameters, about.n_bytes, about.n_multiply_adds
    if n_parameters is not None and n_bytes is not None:
        yield "parameters", f"{n_parameters:,} (trainable)"
        yield "bytes", f"{n_bytes:,} (these in float32, {_binary(n_bytes)})"
    if n_multiply_adds is not None:
        yield "multiply-adds", f"{n_multiply_adds:,} for one clip ({_short(n_multiply_adds)})"
    if about.undefined:
        both = {"parameters": n_parameters, "multiply-adds": n_multiply_adds}
        names = " and ".join(name for name, value in both.items() if value is None)
        yield names, f"not defined before it is fitted: {about.undefined}"


def _input(about: Description) -> Iterator[tuple[str, str]]:
    from asc_bench.clips import UNKNOWN_DEVICE
    from asc_bench.features.in_words import in_words

    labels = about.task.labels
    if about.front_end is not None:
        yield "front end", in_words(about.front_end)
        yield "input", input_of(about)
        if (encoder := getattr(about.front_end, "about", None)) is not None:
            yield "encoder", f"{encoder.title}; {encoder.citation}; trained on {encoder.trained_on}"
            yield "weights", f"{encoder.source}; licence: {encoder.licence}"
    yield "clip", f"{about.task.clip_duration_s:g} s"
    for level in labels.levels:
        classes = labels.classes(level)
        names = ", ".join(classes) if len(classes) <= _CLASSES_NAMED else f"see `asc-bench info {about.protocol}`"
        yield f"{level} classes", f"{len(classes)} ({names})"
    trained = [device for device in about.task.devices if device != UNKNOWN_DEVICE]
    yield "devices in training", ", ".join(trained) or "none named"


def input_of(about: Description) -> str:
    """Shape of what is read of one clip, with its axes."""
    shape = " x ".join(f"{n:,} {axis}" for n, axis in zip(about.input_shape, about.input_axes, strict=True))
    return f"{shape} for one clip"


def _short(n: int) -> str:
    power = min(3, int(math.log10(max(n, 1))) // 3)
    return f"{n / 1000**power:.3g}{('', ' thousand', ' million', ' billion')[power]}"


def _binary(n: int) -> str:
    return f"{n / 1024**2:.1f} MiB" if n >= 1024**2 else f"{n / 1024:.1f} KiB"


def _published(
    numbers: Sequence[PublishedNumber], cls: type[System], *, protocol: str, params: Params | None, everything: bool
) -> Iterator[str]:
    """A table of protocol, measure, value, settings and a numbered source; the sources below it."""
    from tabulate import tabulate

    from asc_bench.reporting.system_facts import row_named, table_named

    of = " and ".join([protocol] * bool(protocol) + ["these settings"] * (params is not None))
    if not numbers:
        if cls.card.published:
            command = f"`asc-bench info {cls.card.name} --all`"
            yield from field("published numbers", f"none of {of}; {command} shows others")
        return
    shown = numbers if everything else numbers[:ROWS_SHOWN]
    sources = list(dict.fromkeys(table_named(number) for number in shown))
    headers = ("protocol", "measure", "value", "settings", "source")
    rows = [
        (n.protocol, n.measure, n.printed, row_named(n, cls), f"[{sources.index(table_named(n)) + 1}]")
        for n in shown
    ]
    widths = _column_widths([headers, *rows], _width() - 2)
    # Titles given as such would make their columns two wider than they are.
    table = tabulate(
        [headers, ["-" * width for width in widths], *rows],
        tablefmt="plain",
        disable_numparse=True,
        maxcolwidths=widths,
        colalign=("left", "left", "right", "left", "left"),
    )
    yield f"  published numbers{f' of {of}' if of else ''}"
    yield from (f"  {line}" for line in table.splitlines())
    for i, source in enumerate(sources):
        yield from wrapped(source, f"  [{i + 1}] ", " " * 6)
    if len(shown) < len(numbers):
        yield f"  {len(numbers) - len(shown)} more: --all shows them"


def _column_widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Of every column, so that a line with two spaces between columns is no longer than ``width``."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for column, least in _SHRINKING:
        excess = sum(widths) + 2 * (len(widths) - 1) - width
        if excess > 0:
            widths[column] = max(min(widths[column], least), widths[column] - excess)
    return widths
