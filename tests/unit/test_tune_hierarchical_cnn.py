"""The comparison of training recipes on validation clips: what it reads, what it writes, and going on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from asc_bench.bench.source import Source
from asc_bench.training.batches import Batch
from tests.benchmarks import tune_hierarchical_cnn as tune
from tests.benchmarks.tune_hierarchical_cnn import Recipe

SMALL = "narrow=25,batch=4,steps=3"


@pytest.fixture(autouse=True)
def _same_number_of_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_recipes_are_read_from_text() -> None:
    assert Recipe.of("") == Recipe()
    assert Recipe.of("windows=0,srip=0.1,dropout=all") == Recipe(windows=0, srip=0.1, dropout="all")
    with pytest.raises(ValueError, match="there is no 'window' in a recipe; there are windows, nth, nth_windows"):
        Recipe.of("window=2")


def test_curves_are_written_once_and_trainings_go_on(tiny: Source, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "grid.csv"
    # Rows of 3 updates: validations after 2 and at the end.
    given = ["--out", str(out), "--recipe", SMALL, "--every", "2"]
    assert tune.main(given, tiny) == 0
    found = rows(out)
    assert [row["step"] for row in found] == ["2", "3"]
    assert {row["narrow"] for row in found} == {"25"} and {row["fold"] for row in found} == {"1"}
    assert all(0 <= float(row["accuracy"]) <= 100 and float(row["loss"]) > 0 for row in found)
    assert found[0]["cpu_s"] == "" and 1 / 3 < float(found[1]["largest"]) < 1

    trained = []
    whole = tune.trained
    monkeypatch.setattr(tune, "trained", lambda *a, **k: trained.append(a[3]) or whole(*a, **k))
    assert tune.main([*given, "--seeds", "0", "1"], tiny) == 0
    assert trained == [1], "seed 0 is in the file already"
    assert rows(out)[:2] == found and len(rows(out)) == 4


def windows(system: tune.Tuned, n: int) -> list[int | None]:
    """What the updates of a training of ``n`` draw."""
    return [system.windows_drawn(Batch(torch.empty(0), step=i, progress=i / n)) for i in range(n)]


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("", [1, 1, 1, 1, 1, 1]),
        ("windows=0", [None] * 6),
        ("windows=2,whole=0.5", [2, 2, 2, None, None, None]),
        ("nth=3", [1, 1, None, 1, 1, None]),
        ("nth=2,nth_windows=2", [1, 2, 1, 2, 1, 2]),
    ],
)
def test_which_windows_a_recipe_draws(recipe: str, expected: list[int | None], tiny: Source) -> None:
    bench = tiny.bench("esc10", lambda fraction, text: None)
    assert windows(tune.tuned(Recipe.of(recipe), bench.task(bench.folds[0]), every=0), 6) == expected


def test_the_recipe_is_what_is_trained(tiny: Source) -> None:
    bench = tiny.bench("esc10", lambda fraction, text: None)
    recipe = Recipe.of("batch=3,steps=5,srip=0.3,p=0.5,rate=0.01,narrow=25,clip=3,dropout=all,pipelines=long")
    system = tune.tuned(recipe, bench.task(bench.folds[0]), every=5)
    plan = system.training_plan()
    assert (plan.batch_size, plan.iterations, plan.learning_rate, plan.validate_every) == (3, 5, 0.01, 5)
    assert plan.clip_gradient_norm == 3.0 and system.orthogonality_weight == {"srip": 0.3}
    assert (system.params.dropout, system.params.names) == ("all", ("long",))
    # Equation 7 of Ranjan et al.: ln(0.5 (10 - 2) / 0.5) for ten classes.
    assert system.build().heads["fine"].scale == pytest.approx(np.log(8))
