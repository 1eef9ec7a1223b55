from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from asc_bench.protocols.dcase2018 import Dcase2018
from asc_bench.protocols.dcase2019 import Dcase2019
from asc_bench.protocols.esc import Esc10, Esc50

from asc_bench.api import DataError, Dataset, Protocol, Split
from asc_bench.data.audio import read_audio
from asc_bench.data.index import inspect_dataset
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.esc10 import CLASS_OF_FOLDER
from asc_bench.data.layouts.esc50 import ESC10_CLASSES, GROUP_OF_CLASS
from tests.real_data import real_esc10
from tests.unit.layout_factory import esc50_row, write_esc10, write_esc50, write_tut

PROTOCOLS: tuple[type[Protocol], ...] = (Dcase2018, Dcase2019, Esc10, Esc50)


def dataset_for(protocol: type[Protocol], root: Path) -> Dataset:
    name = protocol.datasets[0]
    if name == "esc-10":
        folder = write_esc10(root, list(CLASS_OF_FOLDER))
    elif name == "esc-50":
        folder = write_esc50(root, esc50_lines(), audio=False)
    else:
        folder = write_tut(root, year=int(protocol.name[-4:]), audio=False)
    return LAYOUTS[name].read(folder)


def esc50_lines(n_per_fold: int = 4) -> list[str]:
    return [
        esc50_row(
            fold=fold,
            source=10_000 * fold + 100 * target + number,
            take="A",
            target=target,
            category=name,
            esc10=name in ESC10_CLASSES,
        )
        for target, name in enumerate(GROUP_OF_CLASS)
        for fold in range(1, 6)
        for number in range(n_per_fold)
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_folds(protocol: type[Protocol], tmp_path: Path) -> None:
    dataset = dataset_for(protocol, tmp_path)
    table = protocol().clips(dataset)
    place = dict(zip(table["clip_id"], table["location"], strict=True))
    scene = dict(zip(table["clip_id"], table["scene"], strict=True))
    folds = protocol().folds(dataset)
    assert [f.name for f in folds] == [s.name for s in dataset.splits]
    for fold, split in zip(folds, dataset.splits, strict=True):
        assert fold.test == split.test
        assert sorted((*fold.train, *fold.validation)) == sorted(split.train)
        places = [{place[c] for c in ids} for ids in (fold.train, fold.validation, fold.test)]
        assert not places[0] & places[1]
        assert not places[1] & places[2]
        for ids in (fold.train, fold.validation):
            assert {scene[c] for c in ids} == set(scene.values())
    assert protocol().folds(dataset) == folds


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_coarse_labels(protocol: type[Protocol], tmp_path: Path) -> None:
    table = protocol().clips(dataset_for(protocol, tmp_path))
    assert set(table["coarse"]) <= set(protocol.labels.coarse)
    assert (table["duration_s"] == protocol.clip_duration_s).all()


@pytest.mark.parametrize("protocol", [Dcase2018, Dcase2019])
def test_urban_definitions(protocol: type[Protocol]) -> None:
    labels = protocol.labels
    assert labels.fine == tuple(sorted(labels.fine))
    assert len(labels.fine) == 10
    members = {
        c: {f for f, i in zip(labels.fine, labels.coarse_of, strict=True) if labels.coarse[i] == c}
        for c in labels.coarse
    }
    assert members == {
        "indoor": {"airport", "shopping_mall", "metro_station"},
        "outdoor": {"park", "public_square", "street_pedestrian", "street_traffic"},
        "transportation": {"bus", "metro", "tram"},
    }
    assert [(m.name, m.strata, m.of, m.average) for m in protocol.measures] == [
        ("average", "device", ("A", "B", "C"), "macro"),
        ("A", "device", ("A",), "macro"),
        ("B", "device", ("B",), "macro"),
        ("C", "device", ("C",), "macro"),
        ("B/C", "device", ("B", "C"), "macro"),
    ]


def test_esc_definitions() -> None:
    assert Esc10.labels.fine == ESC10_CLASSES
    assert Esc50.labels.fine == tuple(GROUP_OF_CLASS)
    for protocol in (Esc10, Esc50):
        assert protocol.labels.coarse == ("animals", "nature", "human", "domestic", "urban")
        assert [(m.name, m.strata) for m in protocol.measures] == [("accuracy", "fold")]
    coarse = {f: Esc10.labels.coarse[i] for f, i in zip(Esc10.labels.fine, Esc10.labels.coarse_of, strict=True)}
    assert (coarse["rooster"], coarse["clock_tick"], coarse["sneezing"]) == ("animals", "domestic", "human")


def test_references_of_esc10() -> None:
    assert {r.title: dict(r.values) for r in Esc10.references} == {
        "random forest": {"accuracy": 72.7},
        "humans": {"accuracy": 95.7},
    }
    assert Esc10().references == Esc10.references
    assert all("Piczak" in r.source for r in Esc10.references)
    assert Esc50.references == ()


def test_esc10_from_esc50(tmp_path: Path) -> None:
    dataset = LAYOUTS["esc-50"].read(write_esc50(tmp_path, esc50_lines(), audio=False))
    table = Esc10().clips(dataset)
    assert set(table["scene"]) == set(ESC10_CLASSES)
    assert len(table) == 10 * 5 * 4
    assert all(len(fold.test) == 40 for fold in Esc10().folds(dataset))


def test_split_without_test_clips_is_refused(tmp_path: Path) -> None:
    dataset = dataset_for(Dcase2018, tmp_path)
    (split,) = dataset.splits
    empty = Dataset(dataset.name, dataset.root, dataset.clips, splits=(Split("fold1", split.train, ()),))
    with pytest.raises(DataError, match="fold1: 54 training and 0 test clips"):
        Dcase2018().folds(empty)


def test_importing_protocols_reads_nothing_heavy() -> None:
    code = (
        "import sys, asc_bench.protocols.esc, asc_bench.protocols.dcase2018, asc_bench.data.store\n"
        "heavy = {'torch', 'sklearn', 'librosa', 'matplotlib', 'pooch'} & set(sys.modules)\n"
        "sys.exit(str(sorted(heavy)) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_real_esc10_is_usable_as_a_whole(tmp_path: Path) -> None:
    """Including its one recording of 3.644 s, which is read with zeros after it."""
    dataset = inspect_dataset(LAYOUTS["esc-10"].read(real_esc10()), cache=tmp_path)[0]
    assert len(dataset.file_digests) == 400
    (path,) = (p for p in dataset.clips["path"] if p.endswith("4-164661-B.ogg"))
    clip = read_audio(Path(path), sample_rate_hz=44_100, duration_s=5.0)
    assert clip.shape == (220_500,)
    assert (np.flatnonzero(clip).max(), soundfile.info(path).frames) == (160_703, 160_704)
    for fold in Esc10().folds(dataset):
        assert len(fold.test) == 80
        assert 40 <= len(fold.validation) <= 60
