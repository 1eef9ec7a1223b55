"""Recordings that are no recordings, are cut, converted, mixed up, or have random bits flipped in their headers."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import soundfile
import soxr

import asc_bench
from asc_bench.data.layouts import FolderLayout
from asc_bench.errors import AscBenchError, DataError
from tests.storm.damage import PAGE
from tests.storm.kind import Kind, require
from tests.storm.place import Place
from tests.unit.own_folder import write_folder

RATE_HZ = 8_000
N_FLIPPED = 10
"""Headers with a flipped bit in one trial."""
SET = "TUT-urban-acoustic-scenes-2018-mobile-development"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 16044\n"

REFUSED = "DataError names the file, nothing is computed or stored; with the file restored all is as it was"
READ = "the file is read to its end and gives exactly the predictions of the undisturbed one"
FUZZED = "either an error that names the file, or a finished run; never another exception"
OFFICIAL = "a published data set that is not as published is refused, and the message says what is wrong"

Change = Callable[[Path, Random], None]


def kinds(rounds: int) -> list[Kind]:
    """A folder of a laboratory's own, and a published data set."""
    listed: list[tuple[str, str, Sequence[Callable[[Place], None]]]] = [
        ("broken recording", REFUSED, [partial(_broken, name=name) for name in BROKEN]),
        ("recording with the header of a stream", READ, [partial(_streamed, n=n) for n in STREAMED]),
        ("flipped bit in the header of a recording", FUZZED, [_flipped_headers] * 2 * rounds),
        ("published recordings that were changed", OFFICIAL, [partial(_official, name=name) for name in CHANGED]),
    ]
    return [Kind(title, promise, trials, beside=False) for title, promise, trials in listed]


def _samples(path: Path) -> np.ndarray:
    return soundfile.read(path)[0]


def _write_float(path: Path, at: int, value: float) -> None:
    samples = _samples(path)
    samples[at] = value
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")


def _replaced(content: bytes) -> Change:
    return lambda path, rng: path.unlink() or (path.write_bytes(content) and None)


def _a_folder(path: Path, _: Random) -> None:
    path.unlink()
    path.mkdir()


def _a_dangling_link(path: Path, _: Random) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere.wav"))


BROKEN: Mapping[str, Change] = {
    "text": _replaced(b"not audio at all\n"),
    "web page": _replaced(PAGE),
    "empty": _replaced(b""),
    "Git LFS pointer": _replaced(LFS),
    "random bytes": lambda path, rng: _replaced(rng.randbytes(16_044))(path, rng),
    "zeros": _replaced(bytes(16_044)),
    "header alone": lambda path, rng: path.write_bytes(path.read_bytes()[:44]) and None,
    "half a header": lambda path, rng: path.write_bytes(path.read_bytes()[:20]) and None,
    "cut": lambda path, rng: path.write_bytes(path.read_bytes()[: rng.randrange(1000, 8000)]) and None,
    "NaN": lambda path, rng: _write_float(path, rng.randrange(RATE_HZ), np.nan),
    "infinite": lambda path, rng: _write_float(path, rng.randrange(RATE_HZ), np.inf),
    "a folder": _a_folder,
    "a dangling link": _a_dangling_link,
    "absent": lambda path, rng: path.unlink(),
}

STREAMED = (0x0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF)


def _run(place: Place, folder: Path) -> asc_bench.Results:
    layout = FolderLayout(folder, csv="meta.csv", label="what", file="name", location="where", device="mic")
    place.write_log_here()
    own = {"cache": place.folder / "cache", "results": place.results}
    return asc_bench.run(layout, "toy-a", budget="smoke", n_threads=1, progress=False, **own)


def _predictions(results: asc_bench.Results) -> list[str]:
    require(all(run.done for run in results.runs), f"{[run.manifest.get('error') for run in results.runs]}")
    return [str(run.manifest["files"]["predictions.parquet"]) for run in results.runs]


def _one_of(folder: Path, rng: Random) -> Path:
    return rng.choice(sorted((folder / "audio").iterdir()))


