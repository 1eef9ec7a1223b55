"""``asc-bench status``: done, failed and left, system by system."""

from __future__ import annotations

from collections import Counter

from asc_bench.cli import options
from asc_bench.cli.printing import echo, text_table
from asc_bench.cli.shared import Planned, takes


@takes(Planned)
def command(
    systems: options.Systems = "all",
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    repeats: options.Repeats = 1,
    folds: options.Folds = "",
    results: options.Results = options.RESULTS,
    *,
    given: Planned,
) -> None:
    """Show what is done, failed and left of a `run` command."""
    from asc_bench.runs.heartbeat import HEARTBEAT, read_heartbeat
    from asc_bench.runs.plan import plan
    from asc_bench.runs.store import ResultsStore
    from asc_bench.runs.variant import parse_variants
    from asc_bench.runs.work import code_changed
    from asc_bench.screen import Screen

    chosen_budget, selection = options.budget(budget), options.selection(as_published, hold_out)
    copies = options.augmentation(augment)
    source = given.source()
    asked = given.chosen()
    with Screen() as screen, screen.phase("recordings") as progress:
        bench = source.bench(asked, progress)
    specs = plan(
        bench,
        parse_variants(systems),
        budget=chosen_budget,
        repeats=range(repeats),
        folds=options.split(folds),
        selection=selection,
        augmentation=copies,
    )
    store = ResultsStore(results)
    counts: dict[str, Counter[str]] = {}
    notes: dict[str, str] = {}
    for spec in specs:
        name = str(spec.variant)
        if spec.refusal:
            counts.setdefault(name, Counter())["skipped"] += 1
            notes[name] = spec.refusal
            continue
        run = store.load(spec, whole=False)
        state = str(run.manifest["status"]) if run else "left"
        if run and code_changed(run, spec):
            notes.setdefault(name, "code changed since, numbers declared equal (--strict-code computes again)")
        counts.setdefault(name, Counter())[state] += 1
        if run and not run.done:
            notes[name] = f"{run.manifest['error']['type']}: {run.manifest['error']['message']}".splitlines()[0]
        elif run is None and (beat := read_heartbeat(store.scratch(spec) / HEARTBEAT)):
            notes[name] = f"{spec.fold}: {beat[0]:.0%} {beat[1]}"
    states = ("done", "failed", "left", "skipped")
    rows = [(n, *(str(c[s]) for s in states), notes.get(n, "")) for n, c in counts.items()]
    echo(text_table(rows, ("system", *states, "note"), numbers=states))
    for fault in bench.faults():
        echo(f"incomplete: {fault}")
