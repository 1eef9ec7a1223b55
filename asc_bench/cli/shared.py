"""Options that verbs share as a group: declared once, handed over as one object."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, get_type_hints

from asc_bench.cli import options

if TYPE_CHECKING:
    from asc_bench.bench.source import Source
    from asc_bench.data.layouts import FolderLayout


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """Where recordings come from."""

    synthetic: options.Synthetic = False
    synthetic_size: options.SyntheticSize = "small"
    synthetic_seed: options.SyntheticSeed = 0
    sources: options.Sources = ""
    allow_missing_training: options.AllowMissingTraining = 0.0
    unofficial_split: options.UnofficialSplit = False
    unofficial_files: options.UnofficialFiles = False
    data: options.Data = None
    cache: options.Cache = None

    def source(self) -> Source:
        """The data source that they name.

        Raises
        ------
        ConfigError
            For an unknown size, or a fraction that is none.
        """
        from asc_bench.bench.source import Source
        from asc_bench.errors import ConfigError
        from asc_bench.names import near
        from asc_bench.synthetic import sizes

        if self.synthetic_size not in sizes():
            hint = near(self.synthetic_size, sizes())
            raise ConfigError(f"there is no synthetic size {self.synthetic_size!r}{hint}")
        return Source(
            tuple(self.data or ()),
            self.synthetic,
            self.synthetic_size,
            self.synthetic_seed,
            self.cache,
            tuple(options.split(self.sources)),
            self.allow_missing_training,
            unofficial_split=self.unofficial_split,
            unofficial_files=self.unofficial_files,
        )


@dataclass(frozen=True, kw_only=True)
class Computing(Recordings):
    """Options of every verb that may compute runs."""

    budget: options.BudgetName = "quick"
    repeats: options.Repeats = 1
    jobs: options.Jobs = 1
    backend: options.Backend = "loky"
    scheduler: options.Scheduler = None
    threads: options.Threads = 0
    device: options.Device = "auto"
    precision: options.Precision = "auto"
    only: options.Only = ""
    force: options.Force = False
    strict_code: options.StrictCode = False
    dry_run: options.DryRun = False
    results: options.Results = options.RESULTS
    quiet: options.Quiet = False


@dataclass(frozen=True, kw_only=True)
class Training(Computing):
    """Also what systems train on, and whether they are kept."""

    as_published: options.AsPublished = False
    hold_out: options.HoldOut = False
    augment: options.Augment = ""
    keep_weights: options.KeepWeights = False
    measure_inference: options.MeasureInference = False
    energy: options.Energy = ""
    log: options.Log = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What systems are run under: a protocol by name, or a folder of the user's own."""

    protocol: options.Protocol = ""
    folder: options.Folder = None
    csv: options.Csv = ""
    label: options.Label = ""
    file: options.File = ""
    location: options.Location = ""
    device_column: options.DeviceColumn = ""
    fold_column: options.FoldColumn = ""
    audio: options.Audio = ""
    clip_duration: options.ClipDuration = None

    def chosen(self) -> str | FolderLayout:
        """The protocol's name, or the folder's layout.

        Raises
        ------
        ConfigError
            If neither is given or both are, or a folder without what it needs.
        """
        from asc_bench.errors import ConfigError

        if self.folder is None:
            of_folder = {f.name: getattr(self, f.name) for f in fields(Asked) if f.name != "protocol"}
            stray = next((name for name, value in of_folder.items() if value), None)
            if stray:
                raise ConfigError(f"--{stray.replace('_', '-')} belongs to --folder, which is not given")
            if not self.protocol:
                raise ConfigError("name a protocol (--protocol) or a folder of your own (--folder)")
            return self.protocol
        if self.protocol:
            raise ConfigError("--protocol and --folder exclude each other; give one of them")
        for option, value in (("--csv", self.csv), ("--label", self.label)):
            if not value:
                raise ConfigError(f"--folder needs {option}: the table of the files, and its column of classes")
        where = str(getattr(self, "device", "auto"))
        if where not in ("auto", "cpu") and not where.startswith("cuda"):
            raise ConfigError(
                f"--device {where}: this is where systems compute (auto, cpu, cuda or cuda:N); the column of the "
                "recording device is named with --device-column"
            )
        from asc_bench.data.layouts import FolderLayout

        return FolderLayout(
            self.folder,
            csv=self.csv,
            label=self.label,
            file=self.file,
            location=self.location,
            device=self.device_column,
            fold=self.fold_column,
            audio=self.audio,
            clip_duration_s=self.clip_duration,
        )


@dataclass(frozen=True, kw_only=True)
class Planned(Recordings, Asked):
    """What a plan is made of, beside systems and budget."""


@dataclass(frozen=True, kw_only=True)
class Running(Training, Asked):
    """All options of ``run`` but the systems."""


def takes(group: type[Recordings] | type[Asked]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the options of a group behind its own; its keyword ``given`` receives them as one object.

    Parameters
    ----------
    group : type
        Dataclass whose fields are annotated as typer wants its options.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "given"]
        hints = get_type_hints(group, include_extras=True)
        shared = [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
            for f in fields(group)
        ]

        @functools.wraps(command)
        def run(*args: object, **values: object) -> None:
            given = group(**{p.name: values.pop(p.name) for p in shared})  # type: ignore[arg-type]
            command(*args, given=given, **values)

        # typer reads both.
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
        return run

    return decorate
