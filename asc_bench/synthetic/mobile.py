"""The files of a stand-in: audio in jobs that can run side by side, and the official lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asc_bench.data.computed import write_whole
from asc_bench.data.devices.devices import apply_device
from asc_bench.data.encode import ogg_bytes, wav_bytes
from asc_bench.data.seeds import VERSION, generator, seed_of
from asc_bench.data.signals import Wave
from asc_bench.synthetic.contents import StandIn, delimited
from asc_bench.synthetic.esc import synthesise_esc
from asc_bench.synthetic.greatest_hits import greatest_hits
from asc_bench.synthetic.plan import (
    ESC10_FOLDERS,
    EscClip,
    Instant,
    esc_counts,
    mobile_counts,
    plan_esc,
    plan_mobile,
)
from asc_bench.synthetic.recipes import esc_classes
from asc_bench.synthetic.recordings import (
    dares_g1,
    litis_rouen,
    tut_2017_development,
    tut_2017_evaluation,
)
from asc_bench.synthetic.scenes import synthesise_scene
from asc_bench.synthetic.sizes import Size, sizes
from asc_bench.synthetic.task4 import task4

SAMPLE_RATE_HZ = 44100
SCENE_S, ESC_S = 10.0, 5.0
_WAV_HEADER_BYTES = 44
_OGG_BYTES_PER_S = 40_000
"""More than the encoder gives for noise at full bandwidth."""


def plan_stand_in(layout: str, *, size: str, seed: int) -> StandIn:
    """Plan the stand-in of one of ``LAYOUT_NAMES`` without writing anything."""
    return _PLANNERS[layout](sizes()[size], seed)


@dataclass(frozen=True)
class _MobileJob:
    """All clips of one location."""

    layout: str
    seed: int
    instants: tuple[Instant, ...]

    def __call__(self, folder: Path) -> None:
        for instant in self.instants:
            absent = [d for d in instant.devices if not (folder / instant.file_name(d)).exists()]
            if not absent:
                continue
            clean = instant_waveform(instant, layout=self.layout, seed=self.seed)
            for device in absent:
                heard = record_instant(clean, instant, device, layout=self.layout, seed=self.seed)
                write_whole(
                    folder / instant.file_name(device),
                    wav_bytes(heard, sample_rate_hz=SAMPLE_RATE_HZ, bits=24),
                )


def instant_waveform(instant: Instant, *, layout: str, seed: int) -> Wave:
    """What is to be heard at an instant, before any device."""
    place = (VERSION, seed, layout, instant.scene, instant.identifier)
    return synthesise_scene(
        instant.scene,
        location_seed=seed_of("location", *place),
        clip_seed=seed_of("segment", *place, instant.segment),
        duration_s=SCENE_S,
        sample_rate_hz=SAMPLE_RATE_HZ,
    )


def record_instant(
    clean: Wave,
    instant: Instant,
    device: str,
    *,
    layout: str,
    seed: int,
) -> Wave:
    """The same instant as one device hears it."""
    rng = generator("device", VERSION, seed, layout, instant.scene, instant.identifier, instant.segment, device)
    return apply_device(clean, sample_rate_hz=SAMPLE_RATE_HZ, device=device, rng=rng)


@dataclass(frozen=True)
class _EscJob:
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
                duration_s=ESC_S,
                sample_rate_hz=SAMPLE_RATE_HZ,
            )
            if file_name.endswith(".ogg"):
                serial = seed_of("serial", clip.source, clip.take)
                content = ogg_bytes(wave, sample_rate_hz=SAMPLE_RATE_HZ, serial=serial)
            else:
                content = wav_bytes(wave, sample_rate_hz=SAMPLE_RATE_HZ, bits=16)
            write_whole(folder / file_name, content)


def _tut_2018(size: Size, seed: int) -> StandIn:
    return _mobile("tut-urban-2018-mobile", plan_mobile(size.tut_2018), seed, suffix=".txt", header=False)


def _tau_2019(size: Size, seed: int) -> StandIn:
    return _mobile("tau-urban-2019-mobile", plan_mobile(size.tau_2019), seed, suffix=".csv", header=True)


def _mobile(layout: str, instants: Sequence[Instant], seed: int, *, suffix: str, header: bool) -> StandIn:
    by_location: dict[int, list[Instant]] = defaultdict(list)
    for instant in instants:
        by_location[instant.location].append(instant)
    meta: list[tuple[str, ...]] = [("filename", "scene_label", "identifier", "source_label")]
    head = [("filename", "scene_label")] if header else []
    labelled: dict[str, list[tuple[str, ...]]] = {part: list(head) for part in ("train", "test", "unused")}
    for instant in instants:
        for device in instant.devices:
            file_name = instant.file_name(device)
            meta.append((file_name, instant.scene, instant.identifier, device))
            labelled[instant.part].append((file_name, instant.scene))
    n_clips = len(meta) - 1
    fold = "evaluation_setup/fold1_"
    return StandIn(
        jobs=tuple(_MobileJob(layout, seed, tuple(group)) for group in by_location.values()),
        lists=(
            ("meta.csv", delimited(meta, "\t")),
            (f"{fold}train{suffix}", delimited(labelled["train"], "\t")),
            (f"{fold}evaluate{suffix}", delimited(labelled["test"], "\t")),
            (f"{fold}test{suffix}", delimited([row[:1] for row in labelled["test"]], "\t")),
        ),
        counts=mobile_counts(instants),
        n_bytes=n_clips * (_WAV_HEADER_BYTES + 3 * round(SCENE_S * SAMPLE_RATE_HZ)),
    )


def _esc_50(size: Size, seed: int) -> StandIn:
    clips = plan_esc(esc_classes(), size.esc_clips)
    named = [(c, f"audio/{c.fold}-{c.source}-{c.take}-{c.target}.wav") for c in clips]
    head = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
    rows = [
        (Path(name).name, str(c.fold), str(c.target), c.category, str(c.in_esc10), str(c.source), c.take)
        for c, name in named
    ]
    return StandIn(
        jobs=_esc_jobs("esc-50", seed, named),
        lists=(("meta/esc50.csv", delimited([head, *rows], ",")),),
        counts=esc_counts(clips),
        n_bytes=len(clips) * (_WAV_HEADER_BYTES + 2 * round(ESC_S * SAMPLE_RATE_HZ)),
    )


def _esc_10(size: Size, seed: int) -> StandIn:
    folder_of = {category: folder for folder, category in ESC10_FOLDERS}
    clips = plan_esc(folder_of, size.esc_clips)
    named = [(c, f"{folder_of[c.category]}/{c.fold}-{c.source}-{c.take}.ogg") for c in clips]
    return StandIn(
        jobs=_esc_jobs("esc-10", seed, named),
        lists=(),
        counts=esc_counts(clips),
        n_bytes=len(clips) * round(ESC_S * _OGG_BYTES_PER_S),
    )


def _esc_jobs(layout: str, seed: int, named: Iterable[tuple[EscClip, str]]) -> tuple[_EscJob, ...]:
    by_source: dict[int, list[tuple[EscClip, str]]] = defaultdict(list)
    for clip, name in named:
        by_source[clip.source].append((clip, name))
    return tuple(_EscJob(layout, seed, tuple(group)) for group in by_source.values())


_PLANNERS: dict[str, Callable[[Size, int], StandIn]] = {
    "tut-urban-2018-mobile": _tut_2018,
    "tau-urban-2019-mobile": _tau_2019,
    "esc-50": _esc_50,
    "esc-10": _esc_10,
    "litis-rouen": litis_rouen,
    "tut-2017-development": tut_2017_development,
    "tut-2017-evaluation": tut_2017_evaluation,
    "dares-g1": dares_g1,
    "audioset-dcase2017": task4,
    "greatest-hits": greatest_hits,
}
LAYOUT_NAMES = tuple(_PLANNERS)
"""Layouts that there is a stand-in for."""
