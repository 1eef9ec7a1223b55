"""The meta file of a submission, filled in from stored runs as far as they tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asc_bench.errors import ConfigError, DataError
from asc_bench.submissions.years import CLASSES, DEVICES, ENERGY_FIELDS, Year

PLACEHOLDER = "FILL IN"
"""How a value begins that only the authors know; no submission with one is whole."""
LABEL = re.compile(r"(?P<author>[^\W_]+)_(?P<institute>[^\W_]+)_(?P<task>task1a?)_(?P<index>[1-4])\Z")
MACS_DCASE = "n_macs_dcase"
"""Manifest entry of the MACs that the challenges count, where a run has them; see `complexity_of`."""
LONGEST_ABBREVIATION = 10
Results = Mapping[str, Any]
"""``overall``, ``class_wise`` and ``device_wise`` with ``accuracy`` in percent and ``logloss`` in nats."""


def default_label(year: Year) -> str:
    """A label that names nobody; no submission with it is whole."""
    return f"Lastname_Institute_{year.task}_1"


def checked_label(label: str, year: Year) -> str:
    """A label from which names of files are made.

    Raises
    ------
    ConfigError
        If it is not of the year's form.
    """
    match = LABEL.match(label)
    if match is None or match["task"] != year.task:
        raise ConfigError(
            f"the label {label!r} is not of the form Lastname_Institute_{year.task}_1 (the last number is 1 to 4): "
            "give another one (--label)"
        )
    return label


def complexity_of(manifest: Mapping[str, Any], year: Year) -> dict[str, object]:
    """The complexity block from what a run's manifest holds.

    Parameters
    ----------
    manifest : mapping
        ``total_parameters`` are all that are stored (``n_stored``) where the manifest counts them, else those that
        are trained (``n_parameters``); ``total_parameters_non_zero`` are those of them that are not zero
        (``n_nonzero_parameters``). ``macs`` are those that the challenges count (``n_macs_dcase``) where the
        manifest has them, else its multiply-adds, which differ little for convolutional networks and much for
        attention, of which the challenges' tool sees next to nothing.
    year : Year
        Which fields there are. Sizes depend on the precision that is submitted: these are left to the authors.
    """
    known = {
        "total_parameters": _first(manifest, "n_stored", "n_parameters"),
        "total_parameters_non_zero": manifest.get("n_nonzero_parameters"),
        "macs": _first(manifest, MACS_DCASE, "n_multiply_adds"),
    }
    return {name: _or_placeholder(known.get(name), _HINTS.get(name, name)) for name in year.complexity}


def meta_of(
    year: Year, label: str, *, title: str, complexity: Mapping[str, object], results: Mapping[str, Results]
) -> dict[str, Any]:
    """A meta file with everything that is known here; what only the authors know begins with ``FILL IN``.

    Parameters
    ----------
    year : Year
        Challenge.
    label : str
        Of the submission.
    title : str
        Of the system.
    complexity : mapping
        From `complexity_of`.
    results : mapping
        By output file; of those that are missing the numbers are left to be filled in.
    """
    author: dict[str, object] = {"corresponding": True}
    author |= {name: f"{PLACEHOLDER}: {name} of the author" for name in ("lastname", "firstname")}
    author |= {"email": f"{PLACEHOLDER}: address", "affiliation": {"institute": f"{PLACEHOLDER}: institute"}}
    system: dict[str, Any] = {
        "description": {name: f"{PLACEHOLDER}: {name.replace('_', ' ')}" for name in year.description},
        "complexity": dict(complexity),
    }
    system["description"]["machine_learning_method"] = title
    if year.energy:
        system["energy_consumption"] = dict.fromkeys(ENERGY_FIELDS, f"{PLACEHOLDER}: kWh")
    system |= {"external_datasets": [], "source_code": f"{PLACEHOLDER}: address of the code, or null"}
    # Each its own tree: YAML writes one that stands there twice as an alias, and filling it in would fill in both.
    by_output = {
        output: results.get(output) or result_tree(lambda *where: f"{PLACEHOLDER}: number")
        for output in year.outputs
    }
    return {
        "submission": {
            "label": label,
            "name": f"{PLACEHOLDER}: name of the system",
            "abbreviation": f"{PLACEHOLDER}: at most {LONGEST_ABBREVIATION} characters",
            "authors": [author],
        },
        "system": system,
        "results": {"development_dataset": by_output.get("", by_output)},
    }


def meta_text(meta: Mapping[str, Any], year: Year, *, notes: Sequence[str] = ()) -> str:
    """The file as text, with what its numbers mean, and further sentences as comments."""
    import yaml

    heading = (
        f"# DCASE {year.year}, task 1. Replace every value that begins with {PLACEHOLDER}; then\n"
        f"# asc-bench check-submission FOLDER --year {year.year}\n"
        "# Counts are whole numbers and not millions, sizes are bytes, accuracies are percent.\n"
    )
    heading += "".join(f"# {' '.join(note.split())}\n" for note in notes)
    return heading + str(yaml.safe_dump(dict(meta), sort_keys=False, allow_unicode=True))


def read_meta(path: Path) -> object:
    """What a meta file holds.

    Raises
    ------
    DataError
        If it cannot be read or is no YAML, holds a field twice (YAML keeps the last), or an alias such as ``*x``,
        by which a small file can be endless.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        alias = next((token for token in yaml.scan(text) if isinstance(token, yaml.AliasToken)), None)
        if alias is not None:
            line = alias.start_mark.line + 1
            raise DataError(f"{path}, line {line}: *{alias.value} is an alias; write out what it stands for")
        for key in _second_keys(yaml.compose(text, yaml.SafeLoader)):
            raise DataError(f"{path}, line {key.start_mark.line + 1}: {key.value} stands there a second time")
        return yaml.safe_load(text)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from error
    except RecursionError as error:
        raise DataError(f"{path} is no meta file: it is nested too deeply") from error
    except (yaml.YAMLError, ValueError) as error:  # a ValueError for a date or a number that is none
        raise DataError(f"{path} is no YAML: {' '.join(str(error).split())}") from error


