"""What makes embeddings of waveforms: a Python function, or a network in a TorchScript or ONNX file."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asc_bench.api import ConfigError, StoreError, SystemFailure

Extractor = Callable[[npt.NDArray[np.float32]], Any]
"""From waveforms, float32 of shape (n, n_samples), to an array or tensor (n, d) or (n, n_frames, d)."""


def load_extractor(name: str, device: str) -> Extractor:
    """Get an extractor ready.

    Parameters
    ----------
    name : str
        ``package.module:function``, or the path of a ``.pt`` or ``.onnx`` file.
    device : str
        torch device that a ``.pt`` file computes on; the others choose theirs themselves.

    Raises
    ------
    ConfigError
        If the function is not there, or a package that it needs.
    StoreError
        If the file cannot be read.
    """
    if name.endswith(".pt"):
        return _torchscript(Path(name), device)
    if name.endswith(".onnx"):
        return _onnx(Path(name))
    return _function(name)


def source_file(name: str) -> Path | None:
    """File of ``package.module:function``; None if there is no such module, or it has no file.

    Packages above the module are imported, the module itself is not.
    """
    try:
        spec = importlib.util.find_spec(name.partition(":")[0])
    except ImportError:
        return None
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


def has_module(name: str) -> bool:
    """Whether the module of ``package.module:function`` can be found."""
    try:
        return importlib.util.find_spec(name.partition(":")[0]) is not None
    except ImportError:
        return False


def embed(extractor: Extractor, waveforms: npt.NDArray[np.float32], *, name: str) -> npt.NDArray[np.float32]:
    """Embeddings of waveforms, always of shape (n, n_frames, d).

    Raises
    ------
    SystemFailure
        If the extractor gives something else than ``Extractor`` says.
    """
    given = extractor(waveforms)
    if hasattr(given, "detach"):
        given = given.detach().cpu().float().numpy()
    array = np.asarray(given)
    n = len(waveforms)
    if array.dtype.kind != "f" or array.ndim not in (2, 3) or len(array) != n or not array.size:
        raise SystemFailure(
            f"{name} made {array.dtype} of shape {array.shape} from waveforms of shape {waveforms.shape}; "
            f"floating point numbers of shape ({n}, d) or ({n}, n_frames, d) are needed"
        )
    return array.reshape(n, -1, array.shape[-1]).astype(np.float32, copy=False)


def _function(name: str) -> Extractor:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except AttributeError:
        raise ConfigError(f"embedding-svm: extractor={name}: the module {module} has no {attribute!r}") from None
    if not callable(found):
        raise ConfigError(f"embedding-svm: extractor={name} is a {type(found).__name__}, not a function")
    extractor: Extractor = found
    return extractor


def _torchscript(path: Path, device: str) -> Extractor:
    import torch

    from asc_bench.api import reproducible

    try:
        network = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        raise StoreError(
            f"{path}: not a readable TorchScript file, as torch.jit.save writes it ({str(error).splitlines()[0]})"
        ) from error

    def extract(waveforms: npt.NDArray[np.float32]) -> Any:
        with reproducible(device), torch.inference_mode():
            return network(torch.from_numpy(waveforms).to(device))

    return extract


def _onnx(path: Path) -> Extractor:
    import torch

    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(f"embedding-svm: {path} {NEEDS_ONNX}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # as many as this run may use
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise StoreError(f"{path}: onnxruntime cannot read it ({error})") from error
    inputs = [put.name for put in session.get_inputs()]
    if len(inputs) != 1:
        raise ConfigError(f"embedding-svm: {path} has the inputs {', '.join(inputs)}; exactly one is needed")

    def extract(waveforms: npt.NDArray[np.float32]) -> Any:
        return session.run(None, {inputs[0]: waveforms})[0]

    return extract


NEEDS_ONNX = "needs onnxruntime: pip install 'asc-bench[onnx]'"
