"""Clips with several labels: a network's embedding of windows, and a linear layer or another classifier on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from asc_bench.budget import Budget
from asc_bench.clips import Clips, Features, LabelledClips
from asc_bench.data.tags import DETECTION, TAGGING
from asc_bench.errors import SystemFailure
from asc_bench.labels import FINE
from asc_bench.modules.windows import Pooling, WindowHead, window_starts
from asc_bench.systems.base import Context, MultiLabelTask
from asc_bench.systems.embedding import check_embedding
from asc_bench.systems.probe_base import Probe
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.transfer.settings import FINE_TUNING_FACTOR
from asc_bench.systems.transfer.system import TransferredSystem
from asc_bench.systems.transfer.window_learning import Cut, HeadLearner, WindowLearner, WindowNetwork, embedded
from asc_bench.training.batches import ClipStore, Statistics
from asc_bench.training.complexity import count_parameters
from asc_bench.training.device import reproducible
from asc_bench.training.loop import train as run_training
from asc_bench.training.plan import Cosine, Crop, TrainingPlan
from asc_bench.training.precision import Decision
from asc_bench.training.sampling import torch_seed

HEAD_STEPS: Mapping[Budget, int] = {Budget.SMOKE: 200, Budget.QUICK: 2_000, Budget.PAPER: 10_000}
"""Of the linear layer alone, on frozen embeddings: Adam at 0.001, 32 clips a step, a cosine to 0 (a guess)."""

_CLIPS_AT_ONCE = 4


@dataclass
class WindowedModel:
    """A fitted model of clips with several labels: ``head`` or ``probe`` is there.

    Attributes
    ----------
    system : TorchSystem
        Whose network ``trunk`` is, and ``statistics`` what its input is standardised with.
    cut : Cut
        Windows of a clip.
    device : str
        torch device.
    pooling : {"replicated", "attention", "noisy-or"}
        What the windows of a clip come to.
    head : WindowHead, optional
        A linear layer; ``scale`` standardises its input where it was trained alone.
    probe : Probe, optional
        Another classifier.
    """

    system: TorchSystem
    trunk: nn.Module
    statistics: Statistics | None
    cut: Cut
    device: str
    pooling: Pooling = "replicated"
    head: WindowHead | None = None
    scale: Statistics | None = None
    probe: Probe | None = None
    precision: Decision | None = None

    def embed(self, clips: Clips) -> npt.NDArray[np.float32]:
        """Embeddings of all windows, shape (n_clips, n_windows, size)."""
        store = ClipStore(clips, device=self.device, statistics=self.statistics)
        self.trunk.eval()
        found = []
        with reproducible(self.device), torch.inference_mode():
            for begin in range(0, len(clips), _CLIPS_AT_ONCE):
                batch = store.batch(np.arange(begin, min(begin + _CLIPS_AT_ONCE, len(clips))))
                found.append(embedded(self.system, self.trunk, batch, self.cut).float().cpu().numpy())
        return np.concatenate(found)

    def scores(self, clips: Clips) -> dict[str, npt.NDArray[np.float32]]:
        """``tagging``, (n_clips, n_classes), and ``detection``, (n_clips, n_segments, n_classes), in [0, 1]."""
        vectors = self.embed(clips)
        if self.probe is not None:
            flat = self.probe.predict(vectors.reshape(-1, vectors.shape[-1]).astype(np.float64))
            detection = flat.reshape(*vectors.shape[:2], -1).astype(np.float32)
            return {TAGGING: detection.mean(axis=1), DETECTION: detection}
        assert self.head is not None
        given = torch.from_numpy(vectors).to(self.device)
        if self.scale is not None:
            scale = self.scale.to(self.device)
            given = (given - scale.mean) / scale.std
        with torch.inference_mode():
            outputs = self.head.eval()(given)
        return {
            TAGGING: outputs["tagging"].cpu().numpy(),
            DETECTION: outputs["logits"].sigmoid().cpu().numpy(),
        }

    def facts(self) -> dict[str, str | int | float]:
        """Windows, the arithmetic of a training, and what the classifier tells."""
        found = dict(self.probe.facts()) if self.probe is not None else {}
        found |= self.precision.facts() if self.precision is not None else {}
        return {"n_windows": len(self.cut.starts), "window_frames": self.cut.length, **found}

    def complexity(self) -> dict[str, int]:
        """Parameters of the trunk and the head; other classifiers are not counted."""
        head = count_parameters(self.head) if self.head is not None else 0
        return {"n_parameters": count_parameters(self.trunk) + head}


def fit_windowed(
    system: TransferredSystem, train: LabelledClips, validation: LabelledClips | None, context: Context
) -> WindowedModel:
    """Fit what the settings of ``system`` say on clips whose labels are a row of ones and zeros each."""
    params = system.params
    own = params.variant == "retrain"
    network = cast(TorchSystem, system.inner) if own else system.source()
    plan = network.training_plan()
    cut = cut_of(system, plan, n_frames=train.features.shape[1])
    with reproducible(context.device):
        torch.manual_seed(torch_seed(context.seed, -1))
        trunk = network.build() if own else cast(nn.Module, network.module)
    model = WindowedModel(
        system=network,
        trunk=trunk.to(context.device),
        statistics=Statistics.of(train.features, plan.standardise) if own else network._statistics,
        cut=cut,
        device=context.device,
        pooling=params.pooling,
    )
    first = train.where(np.arange(len(train)) == 0)
    none = np.zeros(1, dtype=np.int64)
    store = ClipStore(first, device=context.device, statistics=model.statistics)
    try:
        check_embedding(network, model.trunk, store.batch(none, starts=none, length=cut.length))
        n_features = model.embed(first).shape[-1]
    except (RuntimeError, ValueError) as error:
        raise SystemFailure(
            f"{network.card.name}: the network cannot take windows of {cut.length} frames or samples; it was built "
            f"for clips of {network.task.clip_duration_s:g} s, which window_s={network.task.clip_duration_s:g} "
            f"gives: {error}"
        ) from error
    if own or (params.variant == "finetune" and params.layers == "all"):
        model.head = _fresh_head(model, n_features, system, context)
        _train_all(model, train, validation, context, plan, factor=1.0 if own else FINE_TUNING_FACTOR)
        return model
    vectors = model.embed(train)
    context.progress(0.5, f"{len(vectors)} clips embedded")
    if params.variant == "finetune":
        model.head = _fresh_head(model, n_features, system, context)
        _train_head(model, model.head, vectors, train, context, system.budget)
    else:
        n_windows = len(cut.starts)
        # Windows of one clip must stay together where the classifier is cross-validated.
        places = np.arange(len(train)).astype(str) if train.location is None else train.location
        model.probe = params.probe()
        model.probe.fit(
            vectors.reshape(-1, vectors.shape[-1]).astype(np.float64),
            np.repeat(train.labels[FINE], n_windows, axis=0),
            n_classes=len(system.task.labels.fine),
            location=np.repeat(places, n_windows),
            seed=context.seed,
        )
    context.progress(1.0, "classifier fitted")
    return model


def cut_of(system: TransferredSystem, plan: TrainingPlan, *, n_frames: int) -> Cut:
    """The windows of a clip of ``n_frames``: as long as the plan's excerpts, else as the settings say."""
    task = system.task
    assert isinstance(task, MultiLabelTask)
    length = round(n_frames * system.inner_task.clip_duration_s / task.clip_duration_s)
    if plan.crop is not None:
        length = plan.crop.length
    length = min(max(length, 1), n_frames)
    return Cut(length, window_starts(n_frames, length=length, n_segments=task.n_segments))


