"""``asc-bench new``: a system to start from, in one file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo


def command(
    kind: Annotated[str, typer.Argument(help="What to make: system.")],
    name: Annotated[str, typer.Argument(help="Lower-case words joined by hyphens, such as my-cnn.")],
    into: Annotated[
        Path | None, typer.Option(help="Folder for the file; baselines/ of this checkout if not given.")
    ] = None,
) -> None:
    """Write a small working system to start from."""
    from asc_bench.errors import ConfigError
    from asc_bench.files import write_atomic
    from asc_bench.registry import NAME, PLUGINS_VARIABLE, systems

    options.one_of("kind", kind, ("system",))
    if not NAME.fullmatch(name) or len(name) > 60:
        raise ConfigError(
            f"{name!r} is not a system name: lower-case words joined by hyphens, 60 characters at most"
        )
    if name in systems().found or name in systems().unavailable:
        raise ConfigError(f"there is a system {name!r} already")
    folder = into or _checkout()
    path = folder / f"{name.replace('-', '_')}.py"
    if path.exists():
        raise ConfigError(f"{path} exists already")
    template = resources.files("asc_bench.cli").joinpath("system.py.tmpl").read_text(encoding="utf-8")
    class_name = "".join(word.capitalize() for word in name.split("-"))
    write_atomic(path, Template(template).substitute(name=name, class_name=_identifier(class_name)))
    echo(f"wrote {path}")
    if into is not None:
        echo(f"make it known with: export {PLUGINS_VARIABLE}={folder.resolve()}")
    echo(f"next: asc-bench check {name}")


def _checkout() -> Path:
    """Folder ``baselines`` of a source checkout.

    Raises
    ------
    ConfigError
        If asc-bench is installed as a package, whose folders are not the user's.
    """
    import asc_bench.baselines
    from asc_bench.errors import ConfigError
    from asc_bench.registry import PLUGINS_VARIABLE

    folder = Path(next(iter(asc_bench.baselines.__path__)))
    if (folder.parent / "pyproject.toml").exists():
        return folder
    raise ConfigError(f"asc-bench is not a checkout here; say --into DIR and put DIR into {PLUGINS_VARIABLE}")


def _identifier(name: str) -> str:
    return name if name.isidentifier() else f"System{name}"
