"""What can be set in CAA-Net, and which published numbers belong to which settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from asc_bench.api import ConfigError, Params, Published

POOLINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cnn-pool": ("flatten", "max", "avg", "att"),
        "cnn-no-pool": ("max", "avg", "roi", "att", "roi+att"),
        "atrous": ("max", "avg", "roi", "att", "roi+att"),
    }
)
"""Global poolings by topology: the 14 rows of Tables I and II."""

BEST_LAYER: Mapping[tuple[str, str], int] = MappingProxyType(
    {
        ("cnn-pool", "flatten"): 1,
        ("cnn-pool", "max"): 2,
        ("cnn-pool", "avg"): 4,
        ("cnn-pool", "att"): 3,
        ("cnn-no-pool", "max"): 2,
        ("cnn-no-pool", "avg"): 1,
        ("cnn-no-pool", "roi"): 1,
        ("cnn-no-pool", "att"): 1,
        ("cnn-no-pool", "roi+att"): 1,
        ("atrous", "max"): 2,
        ("atrous", "avg"): 3,
        ("atrous", "roi"): 3,
        ("atrous", "att"): 4,
        ("atrous", "roi+att"): 3,
    }
)
"""The layer with the best published number in Table I, which Tables II and III use. It was chosen on the test
split."""

CONDITIONAL = ("teacher-forcing", "multi-task")


@dataclass(frozen=True, kw_only=True)
class CaaNetParams(Params):
    """Which of the paper's networks, trained how.

    Attributes
    ----------
    topology : {"cnn-pool", "cnn-no-pool", "atrous"}
        Convolutions with local pooling, without it, or dilated (section III.C). Not the paper's best, which is
        atrous, but ``cnn-pool`` is the default: an atrous network costs a CPU 20 times as much.
    pooling : {"flatten", "max", "avg", "roi", "att", "roi+att"}
        Global pooling (section III.D). ``flatten`` needs local pooling, ``roi`` its absence.
    training : {"single-device", "joint", "teacher-forcing", "multi-task"}
        One network for each device; one for all devices, which it does not distinguish; one that is given the
        device, also at test time; one that predicts it (section III.B).
    condition_layer : {1, 2, 3, 4}
        Where the device is added. Nothing reads it unless training is conditional: it is reset to its default
        then, so that equal runs have equal names.
    variant : {"code", "paper"}
        As the released code computes the pooling (log-probabilities averaged, limited attention, constant
        learning rate), or as equations 5 and 6 and section IV.B state it (probabilities averaged, learning rate
        x 0.9 every 200 steps). The default is the code, because it made the numbers.
    weights : str
        Checkpoint of the authors (``md_15000_iters.tar``) to be used instead of training.
    """

    topology: Literal["cnn-pool", "cnn-no-pool", "atrous"] = "cnn-pool"
    pooling: Literal["flatten", "max", "avg", "roi", "att", "roi+att"] = "att"
    training: Literal["single-device", "joint", "teacher-forcing", "multi-task"] = "joint"
    condition_layer: Literal[1, 2, 3, 4] = 4
    variant: Literal["code", "paper"] = "code"
    weights: str = ""

    def __post_init__(self) -> None:
        allowed = POOLINGS[self.topology]
        if self.pooling not in allowed:
            why = (
                "regions of interest are 16 x 16 bins of maps that no local pooling has made smaller"
                if self.topology == "cnn-pool"
                else "flattened maps of full resolution would need a dense layer of 100 million weights"
            )
            raise ConfigError(
                f"caa-net: pooling {self.pooling} does not go with topology {self.topology}: {why}; "
                f"choose {', '.join(allowed)}"
            )
        if self.weights and self.training == "single-device":
            raise ConfigError(
                "caa-net: a checkpoint holds one network, and training=single-device needs one for each device"
            )
        if self.training not in CONDITIONAL:
            object.__setattr__(self, "condition_layer", CaaNetParams.condition_layer)


def published() -> tuple[Published, ...]:
    """Rows of Tables I to III by setting."""
    entries = []
    for topology, poolings in POOLINGS.items():
        for pooling in poolings:
            model = {"topology": topology, "pooling": pooling}
            best = {"condition_layer": str(BEST_LAYER[topology, pooling])}
            for layer in "1234":
                where, when = model | {"condition_layer": layer}, {"training": "teacher-forcing"}
                entries.append(Published("dcase2018", "caanet_table1", where, when=when))
            for training in ("single-device", "joint", *CONDITIONAL):
                where, when = model | {"training": training}, best if training in CONDITIONAL else {}
                entries.append(Published("dcase2018", "caanet_table2", where, when=when))
                if pooling == "att":
                    entries.append(Published("dcase2019", "caanet_table3", where, when=when))
    return tuple(entries)
