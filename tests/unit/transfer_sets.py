"""Small folders in the layouts of the transfer targets, for tests to read or to spoil."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.unit.layout_factory import write_wav

TRAINING = {
    "-0training1_30.000_40.000.wav": ("Air horn, truck horn", "Car"),
    "Y0training2_0.000_10.000.wav": ("Fire engine, fire truck (siren)",),
    "a_training3_60.000_70.000.wav": ("Car",),
    "a0training4_5.000_9.000.wav": ("Train horn", "Train"),
}
TESTING = {
    "-0_testing1_30.000_40.000.wav": ("Air horn, truck horn", "Truck"),
    "Y00testing2_0.000_10.000.wav": ("Car",),
}
STRONG = (
    ("-0_testing1_30.000_40.000.wav", "0.917", "2.029", "Air horn, truck horn"),
    ("-0_testing1_30.000_40.000.wav", "9.25", "10.02", "Air horn, truck horn"),
    ("-0_testing1_30.000_40.000.wav", "0", "0", "Truck"),
    ("Y00testing2_0.000_10.000.wav", "0.000", "0.000", "Car"),
)
TRUTH = "groundtruth_{}_label_{}_set.csv"
ONSETS = (
    "0.100000 ceramic hit static",
    "1.500000 None None None",
    "2.677438 wood scratch deform",
    "3.900000 plastic-bag hit None",
    "4.000000 multiple hit static",
)


def mark(folder: Path, layout: str, counts: Mapping[str, object]) -> None:
    """Declare a folder to be a synthetic dataset with these counts, so that small numbers are complete."""
    (folder / "asc-bench-synthetic.json").write_text(json.dumps({"layout": layout, "counts": counts}))


def times(name: str) -> tuple[str, str]:
    """Start and end of a clip, as its name has them."""
    start, end = name.removesuffix(".wav").rsplit("_", 2)[1:]
    return start, end


def weak_rows(clips: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str, str]]:
    """Rows of a weak truth."""
    return [(name, *times(name), label) for name, labels in clips.items() for label in labels]


def tab_separated(rows: Sequence[Sequence[str]], end: str = "\n") -> str:
    """Text of a truth file."""
    return "".join("\t".join(row) + end for row in rows)


def write_task4(root: Path, *, evaluation: bool = False, audio: bool = True) -> Path:
    """Four training and two test clips, and if wanted an evaluation set of one."""
    folder = root / "Task-4-Large-scale-weakly-supervised-sound-event-detection-for-smart-cars"
    (folder / "groundtruth_release").mkdir(parents=True)
    parts = {"training": TRAINING, "testing": TESTING}
    for part, clips in parts.items():
        (folder / TRUTH.format("weak", part)).write_text(tab_separated(weak_rows(clips)))
        lines = []
        for name, labels in clips.items():
            quote = '"' if len(labels) > 1 or "," in labels[0] else ""
            video = name[:11]
            lines.append(f"{video},{','.join(times(name))},{quote}{','.join(labels)}{quote},/m/0k4j\r\n")
        (folder / f"{part}_set.csv").write_text("".join(lines), newline="")
    (folder / TRUTH.format("strong", "testing")).write_text(tab_separated(STRONG))
    folds = {"testing": {"train": {"": 4}, "test": {"": 2}}}
    if evaluation:
        parts["evaluation"] = {"evaluation1_0.000_10.000.wav": ("Train",)}
        rows = {
            "weak": weak_rows(parts["evaluation"]),
            "strong": [("evaluation1_0.000_10.000.wav", "1", "2", "Bus")],
        }
        for kind, its in rows.items():
            path = folder / "groundtruth_release" / TRUTH.format(kind, "evaluation")
            path.write_text(tab_separated(its, "\r\n"), newline="")
        folds["evaluation"] = {"train": {"": 4}, "test": {"": 1}}
    if audio:
        for part, clips in parts.items():
            for name in clips:
                start, end = (float(time) for time in times(name))
                write_wav(folder / "audio" / part / f"Y{name}", duration_s=end - start, rate_hz=1000)
    mark(folder, "audioset-dcase2017", {"n_clips": sum(map(len, parts.values())), "folds": folds})
    return folder


def write_hits(root: Path, *, recordings: Sequence[str] = ("2015-02-16-16-49-06", "2015-02-16-16-58-43-1")) -> Path:
    """Recordings of five seconds with three clips each; the last one is tested on."""
    folder = root / "vis-data"
    folder.mkdir(parents=True)
    for name in recordings:
        (folder / f"{name}_times.txt").write_text("\n".join(ONSETS) + "\n")
        write_wav(folder / f"{name}_denoised.wav", duration_s=5.0, rate_hz=1000)
    (folder / "train.txt").write_text("".join(f"{name}\n" for name in recordings[:-1]))
    (folder / "test.txt").write_text(f"{recordings[-1]}\n")
    n_train = 3 * (len(recordings) - 1)
    counts = {
        "n_clips": n_train + 3,
        "folds": {"official": {"train": {"": n_train}, "test": {"": 3}}},
    }
    mark(folder, "greatest-hits", counts)
    return folder
