"""Plans: order, names, seeds, and folds that are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asc_bench.bench.bench import Bench
from asc_bench.bench.examples import encode_devices, limited
from asc_bench.budget import Budget
from asc_bench.errors import ConfigError, DataError
from asc_bench.protocol import Fold
from asc_bench.runs.plan import plan
from asc_bench.runs.variant import parse_variants


def seeds(bench: Bench, systems: str, **options: object) -> dict[tuple[str, str, int], int]:
    specs = plan(bench, parse_variants(systems), budget=Budget.SMOKE, **options)  # type: ignore[arg-type]
    return {(str(s.variant), s.fold, s.repeat): s.seed for s in specs}


def test_adding_or_reordering_systems_moves_no_seed(bench: Bench) -> None:
    both = seeds(bench, "sb-cnn,logmel-svm", repeats=range(3))
    assert both == seeds(bench, "logmel-svm,sb-cnn", repeats=range(3))
    assert seeds(bench, "sb-cnn", repeats=range(2)).items() <= both.items()
    assert len(set(both.values())) == 6


def test_folders_differ_wherever_keys_do(bench: Bench) -> None:
    specs = plan(bench, parse_variants("sb-cnn,sb-cnn[bn=true]"), budget=Budget.SMOKE, repeats=range(2))
    assert len({s.folder for s in specs}) == len({s.key for s in specs}) == 4
    assert all(".." not in s.folder and s.folder.count("/") == 3 for s in specs)


def test_an_unknown_fold_is_refused_with_the_known_ones(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="dcase2018 has no fold 'fold2'; did you mean 'fold1'"):
        seeds(bench, "sb-cnn", folds=["fold2"])


def test_a_clip_in_two_splits_is_an_error(bench: Bench) -> None:
    fold = bench.folds[0]

    class Leaky(type(bench.protocol)):  # type: ignore[misc]
        def folds(self, dataset: object) -> list[Fold]:
            return [replace(fold, train=(*fold.train, fold.test[0]))]

    with pytest.raises(DataError, match="is in more than one split"):
        Bench.of(Leaky(), bench.dataset)


def test_a_system_that_ignores_validation_trains_on_it_in_table_order(bench: Bench) -> None:
    fold = bench.folds[0]
    assert limited(fold, bench.rows, True) == fold
    whole = limited(fold, bench.rows, False)
    assert set(whole.train) == {*fold.train, *fold.validation}
    assert whole.validation == ()
    rows = [bench.rows[c] for c in whole.train]
    assert rows == sorted(rows)


def test_devices_are_encoded_in_the_order_of_training() -> None:
    np.testing.assert_array_equal(encode_devices(["C", "A"], ["A", "B", "C"]), [2, 0])
    with pytest.raises(DataError, match=r"devices \['D'\] do not occur in training"):
        encode_devices(["D"], ["A", "B", "C"])
