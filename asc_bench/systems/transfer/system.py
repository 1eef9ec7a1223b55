"""Transfer: a network that was trained on another task, fine-tuned or frozen, beside one trained from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt

from asc_bench.clips import Clips, LabelledClips
from asc_bench.errors import SystemFailure
from asc_bench.labels import FINE
from asc_bench.systems.base import (
    AnyParams,
    Context,
    DeviceUse,
    MultiLabelTask,
    Params,
    Probabilities,
    Reason,
    Task,
)
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.transfer.settings import FINE_TUNING_FACTOR, TransferParams
from asc_bench.systems.wrapper import WrapperSystem

if TYPE_CHECKING:
    from torch import nn

    from asc_bench.systems.probes import Probe
    from asc_bench.systems.transfer.windowed import WindowedModel


class TransferredSystem(WrapperSystem):
    """Base of transfer. Whoever builds it sets ``inner``, and ``pretrained`` before ``fit``.

    With one label a clip, retraining and fine-tuning keep the system's own heads, losses and training. With
    several labels a linear layer with sigmoids on the embedding takes their place, on windows of each clip.

    Attributes
    ----------
    pretrained : TorchSystem, optional
        The same system, built for the source's task, with its weights.
    """

    numerics_version: ClassVar[int | None] = 2

    Params: ClassVar[type[Params]] = TransferParams
    inner_setting = "system"
    params: TransferParams
    pretrained: TorchSystem | None = None

    _probe: Probe | None = None
    _windowed: WindowedModel | None = None
    _n_fresh: int | None = None

    @property
    def several_labels(self) -> bool:
        """Whether clips have several labels."""
        return isinstance(self.task, MultiLabelTask)

    @property
    def inner_task(self) -> Task:
        """What the inner system is built for: clips of one label each, as long as what it is given at a time."""
        if not self.several_labels:
            return self.task
        duration = min(self.params.window_s, self.task.clip_duration_s)
        return Task(self.task.labels, self.task.devices, duration)

    @property
    def needs_device(self) -> DeviceUse:
        """As the inner system."""
        return self.inner.needs_device

    @property
    def uses_validation(self) -> bool:
        """For thresholds, where there are several labels; else if the network's training does."""
        trains = self.params.variant in ("retrain", "finetune")
        return self.several_labels or (trains and self.inner.uses_validation)

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Only a network that is trained in one go can be taken apart and put together again."""
        if built is None:
            return None
        inner, name = built.inner, built.params.system
        if not isinstance(inner, TorchSystem):
            return Reason("unsupported-task", f"{name} is no neural network; there is nothing to transfer")
        own_fit = type(inner).fit is not TorchSystem.fit
        if own_fit and (built.several_labels or built.params.variant == "finetune"):
            return Reason("unsupported-task", f"{name} is trained in several steps, which cannot be taken apart")
        return inner.why_not(inner.params, built=inner)

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Train the network, its last layer, or a classifier on its embedding.

        Raises
        ------
        SystemFailure
            If the source's network is wanted and was not set, or does not fit this task.
        """
        if self.several_labels:
            from asc_bench.systems.transfer.windowed import fit_windowed

            self._windowed = fit_windowed(self, train, validation, context)
        elif self.params.variant == "retrain":
            self.inner.fit(train, validation, context)
        elif self.params.variant == "finetune":
            self._fine_tune(train, validation, context)
        else:
            self._fit_probe(train, context)

    def predict(self, clips: Clips) -> Probabilities:
        """One label: by level. Several: ``tagging``, (n, classes), and ``detection``, (n, segments, classes)."""
        if self._windowed is not None:
            return self._windowed.scores(clips)
        if self._probe is not None:
            return self._probe.predict(self._embedded(clips)).astype(np.float32)
        return self.inner.predict(clips)

    def facts(self) -> Mapping[str, str | int | float]:
        """Those of the network or the classifier, and how many tensors began afresh."""
        found: dict[str, str | int | float] = {}
        if isinstance(self.inner, TorchSystem) and self.params.variant in ("retrain", "finetune"):
            found |= self.inner.facts()
        if self._n_fresh is not None:
            found["n_fresh_tensors"] = self._n_fresh
        if self._probe is not None:
            found |= self._probe.facts()
        return found | (self._windowed.facts() if self._windowed is not None else {})

    def complexity(self) -> Mapping[str, int]:
        """Of the network that embeds, where one label is predicted; the classifier on it is not counted."""
        if self._windowed is not None:
            return self._windowed.complexity()
        network = self.pretrained if self._probe is not None else self.inner
        return network.complexity() if network is not None else {}

    def source(self) -> TorchSystem:
        """The network of the source.

        Raises
        ------
        SystemFailure
            If it was not set.
        """
        if self.pretrained is None:
            raise SystemFailure(
                f"{self.card.name}: variant={self.params.variant} starts from a trained {self.params.system}, and "
                "none was given; `asc-bench transfer` finds or trains one"
            )
        return self.pretrained

    def _fine_tune(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        from asc_bench.systems.transfer.weights import class_tensors, freeze, take_over

        inner, source = cast(TorchSystem, self.inner), self.source()
        plan, start, of_classes = inner.training_plan(), inner.starting_network, class_tensors(inner)
        everything = self.params.layers == "all"
        if everything:
            plan = replace(plan, learning_rate=FINE_TUNING_FACTOR * plan.learning_rate)

        def started() -> nn.Module:
            module = inner.build()
            assert source.module is not None
            fresh = take_over(module, source.module.cpu(), fresh=of_classes, title=self.params.system)
            self._n_fresh = len(fresh)
            if not everything:
                freeze(module, trained=fresh)
            return module

        # The inner system trains itself; only what it starts from, its rate and its scale are the source's.
        inner.starting_network, inner.training_plan = started, lambda: plan  # type: ignore[method-assign]
        inner._device, inner._statistics = context.device, source._statistics
        inner.module = inner.train_network(train, validation, context).requires_grad_()
        inner.starting_network = start  # type: ignore[method-assign]

    def _fit_probe(self, train: LabelledClips, context: Context) -> None:
        self.source().move_to(context.device)
        embedding = self._embedded(train)
        context.progress(0.6, f"{len(embedding)} clips embedded")
        self._probe = self.params.probe()
        self._probe.fit(
            embedding,
            train.labels[FINE],
            n_classes=len(self.task.labels.fine),
            location=train.location,
            seed=context.seed,
        )
        context.progress(1.0, "classifier fitted")

    def _embedded(self, clips: Clips) -> npt.NDArray[np.float64]:
        from asc_bench.systems.embedding import embed_clips

        return embed_clips(self.source(), clips).astype(np.float64)
