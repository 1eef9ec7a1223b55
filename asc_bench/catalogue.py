"""What there is, and how one of it is got: systems, protocols and data sets by name."""

from __future__ import annotations

from typing import Unpack

from asc_bench.bench.bench import Bench
from asc_bench.data.layouts import Layout
from asc_bench.data.manifest import Dataset
from asc_bench.experiment import Experiment
from asc_bench.registry import ProtocolLike, layouts, protocols, systems
from asc_bench.run_options import Options
from asc_bench.runs.variant import SystemLike, Variant, variant_of


def list_systems(pattern: str = "*") -> list[str]:
    """Names of the systems that can be used here, sorted.

    Parameters
    ----------
    pattern : str
        A glob, such as ``"*cnn*"``.

    Raises
    ------
    ConfigError
        If none matches; the message names all.

    Examples
    --------
    >>> list_systems("s*-cnn")
    ['sample-cnn', 'sb-cnn']
    """
    return systems().match(pattern)


def list_protocols(pattern: str = "*") -> list[str]:
    """Names of the protocols, sorted; parameters and errors are those of `list_systems`.

    Examples
    --------
    >>> list_protocols("esc?0")
    ['esc10', 'esc50']
    """
    return protocols().match(pattern)


def list_datasets() -> list[str]:
    """Names of the data sets whose layout on disk is known, built in or plugged in, sorted."""
    return layouts().names()


def get_system(system: SystemLike, **settings: object) -> Variant:
    """A system with settings, for `run`.

    Parameters
    ----------
    system : str, type, System or Variant
        By name, or one of your own; it need not be registered.
    **settings
        Fields of its ``Params``; of a neural system also ``augment`` and ``plan``, see docs/augmentation.md.

    Raises
    ------
    ConfigError
        For an unknown system or setting, with the near names, or a value of the wrong type.

    Examples
    --------
    >>> print(get_system("caa-net", training="multi-task"))
    caa-net[training=multi-task]
    >>> print(get_system("sb-cnn", augment="mixup+specaugment", plan={"epochs": 50}))
    sb-cnn[augment=mixup+specaugment,plan.epochs=50]
    """
    return variant_of(system, **settings)


def get_protocol(protocol: ProtocolLike, **options: Unpack[Options]) -> Bench:
    """A protocol applied to its data: ``clips`` (a data frame), ``folds``, ``dataset`` and ``faults()``.

    Parameters
    ----------
    protocol : str, Protocol or type
        By name, or one of your own.
    **options
        Where the recordings are: ``data``, ``synthetic``, ``synthetic_size``, ``sources``, ``cache`` of `run`.

    Raises
    ------
    ConfigError
        For an unknown name or option.
    DataError
        If the data set is not found, or a file is broken.

    Examples
    --------
    >>> bench = get_protocol("esc10", data="/data")  # doctest: +SKIP
    >>> bench.clips.groupby("scene").size()  # doctest: +SKIP
    """
    return Experiment.of(**options).bench(protocol)


def load_dataset(dataset: str | Layout, **options: Unpack[Options]) -> Dataset:
    """A data set: ``clips`` (a data frame), ``splits``, and ``audio(clip_id)``. Every file of it is checked.

    Parameters
    ----------
    dataset : str or Layout
        By name, or the layout of your own.
    **options
        As in `get_protocol`.

    Raises
    ------
    ConfigError
        For an unknown name or option.
    DataError
        If the data set is not found, or a file is broken.

    Examples
    --------
    >>> dataset = load_dataset("esc-10", data="/data")  # doctest: +SKIP
    >>> waveform, sample_rate_hz = dataset.audio(dataset.clips["clip_id"][0])  # doctest: +SKIP
    """
    return Experiment.of(**options).source.dataset((dataset,), lambda fraction, text: None)
