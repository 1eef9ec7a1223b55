"""A results page as a browser takes it apart, and evaluations to make pages of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pandas as pd

from asc_bench.protocol import Reference
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.installed import cards_of, commands_of
from asc_bench.scoring.measure import Measure
from tests.unit.reporting_frames import confusion, failed, manifest, scores, significance

CAA = "caa-net[pooling=att]"
VALUES = {CAA: {"average": 2 / 3, "B": 0.1 + 0.2}, "sb-cnn": {"average": 0.62, "B": 0.57}}
MATRIX = confusion(("bus", "tram"), [[3, 1], [0, 4]])
OTHER = confusion(("bus", "tram"), [[2, 2], [1, 3]])


class Page(HTMLParser):
    """What a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    @property
    def tags(self) -> set[str]:
        """Names of elements."""
        return {tag for tag, _ in self.elements}

    @property
    def data(self) -> dict[str, Any]:
        """The numbers that the page holds."""
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in {"meta", "img", "input"}:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")
        if tag == "style":
            self.styles.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside == "script":
            self.scripts[-1] += data
        elif inside == "style":
            self.styles[-1] += data
        else:
            self.text += data


def evaluation(**changes: Any) -> Evaluation:
    """Two systems on two devices with three seeds, a third that failed, and published numbers."""
    seeds = [(CAA, m, r, VALUES[CAA][m] + d) for m in ("average", "B") for r, d in enumerate((-0.02, 0.0, 0.02))]
    arguments: dict[str, Any] = {
        "scores": scores(VALUES),
        "significance": significance(CAA),
        "manifests": [manifest(CAA), manifest("sb-cnn", n_multiply_adds=1_000_000), failed("broken")],
        "confusions": {CAA: {"A": MATRIX, "B": OTHER}, "sb-cnn": {"A": OTHER, "B": OTHER}},
        "published": {CAA: {"average": 68.0}},
        "references": [Reference("humans", {"average": 95.7}, "Piczak 2015")],
        "measures": [Measure("average"), Measure("B", strata="device", of=("B",))],
        "tied": {CAA, "sb-cnn"},
        "by_repeat": pd.DataFrame(seeds, columns=["system", "measure", "repeat", "value"]),
        "tracebacks": {"key-broken": 'File "net.py", line 7\nValueError: bad shape (3, 4)\nsecond line'},
    }
    arguments |= changes
    runs = arguments["manifests"]
    return Evaluation(**({"cards": cards_of(runs), "commands": commands_of(runs)} | arguments))


def rows_by(frame: pd.DataFrame, *keys: str) -> Mapping[Any, dict[str, Any]]:
    """Rows of a frame by some of its columns."""
    records = [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]
    return {tuple(row[key] for key in keys): row for row in records}
