"""Tensors and a little JSON in one safetensors file: written whole or not at all, verified when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from asc_bench.errors import StoreError
from asc_bench.files import write_atomic

_FORMAT = "asc-bench-tensors-1"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write named tensors and JSON facts to ``path``; a crash at any moment leaves the old file or the new
    one.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    held = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(facts, sort_keys=True)
    metadata = {"format": _FORMAT, "facts": text, "sha256": _digest(held, text)}
    write_atomic(path, save(held, metadata=metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what ``write_tensors`` wrote: tensors on the CPU, and the facts.

    Raises
    ------
    StoreError
        If the file is missing, is not such a file, or was changed since it was written.
    """
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError:
        raise StoreError(f"{path}: no such file") from None
    except (SafetensorError, OSError) as error:
        raise StoreError(f"{path}: not a readable safetensors file ({error})") from error
    if metadata.get("format") != _FORMAT:
        raise StoreError(f"{path}: format {metadata.get('format')!r}, expected {_FORMAT!r}")
    text = metadata.get("facts", "")
    if metadata.get("sha256") != _digest(tensors, text):
        raise StoreError(f"{path}: the contents do not match their digest; the file was damaged or changed")
    facts: dict[str, Any] = json.loads(text)
    return tensors, facts


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_matching(
    module: nn.Module,
    state: Mapping[str, Any],
    *,
    source: str,
    rename: Callable[[str], str] = lambda name: name,
) -> None:
    """Load ``state`` into ``module``, all of it or none.

    Parameters
    ----------
    rename : callable
        Turns a name of ``state`` into a name of ``module``.
    source : str
        Where the state comes from, for the message.

    Raises
    ------
    StoreError
        Listing every name that is missing, unexpected or of another shape.
    """
    given = {rename(name): value for name, value in state.items()}
    wanted = module.state_dict()
    faults = [
        f"{name}: missing, expected shape {tuple(wanted[name].shape)}" for name in wanted.keys() - given.keys()
    ]
    for name, value in given.items():
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        if name not in wanted:
            faults.append(f"{name}: unexpected, shape {shape}")
        elif shape != tuple(wanted[name].shape):
            faults.append(f"{name}: shape {shape}, expected {tuple(wanted[name].shape)}")
    if faults:
        listed = "\n  ".join(sorted(faults))
        raise StoreError(f"{source} does not fit {type(module).__name__}, {len(faults)} differences:\n  {listed}")
    module.load_state_dict(given)
