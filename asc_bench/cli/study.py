"""``asc-bench run --config``: a study, several ``run`` commands in one YAML file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer
import yaml

from asc_bench.cli.printing import echo
from asc_bench.errors import ConfigError
from asc_bench.files import write_atomic
from asc_bench.names import near

RUNS = "runs"
"""Key of the list of commands; the keys beside it hold for all of them."""
TYPED_ONLY = ("config", "dry_run", "quiet", "help", "slurm", "collect")
"""Options that a file does not take: they say what to do with it, or submit one command."""
COPIES = "studies"
"""Folder beside the results that keeps the file."""


@dataclass(frozen=True)
class Setting:
    """A value of the file and the line where it stands."""

    value: object
    line: int


@dataclass(frozen=True)
class Step:
    """One command of a study.

    Attributes
    ----------
    words : tuple of str
        What would be typed behind ``asc-bench run``.
    params : mapping
        The same as typer reads it.
    """

    words: tuple[str, ...]
    params: Mapping[str, Any]

    def __str__(self) -> str:
        return shlex.join(["asc-bench", "run", *self.words])


def read_study(path: Path) -> list[Step]:
    """Read a file and check all of it: options, their values, systems and protocols.

    Parameters
    ----------
    path : Path
        YAML: options of ``run`` by their long names, with ``-`` or ``_``; values of lists are joined by commas.
        Under ``runs`` stands a list of such mappings, which take over what stands beside it; without it the file is
        one command.

    Raises
    ------
    ConfigError
        With the line of the first fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: no YAML: {getattr(error, 'problem', error)}") from error
    if root is None:
        raise ConfigError(f"{path} is empty; it needs at least protocol and systems")
    given = _settings(path, root)
    runs = given.pop(RUNS, None)
    if runs is None:
        return [_step(path, given, root.start_mark.line + 1)]
    node = next(value for key, value in root.value if key.value == RUNS)
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise ConfigError(f"{path}, line {runs.line}: {RUNS} is a list of commands, each with '- ' before it")
    return [_step(path, {**given, **_settings(path, one)}, one.start_mark.line + 1) for one in node.value]


def _settings(path: Path, node: yaml.Node) -> dict[str, Setting]:
    if not isinstance(node, yaml.MappingNode):
        line = node.start_mark.line + 1
        raise ConfigError(f"{path}, line {line}: options stand there as 'name: value'")
    found: dict[str, Setting] = {}
    for key, value in node.value:
        name, line = str(key.value).replace("-", "_"), key.start_mark.line + 1
        if name in found:
            raise ConfigError(f"{path}, line {line}: {key.value} stands there a second time")
        found[name] = Setting(yaml.SafeLoader("").construct_document(value), line)
    return found


def _step(path: Path, given: Mapping[str, Setting], line: int) -> Step:
    verb = _verb()
    known = {p.name: p for p in verb.params if p.name not in TYPED_ONLY}
    words: list[str] = []
    for name, setting in given.items():
        if name not in known:
            shown = name.replace("_", "-")
            hint = "; type it" if name in TYPED_ONLY else near(shown, [n.replace("_", "-") for n in known])
            raise ConfigError(f"{path}, line {setting.line}: a study has no {shown!r}{hint}")
        try:
            words += _typed(known[name], setting.value)
        except ValueError as error:
            raise ConfigError(f"{path}, line {setting.line}: {name} {error}") from None
    try:
        params = verb.make_context("run", list(words)).params
    except Exception as error:  # typer's own copy of click raises classes that it does not export
        if not hasattr(error, "format_message"):
            raise
        name = getattr(getattr(error, "param", None), "name", "")
        at = given[name].line if name in given else line
        raise ConfigError(f"{path}, line {at}: {error.format_message()}") from error
    _check_names(path, given, params, line)
    return Step(tuple(words), params)


def _typed(option: Any, value: object) -> Iterator[str]:
    """Words that give an option its value."""
    if isinstance(value, bool):
        if not option.is_flag:
            raise ValueError(f"is {str(value).lower()}, and takes a value")
        if value or option.secondary_opts:
            yield option.opts[-1] if value else option.secondary_opts[-1]
        return
    if option.is_flag:
        raise ValueError(f"is {value!r}; give true or false")
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, (str, int, float)) and not isinstance(item, bool) for item in values):
        raise ValueError(f"is {value!r}; give a text, a number or a list of these")
    for text in map(str, values) if option.multiple else [",".join(map(str, values))]:
        yield from (option.opts[-1] if option.opts[-1].startswith("--") else option.opts[0], text)


def _check_names(path: Path, given: Mapping[str, Setting], params: Mapping[str, Any], line: int) -> None:
    from asc_bench.registry import protocol_set, protocols
    from asc_bench.runs.variant import variants_of

    if not params["protocol"] and not params["folder"]:
        raise ConfigError(f"{path}, line {line}: this command names no protocol and no folder")

    def known(protocol: str) -> object:
        return protocol_set(protocol) or protocols().get(protocol)

    for name, check in (("systems", variants_of), ("protocol", known)):
        if name not in given:
            continue
        try:
            check(params[name])
        except ConfigError as error:
            raise ConfigError(f"{path}, line {given[name].line}: {error}") from error


def carry_out(path: Path, context: typer.Context, *, dry_run: bool, quiet: bool) -> None:
    """Run all commands of a file, one after the other; one whose runs fail does not stop the next.

    Raises
    ------
    ConfigError
        Before anything is run, for any fault of the file.
    typer.Exit
        With 1, if runs failed or are incomplete.
    """
    stray = [p for p in context.params if p not in ("config", "dry_run", "quiet") and _was_typed(context, p)]
    if stray:
        option = stray[0].replace("_", "-")
        raise ConfigError(f"--{option} goes into {path}; beside --config only --dry-run and --quiet are typed")
    steps = read_study(path)
    if not dry_run:
        for folder in dict.fromkeys(Path(step.params["results"]) for step in steps):
            write_atomic(folder / COPIES / path.name, path.read_text(encoding="utf-8"))
    typed = [*(["--dry-run"] if dry_run else []), *(["--quiet"] if quiet else [])]
    failed = False
    for n, step in enumerate(steps, start=1):
        if not quiet:
            echo(f"[{n}/{len(steps)}] {step}", err=True)
        failed = bool(_verb().main([*step.words, *typed], prog_name="run", standalone_mode=False)) or failed
    if failed:
        raise typer.Exit(1)


@cache
def _verb() -> Any:
    from asc_bench.cli.main import build_app

    return typer.main.get_command(build_app()).commands["run"]  # type: ignore[attr-defined]


def _was_typed(context: typer.Context, name: str) -> bool:
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
