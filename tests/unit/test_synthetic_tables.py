"""The tables of recipes and sizes: read as their classes say, refused with the place of the fault."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from asc_bench.data.taxonomy import taxonomy
from asc_bench.errors import DataError
from asc_bench.synthetic.events import EVENTS
from asc_bench.synthetic.ingredients import Calls, Drone, Layer, Material, Part, Recipe, Wash
from asc_bench.synthetic.recipes import esc_classes, materials, palettes, scenes, task4_sounds
from asc_bench.synthetic.resources import curves, read_table
from asc_bench.synthetic.sizes import Places, sizes

PINK = ((20.0, 0.0), (20000.0, -30.0))


@dataclass(frozen=True)
class Entry:
    """One field of each sort."""

    number: float
    whole: int
    flag: bool = False
    optional: tuple[float, float] | None = None
    table: Mapping[str, int] | None = None


def read(folder: Path, text: str, kind: Any) -> Any:
    (folder / "x.toml").write_text(text)
    return read_table("x.toml", kind, folder=folder)


def test_values_become_what_the_fields_are(tmp_path: Path) -> None:
    found = read(tmp_path, "[b]\nnumber = 1\nwhole = 2\n[a]\nnumber = 0.5\nwhole = 3\nflag = true", Entry)
    assert list(found) == ["b", "a"]
    assert found == {"b": Entry(1.0, 2), "a": Entry(0.5, 3, flag=True)}
    assert type(found["b"].number) is float
    found = read(tmp_path, "[a]\nnumber = 1\nwhole = 2\noptional = [1, 2.5]\ntable.x = 3", Entry)
    assert found["a"] == Entry(1.0, 2, optional=(1.0, 2.5), table={"x": 3})


def test_parts_are_told_apart_by_their_kind_and_curves_by_their_names(tmp_path: Path) -> None:
    text = """
        x = [
            {kind = "wash", curve = "pink", am_hz = [1, 2]},
            {kind = "drone", curve = "pink", f0_hz = [20, 30]},
            {kind = "burst", curve = "pink", length_s = [1, 2], every_s = [3, 4], count = [5, 6]},
        ]"""
    assert read(tmp_path, text, tuple[Part, ...])["x"] == (
        Wash(PINK, am_hz=(1.0, 2.0)),
        Drone((20.0, 30.0), PINK),
        Calls("burst", (1.0, 2.0), (3.0, 4.0), PINK, (5, 6)),
    )


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("x = {number = 1, whole = 2, hole = 3}", Entry, r"x\.toml: x: unknown key 'hole'; did you mean 'whole'\?"),
        ("x = {number = 1}", Entry, r"x\.toml: x: whole is missing"),
        ("x = {}", Entry, r"x\.toml: x: number, whole is missing"),
        ("x = 1", Entry, r"x\.toml: x: 1 should be a table"),
        ("x = {number = '1', whole = 2}", Entry, r"x\.toml: x\.number: '1' should be a number"),
        ("x = {number = true, whole = 2}", Entry, r"x\.toml: x\.number: True should be a number"),
        ("x = {number = 1, whole = 2.0}", Entry, r"x\.toml: x\.whole: 2\.0 should be a whole number"),
        ("x = {number = 1, whole = 2, flag = 1}", Entry, r"x\.flag: 1 should be true or false"),
        ("x = {number = 1, whole = 2, optional = [1]}", Entry, r"x\.optional: \[1\] should be a list of 2 values"),
        ("x = {number = 1, whole = 2, optional = 1}", Entry, r"x\.optional: 1 should be a list of 2 values"),
        ("x = {number = 1, whole = 2, optional = [1, 'a']}", Entry, r"x\.optional\[1\]: 'a' should be a number"),
        ("x = {number = 1, whole = 2, table = [1]}", Entry, r"x\.table: \[1\] should be a table"),
        ("x = {number = 1, whole = 2, table = {y = 'a'}}", Entry, r"x\.table\.y: 'a' should be a whole number"),
        ("x = 1", tuple[Part, ...], r"x: 1 should be a list of values"),
        ("x = ['a']", tuple[Part, ...], r"x\[0\]: 'a' should be a table"),
        ("x = [{curve = 'pink'}]", tuple[Part, ...], r"x\[0\]: kind is missing"),
        (
            "x = [{kind = 'bang'}]",
            tuple[Part, ...],
            r"x\[0\]\.kind: 'bang' is not one of wash, drone, voice",
        ),
        ("x = [{kind = ['wash']}]", tuple[Part, ...], r"x\[0\]\.kind: \['wash'\] is not one of wash"),
        ("x = [{kind = 'wash'}]", tuple[Part, ...], r"x\[0\]: curve is missing"),
        ("x = [{kind = 'wash', curve = 'punk'}]", tuple[Part, ...], r"x\[0\]\.curve: 'punk' is no curve .*'pink'"),
        ("x = {curve = [[1, 2]]}", Material, r"x\.curve: \[\[1, 2\]\] is no curve of curves\.toml"),
        (
            "x = {curve = 'pink', level_db = 0, rhythm = 'waltz'}",
            Layer,
            r"x\.rhythm: 'waltz' is not one of steady, wander, passes, talk",
        ),
        ("x = {layers = 1,}", Recipe, r"x\.toml: is no TOML: .*line 1"),
    ],
)
def test_what_a_table_should_not_have_is_refused_with_its_place(
    text: str, kind: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, kind)


def _with_sizes(monkeypatch: pytest.MonkeyPatch, folder: Path, old: str, new: str) -> None:
    text = (files("asc_bench.synthetic.resources") / "sizes.toml").read_text()
    assert old in text
    (folder / "sizes.toml").write_text(text.replace(old, new, 1))
    module = sys.modules[sizes.__module__]
    monkeypatch.setattr(module, "read_table", lambda file, kind: read_table(file, kind, folder=folder))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "tau_2019.unused.every",
            "tau_2019.other.every",
            r"tiny\.tau_2019: .*other.* should be train, test",
        ),
        ("tau_2019.unused.every_scene", "tau_2019.unused.bus", r"tiny\.tau_2019\.unused: there is bus, where"),
        (
            "litis.every_label",
            "litis.avion",
            r"sizes\.toml: tiny\.litis: there is avion, where there should be",
        ),
    ],
)
def test_a_size_without_a_part_or_a_scene_is_refused(
    old: str, new: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _with_sizes(monkeypatch, tmp_path, old, new)
    with pytest.raises(DataError, match=message):
        sizes.__wrapped__()


def test_sizes_that_are_written_short_are_drawn_out() -> None:
    assert list(sizes()) == ["tiny", "small", "medium", "full"]
    tiny, full = sizes()["tiny"], sizes()["full"]
    assert tiny.dares == (Places(3, 3),) * 4
    assert full.dares == (Places(5, 5),) * 19 + (Places(4, 4),) * 7
    assert set(tiny.litis) == set(full.litis)
    assert set(tiny.litis.values()) == {Places(3, 3)}
    assert [part.name for part in tiny.tau_2019] == ["train", "test", "test", "unused"]
    assert [part.cities == ("milan",) for part in tiny.tau_2019] == [False, False, True, True]
    assert all(list(part.shares) == sorted(scenes()) for part in (*tiny.tau_2019, *full.tau_2019, *full.tut_2018))


def test_recipes_name_events_and_coarse_classes_that_exist() -> None:
    of_scenes = {happening.event for recipe in scenes().values() for happening in recipe.happenings}
    of_palettes = {event for palette in palettes().values() for event in palette.events}
    assert of_scenes | of_palettes <= set(EVENTS)
    assert set(palettes()) <= set(taxonomy()["coarse_label"])
    assert all(len(palette.curves) >= 3 and len(palette.events) >= 4 for palette in palettes().values())


def test_ranges_ascend_from_above_zero_and_curves_ascend_in_frequency() -> None:
    for curve in curves().values():
        hz = [hz for hz, _ in curve]
        assert hz == sorted(set(hz)) and hz[0] > 0
    recipes = [*scenes().values(), *palettes().values(), *task4_sounds().values(), *materials().values()]
    parts = [part for each in esc_classes().values() for part in each]
    parts += [part for sound in task4_sounds().values() for part in sound.parts]
    motors = [motor for recipe in scenes().values() for motor in recipe.motors]
    n_ranges = 0
    for its in (*recipes, *parts, *motors):
        for name in ("rt60_s", "motor_hz", "length_s", "every_s", "count", "n_events", "hz", "f0_hz", "am_hz",
                     "sweep_hz", "decay_s"):  # fmt: skip
            low, high = getattr(its, name, None) or (1, 1)
            n_ranges += (low, high) != (1, 1)
            assert 0 < low <= high < math.inf, (its, name)
    assert n_ranges > 200


def test_tables_are_read_when_they_are_asked_for_and_once() -> None:
    code = (
        "import asc_bench.synthetic as s, asc_bench.synthetic.recipes as r, asc_bench.synthetic.resources as t\n"
        "tables = (s.sizes, r.scenes, r.esc_classes, r.task4_sounds, r.materials, r.palettes, t.curves)\n"
        "assert [f.cache_info().currsize for f in tables] == [0] * 7\n"
        "assert all(f() is f() for f in tables)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
