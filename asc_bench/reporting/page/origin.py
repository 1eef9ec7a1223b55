"""Where the numbers of the page come from: runs, failures, versions, machines, and the commands that make them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from asc_bench.registry import protocols
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.setting import Manifest
from asc_bench.reporting.text import MISSING, one_line, seconds
from asc_bench.runs.transfer import TRANSFER

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
    return {"facts": facts, "commands": _commands(evaluation), "provenance": evaluation.setting.provenance}


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


def _commands(evaluation: Evaluation) -> list[str]:
    """What makes the runs and their tables again; none for a protocol that a command line cannot name.

    A transfer names its source in other words than ``run`` takes: of transfers the tables alone are made again.
    """
    setting, manifests = evaluation.setting, evaluation.manifests
    if setting.protocol not in protocols().found:
        return []
    variants = dict.fromkeys(str(m["variant"]) for m in manifests if m["status"] != "skipped")
    words = ["-p", setting.protocol, "-s", ",".join(variants), "--budget", setting.budget]
    words += {"test": ["--as-published"], "held-out": ["--hold-out"]}.get(setting.selection, [])
    words += ["--augment", setting.augmentation] if setting.augmentation else []
    words += ["--folds", ",".join(setting.folds)] if setting.folds else []
    words += ["--unofficial-split"] if setting.unofficial_split else []
    words += ["--unofficial-files"] if setting.unofficial_files else []
    words += ["--synthetic"] if setting.synthetic else []
    commands = [shlex.join(["asc-bench", "report", *words])]
    if any(m["system"] == TRANSFER for m in manifests):
        return commands
    joined = list(manifests[0].get("sources") or ())
    words += ["--sources", ",".join(joined)] if len(joined) < len(protocols().get(setting.protocol).sources) else []
    words += ["--synthetic-size", setting.synthetic_size] if setting.synthetic_size else []
    words += ["--repeats", str(setting.n_repeats)] if setting.n_repeats > 1 else []
    return [shlex.join(["asc-bench", "run", *words]), *commands]
