"""DARES-G1 (van Grootel, Andringa and Krijnders 2009): 123 binaural recordings of one minute.

The form of the official distribution is not known here (file names, lists, sample rate, labels and licence
were not to be found), so the layout is one that its owner can write for it: the recordings under any names,
and ``manifest.csv`` beside them, comma (or semicolon, or tab) separated with the header ``filename,label,group``.
``group`` is the place of a recording; recordings of one group never stand on two sides of a split.

The number of recordings and their length are published. The labels are not checked here: sources disagree
about them (26 or 28), and a protocol that maps labels refuses those that it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from asc_bench.data.layouts.base import OfficialLayout
from asc_bench.data.layouts.counts import Counts
from asc_bench.data.layouts.listing import Row, check_file_name, check_once, read_rows, refuse_twins
from asc_bench.data.manifest import Dataset

MANIFEST = "manifest.csv"
_COLUMNS = ("filename", "label", "group")


@dataclass(frozen=True, kw_only=True)
class DaresG1Layout(OfficialLayout):
    """What the manifest lists is what counts."""

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``."""
        root = root.absolute()
        rows = read_rows(root / MANIFEST, columns=_COLUMNS, delimiter=",;\t")
        check_once(rows)
        refuse_twins(rows, [row.values[1] for row in rows])
        clips = pd.DataFrame([self._clip(row, root) for row in rows])
        whole = self.dataset(root, clips, (), file_names={Path(path).name for path in clips["path"]})
        there = [Path(path).is_file() for path in whole.clips["path"]]
        return replace(whole, missing=tuple(whole.clips["clip_id"][[not found for found in there]]))

    def _clip(self, row: Row, root: Path) -> dict[str, object]:
        file_name, label, group = row.values
        check_file_name(row, file_name)
        for column, value in zip(_COLUMNS, row.values, strict=True):
            if not value.strip():
                raise row.error(f"{column} is empty")
        return {
            "clip_id": str(Path(file_name).with_suffix("")),
            "path": f"{root}/{file_name}",
            "duration_s": self.clip_duration_s,
            "scene": label,
            "device": "",
            "city": "",
            "location": group,
            "recording_id": str(Path(file_name).with_suffix("")),
        }


DARES_G1 = DaresG1Layout(
    name="dares-g1",
    title="DARES-G1",
    folders=("DARES-G1", "dares-g1"),
    homepage="https://www.daresounds.org/research.html",
    licence="not known; ask the authors",
    archives=None,
    clip_duration_s=60.0,
    scenes=(),
    landmarks=(MANIFEST,),
    counts=Counts(n_clips=123, folds={}),
    binaural=True,
)
