"""Freq-MixStyle and time rolling: what a training batch of maps (n, channels, mel, time) goes through first.

Random numbers come from torch's generator, which the training loop seeds for each step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asc_bench.errors import ConfigError

_TINY = 1e-6
"""Added to a variance, as the source does."""


def freq_mixstyle(x: Tensor, *, share: Tensor, partner: Tensor) -> Tensor:
    """Give every clip, in each band, the mean and deviation of a blend of itself and its partner.

    Statistics are over channels and time; no gradient flows through them.

    Parameters
    ----------
    x : Tensor, shape (n, channels, mel, time)
    share : Tensor, shape (n,)
        Weight of the clip's own statistics, 0 to 1.
    partner : int Tensor, shape (n,)
        Row of the clip that gives the rest.

    References
    ----------
    F. Schmid et al., "Knowledge distillation from transformers for low-complexity acoustic scene classification",
    DCASE 2022 (Freq-MixStyle), after K. Zhou et al., "Domain generalization with MixStyle", ICLR 2021. As in
    https://github.com/CPJKU/dcase2024_task1_baseline, helpers/utils.py: unbiased variance, plus 1e-6.
    """
    variance, mean = torch.var_mean(x.detach().float(), dim=(1, 3), keepdim=True)
    deviation = (variance + _TINY).sqrt()
    own = share.to(mean)[:, None, None, None]
    mixed_mean = own * mean + (1.0 - own) * mean[partner]
    mixed_deviation = own * deviation + (1.0 - own) * deviation[partner]
    return (x - mean) / deviation * mixed_deviation + mixed_mean


class FreqMixStyle(nn.Module):
    """``freq_mixstyle`` of random pairs on a random part of the training batches.

    Parameters
    ----------
    probability : float
        Of a whole batch to be changed.
    alpha : float
        Shares come from Beta(alpha, alpha), one for each clip.

    Raises
    ------
    ConfigError
        If the probability is not in 0 to 1, or alpha is not positive.
    """

    def __init__(self, *, probability: float, alpha: float) -> None:
        super().__init__()
        if not 0 <= probability <= 1 or not alpha > 0:
            raise ConfigError(
                f"Freq-MixStyle needs a probability from 0 to 1 and an alpha above 0, got {probability} and {alpha}"
            )
        self.probability, self.alpha = probability, alpha

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, mel, time), changed in training only."""
        # Drawn on the CPU, so that a GPU need not be waited for.
        if not self.training or float(torch.rand(())) >= self.probability:
            return x
        alpha = torch.tensor(self.alpha)
        share = torch.distributions.Beta(alpha, alpha).sample((len(x),))
        return freq_mixstyle(x, share=share.to(x.device), partner=torch.randperm(len(x)).to(x.device))


class TimeRoll(nn.Module):
    """Shift each clip of a training batch in a circle along time, the last axis, by its own random step.

    Parameters
    ----------
    reach : int
        Largest step in frames, either way; all steps up to it are equally likely.

    Raises
    ------
    ConfigError
        If the reach is negative.
    """

    def __init__(self, reach: int) -> None:
        super().__init__()
        if reach < 0:
            raise ConfigError(f"time roll: reach must not be negative, got {reach} frames")
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, mel, time), changed in training only."""
        if not self.training or not self.reach:
            return x
        return rolled(x, torch.randint(-self.reach, self.reach + 1, (len(x),)).to(x.device))


def rolled(x: Tensor, steps: Tensor) -> Tensor:
    """Clip ``i`` of (n, channels, mel, time) shifted in a circle by ``steps[i]`` frames, later where positive."""
    frames = (torch.arange(x.shape[3], device=x.device) - steps[:, None]) % x.shape[3]
    return x.gather(3, frames[:, None, None, :].expand_as(x))
