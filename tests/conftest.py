"""Shared by all tests: a cache for one run of the tests, and the command line as a subprocess."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from tests import forked_command
from tests.reliability.helpers import environment_of

ROOT = Path(__file__).parents[1]
# What the tools of `make test` and `make lint` write beside the sources.
TOOL_FOLDERS = {".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache", "__pycache__"}


def pytest_collection_finish() -> None:
    """Spare the garbage collector all tests and libraries, through which it walks again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_in_the_root() -> Iterator[None]:
    """Fail where a test leaves a file in the repository's root: scratch files belong to ``tmp_path``."""
    before = {path.name for path in ROOT.iterdir()}
    yield
    left = sorted({path.name for path in ROOT.iterdir()} - before - TOOL_FOLDERS)
    assert not left, f"{ROOT}: tests left {', '.join(left)}; give them tmp_path as their folder"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One cache for all tests and all xdist workers: synthetic datasets and features are made once."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "asc-bench-cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def tiny(cache: Path) -> Source:
    """The smallest synthetic dataset."""
    return Source(synthetic=True, synthetic_size="tiny", cache=cache)


@pytest.fixture(scope="session")
def bench(tiny: Source) -> Bench:
    """dcase2018 on the smallest synthetic dataset."""
    return tiny.bench("dcase2018", lambda fraction, text: None)


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(cache: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a user with the toy systems plugged in."""
    return environment_of(cache, tmp_path)


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Cli:
    """Run ``asc-bench`` in an empty folder, as a user would, but that figures are not rendered."""
    return partial(_run, environment, tmp_path, rendered=False)


@pytest.fixture
def rendering_cli(environment: dict[str, str], tmp_path: Path) -> Cli:
    """Run ``asc-bench`` in an empty folder, as a user would."""
    return partial(_run, environment, tmp_path, rendered=True)


def _run(
    environment: dict[str, str], folder: Path, *arguments: str, rendered: bool, **extra: str
) -> subprocess.CompletedProcess[str]:
    if not any(map(forked_command.is_read_at_start, extra)):
        return forked_command.run(arguments, {**environment, **extra}, folder, seconds=1800, rendered=rendered)
    return subprocess.run(
        [sys.executable, "-m", "asc_bench.cli.main", *arguments],
        cwd=folder,
        env={**environment, **extra},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
