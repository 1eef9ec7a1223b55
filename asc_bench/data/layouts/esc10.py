"""ESC-10 as first published (Piczak 2015): folders ``NNN - Class`` of ``{fold}-{source}-{take}.ogg``.

A clip is the first 5 s of its file. The files decode to between 4.962 s and 7.240 s, 380 of the 400 to
5.001 s, but for one of 3.644 s (``asc_bench.data.audio.OFFICIALLY_SHORT``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from asc_bench.data.layouts.base import OfficialLayout, folds_by_number
from asc_bench.data.layouts.esc50 import ESC10_CLASSES, esc_counts
from asc_bench.data.layouts.listing import files_in
from asc_bench.data.manifest import Dataset
from asc_bench.errors import DataError

CLASS_OF_FOLDER = {
    "001 - Dog bark": "dog",
    "002 - Rain": "rain",
    "003 - Sea waves": "sea_waves",
    "004 - Baby cry": "crying_baby",
    "005 - Clock tick": "clock_tick",
    "006 - Person sneeze": "sneezing",
    "007 - Helicopter": "helicopter",
    "008 - Chainsaw": "chainsaw",
    "009 - Rooster": "rooster",
    "010 - Fire crackling": "crackling_fire",
}
"""Official folder to the name of the same class in ESC-50."""

_FILE_NAME = re.compile(r"(?P<fold>[1-5])-(?P<source>[0-9]+)-(?P<take>[A-Z])\.ogg")
_CLASS_FOLDER = re.compile(r"[0-9]{3}[^0-9].*")
_AUDIO_SUFFIXES = (".ogg", ".wav", ".mp3", ".flac")


@dataclass(frozen=True, kw_only=True)
class Esc10Layout(OfficialLayout):
    """There are no lists: what exists is what counts, and an absent file shows as a shortfall."""

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``."""
        root = root.absolute()
        found = [entry for folder in _class_folders(root) for entry in self._clips(folder)]
        if not found:
            raise DataError(f"{root}: none of the class folders ({', '.join(CLASS_OF_FOLDER)}) holds a recording")
        clips = pd.DataFrame([clip for clip, _ in found])
        splits = folds_by_number(clips, [fold for _, fold in found])
        return self.dataset(root, clips, splits, file_names={Path(p).name for p in clips["path"]})

    def _clips(self, folder: Path) -> Iterator[tuple[dict[str, object], int]]:
        names = sorted(files_in(folder))
        if not names and (folder / folder.name).is_dir():
            inner = folder / folder.name
            raise DataError(f"{folder}: the recordings lie one level deeper, in {inner}; move them up")
        for name in names:
            match = _FILE_NAME.fullmatch(name)
            if match is not None:
                clip_id = Path(name).stem
                yield (
                    {
                        "clip_id": clip_id,
                        "path": str(folder / name),
                        "duration_s": self.clip_duration_s,
                        "scene": CLASS_OF_FOLDER[folder.name],
                        "device": "",
                        "city": "",
                        "location": match["source"],
                        "recording_id": clip_id,
                    },
                    int(match["fold"]),
                )
            elif _FILE_NAME.fullmatch(name.upper().replace(".OGG", ".ogg")):
                raise DataError(f"{folder / name}: upper and lower case count; rename it to fold-source-TAKE.ogg")
            elif not name.startswith(".") and name.lower().endswith(_AUDIO_SUFFIXES):
                raise DataError(
                    f"{folder / name}: is not named fold-source-take.ogg; converted copies and the first "
                    "edition in MP3 (with shifted times) are not the official data"
                )


def _class_folders(root: Path) -> list[Path]:
    try:
        names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    except OSError as error:
        raise DataError(f"{root} cannot be listed: {error}") from error
    strange = [n for n in names if _CLASS_FOLDER.fullmatch(n) and n not in CLASS_OF_FOLDER]
    if strange:
        raise DataError(f"{root}: class folder {strange[0]!r} is not one of {', '.join(CLASS_OF_FOLDER)}")
    return [root / name for name in names if name in CLASS_OF_FOLDER]


ESC_10 = Esc10Layout(
    name="esc-10",
    title="ESC-10",
    folders=("ESC-10", "ESC-10-master"),
    homepage="https://github.com/karolpiczak/ESC-10",
    licence="CC BY 3.0, some recordings CC0",
    archives=None,
    clip_duration_s=5.0,
    scenes=ESC10_CLASSES,
    counts=esc_counts(len(ESC10_CLASSES)),
    unit="source recording",
    namespace="freesound",
    landmarks=tuple(CLASS_OF_FOLDER),
)
