"""Files held against the published format: what differs, how often, and what is refused."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asc_bench.data.audio import AudioFacts
from asc_bench.data.file_formats import (
    FLOATS,
    WAV_KINDS,
    FileFormat,
    any_of,
    channels_in_words,
    coding_in_words,
    in_khz,
    published_format,
    wrong_rate_hint,
)
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.manifest import Dataset
from asc_bench.errors import DataError

Facts = Mapping[str, AudioFacts]
"""What was found in each file, by its path."""

UNOFFICIAL = "Unofficial files: "
AS_PUBLISHED = "as published"
LOSSY_PEAK = 2.0
"""Largest sample of a decoded file that is no float: lossy codecs exceed full scale a little."""

_log = logging.getLogger("asc_bench")


@dataclass(frozen=True)
class Finding:
    """One kind of difference, in some files.

    Attributes
    ----------
    what : str
        What is different, a few words.
    paths : tuple of str
        Those that it is true of.
    refused : bool
        Whether it is certain and bears on numbers: an official data set that has it is refused.
    caveat : bool
        Whether tables made from a folder of the user's say it.
    """

    what: str
    paths: tuple[str, ...]
    refused: bool = True
    caveat: bool = True

    @property
    def counted(self) -> str:
        """Number of files, and what they are."""
        return f"{len(self.paths)} {'file' if len(self.paths) == 1 else 'files'}: {self.what}"

    def sentence(self, root: Path) -> str:
        """Number of files, what they are, and the first of them."""
        first = self.paths[0]
        name = Path(first).relative_to(root).as_posix() if Path(first).is_relative_to(root) else first
        return f"{self.counted}, such as {name}"


def hold_files(dataset: Dataset, facts: Facts, *, unofficial: bool) -> Dataset:
    """Refuse files that are not as published, or let every table say so.

    Parameters
    ----------
    dataset : Dataset
        Indexed.
    facts : mapping
        Of every file that exists.
    unofficial : bool
        Accept such files in an official data set.

    Returns
    -------
    Dataset
        With ``files``, a few words on what was found, and with caveats where it bears on numbers. A folder of the
        user's is never refused, and an incomplete data set has to be completed first.

    Raises
    ------
    DataError
        For an official data set, with the number of files of each kind and the first of them.
    """
    published = published_format(dataset.name) if dataset.official else None
    different = list(_against(dataset, facts, published))
    findings = [*different, *_in_themselves(dataset, facts, published)]
    wrong = [finding for finding in findings if finding.refused and dataset.official]
    if wrong and dataset.complete and not unofficial:
        raise DataError(_refusal(dataset, wrong, len(facts)))
    told = wrong if dataset.official else [finding for finding in findings if finding.caveat]
    sentences = [finding.sentence(dataset.root) for finding in told]
    remarks = tuple(finding.sentence(dataset.root) for finding in findings if finding not in told)
    for remark in remarks:
        _log.warning("%s: %s", dataset.name, remark)
    accepted = bool(wrong) and unofficial
    caveats = [f"{sentence}." for sentence in sentences if not dataset.official]
    if accepted:
        caveats.append(f"{UNOFFICIAL}{'; '.join(sentences)}.")
    return replace(
        dataset,
        files=_summary(facts, findings, "" if published is None or different else _agreement(published)),
        unofficial_files=accepted,
        remarks=remarks,
        caveats=(*dataset.caveats, *caveats),
    )


def _against(dataset: Dataset, facts: Facts, published: FileFormat | None) -> Iterator[Finding]:
    """Where files are not in the published format; each kind with the value seen."""
    if published is None:
        return
    seen: dict[tuple[str, str], list[str]] = {}

    def note(kind: str, what: str, path: str) -> None:
        seen.setdefault((kind, what), []).append(path)

    for path, file in facts.items():
        container = WAV_KINDS.get(file.container, file.container)
        if published.containers and container not in published.containers:
            wanted = any_of(map(coding_in_words, published.containers))
            note("container", f"{coding_in_words(container, file.subtype)} inside instead of {wanted}", path)
        elif published.subtypes and file.subtype not in published.subtypes:
            wanted = any_of(coding_in_words(container, subtype) for subtype in published.subtypes)
            note("subtype", f"{coding_in_words(container, file.subtype)} instead of {wanted}", path)
        if published.rate_hz and file.sample_rate_hz != published.rate_hz:
            note("rate", f"{in_khz(file.sample_rate_hz)} instead of {in_khz(published.rate_hz)}", path)
        if published.n_channels and file.n_channels != published.n_channels:
            found, wanted = map(channels_in_words, (file.n_channels, published.n_channels))
            note("channels", f"{found} instead of {wanted}", path)
        if file.peak > published.peak * (1 + 1e-6):
            note("peak", "samples beyond full scale", path)
    for (kind, what), paths in seen.items():
        if kind == "peak":
            what += f" (largest peak {max(facts[path].peak for path in paths):.6g}, full scale is 1)"
        yield Finding(what, tuple(paths), refused=kind not in published.guessed)
    if published.longer_by_s is not None:
        yield from _too_long(dataset, facts, published.longer_by_s, certain="length" not in published.guessed)


def _too_long(dataset: Dataset, facts: Facts, tolerance_s: float, *, certain: bool) -> Iterator[Finding]:
    longer: dict[str, list[str]] = {}
    longest_s = LAYOUTS[dataset.name].longest_s(dataset.clips)
    for path, wanted_s in zip(dataset.clips["path"].tolist(), longest_s, strict=True):
        file = facts.get(path)
        if file is not None and file.duration_s > wanted_s + tolerance_s:
            hint = wrong_rate_hint(file.n_frames, wanted_s, file.sample_rate_hz)
            longer.setdefault(f"{wanted_s:g} s{hint}", []).append(path)
    for wanted, paths in longer.items():
        found_s = max(facts[path].duration_s for path in paths)
        yield Finding(f"longer than the clip of {wanted}, up to {found_s:.4g} s", tuple(paths), refused=certain)


def _in_themselves(dataset: Dataset, facts: Facts, published: FileFormat | None) -> Iterator[Finding]:
    """What is wrong whatever was published."""
    rates = Counter(file.sample_rate_hz for file in facts.values())
    if len(rates) > 1 and not (published and published.rate_hz):
        usual_hz = max(rates, key=lambda rate: (rates[rate], rate))
        others = tuple(path for path, file in facts.items() if file.sample_rate_hz != usual_hz)
        named = ", ".join(in_khz(rate) for rate in sorted(rates) if rate != usual_hz)
        yield Finding(f"{named}, the others at {in_khz(usual_hz)}", others, refused=False)
    if published is None:
        loud = tuple(path for path, file in facts.items() if file.peak > _allowed_peak(file))
        if loud:
            largest = max(facts[path].peak for path in loud)
            what = f"samples beyond full scale (largest peak {largest:.6g}, full scale is 1)"
            yield Finding(what, loud, refused=False)
    silent = tuple(path for path, file in facts.items() if file.silent)
    if silent:
        yield Finding("silent from beginning to end", silent, refused=False)
    yield from _duplicates(dataset, facts)


def _allowed_peak(file: AudioFacts) -> float:
    return 1.0 if file.subtype in FLOATS else LOSSY_PEAK


def _duplicates(dataset: Dataset, facts: Facts) -> Iterator[Finding]:
    """Files with the same samples; two silent files are no copies of each other."""
    by_content: dict[str, list[str]] = {}
    for path, file in facts.items():
        if not file.silent:
            by_content.setdefault(file.content, []).append(path)
    copies = {path: twins for twins in by_content.values() if len(twins) > 1 for path in twins}
    if not copies:
        return
    path_of = dict(zip(dataset.clips["clip_id"], dataset.clips["path"], strict=True))
    crossing: dict[str, str] = {}
    folds = []
    for split in dataset.splits:
        train, test = ({path_of[clip] for clip in ids} & set(copies) for ids in (split.train, split.test))
        both = {path: twin for path in test for twin in copies[path] if twin in train and twin != path}
        folds += [split.name] if both else []
        crossing |= both
    if crossing:
        first = min(crossing)
        what = f"for testing in {', '.join(folds)}, the same content as files for training"
        yield Finding(f"{what} ({Path(crossing[first]).name} is one)", tuple(sorted(crossing)))
    within = sorted(path for twins in by_content.values() for path in twins[1:] if not crossing.keys() & set(twins))
    if within:
        yield Finding("the same content as another file", tuple(within), refused=False, caveat=False)


def _refusal(dataset: Dataset, wrong: Sequence[Finding], n_files: int) -> str:
    n_wrong = len({path for finding in wrong for path in finding.paths})
    lines = [f"{dataset.name}: {n_wrong} of {n_files} audio files in {dataset.root} are not {AS_PUBLISHED}:"]
    lines += [f"  {finding.sentence(dataset.root)}" for finding in wrong]
    lines.append(
        "Use the files of the official archive, or add --unofficial-files (`unofficial_files=True`) to go on with "
        "these: every table says so then, and results are kept apart; nothing was trained."
    )
    return "\n".join(lines)


def _agreement(published: FileFormat) -> str:
    known = published.rate_hz and not published.guessed
    return AS_PUBLISHED if known else f"{AS_PUBLISHED} as far as is known"


def _summary(facts: Facts, findings: Sequence[Finding], agreement: str) -> str:
    """One line: number, rate, channels and coding of the files, and what differs."""
    if not facts:
        return "no files"
    files = list(facts.values())
    words = [f"{len(files)} files"]
    words.append(" and ".join(in_khz(rate) for rate in sorted({file.sample_rate_hz for file in files})))
    words.append(" and ".join(channels_in_words(n) for n in sorted({file.n_channels for file in files})))
    kinds = {coding_in_words(WAV_KINDS.get(file.container, file.container), file.subtype) for file in files}
    words.append(" and ".join(sorted(kinds)))
    words += [agreement] if agreement else []
    return "; ".join([", ".join(words), *(finding.counted for finding in findings)])
