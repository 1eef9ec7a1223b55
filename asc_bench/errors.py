"""The errors a user can meet, each with the exit code that the command line gives for it."""

from __future__ import annotations


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
    """Results, features or checkpoints could not be read or written."""
