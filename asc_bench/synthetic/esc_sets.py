"""ESC-50, and ESC-10 as first published: clips in five folds, some two of them takes of one source."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asc_bench.data.computed import Contents, delimited, write_whole
from asc_bench.data.encode import ogg_bytes, wav_bytes, wav_size
from asc_bench.data.layouts.esc10 import CLASS_OF_FOLDER
from asc_bench.data.layouts.esc50 import ESC10_CLASSES
from asc_bench.data.seeds import VERSION, seed_of
from asc_bench.synthetic.esc import synthesise_esc
from asc_bench.synthetic.recipes import esc_classes
from asc_bench.synthetic.sizes import Size

N_FOLDS = 5
SAMPLE_RATE_HZ = 44100
CLIP_S = 5.0
_BITS = 16
_OGG_BYTES_PER_S = 40_000
"""More than the encoder gives for noise at full bandwidth."""


@dataclass(frozen=True)
class EscClip:
    """One clip of ESC-50 or ESC-10."""

    category: str
    fold: int
    source: int
    take: str

    @property
    def target(self) -> int:
        """Class number in ESC-50."""
        return list(esc_classes()).index(self.category)

    @property
    def in_esc10(self) -> bool:
        """Whether the class is one of ESC-10."""
        return self.category in ESC10_CLASSES


@dataclass(frozen=True)
class _Job:
    """All takes of one source, each with the file that it goes to."""

    layout: str
    seed: int
    clips: tuple[tuple[EscClip, str], ...]

    def __call__(self, folder: Path) -> None:
        for clip, file_name in self.clips:
            if (folder / file_name).exists():
                continue
            source = (VERSION, self.seed, self.layout, clip.category, clip.source)
            wave = synthesise_esc(
                clip.category,
                source_seed=seed_of("source", *source),
                take_seed=seed_of("take", *source, clip.take),
                duration_s=CLIP_S,
                sample_rate_hz=SAMPLE_RATE_HZ,
            )
            if file_name.endswith(".ogg"):
                serial = seed_of("serial", clip.source, clip.take)
                content = ogg_bytes(wave, sample_rate_hz=SAMPLE_RATE_HZ, serial=serial)
            else:
                content = wav_bytes(wave, sample_rate_hz=SAMPLE_RATE_HZ, bits=_BITS)
            write_whole(folder / file_name, content)


def plan_esc(categories: Iterable[str], n_clips: int) -> tuple[EscClip, ...]:
    """Every clip of an ESC set: ``n_clips`` of each class and fold, some two of them takes of one source."""
    classes = list(esc_classes())
    clips: list[EscClip] = []
    for category in categories:
        target = classes.index(category)
        for fold in range(1, N_FOLDS + 1):
            first = 100_000 + 37 * 8 * (target * N_FOLDS + fold)
            # From three clips on a source with two takes is in every class and fold, else in a third of them.
            doubled = n_clips >= 3 or (target + fold) % 3 == 0
            for index in range(n_clips):
                source = first + 37 * (0 if doubled and index == 1 else index)
                clips.append(EscClip(category, fold, source, "B" if doubled and index == 1 else "A"))
    return tuple(clips)


def esc_counts(clips: Sequence[EscClip]) -> dict[str, object]:
    """Clip counts of an ESC set as its marker states them."""
    tested = Counter(clip.fold for clip in clips)
    folds = {
        f"fold{number}": {"train": {"": len(clips) - tested[number]}, "test": {"": tested[number]}}
        for number in range(1, N_FOLDS + 1)
    }
    return {"n_clips": len(clips), "folds": folds}


def esc_50(size: Size, seed: int) -> Contents:
    """Wave files in one folder, and ``esc50.csv``."""
    clips = plan_esc(esc_classes(), size.esc_clips)
    named = [(c, f"audio/{c.fold}-{c.source}-{c.take}-{c.target}.wav") for c in clips]
    head = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
    rows = [
        (Path(name).name, str(c.fold), str(c.target), c.category, str(c.in_esc10), str(c.source), c.take)
        for c, name in named
    ]
    return Contents(
        jobs=_jobs("esc-50", seed, named),
        texts=(("meta/esc50.csv", delimited([head, *rows], ",")),),
        n_bytes=len(clips) * wav_size(round(CLIP_S * SAMPLE_RATE_HZ), bits=_BITS),
        facts={"counts": esc_counts(clips)},
    )


def esc_10(size: Size, seed: int) -> Contents:
    """Ogg files in a folder for each class, and no lists."""
    folder_of = {category: folder for folder, category in CLASS_OF_FOLDER.items()}
    clips = plan_esc(folder_of, size.esc_clips)
    named = [(c, f"{folder_of[c.category]}/{c.fold}-{c.source}-{c.take}.ogg") for c in clips]
    return Contents(
        jobs=_jobs("esc-10", seed, named),
        texts=(),
        n_bytes=len(clips) * round(CLIP_S * _OGG_BYTES_PER_S),
        facts={"counts": esc_counts(clips)},
    )


def _jobs(layout: str, seed: int, named: Iterable[tuple[EscClip, str]]) -> tuple[_Job, ...]:
    by_source: dict[int, list[tuple[EscClip, str]]] = defaultdict(list)
    for clip, name in named:
        by_source[clip.source].append((clip, name))
    return tuple(_Job(layout, seed, tuple(group)) for group in by_source.values())