def _train_all(
    model: WindowedModel,
    train: LabelledClips,
    validation: LabelledClips | None,
    context: Context,
    plan: TrainingPlan,
    *,
    factor: float,
) -> None:
    assert model.head is not None
    n_windows = len(model.cut.starts)
    whole = model.pooling != "replicated"
    # With replicated labels an excerpt at random is a window with its clip's labels; else whole clips are scored.
    cut = model.cut if whole else replace(model.cut, starts=(0,))
    plan = replace(
        plan,
        crop=None if whole else Crop(length=model.cut.length, n_test=n_windows),
        batch_size=max(2, plan.batch_size // n_windows) if whole else plan.batch_size,
        monitor="loss",
    )
    module = WindowNetwork(model.trunk, model.head)
    model.precision = run_training(
        module,
        WindowLearner(model.system, cut, model.pooling, rate_of_trunk=factor),
        ClipStore(train, device=context.device, statistics=model.statistics),
        ClipStore(validation, device=context.device, statistics=model.statistics) if validation else None,
        plan,
        seed=context.seed,
        front_end=model.system.network_front_end(),
        checkpoint=context.folder / "training.safetensors",
        checkpoint_every_s=model.system.checkpoint_every_s,
        progress=context.progress,
        precision=context.precision,
        history=context.history.part(),
    )


def _train_head(
    model: WindowedModel,
    head: WindowHead,
    vectors: npt.NDArray[np.float32],
    train: LabelledClips,
    context: Context,
    budget: Budget,
) -> None:
    features = Features(vectors, np.arange(len(vectors)))
    model.scale = Statistics.of(features, "per-band")
    plan = TrainingPlan(batch_size=32, iterations=HEAD_STEPS[budget], learning_rate=1e-3, schedule=Cosine())
    model.precision = run_training(
        head,
        HeadLearner(model.system, model.cut, model.pooling),
        ClipStore(replace(train, features=features), device=context.device, statistics=model.scale),
        None,
        plan,
        seed=context.seed,
        checkpoint=context.folder / "training.safetensors",
        progress=lambda fraction, text: context.progress(0.5 + fraction / 2, text),
        precision=context.precision,
        history=context.history.part("head"),
    )


def _fresh_head(model: WindowedModel, n_features: int, system: TransferredSystem, context: Context) -> WindowHead:
    with reproducible(context.device):
        torch.manual_seed(torch_seed(context.seed, 0))
        head = WindowHead(n_features, len(system.task.labels.fine), pooling=model.pooling)
    return head.to(context.device)
