"""One setting for a table of several protocols."""

from __future__ import annotations

import pytest

from asc_bench.errors import ConfigError
from asc_bench.reporting.setting import Setting


def setting(protocol: str, version: int, day: str, *, budget: str = "quick") -> Setting:
    manifest = {
        "protocol": protocol,
        "protocol_title": protocol.title(),
        "protocol_version": version,
        "dataset": f"{protocol}-data",
        "synthetic": False,
        "budget": budget,
        "fold": "fold1",
        "repeat": 0,
        "expected": {"fold1": {"": 1}},
        "started": f"{day}T12:00:00+00:00",
    }
    return Setting.of([manifest])


def test_each_protocol_keeps_its_version_and_the_days_span_all() -> None:
    both = Setting.together([setting("one", 1, "2026-02-02"), setting("two", 3, "2026-01-01")])
    assert both.title == "One and Two: one-data and two-data, quick budget, 1 seed"
    assert both.provenance == (
        "Protocol one, version 1, and two, version 3. Runs started 2026-01-01 to 2026-02-02 (UTC)."
    )
    alone = setting("one", 1, "2026-02-02")
    assert Setting.together([alone]) == alone


def test_budgets_do_not_mix() -> None:
    with pytest.raises(ConfigError, match="runs of different budget cannot share a table: paper, quick"):
        Setting.together([setting("one", 1, "2026-02-02"), setting("two", 1, "2026-02-02", budget="paper")])


def test_a_part_of_the_folds_is_named() -> None:
    manifests = [
        {
            "protocol": "esc",
            "protocol_title": "ESC",
            "protocol_version": 1,
            "dataset": "esc",
            "synthetic": False,
            "budget": "quick",
            "fold": fold,
            "repeat": 0,
            "expected": {key: {"": 1} for key in ("fold1", "fold2", "fold3")},
        }
        for fold in ("fold3", "fold1", "fold2")
    ]
    assert Setting.of(manifests[:2]).title.endswith("1 seed, fold1 and fold3 only")
    assert Setting.of(manifests).title.endswith("1 seed")
