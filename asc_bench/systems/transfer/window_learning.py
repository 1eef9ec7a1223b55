"""How networks are trained on clips with several labels: windows, a head on their embedding, weak labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from asc_bench.labels import FINE
from asc_bench.modules.windows import Pooling, WindowHead, weak_label_loss, windows
from asc_bench.systems.embedding import embedding
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.training.batches import Batch
from asc_bench.training.evaluate import Evaluation


@dataclass(frozen=True)
class Cut:
    """Windows of a clip, one for each segment, in frames (or samples) of the features."""

    length: int
    starts: tuple[int, ...]


class WindowNetwork(nn.Module):
    """A network whose own last layer is not used, and a head on its embedding."""

    def __init__(self, trunk: nn.Module, head: WindowHead) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head


@dataclass
class WindowLearner:
    """What the training loop calls: the embedding of windows, the head, and the loss for weak labels."""

    system: TorchSystem
    cut: Cut
    pooling: Pooling
    rate_of_trunk: float = 1.0

    def forward(self, module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Logits of the windows and probabilities of the clips."""
        assert isinstance(module, WindowNetwork)
        outputs: dict[str, Tensor] = module.head(embedded(self.system, module.trunk, batch, self.cut))
        return outputs

    def loss(self, outputs: dict[str, Tensor], batch: Batch) -> Tensor:
        """See ``weak_label_loss``."""
        return weak_label_loss(outputs, batch.labels[FINE], pooling=self.pooling)

    def probabilities(self, outputs: dict[str, Tensor]) -> Tensor:
        """Of the clips."""
        return outputs["tagging"]

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """The head, and the trunk at a rate of its own."""
        if not isinstance(module, WindowNetwork):
            return [{"params": list(module.parameters())}]
        return [
            {"params": list(module.head.parameters())},
            {"params": list(module.trunk.parameters()), "rate_factor": self.rate_of_trunk},
        ]

    def validated(self, module: nn.Module, validation: Evaluation) -> None:
        """Nothing follows from a validation but what the plan says."""

    def wants_validation(self, module: nn.Module) -> bool:
        """Not beyond the plan."""
        return False


class HeadLearner(WindowLearner):
    """The same on embeddings that were computed before."""

    def forward(self, module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The head alone."""
        outputs: dict[str, Tensor] = module(batch.features)
        return outputs


def embedded(system: TorchSystem, trunk: nn.Module, batch: Batch, cut: Cut) -> Tensor:
    """Embeddings of the windows of each clip or excerpt, (n, windows, size)."""
    cuts = windows(batch.features, cut.starts, length=cut.length)
    n_clips, n_windows = cuts.shape[:2]
    device = None if batch.device is None else batch.device.repeat_interleave(n_windows)
    vectors = embedding(system, trunk, replace(batch, features=cuts.flatten(end_dim=1), device=device))
    return vectors.reshape(n_clips, n_windows, -1)
