"""A data set played to the simulated devices: what is heard was recorded, who hears it is computed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asc_bench.data.audio import read_audio
from asc_bench.data.computed import Contents, Kind, Progress, write_once, write_whole
from asc_bench.data.devices.devices import DEVICES, DEVICES_VERSION, apply_device
from asc_bench.data.encode import wav_bytes
from asc_bench.data.manifest import Dataset
from asc_bench.data.seeds import generator, seed_of

VERSION = 1
"""Version of the choice of parallel recordings and of the files. Raise it with every change that moves either."""

MARKER = "asc-bench-derived.json"
LIST = "meta/recordings.csv"
LIST_COLUMNS = ("filename", "fold", "scene", "source", "device", "parallel")
AUDIO = "audio"

SAMPLE_RATE_HZ = 44_100
BITS = 16
SEED = 0
_WAV_HEADER_BYTES = 44


@dataclass(frozen=True)
class Played:
    """One recording that is played to the devices.

    Attributes
    ----------
    recording : str
        Name of the recording, which begins the names of its files.
    path : str
        File that is played, from ``start_s`` on, in seconds.
    fold : str
        Number of the fold that tests on it.
    scene, source : str
        Its class, and the source recording that it was cut from.
    parallel : bool
        Whether all devices recorded it for training, or device A alone did.
    """

    recording: str
    path: str
    start_s: float
    fold: str
    scene: str
    source: str
    parallel: bool

    def file_name(self, device: str) -> str:
        """Name of one device's file."""
        return f"{self.recording}-{device}.wav"


def plan_playback(source: Dataset, *, scenes: Sequence[str], seed: int = SEED) -> tuple[Played, ...]:
    """List the recordings of some scenes, and choose those that every device records for training.

    In each scene and official fold one source recording is chosen, with all its clips: of those with the
    fewest clips, the one that a hash draws. It is the smallest share by whole sources that is the same in all
    scenes and folds: of ESC-10, where a scene has 8 clips in a fold, 58 of 400 clips, one in seven. (DCASE
    2018 Task 1B: 540 of 6,122, one in eleven; so many here would leave some scenes without.)

    Parameters
    ----------
    source : Dataset
        With folds named ``fold1``, ``fold2``, and so on, that test on every clip once.
    scenes : sequence of str
        Clips of other scenes are left out.
    seed : int
        Changes the choice.
    """
    fold_of = {clip: split.name.removeprefix("fold") for split in source.splits for clip in split.test}
    clips = source.clips[source.clips["scene"].isin(scenes)]
    n_clips: Counter[tuple[str, str, str]] = Counter()
    for clip, scene, location in zip(clips["clip_id"], clips["scene"], clips["location"], strict=True):
        n_clips[scene, fold_of[clip], location] += 1
    drawn: dict[tuple[str, str], tuple[int, int, str]] = {}
    for (scene, fold, location), n in n_clips.items():
        ticket = (n, seed_of("parallel", VERSION, seed, scene, location), location)
        drawn[scene, fold] = min(drawn.get((scene, fold), ticket), ticket)
    return tuple(
        Played(clip, path, start_s, fold_of[clip], scene, place, parallel=drawn[scene, fold_of[clip]][2] == place)
        for clip, path, start_s, scene, place in clips[
            ["clip_id", "path", "start_s", "scene", "location"]
        ].itertuples(index=False, name=None)
    )


