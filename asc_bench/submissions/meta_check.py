"""Whether the meta file of a submission is whole: fields, types, limits, and nothing left to be filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from asc_bench.submissions.meta import LONGEST_ABBREVIATION, PLACEHOLDER
from asc_bench.submissions.years import CLASSES, DEVICES, ENERGY_FIELDS, Year

_COUNTS = frozenset({"total_parameters", "total_parameters_non_zero", "macs"})
_MAY_BE_NULL = frozenset(
    {
        "embeddings",
        "data_augmentation",
        "ensemble_method_subsystem_count",
        "decision_making",
        "external_data_usage",
        "complexity_management",
        "pipeline",
        "split_adaptations",
        "system_adaptations",
        "source_code",
    }
)
"""Fields that say by null that there is no such thing."""


def meta_faults(meta: object, year: Year, label: str) -> list[str]:
    """Every field that is missing, still to be filled in, of another type, or beyond what the year allowed.

    Parameters
    ----------
    meta : object
        From `read_meta`.
    year : Year
        Challenge.
    label : str
        From the names of the files.
    """
    if not isinstance(meta, Mapping):
        return ["the meta file holds no fields"]
    faults = list(_placeholders(meta, ""))
    submission = _block(meta, "submission", faults, ("label", "name", "abbreviation", "authors"))
    for name in ("label", "name", "abbreviation"):
        _text(submission, name, "submission", faults)
    if isinstance(submission.get("label"), str) and submission["label"] != label:
        faults.append(f"submission.label is {submission['label']!r}, and the files are called {label!r}")
    short = submission.get("abbreviation")
    if isinstance(short, str) and len(short) > LONGEST_ABBREVIATION and not short.startswith(PLACEHOLDER):
        faults.append(f"submission.abbreviation {short!r} has more than {LONGEST_ABBREVIATION} characters")
    _check_authors(submission.get("authors"), faults)
    blocks = ("description", "complexity", *(("energy_consumption",) if year.energy else ()))
    system = _block(meta, "system", faults, (*blocks, "external_datasets", "source_code"))
    description = _block(system, "description", faults, year.description, "system.")
    for name in year.description:
        if name == "ensemble_method_subsystem_count":
            _number(description, name, "system.description", faults, whole=True, null=True)
        else:
            _text(description, name, "system.description", faults)
    _text(system, "source_code", "system", faults)
    complexity = _block(system, "complexity", faults, year.complexity, "system.")
    for name in year.complexity:
        _number(complexity, name, "system.complexity", faults, whole=name in _COUNTS)
        limit, value = year.limits.get(name), complexity.get(name)
        if limit is not None and _is_number(value) and value > limit:
            faults.append(f"system.complexity.{name} is {value:,}, and {limit:,} was the limit of {year.year}")
    total, non_zero = (complexity.get(name) for name in ("total_parameters", "total_parameters_non_zero"))
    if _is_number(total) and _is_number(non_zero) and non_zero > total:
        faults.append(
            f"system.complexity.total_parameters_non_zero is {non_zero:,}, more than the {total:,} of all"
        )
    macs = complexity.get("macs")
    if _is_number(macs) and 0 < macs < 1000:
        faults.append(f"system.complexity.macs is {macs}: give the number itself, not millions")
    if year.energy:
        energy = _block(system, "energy_consumption", faults, ENERGY_FIELDS, "system.")
        for name in ENERGY_FIELDS:
            _number(energy, name, "system.energy_consumption", faults)
    _check_datasets(system.get("external_datasets"), faults)
    results = _block(meta, "results", faults, ("development_dataset",))
    whole = _block(results, "development_dataset", faults, tuple(filter(None, year.outputs)), "results.")
    for output in year.outputs:
        where = "results.development_dataset"
        part = _block(whole, output, faults, (), f"{where}.") if output else whole
        _check_results(part, f"{where}.{output}".rstrip("."), faults)
    return list(dict.fromkeys(faults))


def _placeholders(value: object, where: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _placeholders(inner, f"{where}.{name}" if where else str(name))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _placeholders(inner, f"{where}[{i}]")
    elif isinstance(value, str) and value.startswith(PLACEHOLDER):
        yield f"{where} is still to be filled in ({value!r})"


def _block(
    whole: Mapping[str, Any], name: str, faults: list[str], fields: Sequence[str], where: str = ""
) -> Mapping[str, Any]:
    """A block with its fields; an empty one, and a fault, if there is none."""
    block = whole.get(name)
    if not isinstance(block, Mapping):
        faults.append(f"{where}{name} is missing or holds no fields")
        return {}
    faults += [f"{where}{name}.{field} is missing" for field in fields if field not in block]
    return block


def _text(block: Mapping[str, Any], name: str, where: str, faults: list[str]) -> None:
    value = block.get(name, "")
    if value is None and name in _MAY_BE_NULL:
        return
    # A rate may be written as a number, and several methods as a list.
    several = isinstance(value, list) and value and all(isinstance(item, str) and item.strip() for item in value)
    number = name == "input_sampling_rate" and _is_number(value)
    if name in block and not (several or number or (isinstance(value, str) and value.strip())):
        null = " or null" if name in _MAY_BE_NULL else ""
        faults.append(f"{where}.{name} is {value!r}, but must be a text{null}")


def _number(
    block: Mapping[str, Any],
    name: str,
    where: str,
    faults: list[str],
    *,
    whole: bool = False,
    null: bool = False,
    highest: float | None = None,
) -> None:
    value = block.get(name)
    if name not in block or (null and value is None) or (isinstance(value, str) and value.startswith(PLACEHOLDER)):
        return
    kind = "a whole number" if whole else "a number"
    if not _is_number(value) or (whole and not isinstance(value, int)):
        faults.append(f"{where}.{name} is {value!r}, but must be {kind}")
    elif value < 0 or value != value or value == float("inf") or (highest is not None and value > highest):
        upper = "" if highest is None else f" to {highest:g}"
        faults.append(f"{where}.{name} is {value!r}, but must be {kind} from 0{upper}")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_authors(authors: object, faults: list[str]) -> None:
    if not isinstance(authors, list) or not authors or not all(isinstance(a, Mapping) for a in authors):
        faults.append("submission.authors must be a list of authors")
        return
    for i, author in enumerate(authors):
        where = f"submission.authors[{i}]"
        fields = ("lastname", "firstname", "email", "affiliation")
        faults += [f"{where}.{name} is missing" for name in fields if name not in author]
        for name in ("lastname", "firstname", "email"):
            _text(author, name, where, faults)
        address = author.get("email")
        if isinstance(address, str) and "@" not in address and not address.startswith(PLACEHOLDER):
            faults.append(f"{where}.email is {address!r}, which is no address")
    n_corresponding = sum(author.get("corresponding") is True for author in authors)
    if n_corresponding != 1:
        faults.append(f"{n_corresponding} authors have corresponding: true; exactly one must")


def _check_datasets(datasets: object, faults: list[str]) -> None:
    """A list of data sets beside the official one; the validator of 2020 fails on null."""
    if not isinstance(datasets, list) or not all(isinstance(item, Mapping) for item in datasets):
        faults.append("system.external_datasets must be a list of data sets, empty if there are none")
        return
    for i, item in enumerate(datasets):
        where = f"system.external_datasets[{i}]"
        faults += [f"{where}.{f} is missing" for f in ("name", "url", "total_audio_length") if f not in item]


def _check_results(part: Mapping[str, Any], where: str, faults: list[str]) -> None:
    for group, names in (("overall", ("",)), ("class_wise", CLASSES), ("device_wise", DEVICES)):
        block = _block(part, group, faults, tuple(filter(None, names)), f"{where}.")
        for name in names:
            fields = ("accuracy", "logloss")
            own = _block(block, name, faults, fields, f"{where}.{group}.") if name and name in block else block
            if not name:
                faults += [f"{where}.{group}.{field} is missing" for field in fields if field not in block]
            at = f"{where}.{group}.{name}".rstrip(".")
            if not name or name in block:
                _number(own, "accuracy", at, faults, highest=100.0)
                _number(own, "logloss", at, faults)
    overall = part.get("overall")
    accuracy = overall.get("accuracy") if isinstance(overall, Mapping) else None
    if _is_number(accuracy) and 0 < accuracy <= 1:
        faults.append(f"{where}.overall.accuracy is {accuracy}: give percent")
