"""An encoder of the user's own: a Python function, or a network in a TorchScript or ONNX file."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, StoreError, SystemFailure
from asc_bench.features.encoders.base import Encoder, digest_of
from asc_bench.own_code import is_own, own_code

Extractor = Callable[[npt.NDArray[np.float32]], Any]
"""From waveforms, float32 of shape (n, n_samples), to an array or tensor (n, d) or (n, n_frames, d)."""

NEEDS_ONNX = "needs onnxruntime: pip install 'asc-bench[onnx]'"

_PER_BATCH = 16
"""Windows that the extractor is given at once."""

_RUNNING = Lock()
"""One call at a time: nobody promised that it may be called by several threads."""


def is_reference(name: str) -> bool:
    """Whether a text names an extractor of the user's own, which need not exist."""
    return name.endswith((".pt", ".onnx")) or re.fullmatch(r"\w+(\.\w+)*:\w+", name) is not None


@dataclass(frozen=True, kw_only=True)
class OwnEncoder(Encoder):
    """What the user names with ``extractor=``.

    Attributes
    ----------
    extractor : str
        ``package.module:function`` (importable), or the path of a ``.pt`` or ``.onnx`` file. A ``.pt`` file runs on
        the first GPU if there is one, an ``.onnx`` file on the CPU; a function chooses itself.
    """

    numerics_version: ClassVar[int | None] = 1

    extractor: str = ""

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"extractor={self.extractor}"

    @property
    def is_file(self) -> bool:
        """Whether it is a network in a file."""
        return self.extractor.endswith((".pt", ".onnx"))

    def absent(self) -> str:
        """See ``Encoder.absent``."""
        if self.extractor.endswith(".onnx") and importlib.util.find_spec("onnxruntime") is None:
            return f"{self.extractor} {NEEDS_ONNX}"
        if not self.is_file and not _has_module(self.extractor):
            module = self.extractor.partition(":")[0]
            return f"there is no module {module}: install it, or put its folder on PYTHONPATH"
        return ""

    def files(self) -> tuple[Path, ...]:
        """The network's file, or that of the function's module, and files that ``weights`` names."""
        if self.is_file:
            return (Path(self.extractor), *super().files())
        source = source_file(self.extractor)
        return (*(() if source is None else (source,)), *super().files())

    def key(self) -> dict[str, object]:
        """Settings, and the content of the file; of a module with all that it imports and reads."""
        source = None if self.is_file else source_file(self.extractor)
        code = own_code(source) if source is not None and is_own(source) else {}
        files = [digest_of(path) for path in self.files() if not (code and path == source)]
        name = self.extractor.partition(":")[2]  # of a file neither name nor place matters
        return {**super().key(), "files": files, "function": name, **({"code": code} if code else {})}

    def dimensions(self, n_samples: int) -> int:
        """d, found by embedding silence once."""
        return _dimensions(self.extractor, self._content(), n_samples)

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``.

        Raises
        ------
        SystemFailure
            If the extractor gives something else than ``Extractor`` says.
        ConfigError, StoreError
            As ``load_extractor``.
        """
        with _RUNNING:
            extractor = _loaded(self.extractor, self._content())
            parts = [
                checked(extractor, windows[i : i + _PER_BATCH], name=self.title)
                for i in range(0, len(windows), _PER_BATCH)
            ]
        return np.concatenate(parts)

    def _content(self) -> str:
        """Digest of the network's file, if it can be read: what is loaded again once another lies there."""
        return digest_of(Path(self.extractor)) if self.is_file and Path(self.extractor).is_file() else ""


@lru_cache(maxsize=64)
def _dimensions(extractor: str, content: str, n_samples: int) -> int:
    with _RUNNING:
        silence = np.zeros((1, n_samples), dtype=np.float32)
        found = checked(_loaded(extractor, content), silence, name=f"extractor={extractor}")
    return int(found.shape[-1])


@lru_cache(maxsize=2)
def _loaded(extractor: str, content: str) -> Extractor:
    return load_extractor(extractor)


def load_extractor(name: str) -> Extractor:
    """Get an extractor ready.

    Parameters
    ----------
    name : str
        ``package.module:function``, or the path of a ``.pt`` or ``.onnx`` file.

    Raises
    ------
    ConfigError
        If the function is not there, or a package that it needs.
    StoreError
        If the file cannot be read.
    """
    if name.endswith(".pt"):
        return _torchscript(Path(name))
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


def checked(extractor: Extractor, waveforms: npt.NDArray[np.float32], *, name: str) -> npt.NDArray[np.float32]:
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


def _has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name.partition(":")[0]) is not None
    except ImportError:
        return False


def _function(name: str) -> Extractor:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except AttributeError:
        raise ConfigError(f"extractor={name}: the module {module} has no {attribute!r}") from None
    if not callable(found):
        raise ConfigError(f"extractor={name} is a {type(found).__name__}, not a function")
    extractor: Extractor = found
    return extractor


def _torchscript(path: Path) -> Extractor:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        network = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        raise StoreError(
            f"{path}: not a readable TorchScript file, as torch.jit.save writes it ({str(error).splitlines()[0]})"
        ) from error

    def extract(waveforms: npt.NDArray[np.float32]) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(waveforms).to(device))

    return extract


def _onnx(path: Path) -> Extractor:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(f"{path} {NEEDS_ONNX}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the same sums, whatever the machine
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise StoreError(f"{path}: onnxruntime cannot read it ({error})") from error
    inputs = [put.name for put in session.get_inputs()]
    if len(inputs) != 1:
        raise ConfigError(f"{path} has the inputs {', '.join(inputs)}; exactly one is needed")

    def extract(waveforms: npt.NDArray[np.float32]) -> Any:
        return session.run(None, {inputs[0]: waveforms})[0]

    return extract
