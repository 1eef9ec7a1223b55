"""The network of the DCASE Task 1 baselines of 2021 to 2023, and what it reads."""

from __future__ import annotations

from torch import nn

from asc_bench.api import LogMel
from asc_bench.modules.norms import with_keras_batch_norm

N_BANDS = 40


def log_mel() -> LogMel:
    """Magnitudes in bands of equal area: 51 frames of 40 bands for 1 s."""
    return LogMel(
        sample_rate_hz=44_100,
        n_fft=2_048,
        window_length=1_764,
        hop_length=882,
        n_mels=N_BANDS,
        fmin_hz=0.0,
        fmax_hz=22_050.0,
        window="hamming",
        power=1.0,
        pad="reflect",
        floor=2.220446049250313e-16,
    )


def network(*, n_frames: int, n_classes: int, widths: tuple[int, int, int], momentum: float) -> nn.Sequential:
    """Three convolutions, normalised channel by channel, and two dense layers: (n, 1, mel, time) to logits.

    Parameters
    ----------
    n_frames : int
        Of the input, five at least; the second pooling spans them all.
    n_classes : int
    widths : tuple of int
        Channels of the convolutions.
    momentum : float
        Weight of a batch in the running statistics.
    """
    first, second, third = widths
    bands, frames = N_BANDS // 5, n_frames // 5
    module = nn.Sequential(
        nn.Conv2d(1, first, 7, padding=3),
        nn.BatchNorm2d(first),
        nn.ReLU(),
        nn.Conv2d(first, second, 7, padding=3),
        nn.BatchNorm2d(second),
        # ReLU after the maximum gives the same numbers as before it, on few of the bins.
        nn.MaxPool2d(5),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Conv2d(second, third, 7, padding=3),
        nn.BatchNorm2d(third),
        nn.MaxPool2d((4, frames)),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(third * (bands // 4), 100),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(100, n_classes),
    )
    for layer in module:
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
        elif isinstance(layer, nn.Linear):
            nn.init.uniform_(layer.weight, -0.05, 0.05)
        else:
            continue
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    with_keras_batch_norm(module, momentum=momentum)
    return module
