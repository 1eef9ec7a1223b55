"""The authors' repositories, and modules made of their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy.typing as npt

Outputs = dict[str, npt.NDArray[Any]]

REPOSITORIES = {
    "resemul": ("github.com/tae-jun/resemul", "f2c2c80"),
    "very-deep-convnets-raw-waveforms": ("github.com/philipperemy/very-deep-convnets-raw-waveforms", "c8bb551"),
    "icassp19": ("github.com/edufonseca/icassp19", "3d7ed3e"),
    "dcase2018_baseline": ("github.com/DCASE-REPO/dcase2018_baseline", "5c5a0f6"),
    "dcase2024_task1_baseline": ("github.com/CPJKU/dcase2024_task1_baseline", "9948d19"),
    "cpjku_dcase20": ("github.com/kkoutini/cpjku_dcase20", "792ab5d"),
    "CAANet_DCASE_ASC": ("github.com/EIHW/CAANet_DCASE_ASC", "eaaf9b3"),
    "audioset_tagging_cnn": ("github.com/qiuqiangkong/audioset_tagging_cnn", "d2f4b8c"),
    "EfficientAT": ("github.com/fschmid56/EfficientAT", "a425fdc"),
    "cpjku_dcase23": ("github.com/fschmid56/cpjku_dcase23", "2e20aba"),
    "easy_dcase_task1": ("github.com/yqcai888/easy_dcase_task1", "e5430fb"),
    "PaSST": ("github.com/kkoutini/PaSST", "2a5c818"),
    "unilm": ("github.com/microsoft/unilm", "768a3c8"),
}
"""Folder, address and commit."""


def load(path: Path, changes: Mapping[str, str], given: Mapping[str, Any] | None = None) -> ModuleType:
    """The module in a file, with parts of its text replaced, and some names known to it."""
    text = path.read_text(encoding="utf-8").expandtabs(8)
    for old, new in changes.items():
        if old not in text:
            raise ValueError(f"{path}: {old!r} is not in it; is this the commit that REPOSITORIES names?")
        text = text.replace(old, new)
    module = ModuleType(path.stem)
    vars(module).update({name: value for name, value in (given or {}).items() if not name.startswith("__")})
    exec(compile(text, str(path), "exec"), vars(module))  # what this file is for
    return module


TORCHVISION = "from torchvision.ops.misc import ConvNormActivation"


def convolution_of_torchvision(
    n_in: int,
    n_out: int,
    kernel_size: int = 3,
    stride: int = 1,
    padding: int | None = None,
    *,
    norm_layer: Callable[[int], Any] | None = None,
    inplace: bool = True,
    **rest: Any,
) -> Any:
    """Torchvision's convolution with norm and activation, written out."""
    from torch import nn

    activation = rest.pop("activation_layer", nn.ReLU)
    side = (kernel_size - 1) // 2 if padding is None else padding
    inner = nn.Conv2d(n_in, n_out, kernel_size, stride, side, bias=False, **rest)
    return nn.Sequential(inner, (norm_layer or nn.BatchNorm2d)(n_out), *([activation()] if activation else []))
