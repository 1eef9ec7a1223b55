"""The hierarchical CNN: convolutions on raw samples at two resolutions, trained on coarse and fine classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from asc_bench.api import (
    COARSE,
    AnyParams,
    Budget,
    Card,
    Clips,
    Cosine,
    Params,
    Plateau,
    Reason,
    TorchSystem,
    TrainingPlan,
    Waveform,
)

from ._hierarchical_cnn_settings import (
    CHUNK,
    HOP,
    PIPELINES,
    SAMPLE_RATE_HZ,
    HierarchicalCnnParams,
    least_samples,
    published,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.api import Batch, Outputs

__all__ = ["HierarchicalCnn", "HierarchicalCnnParams"]

PROTOTYPE_WEIGHT = 0.1
MARGIN = 1.0
ORTHOGONALITY_WEIGHT: Mapping[str, float] = {"srip": 1e-2, "so": 1e-4}
EMBED_BATCH = 16
WHOLE_EVERY = 4
"""Updates from one that takes all chunks of its clips to the next: one window leaves nothing to be weighed."""
LEAST_UPDATES, UPDATES_PER_CLASS = 800, 46
"""Of ``quick``: by validation clips of ESC-10, and ten passes of the 4,707 waveforms of synthetic ``merged``."""
CLIP_GRADIENT_NORM = 10.0
"""Seldom reached: the l2-norm of the embedding magnifies the gradient of a clip that is silent throughout."""

_DENSE = (512, 128)


def orthogonality_factor(progress: float) -> float:
    """What the weight of the orthogonality penalty is multiplied by, at a share of the training done.

    As the released code of Bansal et al. (2018) lowers it after its epochs 20, 50 and 70, with an epoch taken for a
    hundredth of the training, which is what it is for ``paper``.
    """
    steps = {0.2: 1e-3, 0.5: 1e-4, 0.7: 1e-6}
    return min((factor for share, factor in steps.items() if progress >= share), default=1.0)


class HierarchicalCnn(TorchSystem):
    """Abrol and Sharma's network, on whole clips: it cuts them into chunks of 2 s itself."""

    numerics_version = 3
    card = Card(
        name="hierarchical-cnn",
        title="Hierarchical CNN",
        citation="V. Abrol and P. Sharma, Learning hierarchy aware embedding from raw audio for acoustic scene "
        "classification, IEEE/ACM Transactions on Audio, Speech, and Language Processing 28, 2020",
        year=2020,
        input="waveform, 16 kHz, chunks of 2 s every 1.5 s",
        guesses=(
            "A frame of the paper is a chunk of 2 s; the statistics of both pipelines make 2000-D, and attention "
            "weighs the chunks (reading=A; B to F are the other readings).",
            "5 s are 3 chunks; 10 s are 6, and their last 0.5 s are not heard. Chunks have no padding; a clip "
            "below 2 s is one chunk.",
            "Attention has 128 hidden units. Deviations are of the population, floor 1e-8 on the variance.",
            "Samples are divided by one number, their deviation in the training split: the paper names no unit, "
            "and small ones train slowly without batch normalisation. Then pre-emphasis 0.97, then each chunk "
            "minus its mean.",
            "An update takes of each clip one random window of 2 s, and every fourth update all its chunks, as at "
            "test: in one window attention has nothing to weigh (example=clip: all chunks always). The paper "
            "trains 'on 2 s raw inputs chunked from 5 s', and does not say how many of them make an example.",
            "Silent windows, 30 dB below the loudest of their clip, are not drawn unless a clip has no others: the "
            "paper discards silent segments by a threshold and by ear. At test all chunks count.",
            "Dropout 0.2 (51/256) on single elements before Conv6 alone (dropout=last; all: after each pooled "
            "layer). The paper drops 'in CNN layers'.",
            "l2-softmax: p = 0.9, alpha fixed at its lower bound for each head; 4.39 for two classes, where the "
            "bound is undefined.",
            "Loss: fine and coarse cross-entropy, plus 0.1 of equation 4 on the normalised embedding, with the "
            "mean over the other prototypes; prototypes are parameters that begin on the unit sphere.",
            "Orthogonal weights of gain 1, biases 0; recurrent layers as torch has them. SRIP: weight 0.01 on the "
            "smaller Gram matrix of each convolution, two iterations; times 1e-3, 1e-4 and 1e-6 after 20, 50 and "
            "70 % of the training.",
            "Recurrent layers: one direction, the last state is the embedding, attention is left out.",
            "A protocol without coarse classes leaves the fine loss alone.",
            "Augmentation and the four channels made of binaural recordings are the protocol's, not the system's.",
            "The gradient's norm is at most 10, which it seldom reaches.",
            "paper: 32 clips in an update, 100 epochs, each a pass over the clips; the rate is halved after 5 "
            "without a lower validation loss, from the best weights, and training ends after 15 without.",
            "quick and smoke: a cosine to 0, the last weights; quick takes 800 updates, or 46 for each class where "
            "those are more; smoke is an eighth as wide.",
        ),
        published=published(),
    )
    Params: ClassVar[type[Params]] = HierarchicalCnnParams
    params: HierarchicalCnnParams

    orthogonality_weight: ClassVar[Mapping[str, float]] = ORTHOGONALITY_WEIGHT
    l2_probability: ClassVar[float] = 0.9

    @property
    def narrow(self) -> int:
        """What the widths of the network are divided by."""
        return 8 if self.budget is Budget.SMOKE else 1

    def windows_drawn(self, batch: Batch) -> int | None:
        """Random windows of each clip in an update; None for all chunks of the clip."""
        if self.params.example == "clip" or (batch.step + 1) % WHOLE_EVERY == 0:
            return None
        return 1

    @property
    def levels(self) -> tuple[str, ...]:
        """Label levels that are trained and predicted here."""
        return tuple(level for level in self.task.labels.levels if level in self.params.labels.split("+"))

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Coarse classes must be there where nothing else is learned, and a clip must fill the receptive field."""
        if built is None:
            return None
        why = built._lacks_coarse_classes() or built._is_too_long_for_clips()
        return Reason("unsupported-task", why) if why else None

    def _lacks_coarse_classes(self) -> str | None:
        n_coarse = len(self.task.labels.coarse)
        if not self.levels:
            return "labels=coarse, and the protocol has no coarse classes; use labels=fine"
        if COARSE in self.levels and n_coarse < 2:
            return f"labels={self.params.labels}, and there is {n_coarse} coarse class; use labels=fine"
        return None

    def _is_too_long_for_clips(self) -> str | None:
        (n_samples,) = self.front_end().shape(self.task.clip_duration_s)
        needed = {name: least_samples(PIPELINES[name]) for name in self.params.names}
        name = max(needed, key=needed.__getitem__)
        if n_samples >= needed[name]:
            return None
        why = (
            f"clips of {self.task.clip_duration_s:g} s have {n_samples:,} samples at 16 kHz, and the {name} "
            f"pipeline needs at least {needed[name]:,} ({needed[name] / SAMPLE_RATE_HZ:.2f} s)"
        )
        alone = least_samples(PIPELINES["short"])
        return f"{why}; pipelines=short needs {alone:,}" if n_samples >= alone else why

    def front_end(self) -> Waveform:
        """Samples as they are."""
        return Waveform(sample_rate_hz=SAMPLE_RATE_HZ)

    def build(self) -> nn.Module:
        """Pipelines, dense layers, attention or recurrent layers, heads and prototypes."""
        from ._hierarchical_cnn_network import HierarchicalNetwork, Shape

        narrow = self.narrow
        labels = self.task.labels
        return HierarchicalNetwork(
            Shape(
                pipelines={
                    name: [replace(layer, width=layer.width // narrow) for layer in PIPELINES[name]]
                    for name in self.params.names
                },
                dense=(_DENSE[0] // narrow, _DENSE[1] // narrow),
                n_classes={level: len(labels.classes(level)) for level in self.levels},
                n_prototypes=len(labels.coarse) if self._has_prototypes else 0,
                reading=self.params.reading,
                rnn=self.params.rnn,
                attention=self.params.attention == "yes" and self.params.rnn == "none",
                chunk=CHUNK,
                hop=HOP,
                dropout=self.params.dropout,
                probability=self.l2_probability,
            )
        )

    def forward(self, module: nn.Module, batch: Batch) -> Outputs:
        """Run the network; in training also the orthogonality penalty of its convolutions, without its weight."""
        from ._hierarchical_cnn_network import HierarchicalNetwork

        assert isinstance(module, HierarchicalNetwork)
        outputs = module(batch.features, self.windows_drawn(batch) if module.training else None)
        if module.training and self.params.orthogonality != "none":
            outputs["orthogonality"] = module.orthogonality(self.params.orthogonality)
        return outputs

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Cross-entropy of each level, equation 4 and the orthogonality penalty."""
        from torch.nn.functional import cross_entropy

        from asc_bench.modules.losses import prototype_loss

        assert isinstance(outputs, Mapping)
        terms = [cross_entropy(outputs[level], batch.labels[level]) for level in self.levels]
        if "distances" in outputs:
            pull_and_push = prototype_loss(outputs["distances"], batch.labels[COARSE], margin=MARGIN)
            terms.append(PROTOTYPE_WEIGHT * pull_and_push)
        if "orthogonality" in outputs:
            weight = self.orthogonality_weight[self.params.orthogonality] * orthogonality_factor(batch.progress)
            terms.append(weight * outputs["orthogonality"])
        return sum(terms[1:], start=terms[0])

    def probabilities(self, outputs: Outputs) -> Mapping[str, Tensor]:
        """Softmax of each head."""
        assert isinstance(outputs, Mapping)
        return {level: outputs[level].softmax(dim=1) for level in self.levels}

    def training_plan(self) -> TrainingPlan:
        """Adam at 0.001 (section IV.C); 100 epochs at most for ``paper``, else a cosine over a few steps."""
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=32,
                epochs=100,
                learning_rate=1e-3,
                schedule=Plateau(gamma=0.5, patience=5),
                standardise="global",
                precision="auto",
                channels_last=True,
                select="best",
                monitor="loss",
                validate_every=1,
                patience=15,
                clip_gradient_norm=CLIP_GRADIENT_NORM,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=4 if smoke else 16 if self.params.example == "windows" else 8,
            iterations=40 if smoke else max(LEAST_UPDATES, UPDATES_PER_CLASS * len(self.task.labels.fine)),
            learning_rate=1e-3,
            schedule=Cosine(),
            standardise="global",
            precision="auto",
            channels_last=True,
            clip_gradient_norm=CLIP_GRADIENT_NORM,
        )

    def embed(self, clips: Clips) -> npt.NDArray[np.float32]:
        """Audio embedding of each clip, before its normalisation.

        Returns
        -------
        float32 ndarray, shape (n_clips, 128)
            Not negative, as it comes from ReLUs; with recurrent layers (n_clips, 30), in -1 to 1. A fitted or
            loaded system only.
        """
        return self._embedded(clips, lambda embedding, weights: embedding)

    def chunk_attention(self, clips: Clips) -> npt.NDArray[np.float32]:
        """Weight of each chunk of 2 s (the k-th starts at 1.5 k seconds) in the audio embedding.

        Returns
        -------
        float32 ndarray, shape (n_clips, n_chunks)
            Summing to one over the chunks: equal for ``attention=no`` and reading E; with recurrent layers one for
            the last chunk, whose state is the embedding. A fitted or loaded system only.
        """
        return self._embedded(clips, lambda embedding, weights: weights)

    def first_layer_filters(self) -> dict[str, npt.NDArray[np.float32]]:
        """Impulse responses that the first layers learned, at 16 kHz, by pipeline.

        Returns
        -------
        dict
            ``"short"``: shape (100, 20); ``"long"``: shape (100, 300); of the pipelines that there are. As torch
            convolves, without reversal in time. A fitted or loaded system only.
        """
        from ._hierarchical_cnn_network import HierarchicalNetwork, Pipeline

        module = self._fitted()
        assert isinstance(module, HierarchicalNetwork)
        found = {}
        for name, pipeline in module.pipelines.items():
            assert isinstance(pipeline, Pipeline)
            found[name] = pipeline.convolutions()[0].weight.detach().flatten(start_dim=1).float().cpu().numpy()
        return found

    def facts(self) -> Mapping[str, str | int | float]:
        """Arithmetic of the training, the label levels that were there, and the chunks of a clip."""
        from asc_bench.modules.inputs import n_chunks

        (n_samples,) = self.front_end().shape(self.task.clip_duration_s)
        return {
            **super().facts(),
            "levels": "+".join(self.levels),
            "n_chunks": n_chunks(n_samples, length=CHUNK, hop=HOP),
        }

    @property
    def _has_prototypes(self) -> bool:
        return self.params.prototypes == "yes" and COARSE in self.levels

    def _embedded(self, clips: Clips, choose: Callable[[Tensor, Tensor], Tensor]) -> npt.NDArray[np.float32]:
        import torch

        from asc_bench.api import ClipStore, reproducible

        from ._hierarchical_cnn_network import HierarchicalNetwork

        module = self._fitted()
        assert isinstance(module, HierarchicalNetwork)
        store = ClipStore(clips, device=self._device, statistics=self._statistics)
        module.eval()
        parts = np.array_split(np.arange(len(clips)), -(-len(clips) // EMBED_BATCH))
        with reproducible(self._device), torch.inference_mode():
            found = [choose(*module.embed(store.batch(rows).features)).cpu().numpy() for rows in parts]
        return np.concatenate(found)
