"""NAC: five convolutions on three-second log-mel patches, with a softmax or with prototypes of the classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from asc_bench.api import (
    FINE,
    Budget,
    Card,
    ConfigError,
    Context,
    Cosine,
    Crop,
    LabelledClips,
    LogMel,
    Params,
    Published,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

_N_BANDS, _N_FRAMES = 128, 128
_FILTERS = {"softmax": 32, "proto": 128}
_EMBEDDING = 10
_N_SHOTS = 5
_KERNEL_DECAY = 1e-3
_SMOKE_FILTERS = 16


@dataclass(frozen=True, kw_only=True)
class NacParams(Params):
    """Settings of the network.

    Attributes
    ----------
    head : {"softmax", "proto"}
        A dense layer with one output for each class, or an embedding of 10 dimensions and distances in it.
    filters : int
        Of each convolution; 0 stands for the published number, 32 for "softmax" and 128 for "proto".
    compression : {"log", "learned"}
        Logarithm of the power, or ``ln(exp(a) x + ln(1 + exp(b)))`` with learned a and b.
    test_hop : int
        Frames between test patches; 1 as published for "softmax", 42 for "proto".
    """

    head: Literal["softmax", "proto"] = "softmax"
    filters: int = 0
    compression: Literal["log", "learned"] = "log"
    test_hop: int = 8

    def __post_init__(self) -> None:
        if self.filters < 0:
            raise ConfigError(f"nac: filters must be at least 1, or 0 for the published number, got {self.filters}")
        if self.test_hop < 1:
            raise ConfigError(f"nac: test_hop must be at least 1 frame, got {self.test_hop}")
        if self.filters == _FILTERS[self.head]:
            # Or one network would have two names.
            object.__setattr__(self, "filters", 0)

    @property
    def n_filters(self) -> int:
        """Filters of each convolution."""
        return self.filters or _FILTERS[self.head]


class Nac(TorchSystem):
    """Pons, Serrà and Serra's VGG on 128 frames of 128 mel bands, averaged over the patches of a clip."""

    numerics_version = 1
    card = Card(
        name="nac",
        title="NAC",
        citation="J. Pons, J. Serrà and X. Serra, Training neural audio classifiers with few data, ICASSP 2019",
        year=2019,
        input="128-band log-mel, 44.1 kHz, window and hop 23 ms",
        guesses=(
            "Abrol and Sharma write 'VGG5+BN, ELU': taken for the network with a softmax and 32 filters.",
            "Test patches lie 8 frames apart, not 1.",
            "Beyond the ends of a clip the spectrogram sees a reflection, as librosa had it in 2018.",
            "Statistics of batch normalisation for prediction follow with a tenth of each batch, not a hundredth: "
            "a small data set has too few steps for that.",
            "The gradient is limited to a norm of 5 before the decay of the kernels is added, not after.",
            "compression=learned: batch normalisation of the input follows it, as in the released code.",
            "head=proto: 5 patches of each class, of different clips where there are so many, are drawn once with "
            "the seed and are the support set of all steps and of prediction, as in the released code. There, each "
            "step has 5 query patches of each class, from patches cut every 42 frames, the last weights are kept "
            "and training ends after 200 epochs without better training accuracy. Here, a step has 5 random "
            "patches for each class on average, like any batch; 200 epochs, or what quick and smoke have. A clip "
            "of the support set is a query too, as there.",
            "head=proto: the count of multiply-adds leaves out the embedding of the support set, done once.",
            "No augmentation. paper: 200 epochs without a choice on validation clips.",
            "quick and smoke: batch 32 instead of 256, and the rate falls to 0 by a cosine. quick takes 1,200 "
            "steps, and 90 for head=proto, whose 128 filters and support set make a step some 20 times as dear; "
            "smoke has 16 filters at most.",
        ),
        published=(
            Published(
                "merged",
                "hierarchical_table4",
                {"system": "NAC"},
                when={"head": "softmax", "filters": "0", "compression": "log"},
            ),
        ),
    )
    Params: ClassVar[type[Params]] = NacParams
    params: NacParams
    _support: Tensor | None = None

    def front_end(self) -> LogMel:
        """Frames of 1,024 samples side by side, ``log10(x + 2**-52)``."""
        return LogMel(
            sample_rate_hz=44_100,
            n_fft=1_024,
            window_length=1_024,
            hop_length=1_024,
            n_mels=_N_BANDS,
            fmin_hz=0.0,
            fmax_hz=22_050.0,
            pad="reflect",
            log="log10",
            floor=2.0**-52,
        )

    def build(self) -> nn.Module:
        """The VGG alone, or in a network of prototypes with the support set that ``fit`` drew."""
        import torch

        from ._nac_network import PrototypicalNetwork, vgg

        proto = self.params.head == "proto"
        n_classes = len(self.task.labels.fine)
        filters = self.params.n_filters
        network = vgg(
            (_N_FRAMES, _N_BANDS),
            filters=min(filters, _SMOKE_FILTERS) if self.budget is Budget.SMOKE else filters,
            n_outputs=_EMBEDDING if proto else n_classes,
            normalise="per-frame" if proto else "all",
            learned_log=self.params.compression == "learned",
        )
        if not proto:
            return network
        support = self._support
        if support is None:
            # To be filled by ``load``, or only counted.
            support = torch.zeros(n_classes, _N_SHOTS, _N_FRAMES, _N_BANDS)
        return PrototypicalNetwork(network, size=_EMBEDDING, support=support)

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Draw the support set where there is one, and train."""
        if self.params.head == "proto":
            self._check(train)
            self._support = self._drawn_support(train, context)
        super().fit(train, validation, context)

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """L2 on kernels for ``softmax``: 0.001 times half their squares is a decay of 0.001; none for ``proto``."""
        from torch import nn

        if self.params.head == "proto":
            return super().parameter_groups(module)
        kernels = [layer.weight for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        others = [p for p in module.parameters() if all(p is not kernel for kernel in kernels)]
        return [{"params": others}, {"params": kernels, "weight_decay": _KERNEL_DECAY}]

    def training_plan(self) -> TrainingPlan:
        """As published for ``paper``; see the card's guesses for the others."""
        crop = Crop(length=_N_FRAMES, test_hop=self.params.test_hop)
        proto = self.params.head == "proto"
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=_N_SHOTS * len(self.task.labels.fine) if proto else 256,
                epochs=200,
                optimiser="sgd",
                learning_rate=0.1,
                clip_gradient_norm=5.0,
                crop=crop,
                precision="auto",
                channels_last=True,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=32,
            iterations=(25 if proto else 40) if smoke else (90 if proto else 1_200),
            optimiser="sgd",
            learning_rate=0.1,
            schedule=Cosine(),
            clip_gradient_norm=5.0,
            crop=Crop(length=_N_FRAMES, n_test=3) if smoke else crop,
            precision="auto",
            channels_last=True,
        )

    def _drawn_support(self, train: LabelledClips, context: Context) -> Tensor:
        """Excerpts of training clips, (n_classes, n_shots, frames, bands); nothing is standardised by the plan."""
        import numpy as np
        import torch

        from ._nac_network import draw_support

        rows, frames = draw_support(
            train.labels[FINE],
            class_names=self.task.labels.fine,
            n_shots=_N_SHOTS,
            n_frames=train.features.shape[1],
            length=_N_FRAMES,
            rng=context.rng(),
        )
        patches = [
            np.take_along_axis(train.features[clips], excerpts[:, :, None], axis=1)
            for clips, excerpts in zip(rows, frames, strict=True)
        ]
        return torch.from_numpy(np.stack(patches))
