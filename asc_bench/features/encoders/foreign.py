"""Checkpoints that others wrote; none is run, as they go through torch's weights-only reader."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asc_bench.errors import StoreError

if TYPE_CHECKING:
    from torch import Tensor


def load_foreign_state(path: Path) -> dict[str, Any]:
    """Read a checkpoint that others wrote (``.safetensors``, or anything ``torch.save`` makes) without
    running it.

    Returns
    -------
    dict
        What the file holds; usually a state dict, or a dict with one under ``"state_dict"``.

    Raises
    ------
    StoreError
        If the file is missing or broken, or holds anything but tensors and plain containers.
    """
    import torch
    from safetensors.torch import load_file

    advice = "convert it where you trust it: safetensors.torch.save_file(torch.load(path)['state_dict'], new_path)"
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with path.open("rb") as file:
            head = file.read(8)
        if not head.startswith((b"PK", b"\x80")):
            raise StoreError(f"{path}: not a checkpoint, it begins with {head!r}")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except StoreError:
        raise
    except FileNotFoundError:
        raise StoreError(f"{path}: no such file") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    except pickle.UnpicklingError as error:
        raise StoreError(
            f"{path}: refused, it holds more than tensors and plain containers, and reading it could "
            f"run code; {advice}"
        ) from error
    except Exception as error:
        raise StoreError(f"{path}: not a readable checkpoint ({type(error).__name__}: {error})") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path}: holds a {type(content).__name__}, expected a dict of tensors")
    return content


def checkpoint_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint by name, without what may stand beside them; see ``load_foreign_state``."""
    import torch

    content = foreign_tensors(load_foreign_state(path))
    return {str(name): tensor for name, tensor in content.items() if isinstance(tensor, torch.Tensor)}


def fitting_tensors(
    content: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path, *, what: str, for_shapes: str = ""
) -> dict[str, Tensor]:
    """Tensors for a network out of a checkpoint's, which must hold them all, in their shapes.

    Parameters
    ----------
    content, wanted : mapping
        Of the checkpoint, and of the network.
    path : Path
        Of the checkpoint, for messages.
    what : str
        What the file is not if it does not fit, such as "no checkpoint of CNN14".
    for_shapes : str
        Follows ``what`` where a shape differs.

    Raises
    ------
    StoreError
        With the first difference.
    """
    absent = [name for name in wanted if name not in content]
    if absent:
        raise StoreError(f"{path}: {what}, it lacks {absent[0]} and {len(absent) - 1} more tensors")
    for name, tensor in wanted.items():
        if content[name].shape != tensor.shape:
            raise StoreError(
                f"{path}: {what}{for_shapes}: {name} has the shape {tuple(content[name].shape)} instead of "
                f"{tuple(tensor.shape)}"
            )
    return {name: content[name] for name in wanted}


def foreign_tensors(content: Mapping[str, Any]) -> dict[str, Any]:
    """Find the state dict in what ``load_foreign_state`` read, and take the names off what it was wrapped in.

    Returns
    -------
    dict
        ``content`` itself, or what it holds under ``"state_dict"``, or else its only mapping of names to tensors
        where no tensor stands beside it. A prefix ``module.`` that all names have, as ``DataParallel`` gives it,
        is removed.
    """
    from torch import Tensor

    if not any(isinstance(value, Tensor) for value in content.values()):
        inner = [value for value in content.values() if _is_state(value)]
        if _is_state(content.get("state_dict")):
            content = content["state_dict"]
        elif len(inner) == 1:
            content = inner[0]
    wrapped = bool(content) and all(str(name).startswith("module.") for name in content)
    return {str(name).removeprefix("module.") if wrapped else name: value for name, value in content.items()}


def _is_state(value: object) -> bool:
    from torch import Tensor

    return isinstance(value, Mapping) and bool(value) and all(isinstance(v, Tensor) for v in value.values())
