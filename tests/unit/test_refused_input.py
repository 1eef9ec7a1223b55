"""Input that is refused before anything is computed, with the cause that it has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from asc_bench.budget import Budget
from asc_bench.errors import ConfigError
from asc_bench.runs.plan import why_not
from asc_bench.runs.slurm import SlurmOptions
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import parse_variants, variant_of
from asc_bench.stored_results import require_folds, stored_results
from asc_bench.training.device import choose_devices, uses_gpu
from asc_bench.training.plan import TrainingPlan
from asc_bench.training.transforms.base import Transform
from asc_bench.training.transforms.table import TRANSFORMS
from tests.unit.made_runs import made_bench, publish, specs_of


def test_all_gpus_where_there_is_none_are_named_as_they_were_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"^device 'cuda:\*': torch .* sees 0 GPUs here; use cpu or auto$"):
        choose_devices("cuda:*", 2)
    assert uses_gpu("cuda:1") and uses_gpu("cuda:*") and not uses_gpu("cpu")


@pytest.mark.parametrize("setup", ['"module load cuda"', "3", '["module load cuda", 3]'])
def test_commands_of_slurm_that_are_no_list_of_texts(tmp_path: Path, setup: str) -> None:
    file = tmp_path / "slurm.toml"
    file.write_text(f"time = 60\nsetup = {setup}\n")
    with pytest.raises(ConfigError, match=r"slurm\.toml: setup is .*, but must be a list of commands, such as"):
        SlurmOptions.read(file)
    file.write_text('time = 60\nsetup = ["module load cuda"]\n')
    assert SlurmOptions.read(file).options["setup"] == ["module load cuda"]


def test_a_plan_that_is_no_mapping() -> None:
    with pytest.raises(ConfigError, match=r"^plan is 5, but must be a mapping of fields of TrainingPlan, such as"):
        variant_of("sb-cnn", plan=5)
    assert str(variant_of("sb-cnn", plan={"epochs": 5})) == "sb-cnn[plan.epochs=5]"


def test_a_fold_that_no_run_is_stored_of(tmp_path: Path) -> None:
    store, bench = ResultsStore(tmp_path), made_bench()
    publish(store, bench, specs_of(bench, "sb-cnn")[0])
    (found,) = stored_results(tmp_path, "dcase2018", budget="paper", folds="split10").values()
    with pytest.raises(ConfigError, match=r"^no run of 'split10' is stored; there are: fold1$"):
        require_folds(found)


@pytest.mark.parametrize(
    ("change", "shape"),
    [
        ("plan.crop=none", "(431, 128)"),
        ("plan.crop=crop(length=64,n_test=2)", "(64, 128)"),
        ("plan.crop=crop(length=128,n_test=2)", ""),
        ("plan.epochs=3", ""),
    ],
)
def test_excerpts_that_the_network_does_not_take_are_refused_when_runs_are_planned(change: str, shape: str) -> None:
    bench = made_bench()
    (variant,) = parse_variants(f"sb-cnn[{change}]")
    reason = why_not(variant.build(bench.task(bench.folds[0]), Budget.PAPER))
    assert bool(reason) == bool(shape)
    if reason:
        assert reason.text.startswith(f"plan.crop: the network does not take examples of shape {shape}: ")


@pytest.mark.parametrize("name", [n for n in TRANSFORMS if "response" not in n])
@pytest.mark.parametrize("value", ["a", None, True, [1]])
def test_a_parameter_of_another_type(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}: \w+ is .*, but must be of the type float$"):
        TRANSFORMS[name](value)


def test_parameters_of_simple_types_are_taken() -> None:
    import numpy as np

    assert TRANSFORMS["mixup"](1).alpha == 1
    assert TRANSFORMS["mixup"](np.float32(0.5)).alpha == 0.5
    assert TRANSFORMS["specaugment"](value=None).value is None
    with pytest.raises(ConfigError, match="share is 'each', but must be of the type Literal"):
        TRANSFORMS["freq-mixstyle"](share="each")


@dataclass(frozen=True)
class Own(Transform):
    """One of a user's own, that checks nothing."""

    name: ClassVar[str] = "own"
    strength: float = 1.0
    table: tuple[int, ...] = ()

    def __call__(self, batch, given):
        return batch


def test_a_plan_looks_at_the_parameters_of_a_transform_of_ones_own() -> None:
    assert TrainingPlan(batch_size=2, epochs=1, augment=(Own(2, (1, 2)),)).augment[0].table == (1, 2)
    with pytest.raises(ConfigError, match="augment: own: strength is 'much', but must be of the type float"):
        TrainingPlan(batch_size=2, epochs=1, augment=(Own("much"),))
