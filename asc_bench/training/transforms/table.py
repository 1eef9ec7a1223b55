"""The transforms by the names that plans and users give them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from asc_bench.training.transforms.base import Transform
from asc_bench.training.transforms.blends import FreqMixStyle, Mixup
from asc_bench.training.transforms.places import RandomCrop, SpecAugment, TimeRoll
from asc_bench.training.transforms.sound import DeviceResponse, Gain, SimulatedResponse

TRANSFORMS: Mapping[str, type[Transform]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Mixup,
            SpecAugment,
            TimeRoll,
            RandomCrop,
            Gain,
            FreqMixStyle,
            DeviceResponse,
            SimulatedResponse,
        )
    }
)
"""All that can be named in ``augment=``."""
