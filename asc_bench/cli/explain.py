"""``asc-bench explain``: what a stored run depends on, and what would make it run again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo

if TYPE_CHECKING:
    from asc_bench.runs.store import StoredRun

ORIGIN = "origin"
"""Part of the key of a transfer: the run that it starts from."""


def command(
    run: Annotated[str, typer.Argument(help="The head of a run's key (see `run --dry-run`), or its folder.")],
    data: options.Data = None,
    cache: options.Cache = None,
    results: options.Results = options.RESULTS,
) -> None:
    """Say what a stored run depends on and what has changed."""
    from asc_bench.errors import DataError
    from asc_bench.runs.made_elsewhere import MADE_ELSEWHERE
    from asc_bench.runs.store import PART

    found = _find(results, run)
    m = found.manifest
    if MADE_ELSEWHERE in m:
        about = ", ".join(f"{name} {value}" for name, value in m[MADE_ELSEWHERE].items()) or "origin not stated"
        echo(f"{m['variant']} on {m['protocol']} {m['fold']}: predictions made elsewhere ({about})")
        return
    echo(f"{m['variant']} on {m['protocol']} {m['fold']}, repeat {m['repeat']}, budget {m['budget']}")
    echo(f"  key      {m['key']}\n  folder   {found.folder}\n  status   {m['status']}, finished {m['finished']}")
    seconds = ", ".join(f"{phase} {s:.1f} s" for phase, s in m["durations_s"].items())
    echo(f"  took     {seconds}; peak memory {m['peak_memory_bytes'] / 2**20:.0f} MiB; {m['n_threads']} threads")
    if timed := m.get("inference"):
        echo(f"  a clip   {_one_clip(timed)}")
    if m.get("selection", "own") != "own":
        echo(f"  choice   selection {m['selection']}")
    if m.get("augmentation"):
        echo(f"  copies   augmentation {m['augmentation']}: {m.get('n_training_examples')} training examples")
    if ORIGIN in m["key_parts"]:
        echo(f"  from     {m['key_parts'][ORIGIN]}, a run on another task")
    if not found.done:
        echo(f"  error    {m['error']['type']}: {m['error']['message']}")
    if m.get(PART):
        echo("  a teacher on a part of a fold, for a distillation: explain the run of its student")
        return
    try:
        changed = _changes(found, results, data, cache)
    except DataError as error:
        echo(f"  its recordings are not here, so it cannot be compared with the present state: {error}")
        raise typer.Exit(3) from None
    if not changed:
        echo("  nothing it depends on has changed: the same command reuses it")
    for part in changed:
        echo(f"  changed  {part}")


def _one_clip(timed: Mapping[str, Any]) -> str:
    from asc_bench.reporting.text import milliseconds

    if "total_ms" not in timed:
        return f"not timed: {timed['not_measured']}"
    total, front_end, predict = (milliseconds(timed[f"{part}_ms"]) for part in ("total", "front_end", "predict"))
    return f"{total} ms on one core of {timed['processor']} (front end {front_end}, prediction {predict})"


def _find(results: Path, text: str) -> StoredRun:
    from asc_bench.errors import ConfigError
    from asc_bench.runs.store import ResultsStore

    runs = [
        run
        for run in ResultsStore(results).iterate()
        if run.manifest["key"].startswith(text) or run.folder.resolve() == Path(text).resolve()
    ]
    if len(runs) != 1:
        what = "no stored run" if not runs else f"{len(runs)} stored runs"
        raise ConfigError(f"{what} in {results} with a key that begins with {text!r}")
    return runs[0]


def _changes(found: StoredRun, results: Path, data: list[Path] | None, cache: Path | None) -> list[str]:
    from asc_bench.bench.bench import Selection
    from asc_bench.bench.keys import changed_parts
    from asc_bench.bench.source import Source
    from asc_bench.errors import ConfigError
    from asc_bench.runs.plan import plan
    from asc_bench.runs.variant import parse_variants
    from asc_bench.runs.work import code_changed

    m = found.manifest
    size, _, seed = str(m["synthetic_size"]).partition("-seed")
    n_missing, n_trained = m.get("missing_training", (0, 1))
    source = Source(
        tuple(data or ()),
        m["synthetic"],
        size,
        int(seed or 0),
        cache,
        tuple(m.get("sources", ())),
        allow_missing_training=min(0.999, n_missing / n_trained + 1e-9) if n_missing else 0.0,
        unofficial_split=m.get("unofficial_split", False),
        unofficial_files=m.get("unofficial_files", False),
    )
    bench = source.bench(m["protocol"], lambda fraction, text: None)
    (now,) = plan(
        bench,
        parse_variants(m["variant"]),
        budget=options.budget(m["budget"]),
        repeats=[m["repeat"]],
        folds=[m["fold"]],
        selection=Selection(m.get("selection", Selection.OWN)),
        augmentation=options.augmentation(m.get("augmentation", "")),
    )
    before = dict(m["key_parts"])
    # A plan alone does not know what a transfer starts from; that run is looked at for itself.
    origin = before.pop(ORIGIN, None)
    changed = changed_parts(before, dict(now.parts))
    if not changed and code_changed(found, now):
        echo("  code     changed since, numbers declared equal; `run --strict-code` computes it again")
    if origin is None:
        return changed
    try:
        of_origin = _changes(_find(results, origin), results, data, cache)
    except ConfigError:
        return [*changed, f"{ORIGIN}: it is not stored in {results}"]
    return [*changed, *(f"{ORIGIN}: {part}" for part in of_origin)]
