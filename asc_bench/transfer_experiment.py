"""Training on one task and going on with another: both tasks, the runs on each, and their results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Unpack

from asc_bench.budget import Budget
from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.experiment import Experiment, named
from asc_bench.names import near
from asc_bench.registry import ProtocolLike, protocol_of
from asc_bench.results import Results
from asc_bench.run_options import Options
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.transfer import VARIANTS, Route
from asc_bench.runs.variant import SystemLike, variants_of
from asc_bench.runs.work import Work
from asc_bench.screen import Unwatched, Watcher, screen

LAYERS = ("classifier", "all")


@dataclass(frozen=True, kw_only=True)
class TransferPlan:
    """Runs on the target, and those on the source that they start from.

    Attributes
    ----------
    route : Route
        Both tasks.
    specs : list of RunSpec
        On the target.
    sources : list of RunSpec
        On the source, needed by those of ``specs`` that are not stored.
    """

    route: Route
    specs: list[RunSpec]
    sources: list[RunSpec]

    def results(self, experiment: Experiment, work: Work) -> Results:
        """What is there of the runs on the target."""
        return experiment.results(work, named(dict.fromkeys(spec.variant for spec in self.specs)))


def transfer(
    source: ProtocolLike,
    target: ProtocolLike,
    systems: SystemLike | Iterable[SystemLike],
    variants: Sequence[str] = VARIANTS,
    *,
    layers: Sequence[str] = ("classifier",),
    settings: Mapping[str, object] | None = None,
    source_budget: str | None = None,
    synthetic_source: bool = False,
    progress: bool = True,
    **options: Unpack[Options],
) -> Results:
    """Train systems on a source, go on with a target, and compare what the source was worth.

    Parameters
    ----------
    source, target : str, Protocol or type
        Protocols; clips of the source have one label each.
    systems : str, System, type or variant, or several of them
        Neural systems that are registered.
    variants : sequence of {"retrain", "finetune", "svm", "lr"}
        Trained from scratch, fine-tuned, or as a frozen embedding with a classifier.
    layers : sequence of {"classifier", "all"}
        What fine-tuning trains.
    settings : mapping, optional
        Further settings of the transfer, such as ``pooling``; see ``asc-bench info transfer``.
    source_budget : str, optional
        Of the training on the source; by default that of the target.
    synthetic_source : bool
        Synthetic data for the source alone.
    progress : bool
        Show progress.
    **options
        As in `run`; folds, repeats and ``force`` are those of the target, ``sources`` those of the source.

    Raises
    ------
    ConfigError, DataError, StoreError
        As `run`; also if recordings that the source is trained on are tested on in the target.
    SystemFailure
        If a run on the source failed.
    """
    experiment = Experiment.of(**options)
    with screen(quiet=not progress) as shown:
        route = find_route(experiment, source, target, systems, synthetic_source=synthetic_source, watcher=shown)
        planned = plan_transfers(
            experiment, route, variants, layers=layers, settings=settings or {}, source_budget=source_budget
        )
        if planned.sources:
            keeping = on_source(experiment)
            trained = keeping.compute(keeping.survey(route.source, planned.sources), shown)
            if trained.unfinished:
                raise SystemFailure(f"{trained.unfinished[0].title} on {route.source.protocol.name} failed")
        work = experiment.compute(experiment.survey(route.target, planned.specs), shown)
    return planned.results(experiment, work)


def find_route(
    experiment: Experiment,
    source: ProtocolLike,
    target: ProtocolLike,
    systems: SystemLike | Iterable[SystemLike],
    *,
    synthetic_source: bool = False,
    watcher: Watcher | None = None,
) -> Route:
    """Both tasks with their recordings; parameters are those of `transfer`.

    Raises
    ------
    ConfigError
        For unknown names, or if the source's clips have several labels.
    """
    variants = variants_of(systems)
    first, second = protocol_of(source), protocol_of(target)
    if first.multi_label:
        raise ConfigError(
            f"clips of {first.name} have several labels; systems are trained on sources with one label"
        )
    synthetic = experiment.source.synthetic or synthetic_source
    watcher = watcher or Unwatched()
    with watcher.phase("recordings of the source") as progress:
        benches = [replace(experiment.source, synthetic=synthetic).bench(first, progress)]
    with watcher.phase("recordings of the target") as progress:
        benches.append(replace(experiment.source, sources=()).bench(second, progress))
    return Route(benches[0], benches[1], tuple(variants))


def plan_transfers(
    experiment: Experiment,
    route: Route,
    variants: Sequence[str],
    *,
    layers: Sequence[str] = ("classifier",),
    settings: Mapping[str, object],
    source_budget: str | None = None,
) -> TransferPlan:
    """Every run on the target, and what has to be trained on the source first.

    Raises
    ------
    ConfigError
        For an unknown variant, layer or budget; if a system refuses the source, or all refuse the target.
    """
    for what, given, known in (("variant", variants, VARIANTS), ("layers", layers, LAYERS)):
        for name in given:
            if name not in known:
                raise ConfigError(f"{what} is {name!r}{near(name, known)}")
    if source_budget is not None and source_budget not in list(Budget):
        raise ConfigError(f"source_budget is {source_budget!r}{near(source_budget, [str(b) for b in Budget])}")
    budget = Budget(source_budget or experiment.budget)
    if budget is not experiment.budget:
        # Rows must tell apart what was trained for longer.
        settings = {**settings, "source": f"{route.source.tag}-{budget}"}
    transfers = route.transfers(variants, layers=layers, settings=settings)
    repeats = range(experiment.repeats)
    sources: list[RunSpec] = []
    if set(variants) != {"retrain"}:
        sources = route.sources(budget=budget, repeats=repeats, folds=experiment.folds)
    refused = next((spec for spec in sources if spec.refusal), None)
    if refused is not None:
        raise ConfigError(f"{refused.variant} refuses {route.source.protocol.name}: {refused.refusal}")
    specs = plan(
        route.target,
        transfers,
        budget=experiment.budget,
        repeats=repeats,
        folds=experiment.folds,
        origins=route.origins(sources),
    )
    if all(spec.refusal for spec in specs):
        raise ConfigError(f"nothing can be transferred: {specs[0].refusal}")
    todo = experiment.survey(route.target, specs).todo
    needed = {spec.origin.spec.key: spec.origin.spec for spec in todo if spec.origin is not None}
    return TransferPlan(route=route, specs=specs, sources=list(needed.values()))


def on_source(experiment: Experiment) -> Experiment:
    """How runs on the source are computed: with their weights, and only if they are not stored with them."""
    kept = replace(experiment.settings, keep_weights=True)
    return replace(experiment, settings=kept, force=False, only="")
