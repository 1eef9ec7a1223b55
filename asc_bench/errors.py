"""The errors a user can meet, each with the exit code that the command line gives for it."""

from __future__ import annotations

from pathlib import Path


class AscBenchError(Exception):
    """Base of every error raised on purpose. Its message is meant for the user."""

    exit_code = 1


class ConfigError(AscBenchError):
    """Wrong name, parameter or setting."""

    exit_code = 2


class DataError(AscBenchError):
    """A data set or an audio file is missing, incomplete or broken."""

    exit_code = 3


class IncompleteDataError(DataError):
    """A data set lacks files, or has other counts than the official ones, so nothing is run."""

    exit_code = 1


class SystemFailure(AscBenchError):  # noqa: N818 - the word of the design: a failure is a result, not a bug of ours
    """A system broke its contract or could not be trained."""


class StoreError(AscBenchError):
    """Results, features or checkpoints could not be read or written.

    Parameters
    ----------
    message : str
        What, where and why.
    path : Path, optional
        What could not be used, where that is not a system's own file: below the results or the cache, every other
        run would meet the same fault.
    """

    def __init__(self, message: str, *, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path

    def is_below(self, *folders: Path) -> bool:
        """Whether what could not be used lies in one of these folders."""
        return self.path is not None and any(self.path.absolute().is_relative_to(f.absolute()) for f in folders)
