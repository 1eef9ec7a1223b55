"""What a table is a table of: protocol, data set, budget and repeats, read from the runs' manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from asc_bench.budget import Budget
from asc_bench.errors import ConfigError

Manifest = Mapping[str, Any]
"""One run's ``manifest.json``: a tree of JSON values."""

_MUST_AGREE = (
    "protocol",
    "protocol_version",
    "dataset",
    "synthetic",
    "synthetic_size",
    "budget",
    "selection",
    "augmentation",
    "data_caveats",
    "missing_training",
)
_MARKS = ("unofficial_split", "unofficial_files")

SYNTHETIC = "Synthetic dataset, not the named recordings: these numbers say nothing about any system on real data."
SMOKE = "Smoke budget: narrowed and barely trained systems, not comparable with anything."

_OWN = "own"
_SELECTIONS = {
    "held-out": (
        "validation clips held out",
        "No system was trained on the validation clips, whether it chose anything on them or not.",
    ),
    "test": (
        "selection on the test split, as published",
        "What is chosen in training was chosen on the test split, as the papers did: these numbers flatter.",
    ),
}
"""What title and notes say of a selection other than the usual one."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The facts that all runs of one table share.

    Attributes
    ----------
    folds : tuple of str
        Those that there are runs of, if these are not all of the protocol's.
    data_caveats : tuple of str
        Sentences about the data that every table must show.
    missing_training : str
        How many training clips are missing, and of how many; empty if none is.
    unofficial_split : bool
        Whether the folds are others than the official ones.
    unofficial_files : bool
        Whether files of an official data set are not as published.
    data_files : str
        What the files are, a few words; empty where that was not kept.
    first, last : str
        UTC days on which the first and the last run started; empty if none did.
    """

    protocol: str
    protocol_title: str
    protocol_version: int
    dataset: str
    synthetic: bool
    synthetic_size: str
    budget: str
    selection: str
    augmentation: str
    n_repeats: int
    first: str
    last: str
    folds: tuple[str, ...] = ()
    data_caveats: tuple[str, ...] = ()
    missing_training: str = ""
    unofficial_split: bool = False
    unofficial_files: bool = False
    data_files: str = ""

    @classmethod
    def of(cls, manifests: Sequence[Manifest]) -> Setting:
        """Read the setting that all manifests agree on.

        Raises
        ------
        ConfigError
            If there is no manifest, or if runs of different data, protocols or budgets would share a table.
        """
        if not manifests:
            raise ConfigError("no run to report: there is no manifest at all")
        shared = [agreed(m) for m in manifests]
        for key in (*_MUST_AGREE, "data", *_MARKS):
            _agree(key, [entries.get(key) for entries in shared])
        # What was made elsewhere has no budget and fits every one.
        one = next((m for m in manifests if m.get("budget")), manifests[0])
        days = sorted(_day(m["started"]) for m in manifests if m.get("started"))
        there = {str(m["fold"]) for m in manifests if m.get("fold")}
        folds = [fold for fold in one.get("expected") or () if fold in there]
        return cls(
            protocol=str(one["protocol"]),
            protocol_title=str(one["protocol_title"]),
            protocol_version=int(one["protocol_version"]),
            dataset=str(one["dataset"]),
            synthetic=bool(one["synthetic"]),
            synthetic_size=str(one.get("synthetic_size") or ""),
            budget=str(one.get("budget") or ""),
            selection=str(one.get("selection") or _OWN),
            augmentation=str(one.get("augmentation") or ""),
            n_repeats=len({m["repeat"] for m in manifests}),
            first=days[0] if days else "",
            last=days[-1] if days else "",
            data_caveats=tuple(one.get("data_caveats") or ()),
            missing_training=_missing(one.get("missing_training")),
            unofficial_split=bool(one.get("unofficial_split")),
            unofficial_files=bool(one.get("unofficial_files")),
            data_files=next((str(m["data_files"]) for m in reversed(manifests) if m.get("data_files")), ""),
            folds=tuple(folds) if len(folds) < len(one.get("expected") or ()) else (),
        )

    @classmethod
    def together(cls, settings: Sequence[Setting]) -> Setting:
        """One setting for a table of several protocols, which agree in budget, selection and repeats.

        Raises
        ------
        ConfigError
            If they do not.
        """
        first, *others = settings
        if not others:
            return first
        for key in ("synthetic", "synthetic_size", "budget", "selection", "augmentation"):
            _agree(key, [getattr(setting, key) for setting in settings])
        last = others[-1]
        named = [f"{setting.protocol}, version {setting.protocol_version}" for setting in settings[:-1]]
        return replace(
            first,
            protocol=", and ".join([*named, last.protocol]),
            protocol_title=" and ".join(setting.protocol_title for setting in settings),
            protocol_version=last.protocol_version,
            dataset=" and ".join(dict.fromkeys(setting.dataset for setting in settings)),
            data_caveats=tuple(dict.fromkeys(c for setting in settings for c in setting.data_caveats)),
            missing_training=" and ".join(s.missing_training for s in settings if s.missing_training),
            n_repeats=max(setting.n_repeats for setting in settings),
            unofficial_split=any(setting.unofficial_split for setting in settings),
            unofficial_files=any(setting.unofficial_files for setting in settings),
            data_files="; ".join(dict.fromkeys(setting.data_files for setting in settings if setting.data_files)),
            first=min((setting.first for setting in settings if setting.first), default=""),
            last=max((setting.last for setting in settings if setting.last), default=""),
        )

    @property
    def data(self) -> str:
        """Name of the data set, with ``synthetic`` where it is one."""
        if not self.synthetic:
            return self.dataset
        size = f" ({self.synthetic_size})" if self.synthetic_size else ""
        return f"{self.dataset}, synthetic{size}"

    @property
    def title(self) -> str:
        """Caption for every table and figure of this setting."""
        repeats = "1 seed" if self.n_repeats == 1 else f"{self.n_repeats} seeds"
        chosen = f", {_SELECTIONS[self.selection][0]}" if self.selection in _SELECTIONS else ""
        copies = f", augmentation {self.augmentation}" if self.augmentation else ""
        part = f", {' and '.join(self.folds)} only" if self.folds else ""
        lacking = f" without {self.missing_training}" if self.missing_training else ""
        split = ", unofficial split" if self.unofficial_split else ""
        files = ", unofficial files" if self.unofficial_files else ""
        data = f"{self.data}{lacking}{split}{files}"
        how = f"{self.budget} budget, {repeats}" if self.budget else "predictions made elsewhere"
        return f"{self.protocol_title}: {data}, {how}{part}{chosen}{copies}"

    @property
    def comparable(self) -> bool:
        """Whether a published number may stand beside these at all."""
        return not self.synthetic and self.budget != Budget.SMOKE

    @property
    def caveats(self) -> tuple[str, ...]:
        """Sentences that a reader must see before any number."""
        found = []
        if self.synthetic:
            found.append(SYNTHETIC)
        if self.budget == Budget.SMOKE:
            found.append(SMOKE)
        elif self.budget == Budget.QUICK:
            found.append("Quick budget: published architectures, trained for fewer steps than published.")
        if self.selection in _SELECTIONS:
            found.append(_SELECTIONS[self.selection][1])
        if self.augmentation:
            found.append(_copies(self.augmentation))
        found += self.data_caveats
        return tuple(found)

    @property
    def provenance(self) -> str:
        """Protocol with version, the files, and when the runs were made."""
        text = f"Protocol {self.protocol}, version {self.protocol_version}."
        text += f" Audio: {self.data_files}." if self.data_files else ""
        if not self.first:
            return text
        days = self.first if self.first == self.last else f"{self.first} to {self.last}"
        return f"{text} Runs started {days} (UTC)."


def agreed(manifest: Manifest) -> dict[str, str]:
    """What a run must share with all others of its table, as text; what is not stated is left out."""
    found = {key: manifest.get(key) for key in _MUST_AGREE}
    found["data"] = (manifest.get("key_parts") or {}).get("data")
    found |= {key: bool(manifest.get(key)) for key in _MARKS}
    return {key: str(value) for key, value in found.items() if value is not None}


def _missing(counts: Sequence[int] | None) -> str:
    return f"{counts[0]} of {counts[1]} training clips" if counts else ""


def _copies(augmentation: str) -> str:
    count = f"{augmentation} of the 20" if augmentation.isdecimal() else f"these ({augmentation})"
    return (
        f"Every system was also trained on deformed copies of each training clip: {count} deformations of "
        "Salamon and Bello (2017), the noise synthesised."
    )


def _agree(what: str, values: Sequence[object]) -> None:
    found = sorted({str(v) for v in values if v is not None})
    if len(found) > 1:
        listed = ", ".join(found)
        raise ConfigError(f"runs of different {what} cannot share a table: {listed}; report each alone")


def _day(started: str) -> str:
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        raise ConfigError(f"manifest: started is {started!r}, not an ISO 8601 time") from None
    return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date().isoformat()
