"""The same results for machines: one long frame each, full precision, nothing formatted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from asc_bench.limits import Limits
from asc_bench.reporting.columns import COLUMNS, Row, over_limits
from asc_bench.reporting.outcome import outcomes
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.scoring.measure import Measure

_SCORE = ("value", "low", "high", "n_repeats")


def tidy_results(
    scores: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    measures: Sequence[Measure],
    published: Mapping[str, Mapping[str, float]],
    source_only: Mapping[str, float] | None = None,
    limits: Limits | None = None,
) -> pd.DataFrame:
    """One row per system and measure, scored or not.

    Returns
    -------
    DataFrame
        ``system, measure, unit, higher_is_better``, ``value, low, high, n_repeats`` of the score table (percent as
        fractions), the columns of the printed table by their ``key`` (``published`` is empty where nothing is
        comparable, ``status`` when all is well; times of a clip are there if any run was timed), ``over_limits``
        (quantities, where there are limits), ``source_alone`` (``source_only`` of the measure, where there is one),
        the setting, and ``runs``: the keys of the runs behind the row.
    """
    setting = Setting.of(manifests)
    rows = []
    for outcome in outcomes(scores, manifests, measures):
        for measure in measures:
            score = outcome.score(measure.name) or {}
            printed = published.get(outcome.system, {}).get(measure.name) if setting.comparable else None
            row = Row(outcome, measure, printed, limits)
            rows.append(
                {
                    "system": outcome.system,
                    "measure": measure.name,
                    "unit": measure.unit,
                    "higher_is_better": measure.higher_is_better,
                    **{column: score.get(column, math.nan) for column in _SCORE},
                    **{column.key: column.value(row) for column in COLUMNS if column.value},
                    **({"over_limits": ", ".join(over_limits(outcome, limits))} if limits else {}),
                    **({"source_alone": source_only.get(measure.name, math.nan)} if source_only else {}),
                    "protocol": setting.protocol,
                    "protocol_version": setting.protocol_version,
                    "dataset": setting.dataset,
                    "synthetic": setting.synthetic,
                    "synthetic_size": setting.synthetic_size,
                    "budget": setting.budget,
                    "selection": setting.selection,
                    "augmentation": setting.augmentation,
                    "runs": " ".join(str(m["key"]) for m in outcome.manifests if m["status"] != "skipped"),
                }
            )
    frame = pd.DataFrame(rows)
    unknown = [column.key for column in COLUMNS if column.where_known and frame[column.key].isna().all()]
    frame = frame.drop(columns=unknown)
    return frame.astype(dict.fromkeys(("n", "n_locations", "n_repeats"), "Int64"))


def tidy_runs(manifests: Sequence[Manifest]) -> pd.DataFrame:
    """One row per run, one column per value of its manifest; ``durations_s.fit`` is a nested one.

    The versions of packages, the host and what the run key was made of stay in the manifests.
    """
    left_out = {"versions", "host", "key_parts", "expected", "class_counts", "files"}
    return pd.DataFrame([dict(_flat({k: v for k, v in m.items() if k not in left_out})) for m in manifests])


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
