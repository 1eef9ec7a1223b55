"""``augment=`` and ``plan.FIELD=`` on the command line: runs, tables, what is skipped, resuming, information."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.inside import Cli, inside

ON_TINY = ("-p", "dcase2018", "--synthetic", "--synthetic-size", "tiny", "-b", "smoke", "--threads", "1")
NAMES = (
    "sb-cnn[augment=mixup+gain(db=6.0),plan.iterations=3]",
    "sb-cnn[augment=none,plan.iterations=3]",
    "sample-cnn[augment=simulated-response(devices=A+B)+roll,plan.iterations=2]",
)


@pytest.fixture(scope="module")
def cli(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    with inside(tmp_path_factory.mktemp("settings"), cache) as (run, _):
        yield run


def test_runs_are_named_stored_and_found_by_their_settings(cli: Cli) -> None:
    typed = (
        "sb-cnn[plan.iterations=3,augment=mixup(0.3)+gain(6)|none],"
        "sample-cnn[augment=simulated-response(devices=A+B)+roll,plan.iterations=2],sb-cnn[plan.patience=2]"
    )
    done = cli("run", *ON_TINY, "-s", typed)
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        assert name in done.stdout
    assert "skipped: plan.patience=2: training plan:" in done.stdout
    manifests = {
        m["variant"]: m
        for path in Path().glob("results/runs/*/smoke/*/*/manifest.json")
        for m in [json.loads(path.read_text())]
    }
    assert sorted(manifests) == sorted(NAMES)
    first = manifests[NAMES[0]]
    assert first["params"]["augment"] == "mixup+gain(db=6.0)" and first["params"]["plan.iterations"] == "3"
    assert first["needs_device"] == manifests[NAMES[2]]["needs_device"] == "no"
    assert first["seed"] != manifests[NAMES[1]]["seed"]

    again = cli("run", *ON_TINY, "-s", ",".join(NAMES))
    assert again.returncode == 0 and "0 to compute" in again.stderr, again.stderr
    listed = cli("report", *ON_TINY[:3], "-b", "smoke", "-s", NAMES[0])
    assert listed.returncode == 0 and NAMES[0] in listed.stdout, listed.stderr


def test_information_names_every_setting(cli: Cli) -> None:
    shown = cli("info", "sb-cnn[augment=mixup+specaugment(time=20),plan.batch_size=7]")
    assert shown.returncode == 0, shown.stderr
    assert "training plan (budget paper; changed here)" in shown.stdout
    assert "    augment = mixup+specaugment(time=20.0)\n    plan.batch_size = 7\n" in shown.stdout
    assert "freq-mixstyle       p=0.4, alpha=0.3, share=clip" in cli("list", "transforms").stdout
    own = cli("info", "bc-resnet-mod").stdout
    assert "augment=specaugment(frequency=40,time=80,n_frequency=2,n_time=2)+mixup+roll(seconds=1.5)" in own
    assert "plan.schedule=cosine(warmup=0.05)" in own


def test_wrong_settings_are_answered_with_the_near_ones(cli: Cli) -> None:
    for setting, hint in (
        ("augment=mixpu", "did you mean 'mixup'"),
        ("plan.epoch=3", "did you mean 'plan.epochs'"),
    ):
        refused = cli("run", *ON_TINY, "-s", f"sb-cnn[{setting}]")
        assert refused.returncode == 2 and hint in refused.stderr, refused.stderr
