"""The network of the DCASE 2018 Task 1 baseline."""

from __future__ import annotations

from torch import Tensor, nn

from asc_bench.modules.norms import KERAS_EPS, KERAS_MOMENTUM


class BandBatchNorm(nn.Module):
    """Batch normalisation of each band over clips, channels and time.

    Keras was set to normalise axis 1 of maps whose channels come last: the bands, not the channels. The printed
    parameter counts of the source (160 and 32 for 40 and 8 bands) show it.
    """

    def __init__(self, n_bands: int, *, momentum: float) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(n_bands, eps=KERAS_EPS, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, mel, time) to the same."""
        result: Tensor = self.bn(x.transpose(1, 2)).transpose(1, 2)
        return result


class Network(nn.Module):
    """Two convolutions, each normalised and pooled, and two dense layers.

    Parameters
    ----------
    n_bands, n_frames : int
        Size of the input; of further frames only the first ``n_frames`` are read.
    n_classes : int
    widths : tuple of int
        Channels of the two convolutions.
    momentum : float
        Weight of a batch in the running statistics.
    """

    def __init__(
        self,
        *,
        n_bands: int,
        n_frames: int,
        n_classes: int,
        widths: tuple[int, int] = (32, 64),
        momentum: float = KERAS_MOMENTUM,
    ) -> None:
        super().__init__()
        self.n_frames = n_frames
        bands, frames = n_bands // 5, n_frames // 5
        self.layers = nn.Sequential(
            nn.Conv2d(1, widths[0], 7, padding=3),
            BandBatchNorm(n_bands, momentum=momentum),
            # ReLU after the maximum gives the same numbers as before it, on few of the bins.
            nn.MaxPool2d(5),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Conv2d(widths[0], widths[1], 7, padding=3),
            BandBatchNorm(bands, momentum=momentum),
            nn.MaxPool2d((4, frames)),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(widths[1] * (bands // 4), 100),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(100, n_classes),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
            elif isinstance(layer, nn.Linear):
                nn.init.uniform_(layer.weight, -0.05, 0.05)
            else:
                continue
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, time, mel) to logits, (n, n_classes)."""
        logits: Tensor = self.layers(x[:, : self.n_frames].transpose(1, 2).unsqueeze(1))
        return logits
