"""The storm counts what was lost; and, slowly, loses nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.storm.damage import DAMAGES, PAGE, damage
from tests.storm.kind import Kind, carry_out, leftovers, require, table
from tests.storm.place import Ground, Place


def test_what_was_lost_is_counted_said_and_kept(tmp_path: Path) -> None:
    def survives(place: Place) -> None:
        place.folder.mkdir(parents=True)
        place.n_faults += 3

    def loses(place: Place) -> None:
        place.folder.mkdir(parents=True)
        place.n_faults += 2
        require(False, f"drew {place.rng.random()}")

    def crashes(place: Place) -> None:
        raise ValueError("before any fault")

    kinds = [Kind("first", "", [survives, loses]), Kind("second", "", [crashes, survives], beside=False)]
    counts, again, other = (
        carry_out(kinds, Ground(tmp_path / str(i)), seed, 2) for i, seed in enumerate((7, 7, 8))
    )
    assert [(c.n_tried, len(c.losses)) for c in counts] == [(5, 1), (4, 1)]
    drawn = [c[0].losses[0].partition(" (in ")[0] for c in (counts, again, other)]
    assert drawn[0].startswith("first: drew 0.") and drawn[0] == drawn[1] != drawn[2]
    assert counts[1].losses[0].startswith("second: ValueError: before any fault")
    assert [path.name for path in (tmp_path / "0" / "places").iterdir()] == ["00-001"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table(counts).splitlines()[2:]]
    assert rows == [["first", "5", "4", "1"], ["second", "4", "3", "1"], ["all", "9", "7", "2"]]


@pytest.mark.parametrize("how", DAMAGES)
def test_damage_does_what_it_is_called(tmp_path: Path, how: str) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    other.write_bytes(b"other")
    for seed in range(20):
        before = bytes(range(1, 256)) * 8
        path.write_bytes(before)
        assert damage(path, how, random.Random(seed), other=other)
        after = path.read_bytes()
        changed = [(x, y) for x, y in zip(before, after, strict=False) if x != y]
        right = {
            "flipped bit": len(after) == len(before) and [(x ^ y).bit_count() for x, y in changed] == [1],
            "cut": 0 < len(after) < len(before) and not changed,
            "block of zeros": len(after) == len(before)
            and 0 < len(changed) <= 512
            and {y for _, y in changed} == {0},
            "empty": after == b"",
            "swapped": after == b"other",
            "web page": after == PAGE,
        }
        assert right[how]
    path.write_bytes(bytes(4096))
    assert damage(path, how, random.Random(0), other=path) == (how not in ("swapped", "block of zeros"))


def test_leftovers_are_found(tmp_path: Path) -> None:
    whole = tmp_path / "runs" / "data" / "smoke" / "system" / "fold1"
    whole.mkdir(parents=True)
    (whole / "manifest.json").touch()
    assert leftovers(tmp_path) == []
    unfinished = [
        whole.with_name(".fold2.1-ab.tmp"),
        tmp_path / "scratch" / "k",
        tmp_path / "features" / "x.partial",
    ]
    for folder in (*unfinished, whole.with_name("fold3")):
        folder.mkdir(parents=True)
    assert set(leftovers(tmp_path)) == {*unfinished, whole.with_name("fold3")}


@pytest.mark.slow
def test_a_short_storm_loses_nothing() -> None:
    command = [sys.executable, "-m", "tests.storm", "--rounds", "1", "--seed", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
