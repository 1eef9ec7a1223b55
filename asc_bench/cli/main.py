"""``asc-bench``: the verbs, and the one place where errors become exit codes."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable

import typer

from asc_bench.cli.printing import echo, guard_terminal
from asc_bench.interrupts import Terminated, end_on_sigterm

VERBS = {
    "run": "run",
    "reproduce": "reproduce",
    "figure": "figure",
    "list": "list_",
    "info": "info",
    "prepare": "prepare",
    "quantise": "quantise",
    "status": "status",
    "report": "report",
    "score": "score",
    "score-package": "score_package",
    "export-submission": "export_submission",
    "check-submission": "check_submission",
    "compare": "compare",
    "cost": "cost",
    "fuse": "fuse",
    "distil": "distil",
    "transfer": "transfer",
    "verify": "verify",
    "site": "site",
    "explain": "explain",
    "explain-clip": "explain_clip",
    "embed": "embed",
    "check": "check",
    "new": "new",
    "env": "env",
}

EPILOG = (
    "Exit codes: 0 all done; 1 a run failed or is incomplete; 2 wrong usage or setting; "
    "3 data missing or broken; 130 interrupted (the same command goes on)."
)


def build_app() -> typer.Typer:
    """The command line with all its verbs."""
    app = typer.Typer(
        name="asc-bench",
        help="Run published acoustic scene classification systems under official protocols.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_version_option)
    for name, module in VERBS.items():
        verb = importlib.import_module(f"asc_bench.cli.{module}")
        app.command(name, context_settings=getattr(verb, "CONTEXT", None))(_interruptible(verb.command))
    return app


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """Turn Ctrl-C into a sentence and exit code 130, and SIGTERM with 143, wherever a verb is."""

    @functools.wraps(command)
    def run(*args: object, **kwargs: object) -> None:
        end_on_sigterm()
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt as error:
            echo("interrupted; the same command goes on where this one stopped", err=True)
            raise typer.Exit(143 if isinstance(error, Terminated) else 130) from None

    return run


def _version_option(
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    """Run published acoustic scene classification systems under official protocols."""
    if version:
        from asc_bench import __version__

        echo(__version__)
        raise typer.Exit


def main() -> None:
    """Entry point of the ``asc-bench`` command."""
    from asc_bench.errors import AscBenchError

    guard_terminal()
    try:
        build_app()()
    except AscBenchError as error:
        echo(f"asc-bench: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


if __name__ == "__main__":
    main()
