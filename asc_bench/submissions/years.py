"""What the DCASE challenges asked for in a submission to task 1 (subtask A in 2020 and 2021), year by year.

Fields, labels and numbers of files are those of the validators that the organisers published
(toni-heittola/dcase2020_task1_submission_validator to dcase2024_task1_submission_validator); 2021 has two fields
more, without which its limit of size could not be checked. No validator of 2025 was found: its fields here are
those of 2024 without the two on the five training lists, its columns those that the official inference package
writes (dcase2025_task1_inference, evaluate_submission.py). Ask the task's page before you submit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from asc_bench.data.layouts.tau_mobile import TAU_2020_MOBILE
from asc_bench.errors import ConfigError
from asc_bench.names import near

CLASSES = tuple(sorted(TAU_2020_MOBILE.scenes))
DEVICES = tuple(device.lower() for device in TAU_2020_MOBILE.devices)
SEPARATOR = "\t"
MAX_MACS = 30_000_000
MAX_BYTES = 128_000


@dataclass(frozen=True, kw_only=True)
class Year:
    """One challenge.

    Attributes
    ----------
    year : int
        Of the challenge.
    task : str
        Third part of a submission label.
    n_files : int or None
        Files ``0.wav`` to ``N-1.wav`` of the evaluation set; None where the list must be given.
    outputs : mapping
        From what stands between ``output`` and ``csv`` in the name of a file of predictions to the protocols whose
        systems it may come from, the official one first.
    description, complexity : tuple of str
        Fields of these blocks of the meta file.
    energy : bool
        Whether there is a block of energy consumption.
    limits : mapping
        Highest value of a field of the complexity block.
    on_devices : {"macro", "clips"}
        The accuracy on a device is the mean over classes, or over clips, as in the year's protocol.
    """

    year: int
    task: str
    n_files: int | None
    outputs: Mapping[str, tuple[str, ...]]
    description: tuple[str, ...]
    complexity: tuple[str, ...]
    energy: bool = False
    limits: Mapping[str, int]
    on_devices: Literal["macro", "clips"]

    def file_name(self, label: str, output: str) -> str:
        """Of the predictions of one training list, or of the only ones."""
        return f"{label}.output{f'.{output}' if output else ''}.csv"

    def output_of(self, protocol: str) -> str | None:
        """Which of the files of predictions a protocol gives; None if none."""
        return next((name for name, protocols in self.outputs.items() if protocol in protocols), None)


_FRONT = ("input_sampling_rate", "acoustic_features")
_UNTIL_2023 = (
    *_FRONT,
    "embeddings",
    "data_augmentation",
    "machine_learning_method",
    "ensemble_method_subsystem_count",
    "decision_making",
    "external_data_usage",
)
_MANAGED = ("complexity_management", "pipeline", "framework")
_SINCE_2024 = (*_FRONT, "data_augmentation", "machine_learning_method", "external_data_usage", *_MANAGED)
_SIZE = ("total_model_size", "total_parameters", "macs")

YEARS: Mapping[int, Year] = {
    year.year: year
    for year in (
        Year(
            year=2020,
            task="task1a",
            n_files=11_880,
            outputs={"": ("dcase2020",)},
            description=_UNTIL_2023,
            complexity=("total_parameters",),
            limits={},
            on_devices="macro",
        ),
        Year(
            year=2021,
            task="task1a",
            n_files=7_920,
            outputs={"": ("dcase2021", "dcase2020")},
            description=_UNTIL_2023,
            complexity=("total_parameters", "total_parameters_non_zero", "model_size"),
            limits={"model_size": MAX_BYTES},
            on_devices="macro",
        ),
        Year(
            year=2022,
            task="task1",
            n_files=118_800,
            outputs={"": ("dcase2022", "dcase2023")},
            description=(*_UNTIL_2023, *_MANAGED),
            complexity=("total_parameters", "total_parameters_non_zero", "memory_use", "macs"),
            limits={"total_parameters": 128_000, "macs": MAX_MACS},
            on_devices="macro",
        ),
        Year(
            year=2023,
            task="task1",
            n_files=118_800,
            outputs={"": ("dcase2023", "dcase2022")},
            description=(*_UNTIL_2023, *_MANAGED),
            complexity=("total_model_size", "total_parameters", "total_parameters_non_zero", "memory_use", "macs"),
            energy=True,
            limits={"total_model_size": MAX_BYTES, "total_parameters": 128_000, "macs": MAX_MACS},
            on_devices="macro",
        ),
        Year(
            year=2024,
            task="task1",
            n_files=135_730,
            outputs={f"split_{n}": (f"dcase2024-{n}",) for n in (5, 10, 25, 50, 100)},
            description=(*_SINCE_2024, "split_adaptations", "system_adaptations"),
            complexity=_SIZE,
            limits={"total_model_size": MAX_BYTES, "macs": MAX_MACS},
            on_devices="clips",
        ),
        Year(
            year=2025,
            task="task1",
            n_files=None,
            outputs={"": ("dcase2025", "dcase2024-25")},
            description=_SINCE_2024,
            complexity=_SIZE,
            limits={"total_model_size": MAX_BYTES, "macs": MAX_MACS},
            on_devices="clips",
        ),
    )
}

ENERGY_FIELDS = ("training", "inference", "baseline_inference")


def year_of(protocol: str, year: int | None = None) -> Year:
    """The challenge that a protocol belongs to, or a named one that its systems may be submitted to.

    Raises
    ------
    ConfigError
        If there is none, or the named one has other data.
    """
    if year is not None:
        if year not in YEARS:
            raise ConfigError(f"there is no submission format of {year}; there are {', '.join(map(str, YEARS))}")
        if YEARS[year].output_of(protocol) is None:
            fits = [name for names in YEARS[year].outputs.values() for name in names]
            raise ConfigError(f"{protocol} has other data than the challenge of {year}{near(protocol, fits)}")
        return YEARS[year]
    for each in YEARS.values():
        if any(names[0] == protocol for names in each.outputs.values()):
            return each
    known = [names[0] for each in YEARS.values() for names in each.outputs.values()]
    raise ConfigError(f"there is no submission format for {protocol}{near(protocol, known)}")
