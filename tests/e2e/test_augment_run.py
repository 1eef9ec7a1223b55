"""``--augment``, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

ON_TINY = ("-p", "dcase2018", "--synthetic", "--synthetic-size", "tiny", "-b", "smoke")


def test_augmented_run_says_so_everywhere_and_stands_apart(cli, tmp_path: Path) -> None:
    plain = cli("run", *ON_TINY, "-s", "toy-a")
    assert plain.returncode == 0 and "augmentation" not in plain.stdout, plain.stderr
    done = cli("run", *ON_TINY, "-s", "toy-a", "--augment", "2")
    assert done.returncode == 0, done.stderr
    assert "smoke budget, 1 seed, augmentation 2" in done.stdout
    assert "2 of the 20 deformations" in done.stdout
    manifests = {
        m["augmentation"]: m
        for path in tmp_path.glob("results/runs/*/smoke/*/*/manifest.json")
        for m in [json.loads(path.read_text())]
    }
    assert set(manifests) == {"", "2"}
    n_train = manifests["2"]["n_clips"]["train"]
    assert manifests[""]["n_clips"]["train"] == n_train == manifests[""]["n_training_examples"]
    assert manifests["2"]["n_training_examples"] == 3 * n_train
    assert manifests["2"]["n_clips"]["test"] == manifests[""]["n_clips"]["test"]

    shown = cli("report", "-p", "dcase2018", "--synthetic", "-b", "smoke", "--augment", "2")
    assert shown.returncode == 0 and "augmentation 2" in shown.stdout, shown.stderr
    told = cli("explain", manifests["2"]["key"][:12])
    assert f"augmentation 2: {3 * n_train} training examples" in told.stdout
    assert "nothing it depends on has changed" in told.stdout


def test_wrong_name_is_answered_with_the_near_one(cli) -> None:
    refused = cli("run", *ON_TINY, "-s", "toy-a", "--augment", "drk")
    assert refused.returncode == 2 and "did you mean 'drc'" in refused.stderr, refused.stderr
