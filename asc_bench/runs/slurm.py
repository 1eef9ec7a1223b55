"""Runs as jobs of a Slurm cluster, which are left to it: submitit writes scripts and asks for states."""

from __future__ import annotations

import hashlib
import json
import time
import tomllib
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from asc_bench.bench.bench import Bench
from asc_bench.errors import ConfigError, StoreError
from asc_bench.files import write_atomic
from asc_bench.names import near
from asc_bench.runs.job import Job, PackedBench, perform_elsewhere
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.settings import Planner, Settings
from asc_bench.runs.store import ResultsStore

if TYPE_CHECKING:
    pass

ALIVE = {
    "PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESIZING",
    "SUSPENDED",
}  # fmt: skip
"""States of Slurm in which a job may still give results."""
UNLISTED_S = 300.0
"""For so long after its submission a job that Slurm's accounting does not list yet is taken for pending."""


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """What the file of ``--slurm`` says.

    Attributes
    ----------
    runs_per_job : int
        Runs that one job computes, one after the other.
    executor : {"slurm", "local"}
        ``local`` starts each job as a process of this machine at once: to try a file out.
    options : mapping
        Of ``sbatch`` by their long names with ``_`` for ``-``, and those of submitit's ``SlurmExecutor``.
    """

    runs_per_job: int = 1
    executor: str = "slurm"
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> SlurmOptions:
        """Read a TOML file.

        Raises
        ------
        ConfigError
            If it cannot be read, is no TOML, lacks ``time``, or has a key or value that there is not.
        """
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is no TOML: {error}") from error
        runs_per_job, executor = given.pop("runs_per_job", 1), given.pop("executor", "slurm")
        if type(runs_per_job) is not int or runs_per_job < 1:
            raise ConfigError(f"{path}: runs_per_job is {runs_per_job!r}, but must be an integer of at least 1")
        if executor not in ("slurm", "local"):
            raise ConfigError(f"{path}: executor is {executor!r}{near(str(executor), ['slurm', 'local'])}")
        if type(given.get("time")) is not int or given["time"] < 1:
            raise ConfigError(
                f"{path}: time is {given.get('time')!r}, but must be an integer: minutes that a job may take"
            )
        setup = given.get("setup", [])
        if not isinstance(setup, list) or not all(isinstance(line, str) for line in setup):
            raise ConfigError(
                f'{path}: setup is {setup!r}, but must be a list of commands, such as ["module load cuda"]'
            )
        found = cls(runs_per_job=runs_per_job, executor=executor, options=given)
        try:
            _executor(found, Path(), anywhere=True)
        except (ValueError, TypeError) as error:
            known = sorted(_submitit().SlurmExecutor._valid_parameters())
            stray = next((key for key in given if key not in known), "")
            hint = f"there is no option {stray!r}{near(stray, known)}" if stray else str(error)
            raise ConfigError(f"{path}: {hint}") from error
        return found


class Chunk:
    """Runs that one job computes; after a preemption or at the time limit it is submitted again and goes on.

    Parameters
    ----------
    bench : Path
        File of the packed bench, which all jobs of a submission share.
    sha256 : str
        Its digest.
    jobs : sequence of Job
        The runs.
    """

    def __init__(self, bench: Path, sha256: str, jobs: Sequence[Job]) -> None:
        self.bench, self.sha256, self.jobs = bench, sha256, tuple(jobs)

    def __call__(self) -> None:
        """Compute them. What a system does wrong is its failed row, as everywhere.

        Raises
        ------
        StoreError
            If the file of the bench is not the one that was written when the job was submitted.
        """
        content = self.bench.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise StoreError(f"{self.bench} was changed since the job was submitted; submit again", path=self.bench)
        packed: PackedBench = cloudpickle.loads(content)
        for job in self.jobs:
            perform_elsewhere(packed, job)

    def checkpoint(self) -> Any:
        """Submit the same runs again: what is stored is not computed again, what was begun goes on."""
        return _submitit().helpers.DelayedSubmission(self)


@dataclass(frozen=True)
class JobState:
    """What is known of the job that a run was given to."""

    id: str
    state: str
    alive: bool
    log: Path

    @property
    def last_words(self) -> str:
        """The last line of its error log, or ``""``."""
        with suppress(OSError):
            lines = [line for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines() if line]
            return lines[-1] if lines else ""
        return ""


