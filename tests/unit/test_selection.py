"""What may be chosen on which clips: the three selections, and what they leave in keys and titles."""

from __future__ import annotations

import pytest

from asc_bench.bench.bench import Bench, Selection
from asc_bench.bench.examples import limited
from asc_bench.budget import Budget
from asc_bench.cli import options
from asc_bench.errors import ConfigError
from asc_bench.protocol import Fold
from asc_bench.reporting.setting import Setting
from asc_bench.runs.plan import plan
from asc_bench.runs.variant import parse_variants

OWN, HELD_OUT, TEST = Selection.OWN, Selection.HELD_OUT, Selection.TEST


@pytest.mark.parametrize(
    ("selection", "chooses", "train", "validation"),
    [
        (OWN, True, {1, 2}, {3}),
        (OWN, False, {1, 2, 3}, set()),
        (HELD_OUT, True, {1, 2}, {3}),
        (HELD_OUT, False, {1, 2}, {3}),
        (TEST, True, {1, 2, 3}, {4, 5}),
        (TEST, False, {1, 2, 3}, set()),
    ],
)
def test_clips_by_selection(
    selection: Selection, chooses: bool, train: set[int], validation: set[int], bench: Bench
) -> None:
    ids = dict(enumerate(bench.clips["clip_id"][:6]))
    fold = Fold("fold1", train=(ids[1], ids[2]), validation=(ids[3],), test=(ids[4], ids[5]))
    seen = limited(fold, bench.rows, chooses, selection)
    assert {i for i in ids if ids[i] in seen.train} == train
    assert {i for i in ids if ids[i] in seen.validation} == validation
    assert seen.test == fold.test and not set(seen.train) & set(seen.test)


def test_selection_is_a_part_of_key_and_folder(bench: Bench) -> None:
    variants = parse_variants("logmel-svm")
    specs = {s: plan(bench, variants, budget=Budget.SMOKE, selection=s)[0] for s in Selection}
    assert len({spec.key for spec in specs.values()}) == 3
    assert specs[OWN].tag == bench.tag
    assert specs[TEST].tag == f"{bench.tag}-selection-test"
    assert specs[HELD_OUT].folder.startswith(f"{bench.tag}-selection-held-out/")
    assert len({spec.seed for spec in specs.values()}) == 1


def test_titles_and_notes_say_what_was_chosen_where() -> None:
    manifest = {
        "protocol": "p",
        "protocol_title": "P",
        "protocol_version": 1,
        "dataset": "d",
        "synthetic": False,
        "budget": "paper",
        "repeat": 0,
        "started": "2026-01-01T00:00:00+00:00",
    }
    plain = Setting.of([manifest])
    assert plain.title == Setting.of([{**manifest, "selection": "own"}]).title == "P: d, paper budget, 1 seed"
    published = Setting.of([{**manifest, "selection": "test"}])
    assert published.title.endswith("selection on the test split, as published")
    assert any("flatter" in caveat for caveat in published.caveats)
    with pytest.raises(ConfigError, match="runs of different selection cannot share a table"):
        Setting.of([{**manifest, "selection": "test"}, {**manifest, "selection": "own"}])


def test_flags_contradict_each_other() -> None:
    assert options.selection(True, False) is TEST and options.selection(False, True) is HELD_OUT
    with pytest.raises(ConfigError, match="give one of them"):
        options.selection(True, True)