def _broken(place: Place, name: str) -> None:
    folder = write_folder(place.folder / "own", per_site=1)
    path = _one_of(folder, place.rng)
    before = path.read_bytes()
    BROKEN[name](path, place.rng)
    place.n_faults += 1
    try:
        _run(place, folder)
    except DataError as error:
        require(path.stem in str(error), f"{name}: {path.stem} is not named: {error}")
    else:
        require(False, f"{name}: accepted")
    computed = [*place.results.glob("runs/*"), *place.folder.glob("cache/features/*/")]
    require(not computed, f"{name}: {computed} was written")
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    path.write_bytes(before)
    _predictions(_run(place, folder))


def _streamed(place: Place, n: int) -> None:
    folder = write_folder(place.folder / "own", per_site=1)
    path = _one_of(folder, place.rng)
    before = _predictions(_run(place, folder))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = n.to_bytes(4, "little")
    path.write_bytes(content)
    place.n_faults += 1
    require(_predictions(_run(place, folder)) == before, f"a data size of {n:#x} gives other predictions")


def _flipped_headers(place: Place) -> None:
    folder = write_folder(place.folder / "own", per_site=1)
    for _ in range(N_FLIPPED):
        path = _one_of(folder, place.rng)
        before = path.read_bytes()
        content = bytearray(before)
        at, bit = place.rng.randrange(44), place.rng.randrange(8)
        content[at] ^= 1 << bit
        path.write_bytes(content)
        place.n_faults += 1
        try:
            _predictions(_run(place, folder))
        except AscBenchError as error:
            require(path.name in str(error), f"bit {bit} of byte {at}: {path.name} is not named: {error}")
        path.write_bytes(before)


def _converted(path: Path, rate_hz: int = 0, subtype: str = "", times: float = 1.0) -> None:
    """A copy at another rate or in other numbers, under the old name."""
    info = soundfile.info(path)
    samples = soxr.resample(_samples(path), info.samplerate, rate_hz) if rate_hz else _samples(path)
    path.unlink()
    soundfile.write(path, times * samples, rate_hz or info.samplerate, subtype=subtype or info.subtype)


def _as_mp3(path: Path) -> None:
    samples, rate_hz = soundfile.read(path)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, format="MP3", subtype="MPEG_LAYER_III")
    path.unlink()
    path.write_bytes(buffer.getvalue())


def _relabelled(path: Path) -> None:
    """The same samples under a header of 48 kHz."""
    samples, subtype = _samples(path), soundfile.info(path).subtype
    path.unlink()
    soundfile.write(path, samples, 48_000, subtype=subtype)


def _longer(path: Path) -> None:
    info, samples = soundfile.info(path), _samples(path)
    path.unlink()
    soundfile.write(path, np.tile(samples, (3, *([1] * (samples.ndim - 1)))), info.samplerate, subtype=info.subtype)


CHANGED: Mapping[str, Callable[[Path], None]] = {
    "16 kHz": partial(_converted, rate_hz=16_000),
    "8 bit": partial(_converted, subtype="PCM_U8"),
    "MP3": _as_mp3,
    "floats beyond one": partial(_converted, subtype="FLOAT", times=32_767.0),
    "a header of 48 kHz": _relabelled,
    "three times as long": _longer,
}


def _official(place: Place, name: str) -> None:
    """All test recordings of the synthetic dataset, whose lists and format are those of the published one."""
    place.ground.undisturbed("toy-a")
    original = place.ground.cache / "synthetic" / "tiny" / SET
    copied = place.folder / "data" / "tiny" / SET
    shutil.copytree(original, copied, ignore=shutil.ignore_patterns("audio"))
    (copied / "audio").mkdir()
    for path in (original / "audio").iterdir():
        (copied / "audio" / path.name).symlink_to(path)
    tested = (copied / "evaluation_setup" / "fold1_test.txt").read_text().split()
    for line in tested:
        link = copied / line
        content = link.read_bytes()
        link.unlink()
        link.write_bytes(content)
        CHANGED[name](link)
    place.n_faults += 1
    place.write_log_here()
    own = {"cache": place.folder / "cache", "results": place.results, "data": copied.parent}
    try:
        asc_bench.run("dcase2018", "toy-a", budget="smoke", n_threads=1, progress=False, **own)
    except DataError as error:
        require(Path(tested[0]).name.partition("-")[0] in str(error) or "test" in str(error), f"{name}: {error}")
    else:
        require(False, f"{name}: accepted")
    require(not list(place.results.glob("runs/*")), f"{name}: a run was stored")
