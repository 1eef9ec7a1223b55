"""What the shell is offered, and that it need not wait for torch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from asc_bench.cli import completion
from asc_bench.cli.main import build_app


def offered(line: str) -> list[str]:
    """What bash is given for the last word of a line."""
    words = line.split(" ")
    environment = {
        "_ASC_BENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = CliRunner().invoke(build_app(), [], env=environment, prog_name="asc-bench")
    assert done.exit_code == 0, done.output
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("asc-bench run -p dcase2018", ["dcase2018", "dcase2018a"]),
        ("asc-bench report --budget ", ["smoke", "quick", "paper"]),
        ("asc-bench run -s sb-c", ["sb-cnn"]),
        ("asc-bench run -s logmel-svm,sb-c", ["logmel-svm,sb-cnn"]),
        ("asc-bench run -s sb-cnn[b", ["sb-cnn[bn="]),
        ("asc-bench compare sb-cnn sb-c", ["sb-cnn"]),
        ("asc-bench prepare esc-5", ["esc-50"]),
        ("asc-bench info esc-10-", ["esc-10-devices"]),
        ("asc-bench run -p nothing-of-this-name", []),
    ],
)
def test_the_last_word_is_completed(line: str, expected: list[str]) -> None:
    assert offered(line) == expected


def test_settings_and_their_values_are_completed_behind_a_bracket() -> None:
    assert completion.systems("sb-cnn[bn=") == ["sb-cnn[bn=true", "sb-cnn[bn=false"]
    assert completion.systems("a,sb-cnn[bn=true,te") == ["a,sb-cnn[bn=true,test_hop="]
    assert completion.systems("sb-cnn[plan.optimiser=s") == ["sb-cnn[plan.optimiser=sgd"]
    assert "sb-cnn[augment=mixup" in completion.systems("sb-cnn[augment=")
    assert not any(item.endswith("[bn=") for item in completion.systems("sb-cnn[bn=true,")), "it is given already"
    assert completion.systems("logmel-svm[plan.") == [], "it has no training plan"
    assert completion.systems("nobody[x") == [] and completion.systems("nobody[x=") == []


def test_torch_is_not_imported() -> None:
    code = (
        "import sys\n"
        "from asc_bench.cli import completion as c\n"
        "import asc_bench.cli.main\n"
        "assert c.systems('sb-cnn[plan.crop=') == [] and c.systems('sb-cnn[augment=')\n"
        "assert c.named('') and c.budgets('')\n"
        "print([m for m in ('torch', 'sklearn', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ASC_BENCH_PLUGINS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
