"""Where the numbers of the page come from: runs, failures, versions, machines, and the commands that make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.setting import Manifest
from asc_bench.reporting.text import MISSING, one_line, seconds

MOST_RUNS = 1000
"""Rows of runs that the page holds; runs.csv holds all."""
MOST_FAILURES = 50
"""Tracebacks that the page holds, of those that differ."""
_LONGEST = 20_000
"""Characters of one traceback; what is left out is its middle."""

RUN_COLUMNS = (
    "system",
    "fold",
    "repeat",
    "status",
    "features (s)",
    "train (s)",
    "predict (s)",
    "peak MiB",
    "machine",
)


def run_rows(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """Rows of a table of runs, and how many runs there are: failed ones come first, so that none is cut off."""
    ordered = sorted(
        manifests,
        key=lambda m: (m["status"] == "done", str(m["variant"]), str(m["fold"]), int(m["repeat"])),
    )
    return {
        "columns": list(RUN_COLUMNS),
        "rows": [_run_row(m) for m in ordered[:MOST_RUNS]],
        "n": len(manifests),
    }


def failures(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Runs that failed, those with one error together and the traceback of the first; and incomplete systems."""
    found: dict[str, dict[str, Any]] = {}
    for manifest in evaluation.manifests:
        if manifest["status"] not in ("failed", "skipped"):
            continue
        error = manifest.get("error") or {}
        traceback = evaluation.tracebacks.get(str(manifest["key"]), "")
        text = ": ".join(filter(None, (str(error.get("type", "")), str(error.get("message", "")))))
        entry = found.setdefault(
            f"{manifest['status']} {text}",
            {"status": str(manifest["status"]), "error": text, "traceback": _cut(traceback), "runs": []},
        )
        entry["runs"].append(f"{manifest['variant']}, {manifest['fold']}, repeat {manifest['repeat']}")
    for outcome in evaluation.outcomes:
        if outcome.incomplete and not outcome.scored and outcome.status.startswith("incomplete"):
            entry = {"status": "incomplete", "error": outcome.incomplete, "traceback": "", "runs": [outcome.system]}
            found[f"incomplete {outcome.system}"] = entry
    return list(found.values())[:MOST_FAILURES]


def sources_of_numbers(evaluation: Evaluation) -> dict[str, Any]:
    """Facts that the manifests hold, one line each, and commands; runs that differ show every value."""
    found: dict[str, dict[str, None]] = {}
    for manifest in evaluation.manifests:
        for name, value in _facts(manifest).items():
            if value not in (None, ""):
                found.setdefault(name, {})[str(value)] = None
    facts = [[one_line(name), " / ".join(map(one_line, values))] for name, values in found.items()]
    return {"facts": facts, "commands": list(evaluation.commands), "provenance": evaluation.setting.provenance}


def _facts(manifest: Manifest) -> dict[str, object]:
    host = manifest.get("host") or {}
    return {
        "protocol": f"{manifest['protocol']}, version {manifest['protocol_version']}",
        "data": manifest["dataset"],
        "audio files": manifest.get("data_files"),
        "digest of the data": (manifest.get("key_parts") or {}).get("data"),
        "digest of the code": manifest.get("code"),
        "computed on": manifest.get("device"),
        "GPU": host.get("gpu"),
        "processor": host.get("processor"),
        "operating system": host.get("system"),
        "threads": manifest.get("n_threads"),
        **{f"{split} clips": n for split, n in (manifest.get("n_clips") or {}).items()},
        **{f"version of {name}": version for name, version in sorted((manifest.get("versions") or {}).items())},
    }


def _run_row(manifest: Manifest) -> list[str]:
    took = manifest.get("durations_s") or {}
    peak = manifest.get("peak_memory_bytes")
    host = manifest.get("host") or {}
    return [
        str(manifest["variant"]),
        str(manifest["fold"]),
        str(manifest["repeat"]),
        str(manifest["status"]),
        *(seconds(took.get(phase)) for phase in ("features", "fit", "predict")),
        MISSING if peak is None else f"{peak / 2**20:,.0f}",
        one_line(host.get("gpu") or host.get("processor") or manifest.get("device") or MISSING),
    ]


def _cut(traceback: str) -> str:
    if len(traceback) <= _LONGEST:
        return traceback
    half = _LONGEST // 2
    return f"{traceback[:half]}\n[{len(traceback) - _LONGEST:,} characters left out]\n{traceback[-half:]}"
