"""Which device and how many threads each of the runs of a machine gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from asc_bench.bench.host import n_cores
from asc_bench.errors import ConfigError
from asc_bench.runs.runner import skipped
from asc_bench.runs.settings import Settings
from asc_bench.training.device import choose_device, choose_devices
from tests.unit.made_runs import made_bench, specs_of


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch says of a machine with three of them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


ALL = ("cuda:0", "cuda:1", "cuda:2")


@pytest.mark.usefixtures("three_gpus")
@pytest.mark.parametrize(
    ("name", "n_jobs", "devices"),
    [
        ("cuda:*", 1, ALL),
        ("cuda:*", 5, ALL),
        ("auto", 1, ("cuda",)),
        ("auto", 2, ALL),
        ("cuda", 2, ("cuda",)),
        ("cuda:1", 2, ("cuda:1",)),
        ("cpu", 2, ("cpu",)),
    ],
)
def test_runs_are_spread_over_gpus_where_these_are_asked_for(
    name: str, n_jobs: int, devices: tuple[str, ...]
) -> None:
    assert choose_devices(name, n_jobs) == devices


def test_without_a_gpu_all_of_them_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_devices("auto", 4) == ("cpu",)
    with pytest.raises(ConfigError, match="sees 0 GPUs here"):
        choose_devices("cuda:*", 1)
    with pytest.raises(ConfigError, match="spreads the runs of one machine over its GPUs; name one here, or auto"):
        choose_device("cuda:*")


@pytest.mark.parametrize(
    ("asked", "n_sharing", "expected"), [(0, 1, n_cores()), (0, 1000, 1), (3, 1, 3), (3, 1000, 3)]
)
def test_the_cores_of_a_machine_are_shared_among_its_runs(asked: int, n_sharing: int, expected: int) -> None:
    here = Settings(Path("cache"), "cpu", n_threads=asked).here(n_sharing=n_sharing)
    assert (here.n_threads, here.device) == (expected, "cpu")


@pytest.mark.parametrize("device", ["cuda", "cuda:*"])
def test_planning_asks_for_no_gpu(tmp_path: Path, device: str) -> None:
    """A login node, which has none, plans the runs of a cluster."""
    bench = made_bench()
    run = skipped(specs_of(bench, "sb-cnn")[0], bench, Settings(cache=tmp_path, device=device))
    assert run.manifest["device"] == device and "gpu" not in run.manifest["host"]