def script(slurm: SlurmOptions, store: ResultsStore) -> str:
    """The script that would be submitted, without submitting it; Slurm need not be there."""
    executor = _executor(slurm, _folder(store), anywhere=True)
    command = executor._submitit_command_str
    return str(executor._make_submission_file_text(command, "dry-run"))


def submit(
    specs: Sequence[RunSpec], bench: Bench, store: ResultsStore, settings: Settings, slurm: SlurmOptions
) -> dict[str, list[RunSpec]]:
    """Give runs to Slurm and return at once.

    Parameters
    ----------
    specs : sequence of RunSpec
        What is left to compute, without fusions.
    bench, store, settings
        As in `run_once`; device, threads, recordings and code are looked after in each job.
    slurm : SlurmOptions
        What to ask for.

    Returns
    -------
    dict
        The runs of each job, by its number.

    Raises
    ------
    ConfigError
        If Slurm is not there, or refuses.
    StoreError
        If the folder of results cannot be written.
    """
    folder, planner = _folder(store), Planner.this(settings)
    executor = _executor(slurm, folder)
    packed = folder / f"bench-{uuid.uuid4().hex}.pkl"
    content = cloudpickle.dumps(PackedBench.of(bench))
    sha256 = hashlib.sha256(content).hexdigest()
    write_atomic(packed, content)
    chunks = [specs[i : i + slurm.runs_per_job] for i in range(0, len(specs), slurm.runs_per_job)]
    calls = [Chunk(packed, sha256, [Job.of(spec, store, settings, planner) for spec in chunk]) for chunk in chunks]
    try:
        jobs = executor.submit_array(calls)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"Slurm took no job: {error}") from error
    submitted = {job.job_id: list(chunk) for job, chunk in zip(jobs, chunks, strict=True)}
    record = {
        "executor": slurm.executor,
        "submitted": time.time(),
        "jobs": {job: [spec.key for spec in chunk] for job, chunk in submitted.items()},
    }
    write_atomic(folder / f"submission-{uuid.uuid4().hex}.json", json.dumps(record, indent=1) + "\n")
    return submitted


def submitted(store: ResultsStore) -> dict[str, JobState]:
    """The latest job of every run that was ever submitted, by the run's key."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in _folder(store).glob("submission-*.json")]
    latest: dict[str, tuple[Mapping[str, Any], str]] = {}
    for record in sorted(records, key=lambda record: float(record["submitted"])):
        latest |= {key: (record, job) for job, keys in record["jobs"].items() for key in keys}
    states: dict[str, JobState] = {}
    for record, job in latest.values():
        if job not in states:
            states[job] = _state(record, job, _folder(store))
    return {key: states[job] for key, (_, job) in latest.items()}


def _state(record: Mapping[str, Any], job: str, folder: Path) -> JobState:
    module = _submitit()
    if record["executor"] == "local":
        # Its number is that of a process; submitit knows the state of those alone that it started itself.
        alive = Path(f"/proc/{job}").exists() and not _is_zombie(job)
        log = module.core.utils.JobPaths(folder, job).stderr
        return JobState(job, "RUNNING" if alive else "ENDED", alive, log)
    found = module.SlurmJob(folder, job)
    state = str(found.state).upper()
    young = time.time() - float(record["submitted"]) < UNLISTED_S
    alive = state.partition(" ")[0].rstrip("+") in ALIVE or (state == "UNKNOWN" and young)
    return JobState(job, state, alive, found.paths.stderr)


def _is_zombie(pid: str) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    return True


def _folder(store: ResultsStore) -> Path:
    """Scripts, logs and packed runs of jobs."""
    return store.root.absolute() / "jobs"


def _executor(slurm: SlurmOptions, folder: Path, *, anywhere: bool = False) -> Any:
    module = _submitit()
    options = {"job_name": "asc-bench", **slurm.options}
    if anywhere:

        class Described(module.SlurmExecutor):  # type: ignore[misc, name-defined]
            """Writes scripts where Slurm is not."""

            @classmethod
            def affinity(cls) -> int:
                return 1

        executor = Described(folder)
    elif slurm.executor == "local":
        executor = module.LocalExecutor(folder)
        options = {"timeout_min": slurm.options["time"], "setup": slurm.options.get("setup", ())}
    else:
        try:
            executor = module.SlurmExecutor(folder)
        except RuntimeError as error:
            raise ConfigError(
                "there is no Slurm here: `srun` is not found. --dry-run shows the script that would be submitted"
            ) from error
    executor.update_parameters(**options)
    return executor


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ConfigError("--slurm needs the extra: pip install 'asc-bench[slurm]'") from error
    return submitit
