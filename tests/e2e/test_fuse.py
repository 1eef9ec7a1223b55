"""``asc-bench fuse`` as a user types it: stored runs in, tables out, and refusals before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.conftest import Cli

DATA = ("-p", "dcase2018", "--synthetic", "--synthetic-size", "tiny", "--budget", "smoke")


def test_fuse_stored_runs_and_refuse_what_is_not_there(cli: Cli, tmp_path: Path) -> None:
    missing = cli("fuse", "toy-a", "toy-b[jitter=0.5]", *DATA)
    assert missing.returncode == 2 and "asc-bench run -s 'toy-a,toy-b[jitter=0.5]'" in missing.stderr
    assert not list(tmp_path.glob("results/runs/**/manifest.json"))
    assert cli("run", "-s", "toy-a,toy-b[jitter=0.5]", *DATA).returncode == 0

    fused = cli("fuse", "toy-a", "toy-b[jitter=0.5]", *DATA, "--rule", "mean,rank")
    assert fused.returncode == 0, fused.stderr
    lines = fused.stdout.splitlines()
    for system in ("toy-a", "toy-b[jitter=0.5]", "fusion[members=toy-a+toy-b[jitter=0.5]]"):
        assert any(line.startswith(system) for line in lines)
    (written,) = tmp_path.glob("results/tables/*/smoke/fusions/*/complementarity.csv")
    (pair,) = pd.read_csv(written).to_dict("records")
    either = pair["both right"] + pair["only A right"] + pair["only B right"]
    assert abs(either - pair["oracle"]) < 0.3 and abs(either + pair["neither"] - 100) < 0.3

    unfitted = cli("fuse", "toy-a", "toy-b[jitter=0.5]", *DATA, "--rule", "stacking")
    assert unfitted.returncode == 2 and "use --hold-out" in unfitted.stderr
    alone = cli("fuse", "toy-a", *DATA)
    assert alone.returncode == 2 and "toy-a alone is no fusion" in alone.stderr
