"""Write a page for every protocol: ``python docs/protocols/make_pages.py``, from the classes and ``traps.toml``.

A test holds the pages against what this would write.
"""

from __future__ import annotations

import csv
import inspect
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from asc_bench.data.file_formats import published_format
from asc_bench.data.layouts import Layout, OfficialLayout
from asc_bench.data.resources import archives_of
from asc_bench.protocol import Protocol
from asc_bench.registry import layout_of, protocols
from asc_bench.scoring.measure import SEGMENT_MEASURES, Measure

FOLDER = Path(__file__).parent
MADE = "<!-- Made by docs/protocols/make_pages.py from protocols/ and traps.toml: edit those. -->"


def pages() -> dict[str, str]:
    """Text of every page by its file name."""
    found = {name: protocols().get(name)() for name in protocols().names()}
    texts = {f"{name}.md": page(protocol, traps(name)) for name, protocol in found.items()}
    return {"README.md": index(found), **texts}


def traps(name: str) -> list[str]:
    """What goes wrong with a protocol, from ``traps.toml``; that of a family as well.

    Raises
    ------
    KeyError
        If there is no entry.
    """
    table = tomllib.loads((FOLDER / "traps.toml").read_text(encoding="utf-8"))
    shared = [trap for family in table[name].get("families", ()) for trap in table["families"][family]]
    return [*table[name].get("traps", ()), *shared]


def index(found: Mapping[str, Protocol]) -> str:
    """Table of all pages."""
    rows = [
        (f"[`{name}`]({name}.md)", protocol.title, str(len(protocol.labels.fine)), _of(protocol))
        for name, protocol in found.items()
    ]
    head = ("protocol", "what it is", "classes", "ranked by")
    more = "`asc-bench info NAME` prints the same for the data that are there."
    tree = "\n".join(["```{toctree}", ":hidden:", "", *found, "```"])
    return f"{MADE}\n\n# Protocols\n\n{_table(head, rows)}\n{more}\n\n{tree}\n"


def page(protocol: Protocol, warnings: list[str]) -> str:
    """One protocol."""
    doc = inspect.cleandoc(type(protocol).__doc__ or "").replace("``", "`")
    parts = [
        f"{MADE}\n\n# {protocol.title}\n",
        f"`{protocol.name}`, version {protocol.version}. {doc}\n",
        f"{protocol.notes}\n" if protocol.notes else "",
        "## Data\n",
        *_data(protocol),
        "## What is counted\n",
        _measures(protocol),
        "## Traps\n",
        "".join(f"- {trap}\n" for trap in warnings),
        *_published(protocol),
        *_by_scene(protocol),
        "## Run it\n",
        f"    asc-bench run -p {protocol.name} -s logmel-svm --synthetic --budget smoke   # without any recordings",
        f"    asc-bench run -p {protocol.name} -s logmel-svm --data DIR --budget paper",
        f"    asc-bench report -p {protocol.name} --budget paper                           # the tables again\n",
        *([_set(protocol)] if protocol.mean_of else []),
    ]
    return "\n".join(part for part in parts if part)


def _set(protocol: Protocol) -> str:
    return (
        f"The joint table of the set, with the mean that ranked: `asc-bench run -p {protocol.mean_of} -s ...`, or "
        f"of stored runs `asc-bench report -p {protocol.mean_of}`.\n"
    )


def _of(protocol: Protocol) -> str:
    measures = SEGMENT_MEASURES if protocol.multi_label else protocol.measures
    return measures[0].name


def _data(protocol: Protocol) -> Iterator[str]:
    if protocol.sources:
        yield "Joins these sources; any part of them may be chosen with `--sources`.\n"
    elif len(protocol.datasets) > 1:
        yield "Any one of these; the first that is found is used.\n"
    joined = tuple(name for names in protocol.sources.values() for name in names)
    for name in joined or protocol.datasets:
        yield _layout(layout_of(name), only=getattr(protocol, "training", ""))
    yield f"Labels ({len(protocol.labels.fine)}): {', '.join(protocol.labels.fine)}.\n"
    if protocol.labels.coarse:
        yield f"Coarse labels ({len(protocol.labels.coarse)}): {', '.join(protocol.labels.coarse)}.\n"


def _layout(layout: Layout, *, only: str = "") -> str:
    """What it is, how to get it, and how many clips its lists have, or those of one training list."""
    lines = [f"**{layout.title}** (`{layout.name}`), {layout.homepage}. Licence: {layout.licence}."]
    lines.append(f"Folder: {' or '.join(f'`{folder}/`' for folder in layout.folders)}.")
    if isinstance(layout, OfficialLayout):
        lines.append(_format(layout))
    lines.append(_how(layout))
    if isinstance(layout, OfficialLayout) and layout.counts.folds:
        head = ("list", "part", "clips", "by device")
        lines.append("\n" + _table(head, list(_counts(layout, only))))
    return "\n".join(lines) + ("" if lines[-1].endswith("\n") else "\n")


