"""The one door through which torchaudio comes in.

torchaudio from PyPI links its compiled extension against CUDA libraries, which are missing beside a CPU build
of torch, and refuses to be imported without them. Nothing here needs the extension: masking, filters and
spectrograms are written in torch.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType


@cache
def torchaudio() -> ModuleType:
    """Import torchaudio, without its compiled extension where that cannot be loaded.

    Raises
    ------
    ImportError
        If torchaudio is not installed.
    OSError
        If something other than the extension cannot be loaded.
    """
    try:
        return importlib.import_module("torchaudio")
    except OSError:
        sys.modules["torchaudio._extension"] = _without_extension()
        return importlib.import_module("torchaudio")


def _without_extension() -> ModuleType:
    """Stand for ``torchaudio._extension`` as torchaudio itself has it where it was built without one."""
    module = ModuleType("torchaudio._extension")
    vars(module).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=lambda function: function,
    )
    return module
