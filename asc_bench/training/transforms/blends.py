"""Transforms that put two clips of a batch together: mixup and Freq-MixStyle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from asc_bench.errors import ConfigError
from asc_bench.training.transforms.base import Given, Transform, require_positive, require_share, require_types

if TYPE_CHECKING:
    from torch import Tensor

    from asc_bench.training.batches import Batch

_TINY = 1e-6
"""Added to a variance, as the source does."""


@dataclass(frozen=True)
class Mixup(Transform):
    """Blend each batch with a permutation of itself, and its loss with that of the permuted labels, by one share.

    Source: Zhang et al. 2018, "mixup: Beyond empirical risk minimization"; one share for a batch, as
    https://github.com/yqcai888/easy_dcase_task1 has it.

    Attributes
    ----------
    alpha : float
        The share of a clip itself comes from Beta(alpha, alpha).
    """

    name: ClassVar[str] = "mixup"

    alpha: float = 0.3

    def __post_init__(self) -> None:
        require_types(self)
        require_positive(self.name, alpha=self.alpha)

    def why_not(self, given: Given) -> str:
        """Devices cannot be blended."""
        if not given.network_reads_device:
            return ""
        return (
            "blends clips of different recording devices; a system that uses the device cannot be trained with it"
        )

    def __call__(self, batch: Batch, given: Given) -> Batch:
        """Blended features and teachers' logits, and the labels of the partners beside their own."""
        import torch

        from asc_bench.training.batches import Blend
        from asc_bench.training.sampling import mixup_draw

        share, order = mixup_draw(self.alpha, size=len(batch.features), seed=given.seed, step=batch.step)
        index = torch.from_numpy(order).to(batch.features.device)
        partners = {level: y[index] for level, y in batch.labels.items()}
        blended = share * batch.features + (1.0 - share) * batch.features[index]
        taught = batch.teacher_logits
        return replace(
            batch,
            features=blended,
            blend=Blend(share, partners),
            teacher_logits=None if taught is None else share * taught + (1.0 - share) * taught[index],
        )


@dataclass(frozen=True)
class FreqMixStyle(Transform):
    """Give each clip, in each band, the mean and deviation over time of a blend of itself and another clip.

    Source: Schmid et al. 2022, "Knowledge distillation from transformers for low-complexity acoustic scene
    classification", after Zhou et al. 2021, "Domain generalization with MixStyle"; as in
    https://github.com/CPJKU/dcase2024_task1_baseline, helpers/utils.py.

    Attributes
    ----------
    p : float
        Probability of a whole batch to be changed.
    alpha : float
        The share of a clip's own statistics comes from Beta(alpha, alpha).
    share : {"clip", "batch"}
        One share for each clip (CP-JKU), or for the batch (easy_dcase_task1).
    """

    name: ClassVar[str] = "freq-mixstyle"

    p: float = 0.4
    alpha: float = 0.3
    share: Literal["clip", "batch"] = "clip"

    def __post_init__(self) -> None:
        require_types(self)
        require_share(self.name, self.p)
        require_positive(self.name, alpha=self.alpha)
        if self.share not in ("clip", "batch"):
            raise ConfigError(f"{self.name}: share is {self.share!r}, must be clip or batch")

    def why_not(self, given: Given) -> str:
        """It needs bands."""
        return "" if given.has_bands else f"needs frames of frequency bands, and these are {given.source}"

    def __call__(self, batch: Batch, given: Given) -> Batch:
        """The batch as it is, or with other statistics."""
        import torch

        if float(torch.rand(())) >= self.p:
            return batch
        x, alpha = batch.features, torch.tensor(self.alpha)
        beta = torch.distributions.Beta(alpha, alpha)
        share = beta.sample((len(x),)) if self.share == "clip" else beta.sample(()).expand(len(x))
        return replace(
            batch, features=freq_mixstyle(x, share=share.to(x.device), partner=torch.randperm(len(x)).to(x.device))
        )


def freq_mixstyle(x: Tensor, *, share: Tensor, partner: Tensor) -> Tensor:
    """Freq-MixStyle with given shares and partners: unbiased variance, plus 1e-6; no gradient through statistics.

    Parameters
    ----------
    x : Tensor, shape (n, time, mel)
    share : Tensor, shape (n,)
        Weight of the clip's own statistics, 0 to 1.
    partner : int Tensor, shape (n,)
        Row of the clip that gives the rest.
    """
    import torch

    variance, mean = torch.var_mean(x.detach().float(), dim=1, keepdim=True)
    deviation = (variance + _TINY).sqrt()
    own = share.to(mean)[:, None, None]
    mixed_mean = own * mean + (1.0 - own) * mean[partner]
    mixed_deviation = own * deviation + (1.0 - own) * deviation[partner]
    return (x - mean) / deviation * mixed_deviation + mixed_mean