def _format(layout: OfficialLayout) -> str:
    form = published_format(layout.name)
    n_clips = f"{layout.counts.n_clips:,} clips" if layout.counts.n_clips else "clips"
    known = [f"{n_clips} of {layout.clip_duration_s:g} s"]
    if form is not None and form.rate_hz:
        known.append(f"{form.rate_hz / 1000:g} kHz")
    if form is not None and form.n_channels:
        known.append({1: "mono", 2: "stereo"}.get(form.n_channels, f"{form.n_channels} channels"))
    guess = " (the format is a guess)" if form is not None and "rate" in form.guessed else ""
    apart = f"independent by {layout.unit}"
    if not layout.independent:
        apart = f"whether each {layout.unit} stands on one side alone is not known"
    elif layout.shared:
        apart += f", but for {len(layout.shared)} on both sides of a fold, as published"
    return f"{', '.join(known)}{guess}; {apart}."


def _how(layout: Layout) -> str:
    if layout.derived_from:
        return f"Computed on first use from {' or '.join(f'`{name}`' for name in layout.derived_from)}."
    if layout.archives is None:
        then = f"unpack it with `{layout.by_hand}`" if layout.by_hand else "put the folder into DIR"
        return f"Not fetched by asc-bench: get it from {layout.homepage} and {then}."
    archives = archives_of(layout.archives)
    known = [archive.n_bytes for archive in archives if archive.n_bytes]
    size = f", {sum(known) / 1e9:.1f} GB" if len(known) == len(archives) else ""
    plural = "archive" if len(archives) == 1 else "archives"
    return f"`asc-bench prepare {layout.name} --download --data DIR` fetches {len(archives)} {plural}{size}."


def _counts(layout: OfficialLayout, only: str) -> Iterator[tuple[str, str, str, str]]:
    shown = [(fold, parts) for fold, parts in layout.counts.folds.items() if not only or fold == only]
    for fold, parts in shown[:6]:
        for part, by_device in parts.items():
            devices = ", ".join(f"{device} {n:,}" for device, n in by_device.items() if device)
            yield fold, part, f"{sum(by_device.values()):,}", devices or "-"
    if len(shown) > 6:
        yield f"... {len(shown) - 6} more", "", "", ""


def _measures(protocol: Protocol) -> str:
    measures = SEGMENT_MEASURES if protocol.multi_label else protocol.measures
    rows: list[tuple[str, str, str]] = []
    grouped: dict[tuple[str, str], Measure] = {}
    for measure in measures:
        if not measure.group:
            rows.append((measure.name, measure.scored_by.name, _taken_over(measure)))
        else:
            grouped.setdefault((measure.column, measure.strata), measure)
    rows += [
        (f"{column}, by {strata}", measure.scored_by.name, _taken_over(measure, group=True))
        for (column, strata), measure in grouped.items()
    ]
    return _table(("measure", "statistic", "taken over"), rows)


def _taken_over(measure: Measure, *, group: bool = False) -> str:
    classes = "mean over classes" if measure.average == "macro" else "all clips"
    text = f"{classes}, {measure.level} labels" if measure.level != "fine" else classes
    if measure.derived is not None:
        text += ", coarse label of the predicted fine one"
    if measure.top_k > 1:
        text += f", among the {measure.top_k} most probable"
    if group:
        return f"{text} of each {measure.strata} alone"
    if not measure.strata:
        return text
    of = ", ".join(measure.of) if measure.of else f"every {measure.strata}"
    if measure.pooled:
        return f"{text}, clips of {of} together"
    return f"{text}, mean over {of}" if len(measure.of) != 1 else f"{text}, {of} only"


def _published(protocol: Protocol) -> Iterator[str]:
    if not protocol.references:
        return
    yield "## Published numbers\n"
    rows = []
    for reference in protocol.references:
        numbers = "; ".join(f"{name}: {value:g}" for name, value in reference.values.items())
        rows.append((reference.title, numbers, reference.source))
    yield _table(("system", "numbers", "source"), rows)
    if protocol.published_note:
        yield f"{protocol.published_note}\n"


def _by_scene(protocol: Protocol) -> Iterator[str]:
    """What official baselines printed for each scene."""
    with (files("asc_bench.published") / "dcase_baselines_by_scene.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["protocol"] == protocol.name]
    if not rows:
        return
    columns = {(row["measure"], row["device"]): f"{row['measure']} {row['device']}".rstrip() for row in rows}
    values = {(row["scene"], row["measure"], row["device"]): row["value"] for row in rows}
    scenes = [scene for scene in protocol.labels.fine if any(scene == row["scene"] for row in rows)]
    yield f"{rows[0]['system']}, by scene ({rows[0]['source']}):\n"
    yield _table(("scene", *columns.values()), [(s, *(values[(s, *key)] for key in columns)) for s in scenes])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write them all, and remove those of protocols that are gone."""
    texts = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
