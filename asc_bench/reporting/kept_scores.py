"""Scores of many systems, one at a time, kept until a run or the code changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from asc_bench.bench import keys
from asc_bench.files import write_atomic
from asc_bench.protocol import Protocol
from asc_bench.runs.store import StoredRun
from asc_bench.scoring.decisions import segment_runs
from asc_bench.scoring.frames import SCORE_COLUMNS, score_table
from asc_bench.scoring.measure import SEGMENT_MEASURES
from asc_bench.scoring.predictions import stack_runs

SCORES = "scores.json"


def scored(protocol: Protocol, runs: Mapping[str, Sequence[StoredRun]], folder: Path) -> pd.DataFrame:
    """``score_table`` of every system, for all measures of the protocol.

    Where clips have several labels, a measure is one of ``SEGMENT_MEASURES``, such as ``detection error rate``.

    Parameters
    ----------
    protocol : Protocol
        Of all runs.
    runs : mapping
        Variant to its runs, all of them done.
    folder : Path
        Keeps the scores in ``scores.json``; they are read back while they, runs, protocol and code are the same.
    """
    code = keys.package_digest("asc_bench.scoring")
    return remembered(protocol, runs, folder, lambda its: _score(protocol, its), code=code)


def remembered(
    protocol: Protocol,
    runs: Mapping[str, Sequence[StoredRun]],
    folder: Path,
    score: Callable[[Sequence[StoredRun]], pd.DataFrame],
    *,
    code: str,
    columns: Sequence[str] = SCORE_COLUMNS,
) -> pd.DataFrame:
    """Scores of every system, computed unless they are those that were kept.

    Parameters
    ----------
    protocol, runs, folder
        As in ``scored``.
    score : callable
        Gives the rows of a system from its runs.
    code : str
        Digest of the code that they come from.
    columns : sequence of str
        Those of the rows.
    """
    stamp = {
        "runs": {variant: [run.manifest["digest"] for run in its] for variant, its in runs.items()},
        "protocol": [protocol.name, protocol.version],
        "code": code,
    }
    kept = _kept(folder / SCORES)
    if kept.get("stamp") == stamp:
        return pd.DataFrame(kept["scores"], columns=list(columns))
    frames = [score(its) for its in runs.values()]
    scores = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(columns))
    # JSON gives back the very numbers; what pandas reads from CSV may differ in the last bit.
    content = {"stamp": stamp, "scores": scores.to_dict("records")}
    write_atomic(folder / SCORES, json.dumps(content | {"digest": keys.digest(content)}, indent=1))
    return scores


def _score(protocol: Protocol, runs: Sequence[StoredRun]) -> pd.DataFrame:
    # A run keeps the predictions it has read; dozens of them at a time would fill the memory.
    fresh = (StoredRun(run.folder, run.manifest) for run in runs)
    if protocol.multi_label:
        decided = segment_runs(((run.manifest, run.segments) for run in fresh), protocol.labels)
        return score_table(decided, SEGMENT_MEASURES, expected=runs[0].manifest["expected"])
    predictions = stack_runs((run.manifest, run.predictions) for run in fresh)
    manifest = runs[0].manifest
    measures = protocol.measures_on(manifest.get("sources", ()))
    return score_table(predictions, measures, expected=manifest["expected"])


def _kept(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        return content if content.pop("digest") == keys.digest(content) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