def write_playback(
    source: Dataset,
    target: Path,
    *,
    layout: str,
    scenes: Sequence[str],
    duration_s: float,
    synthetic_marker: str,
    n_jobs: int,
    progress: Progress,
) -> None:
    """Write every recording as each device hears it, unless it is there already.

    The files are 16-bit WAV at 44.1 kHz, all of the clip's nominal length: a recording that lacks its end ends
    in what a device gives for silence. 16 bits, because their rounding lies 17 dB below the self-noise of the
    best device; WAV, because its bytes do not depend on the version of an encoder, and the digests of the
    files are part of every run's key. The noise of a file is seeded by its recording and device.

    Parameters
    ----------
    source : Dataset
        Indexed.
    target : Path
        The folder; one that was made from other recordings or by another version is replaced.
    layout : str
        Name of the layout that reads it.
    scenes, duration_s
        Of that layout.
    synthetic_marker : str
        Name of the file that marks a synthetic dataset, written if ``source`` is one.
    n_jobs, progress
        As ``write_once``.
    """
    identity = {
        "layout": layout,
        "source": source.name,
        "source_digest": source.digest(),
        "devices_version": DEVICES_VERSION,
        "version": VERSION,
        "seed": SEED,
    }
    kind = Kind(noun=f"a computed {layout}", doing="playing", marker=MARKER, identity=identity)

    def contents() -> Contents:
        played = plan_playback(source, scenes=scenes)
        texts = [(LIST, _list(played)), ("README.md", _readme(layout, source))]
        if source.synthetic:
            marker = {"layout": layout, "counts": playback_counts(played)}
            texts.append((synthetic_marker, json.dumps(marker, indent=1) + "\n"))
        n_files = len(played) * len(DEVICES)
        n_bytes = n_files * (_WAV_HEADER_BYTES + BITS // 8 * round(duration_s * SAMPLE_RATE_HZ))
        return Contents(tuple(_Job(p, layout, duration_s) for p in played), tuple(texts), n_bytes)

    write_once(target, kind, contents, n_jobs=n_jobs, progress=progress)


@dataclass(frozen=True)
class _Job:
    """All files of one recording."""

    played: Played
    layout: str
    duration_s: float

    def __call__(self, folder: Path) -> None:
        places = {device: folder / AUDIO / self.played.file_name(device) for device in DEVICES}
        absent = [device for device, path in places.items() if not path.exists()]
        if not absent:
            return
        wave = read_audio(
            Path(self.played.path),
            sample_rate_hz=SAMPLE_RATE_HZ,
            start_s=self.played.start_s,
            duration_s=self.duration_s,
        )
        for device in absent:
            rng = generator("playback", VERSION, DEVICES_VERSION, SEED, self.played.recording, device)
            heard = apply_device(wave, sample_rate_hz=SAMPLE_RATE_HZ, device=device, rng=rng)
            write_whole(places[device], wav_bytes(heard, sample_rate_hz=SAMPLE_RATE_HZ, bits=BITS))


def playback_counts(played: Iterable[Played]) -> dict[str, object]:
    """Clip counts as a marker states them."""
    everything = list(played)
    devices = [device.upper() for device in DEVICES]
    folds = {}
    for fold in sorted({p.fold for p in everything}):
        others = [p for p in everything if p.fold != fold]
        n_parallel = sum(p.parallel for p in others)
        folds[f"fold{fold}"] = {
            "train": {d: len(others) if d == "A" else n_parallel for d in devices},
            "test": dict.fromkeys(devices, len(everything) - len(others)),
        }
    return {"n_clips": len(everything) * len(devices), "folds": folds}


def _list(played: Iterable[Played]) -> str:
    rows: list[Sequence[str]] = [LIST_COLUMNS]
    rows += [
        (p.file_name(device), p.fold, p.scene, p.source, device, str(p.parallel))
        for p in played
        for device in DEVICES
    ]
    return "".join(",".join(row) + "\n" for row in rows)


def _readme(layout: str, source: Dataset) -> str:
    what = "SYNTHETIC recordings" if source.synthetic else "Recordings"
    return (
        f"# {layout}: computed from {source.name}\n\n"
        f"{what} of {source.name}, each played to three simulated devices by asc-bench. No such device was\n"
        "ever in front of these sounds. The licence is that of the recordings.\n\n"
        f"`{LIST}` names every file. `parallel` marks recordings that all devices have for training; of the\n"
        "others the versions of devices b and c are for testing only.\n"
        "The folder is written anew when the recordings or the devices change: keep nothing in it.\n"
    )
