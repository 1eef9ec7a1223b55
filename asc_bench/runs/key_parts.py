"""What goes into the key of a run of a system's code, front end and files; or why it cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from asc_bench.bench import keys
from asc_bench.digests import file_digest
from asc_bench.errors import AscBenchError
from asc_bench.features.frontends import FrontEnd
from asc_bench.own_code import is_own, own_code
from asc_bench.systems.base import Params, System
from asc_bench.training.transforms.base import Transform

Value = TypeVar("Value")


def require_keyed(front_end: FrontEnd | None) -> str:
    """Raise what a front end raises that cannot be a part of a key."""
    return keys.digest([hash(front_end), front_end.key() if front_end else None])


def code_of(kinds: Sequence[type[System]]) -> str:
    """Digest of all code that some systems are computed with."""
    return keys.digest([keys.provenance(kind) for kind in kinds])


def numerics_of_kinds(
    kinds: Sequence[type[System]], front_end: FrontEnd | None, transforms: Sequence[Transform]
) -> dict[str, object]:
    """What stands for the code of some systems, by their names: see ``asc_bench.bench.keys``."""
    return {kind.__name__: keys.numerics(kind, front_end, transforms) for kind in kinds}


def or_fault(compute: Callable[[], Value], instead: Value) -> tuple[Value, str]:
    """What foreign code or files give, or ``instead`` and why they give nothing."""
    try:
        return compute(), ""
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one system's own; the others are planned all the same
        return instead, str(error) if isinstance(error, AscBenchError) else f"{type(error).__name__}: {error}"


def named_files(params: Params) -> Iterator[Path]:
    """Files that a setting names, and those of a folder that it names."""
    for setting in fields(params):
        value = getattr(params, setting.name)
        if isinstance(value, str | Path) and str(value) not in ("", "."):
            path = Path(value)
            try:
                if path.is_file():
                    yield path
                elif path.is_absolute() and path.is_dir():
                    yield from sorted(inner for inner in path.rglob("*") if inner.is_file())
            except (OSError, ValueError):
                continue  # no path after all, but a long or odd text


def external_digests(paths: Iterable[Path]) -> tuple[str, ...]:
    """Digests of files that settings name; of a researcher's own code, with all that it imports and reads."""
    return tuple(
        keys.digest(own_code(path)) if path.suffix == ".py" and is_own(path) else file_digest(path)
        for path in paths
    )
