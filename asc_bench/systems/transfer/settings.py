"""Settings of a transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asc_bench.errors import ConfigError
from asc_bench.systems.base import Params

if TYPE_CHECKING:
    from asc_bench.systems.probes import Probe

FINE_TUNING_FACTOR = 0.1


@dataclass(frozen=True, kw_only=True)
class TransferParams(Params):
    """What is transferred, from where, and how.

    Attributes
    ----------
    system : str
        A neural system, such as ``sb-cnn`` or ``hierarchical-cnn[attention=no]``.
    source : str
        Task that it was trained on before, as results folders call it; empty with ``retrain``.
    variant : {"finetune", "retrain", "svm", "lr"}
        Trained further; trained from scratch on the target alone; or its embedding, frozen, with a support vector
        machine (polynomial kernel of degree 3) or with an autoencoder-based logistic regression.
    layers : {"classifier", "all"}
        What ``finetune`` trains: what depends on the classes alone, as the paper has it, or every layer.
    pooling : {"replicated", "attention", "noisy-or"}
        How the labels of a clip reach its windows, where clips have several labels: each window is held to have
        all of them, as the paper has it, or the windows are scored together (multiple instances).
    mode : {"logistic", "closed_form"}
        Of ``lr``, see ``asc_bench.systems.autoencoder_lr``.
    window_s : float
        Seconds that a segment of such a clip is scored from; a system that trains on excerpts takes their length.
    """

    system: str = ""
    source: str = ""
    variant: Literal["finetune", "retrain", "svm", "lr"] = "finetune"
    layers: Literal["classifier", "all"] = "classifier"
    pooling: Literal["replicated", "attention", "noisy-or"] = "replicated"
    mode: Literal["logistic", "closed_form"] = "logistic"
    window_s: float = 2.0

    def __post_init__(self) -> None:
        if not self.system:
            raise ConfigError("transfer needs a system, such as system=sb-cnn; see `asc-bench transfer`")
        if not self.window_s > 0:
            raise ConfigError(f"transfer: window_s is {self.window_s}, must be positive")
        if self.variant in ("svm", "lr") and self.pooling != "replicated":
            raise ConfigError(f"transfer: variant={self.variant} has no pooling={self.pooling}; use replicated")
        unread = {
            "layers": self.variant != "finetune",
            "source": not self.needs_source,
            "mode": self.variant != "lr",
        }
        for name in (name for name, is_unread in unread.items() if is_unread):
            object.__setattr__(self, name, getattr(TransferParams, name))

    @property
    def needs_source(self) -> bool:
        """Whether it starts from a trained network."""
        return self.variant != "retrain"

    def probe(self) -> Probe:
        """The classifier on frozen embeddings that ``variant`` names, not yet fitted."""
        from asc_bench.systems.probes import probe

        return probe(self.variant, **({"mode": self.mode} if self.variant == "lr" else {}))
