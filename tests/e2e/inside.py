"""``asc-bench`` inside this process, in one folder for all tests of a module."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asc_bench import registry
from asc_bench.cli.main import main
from asc_bench.papers import registry as papers
from tests.unrendered import do_not_render

Cli = Callable[..., subprocess.CompletedProcess[str]]
REGISTRIES = (registry.systems, registry.protocols, papers.reproductions, papers.figures)


@contextlib.contextmanager
def inside(folder: Path, cache: Path) -> Iterator[tuple[Cli, pytest.MonkeyPatch]]:
    """A command line without plug-ins in ``folder``, which renders no figure, and what undoes further changes."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        code = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.setattr(sys, "argv", ["asc-bench", *arguments])
            try:
                main()
            except SystemExit as leaving:
                code = int(leaving.code or 0)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    with pytest.MonkeyPatch.context() as patch:
        for found in REGISTRIES:
            found.cache_clear()
        for name, value in (("ASC_BENCH_CACHE", str(cache)), ("ASC_BENCH_PLUGINS", ""), ("COLUMNS", "200")):
            patch.setenv(name, value)
        patch.chdir(folder)
        do_not_render(patch.setattr)
        yield run, patch
    for found in REGISTRIES:
        found.cache_clear()
