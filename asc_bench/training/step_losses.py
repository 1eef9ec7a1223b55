"""What is noticed of the losses of a training's steps: whether they are finite, and their mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from asc_bench.errors import SystemFailure


class StepLosses:
    """Notices a loss or gradient that is not finite: at once on a CPU, at the next look on a GPU.

    Parameters
    ----------
    device : str
        Of the training.
    """

    def __init__(self, device: str) -> None:
        self._at_once = device == "cpu"
        self._seen: list[tuple[int, Tensor, Tensor, float]] = []
        self._sum, self._n = 0.0, 0

    def watch(self, step: int, loss: Tensor, gradient_norm: Tensor, rate: float) -> None:
        """Note what a step gave; raises as `check`, on a CPU."""
        self._seen.append((step, loss, gradient_norm, rate))
        if self._at_once:
            self.check()

    def check(self) -> None:
        """Look at all steps since the last look.

        Raises
        ------
        SystemFailure
            If a loss or gradient is not finite, with the first such step.
        """
        if not self._seen:
            return
        values = torch.stack([torch.stack([loss.float(), norm.float()]) for _, loss, norm, _ in self._seen]).cpu()
        bad = ~values.isfinite().all(dim=1)
        if bad.any():
            first = int(bad.nonzero()[0])
            step, _, _, rate = self._seen[first]
            raise SystemFailure(
                f"training diverged at step {step}: loss {float(values[first, 0]):g}, gradient norm "
                f"{float(values[first, 1]):g}, learning rate {rate:g}; lower the learning rate, set "
                "clip_gradient_norm, or train in float32"
            )
        # One after the other: the sum does not depend on when it is looked.
        for loss in values[:, 0].tolist():
            self._sum += loss
        self._n += len(self._seen)
        self._seen.clear()

    def mean(self) -> float:
        """Mean loss of the steps since the last call; checks them first."""
        self.check()
        mean = self._sum / max(1, self._n)
        self._sum, self._n = 0.0, 0
        return mean

    def state(self) -> tuple[float, int]:
        """Sum and number of the losses that ``mean`` has not given yet, for a checkpoint."""
        self.check()
        return self._sum, self._n

    def restore(self, state: Sequence[float]) -> None:
        """Go on from what ``state`` gave."""
        self._sum, self._n = float(state[0]), int(state[1])
