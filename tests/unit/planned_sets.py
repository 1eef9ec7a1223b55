"""Lists of synthetic datasets without their sounds, for tests to read or to spoil."""

from __future__ import annotations

import json
from pathlib import Path

from asc_bench.data.layouts import LAYOUTS
from asc_bench.synthetic.dataset import plan_dataset


def write_lists(root: Path, layout: str, *, size: str = "tiny", marked: bool = True) -> Path:
    """Write every list of a synthetic dataset and empty sound files, and return its folder.

    Without the marker it counts as the published data set, of which most is missing.
    """
    folder = root / LAYOUTS[layout].folders[0]
    plan = plan_dataset(layout, size=size, seed=0)
    for name, text in plan.texts:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if marked:
        marker = {"layout": layout, "size": size, "seed": 0, "version": 1, **plan.facts}
        (folder / "asc-bench-synthetic.json").write_text(json.dumps(marker))
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of some text in a list; it must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
