"""Transfer between two protocols: what each run on the target starts from, and what must not leak into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.errors import ConfigError
from asc_bench.protocol import Fold
from asc_bench.registry import layouts
from asc_bench.runs.plan import Origin, RunSpec, plan
from asc_bench.runs.variant import Variant, parse_variants
from asc_bench.systems.transfer.settings import TransferParams

TRANSFER = "transfer"
"""Name of the system that transfers what its setting ``system`` names."""

VARIANTS = ("retrain", "finetune", "svm", "lr")


@dataclass(frozen=True)
class Route:
    """From one task to another.

    Attributes
    ----------
    source, target : Bench
        Both tasks.
    systems : tuple of Variant
        What is transferred.
    """

    source: Bench
    target: Bench
    systems: tuple[Variant, ...]

    def transfers(
        self, variants: Sequence[str], *, layers: Sequence[str] = ("classifier",), settings: Mapping[str, object]
    ) -> list[Variant]:
        """Every system in every variant.

        Parameters
        ----------
        variants : sequence of str
            Of ``VARIANTS``.
        layers : sequence of str
            What fine-tuning trains.
        settings : mapping
            Further settings of all, such as ``pooling``.

        Raises
        ------
        ConfigError
            For a setting that there is not.
        """
        texts = []
        for system in self.systems:
            for variant in variants:
                for part in layers if variant == "finetune" else ("",):
                    given = {"system": system, "source": self.source.tag, "variant": variant, **settings}
                    given |= {"layers": part} if part else {}
                    if variant in ("svm", "lr"):
                        given.pop("pooling", None)
                    texts.append(f"{TRANSFER}[{','.join(f'{k}={v}' for k, v in given.items())}]")
        return parse_variants(",".join(texts))

    def sources(self, *, budget: Budget, repeats: Sequence[int], folds: Sequence[str] = ()) -> list[RunSpec]:
        """The runs that transfers to these folds of the target start from.

        Raises
        ------
        ConfigError
            If a recording that the source is trained on is tested on in the target.
        """
        chosen = [fold for fold in self.target.folds if not folds or fold.name in folds]
        needed = dict.fromkeys(self._paired(fold).name for fold in chosen)
        for fold in chosen:
            self._refuse_leak(self._paired(fold), fold)
        return plan(self.source, self.systems, budget=budget, repeats=repeats, folds=tuple(needed))

    def origins(self, specs: Sequence[RunSpec]) -> Callable[[Variant, str, int], Origin]:
        """What ``plan`` asks for: the run of ``specs`` that a transfer starts from."""
        by_place = {(str(s.variant), s.fold, s.repeat): s for s in specs}
        folds = {fold.name: self._paired(fold) for fold in self.target.folds}

        def origin(variant: Variant, fold: str, repeat: int) -> Origin:
            assert isinstance(variant.params, TransferParams)
            (system,) = parse_variants(variant.params.system)
            source = folds[fold]
            return Origin(by_place[str(system), source.name, repeat], self.source.task(source))

        return origin

    def _paired(self, fold: Fold) -> Fold:
        """The source's fold of the same name, if both are divisions of one data set; else the first one."""
        same = {f.name: f for f in self.source.folds if self.source.dataset.root == self.target.dataset.root}
        return same.get(fold.name, self.source.folds[0])

    def _refuse_leak(self, source: Fold, target: Fold) -> None:
        trained, tested = (*source.train, *source.validation), target.test
        for named in (_files, _recordings):
            shared = set(named(self.source, trained)) & set(named(self.target, tested))
            if shared:
                raise ConfigError(
                    f"{len(shared)} recordings that {self.source.protocol.name} is trained on are tested on in "
                    f"{self.target.protocol.name} {target.name}, such as {min(shared)}; take another source, or "
                    "leave the data set that they share out of it with --sources"
                )


def _files(bench: Bench, ids: Sequence[str]) -> list[str]:
    digests = bench.dataset.file_digests
    return [f"sha256 {digests[path][:16]}" for path in bench.select(ids)["path"] if path in digests]


def _recordings(bench: Bench, ids: Sequence[str]) -> list[str]:
    """Names of the recordings of clips that mean the same in every data set."""
    clips = bench.select(ids)
    sources = clips["source"] if "source" in clips else pd.Series(bench.dataset.name, index=clips.index)
    real = not bench.dataset.synthetic
    names = []
    for source, location in zip(sources, clips["location"], strict=True):
        known = layouts().found.get(source)
        namespace = known.namespace if known else ""
        if namespace and real:
            names.append(f"{namespace} {location.removeprefix(f'{source}/')}")
    return names
