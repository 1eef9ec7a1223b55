"""What the reliability tests share: digests of results, and the log of fits."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path


def digests(results: Path) -> dict[str, str]:
    """sha256 of every stored prediction file, by its place."""
    found = (results / "runs").rglob("predictions.parquet") if results.exists() else ()
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(results).parts)
    }


def fits(log: Path) -> Counter[str]:
    """How often each toy was fitted."""
    lines = log.read_text().splitlines() if log.exists() else []
    return Counter(json.loads(line)[1] for line in lines)


def run_arguments(results: Path, systems: str, *more: str) -> list[str]:
    """A small ``run`` command."""
    return [
        *("run", "--protocol", "dcase2018", "--systems", systems, "--synthetic", "--synthetic-size", "tiny"),
        *("--budget", "smoke", "--results", str(results), *more),
    ]