def _second_keys(node: Any) -> Iterator[Any]:
    """Keys of a YAML tree that their mapping holds already, deeper ones too."""
    pairs = node.value if getattr(node, "id", "") == "mapping" else []
    names = [key.value for key, _ in pairs if key.id == "scalar"]
    yield from (key for i, key in enumerate(k for k, _ in pairs if k.id == "scalar") if key.value in names[:i])
    for inner in [value for _, value in pairs] or (node.value if getattr(node, "id", "") == "sequence" else []):
        yield from _second_keys(inner)


_HINTS = {
    "total_model_size": "bytes of all parameters at the precision that is submitted",
    "model_size": "bytes of the parameters that are not zero, at the precision that is submitted",
    "total_parameters_non_zero": "parameters that are not zero",
    "memory_use": "bytes",
    "macs": "multiply-accumulate operations per clip",
    "total_parameters": "parameters",
}


def _first(manifest: Mapping[str, Any], *names: str) -> object:
    """The first entry that is known: a manifest holds None for what its system does not count."""
    return next((manifest[name] for name in names if manifest.get(name) is not None), None)


def _or_placeholder(value: object, hint: str) -> object:
    return f"{PLACEHOLDER}: {hint}" if value is None else value


def result_tree(number: Callable[[str, str, str], object]) -> dict[str, Any]:
    """The tree of results, of a function from group, class or device (empty for ``overall``), and measure."""

    def both(group: str, name: str = "") -> dict[str, object]:
        return {measure: number(group, name, measure) for measure in ("accuracy", "logloss")}

    return {
        "overall": both("overall"),
        "class_wise": {name: both("class_wise", name) for name in CLASSES},
        "device_wise": {name: both("device_wise", name) for name in DEVICES},
    }
