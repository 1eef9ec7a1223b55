"""``asc-bench quantise``: the score of a stored system with its numbers in fewer bits, on the same test clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo_brief
from asc_bench.cli.shared import Recordings, takes

if TYPE_CHECKING:
    import pandas as pd

    from asc_bench.analysis.quantised import Change
    from asc_bench.reporting.brief import BriefTable
    from asc_bench.scoring.measure import Measure


@takes(Recordings)
def command(
    system: Annotated[
        str, typer.Option("--system", "-s", help="One neural system, such as sb-cnn, run with --keep-weights.")
    ],
    protocol: options.Protocol,
    precisions: Annotated[
        str, typer.Option("--to", help="float16, int8 or both, separated by a comma.")
    ] = "float16,int8",
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    folds: options.Folds = "",
    repeat: Annotated[int, typer.Option(help="Which repeat, counted from 0.", min=0)] = 0,
    device: options.Device = "auto",
    results: options.Results = options.RESULTS,
    *,
    given: Recordings,
) -> None:
    """Measure what a stored network loses in float16 and int8, with a paired interval; nothing is trained.

    In int8 the weights of convolutions and matrices are rounded, each output channel with a scale of its own, and
    the network computes in float32. In float16 it computes in half precision, too.
    """
    from asc_bench.analysis import quantised
    from asc_bench.bench.host import n_cores
    from asc_bench.errors import ConfigError
    from asc_bench.limits import DEFAULT_PRECISION
    from asc_bench.reporting.setting import Setting
    from asc_bench.runs.fitted import fitted_system
    from asc_bench.runs.plan import plan
    from asc_bench.runs.settings import Settings
    from asc_bench.runs.store import ResultsStore
    from asc_bench.runs.variant import parse_variants
    from asc_bench.screen import Screen
    from asc_bench.training.device import choose_device

    asked = list(dict.fromkeys(options.split(precisions)))
    for precision in asked:
        options.one_of("--to", precision, quantised.PRECISIONS)
    if not asked:
        raise ConfigError(f"--to names no precision; there are {', '.join(quantised.PRECISIONS)}")
    variants = parse_variants(system)
    if len(variants) != 1:
        raise ConfigError(f"--system stands for {len(variants)} systems, such as {variants[0]}; give one")
    source = given.source()
    settings = Settings(cache=source.cache_folder, device=choose_device(device), n_threads=n_cores())
    store = ResultsStore(results)
    everything = [DEFAULT_PRECISION, *asked]
    with Screen() as screen:
        with screen.phase("recordings") as progress:
            bench = source.bench(protocol, progress)
        if bench.protocol.multi_label:
            raise ConfigError(f"clips of {protocol} have several labels; quantise is for protocols with one")
        specs = plan(
            bench,
            variants,
            budget=options.budget(budget),
            repeats=[repeat],
            folds=options.split(folds),
            selection=options.selection(as_published, hold_out),
            augmentation=options.augmentation(augment),
        )
        by_name = {fold.name: fold for fold in bench.folds}
        found: dict[str, list[tuple[Mapping[str, object], pd.DataFrame]]] = {
            precision: [] for precision in everything
        }
        manifests, sizes = [], {}
        with screen.phase("predicting") as progress:
            for i, spec in enumerate(specs):
                fitted = fitted_system(spec, bench, store, device=settings.device)
                run = store.load(spec)
                assert run is not None
                manifests.append(run.manifest)
                for precision in everything:
                    progress(i / len(specs), f"{spec.fold} in {precision}")
                    one = quantised.quantised(fitted, precision)
                    assert one.module is not None
                    sizes[precision] = quantised.n_bytes(one.module, precision)
                    rows = quantised.predictions_of_test(one, bench, by_name[spec.fold], settings)
                    found[precision].append((dict(run.manifest), rows))
    setting = Setting.of(manifests)
    measure = bench.protocol.measures_on(bench.dataset.sources)[0]
    title = f"{setting.title}: {variants[0]} quantised after training"
    echo_brief([changes_table(quantised.changes(found, measure), measure, sizes, title, setting.caveats)])


def changes_table(
    changes: Sequence[Change], measure: Measure, sizes: Mapping[str, int], title: str, caveats: Sequence[str]
) -> BriefTable:
    """A row for each precision, with the bytes of ``sizes``; where the window is narrow these go first."""
    from asc_bench.reporting.brief import BriefTable

    return BriefTable(
        title,
        ("precision", "bytes", measure.name, "change"),
        tuple(_row(change, measure, sizes[change.precision]) for change in changes),
        keep=(measure.name, "change", "bytes"),
        notes=(
            *caveats,
            "Change: against float32 on the same test clips. In brackets: 95 % intervals over recording locations, "
            "that of a change for pairs; none where a scene was recorded at a single location.",
            "int8: weights of convolutions and matrices rounded, a scale for each output channel; all else, and "
            "the arithmetic, in float32. Bytes count scales and what is not rounded.",
        ),
    )


def _row(change: Change, measure: Measure, n_bytes: int) -> tuple[str, ...]:
    from asc_bench.reporting.text import MISSING, difference_in, in_unit, with_interval

    score = with_interval(change.value, change.low, change.high, lambda v: in_unit(v, measure.unit))
    numbers = change.change, change.change_low, change.change_high
    beside = with_interval(*numbers, lambda v: difference_in(v, measure.unit))
    return change.precision, f"{n_bytes:,}", score, beside if change.change == change.change else MISSING
