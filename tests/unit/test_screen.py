"""Bars and lines of progress on terminals of several kinds."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from asc_bench import screen as module
from asc_bench.runs.durations import TimeLeft
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.store import ResultsStore
from asc_bench.screen import Screen
from tests.unit.made_runs import made_bench, publish, specs_of


@pytest.fixture(scope="module")
def specs() -> list[RunSpec]:
    """Two runs of a system with a long name."""
    (spec,) = specs_of(made_bench(), "sb-cnn[augment=mixup+gain(db=6.0),plan.iterations=3]")
    return [spec, replace(spec, repeat=1, parts={**spec.parts, "seed": 1})]


def shown(monkeypatch: pytest.MonkeyPatch, specs: list[RunSpec], store: ResultsStore, **terminal: object) -> str:
    """What is written while the first of two runs is computed, and the second half of it."""
    out = io.StringIO()
    monkeypatch.setattr(module, "console", lambda: Console(file=out, soft_wrap=True, highlight=False, **terminal))
    now = 0.0
    with Screen() as screen:
        screen.expect(TimeLeft(specs, {}, 1, lambda: now))
        screen.progress(specs[0], 0.0, "starting")
        now = 600.0
        screen.progress(specs[0], 0.5, "a note of many words, which need not be shown where there is no room")
        screen._bars.refresh()
        now = 1200.0
        screen.finished(specs[0], publish(store, made_bench(), specs[0]))
        screen.progress(specs[1], 0.5, "")
        screen._bars.refresh()
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_bars_fit_the_terminal_and_say_how_long(
    monkeypatch: pytest.MonkeyPatch, specs: list[RunSpec], tmp_path: object, width: int
) -> None:
    text = shown(monkeypatch, specs, ResultsStore(tmp_path), force_terminal=True, width=width)  # type: ignore[arg-type]
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))
    bars = [line for line in lines if "%" in line]
    assert bars and max(cell_len(line) for line in bars) <= width
    whole = [re.sub(r" +", " ", line) for line in bars if line.startswith("all runs")]
    assert any("25 %" in line and "left: about 30 min" in line for line in whole), whole


def test_elsewhere_each_run_is_a_line_that_says_how_many_are_left(
    monkeypatch: pytest.MonkeyPatch, specs: list[RunSpec], tmp_path: object
) -> None:
    for terminal in ({}, {"force_terminal": True, "color_system": None}):
        monkeypatch.setenv("TERM", "dumb" if terminal else "xterm")
        text = shown(monkeypatch, specs, ResultsStore(tmp_path), width=200, **terminal)  # type: ignore[arg-type]
        assert "\x1b" not in text
        assert f"  done    {specs[0].title} (1.2 s)" in text
    assert "; 1 run left: about 20 min" in shown(monkeypatch, specs, ResultsStore(tmp_path), width=200)  # type: ignore[arg-type]
