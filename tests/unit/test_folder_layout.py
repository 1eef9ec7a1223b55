"""Folders of one's own: every column and file is believed only as far as it goes, and each fault is named."""

from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from asc_bench import registry
from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from asc_bench.data.layouts import LAYOUTS, FolderLayout
from asc_bench.errors import ConfigError, DataError
from asc_bench.folder_protocol import FolderProtocol
from asc_bench.stored_protocol import StoredProtocol, definition
from tests.real_data import real_esc10
from tests.unit.own_folder import CLASSES, N_SITES, RATE_HZ, write_folder


def layout(place: Path, **settings) -> FolderLayout:
    return FolderLayout(place, **({"csv": "meta.csv", "label": "what", "location": "where"} | settings))


def quiet(fraction: float, text: str) -> None:
    pass


def test_every_row_becomes_a_clip(tmp_path: Path) -> None:
    own = layout(write_folder(tmp_path / "My corpus 1"), device="mic")
    found = own.read(own.folder_path)
    clips = found.clips
    assert own.name == found.name == "my-corpus-1"
    assert len(clips) == 2 * N_SITES * len(CLASSES) and found.complete and not found.official
    first = clips.iloc[0]
    assert first["clip_id"] == "audio/office-0-0" and first["scene"] == "office" and first["device"] == "a"
    assert first["location"] == "office0" and first["duration_s"] == 1.0
    assert "heard_s" not in clips and found.caveats == ()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_of_all_kinds(tmp_path: Path, delimiter: str) -> None:
    own = layout(write_folder(tmp_path / "a", delimiter=delimiter))
    assert len(own.read(own.folder_path).clips) == 36
    text = (own.folder_path / "meta.csv").read_text(encoding="utf-8")
    (own.folder_path / "meta.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert len(own.read(own.folder_path).clips) == 36


def test_formats_lengths_and_names_without_endings(tmp_path: Path) -> None:
    endings = (".wav", ".flac", ".ogg")
    place = write_folder(
        tmp_path / "a",
        suffix=lambda i: endings[i % 3],
        seconds=lambda i: 0.5 if i == 4 else 1.0,
        change=lambda rows: [{**row, "name": Path(row["name"]).stem} for row in rows],
    )
    own = layout(place, audio="audio", file="name")
    found = own.read(own.folder_path)
    assert {Path(p).suffix for p in found.clips["path"]} == set(endings)
    assert found.clips["heard_s"].tolist() == [0.5 if i == 4 else 1.0 for i in range(36)]
    assert (found.clips["duration_s"] == 1.0).all()
    short = layout(place, audio="audio", clip_duration_s=0.25)
    cut = short.read(short.folder_path).clips
    assert (cut["duration_s"] == 0.25).all() and "heard_s" not in cut


def test_folds_keep_locations_together_and_share_the_classes(tmp_path: Path) -> None:
    own = layout(write_folder(tmp_path / "a"), n_folds=3)
    found = own.read(own.folder_path)
    clips = found.clips.set_index("clip_id")
    assert [split.name for split in found.splits] == ["fold1", "fold2", "fold3"]
    assert sorted(c for split in found.splits for c in split.test) == sorted(clips.index)
    for split in found.splits:
        assert not set(clips.loc[list(split.train), "location"]) & set(clips.loc[list(split.test), "location"])
        assert clips.loc[list(split.test), "scene"].value_counts().tolist() == [4, 4, 4]
    assert own.read(own.folder_path).splits == found.splits


def test_folds_of_the_table(tmp_path: Path) -> None:
    place = write_folder(tmp_path / "a")
    numbered = layout(place, fold="nr").read(place)
    assert [split.name for split in numbered.splits] == ["fold0", "fold1", "fold2"]
    assert all("-0-" in c or "-3-" in c for c in numbered.splits[0].test)
    own = layout(place, fold="part")
    bench = Bench.of(FolderProtocol(own), own.read(place))
    (fold,) = bench.folds
    assert {c.split("-")[1] for c in fold.test} == {"0", "1"}
    assert {c.split("-")[1] for c in fold.validation} == {"2"}
    assert {c.split("-")[1] for c in fold.train} == {"3", "4", "5"}


def test_without_a_location_every_table_says_so(tmp_path: Path) -> None:
    own = layout(write_folder(tmp_path / "a"), location="")
    (caveat,) = own.read(own.folder_path).caveats
    assert "Clips are taken as independent" in caveat
    assert (own.read(own.folder_path).clips["location"] == own.read(own.folder_path).clips["clip_id"]).all()


def test_the_protocol(tmp_path: Path) -> None:
    own = layout(write_folder(tmp_path / "a"), device="mic")
    protocol = FolderProtocol(own)
    assert protocol.labels.fine == ("office", "park", "street")
    assert [m.name for m in protocol.measures] == ["accuracy", "a", "b"]
    assert protocol.title == "a, 5 folds by location"
    bench = Source(cache=tmp_path / "cache").bench(own, quiet)
    assert not bench.faults() and bench.tag == "a"
    assert pickle.loads(pickle.dumps(bench)).folds == bench.folds
    kept = StoredProtocol(definition(protocol) or {})
    assert (kept.labels, kept.measures, kept.title) == (protocol.labels, protocol.measures, protocol.title)
    with pytest.raises(ConfigError, match="the folds of a are not stored"):
        kept.folds(bench.dataset)
    with pytest.raises(ConfigError, match="a is a folder of your own: there is no synthetic dataset"):
        Source(synthetic=True, cache=tmp_path).bench(own, quiet)


def test_a_location_of_several_classes_is_resampled_as_one(tmp_path: Path) -> None:
    place = write_folder(
        tmp_path / "a",
        change=lambda rows: [{**row, "where": row["where"][-1]} for row in rows],
    )
    assert FolderProtocol(layout(place)).measures[0].clusters == "any"
    assert FolderProtocol(layout(write_folder(tmp_path / "b"))).measures[0].clusters == "scene"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"label": "whta"}, ConfigError, r"has no column 'whta' for the label; did you mean 'what'"),
        ({"location": "site"}, ConfigError, r"has no column 'site' for the location"),
        ({"csv": "mta.csv"}, DataError, r"mta.csv is not there: name the table"),
        ({"audio": "sound"}, DataError, r"sound is not a folder"),
        ({"file": "where", "location": ""}, DataError, r"line 3: 'office0' stands already in line 2"),
        ({"audio": "audio"}, DataError, r"no column names files that are there; say which one"),
        ({"n_folds": 19}, DataError, r"18 locations are too few for 19 folds"),
        ({"fold": "mic"}, DataError, r"source recordings lie in more than one fold"),
        ({"label": "mic", "location": ""}, None, ""),
    ],
)
def test_wrong_settings(tmp_path: Path, settings, error, message) -> None:
    own = layout(write_folder(tmp_path / "a"), **settings)
    if error is None:
        own.read(own.folder_path)
        return
    with pytest.raises(error, match=message):
        own.read(own.folder_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label": "where"}, r"the column 'where' is named for two things"),
        ({"clip_duration_s": 0.0}, r"clip_duration_s is 0.0"),
        ({"n_folds": 1}, r"n_folds is 1"),
    ],
)
def test_impossible_settings(tmp_path: Path, settings, message) -> None:
    with pytest.raises(ConfigError, match=message):
        layout(tmp_path, **settings)


def changed(number: int, **cells: str):
    return lambda rows: [{**row, **(cells if i == number else {})} for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(3, what=""), r"meta.csv, line 5: the column 'what' is empty"),
        (changed(3, where=" "), r"meta.csv, line 5: the column 'where' is empty"),
        (changed(3, name="audio/office-0-0.wav"), r"line 5: 'office-0-0.wav' stands already in line 2"),
        (changed(3, name="../secret.wav"), r"line 5: '../secret.wav' leads out of"),
        (
            lambda rows: [{**row, "name": f"old/{row['name']}"} for row in rows],
            r"none of the 36 files is there, such as .*is 'name' the column of the file names",
        ),
        (lambda rows: [{**row, "what": "one"} for row in rows], r"the column 'what' has one class only, 'one'"),
        (
            lambda rows: [{**row, "where": "park" if row["what"] == "park" else row["where"]} for row in rows],
            r"the class 'park' is tested and not trained on, as all its clips are of one location",
        ),
    ],
)
def test_wrong_tables(tmp_path: Path, change, message) -> None:
    own = layout(write_folder(tmp_path / "a", change=change), file="name")
    with pytest.raises(DataError, match=message):
        own.read(own.folder_path)


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    own = layout(write_folder(tmp_path / "a"))
    table = own.folder_path / "meta.csv"
    for content, message in (
        (b"name,what,where\n", r"has no row below its header"),
        (b"", r"cannot be read"),
        ("name,what,where\ncafé,a,b\n".encode("latin-1"), r"is not UTF-8 text .*; save it as UTF-8"),
        (b'name,what,where\n"a,b,c\n', r"cannot be read"),
    ):
        table.write_bytes(content)
        with pytest.raises(DataError, match=message):
            own.read(own.folder_path)
    gone = layout(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"nowhere is not a folder"):
        Source(cache=tmp_path).bench(gone, quiet)


def test_files_that_are_missing_broken_or_not_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = layout(write_folder(tmp_path / "a"))
    audio = own.folder_path / "audio"
    soundfile.write(audio / "extra.wav", [0.0] * 100, RATE_HZ)
    (audio / "office-0-0.wav").unlink()
    found = own.read(own.folder_path)
    assert found.missing == ("audio/office-0-0",) and not found.complete
    assert "1 audio files are not in meta.csv and are not used" in caplog.text
    (audio / "office-0-1.wav").write_bytes(b"RIFF, or so it says")
    with pytest.raises(DataError, match=r"office-0-1.wav: .*\nRepair these files or leave them out of the table"):
        Source(cache=tmp_path / "cache").bench(own, quiet)


def test_layouts_are_plugged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = write_folder(tmp_path / "corpus")
    plugin = tmp_path / "plugins"
    plugin.mkdir()
    (plugin / "mine.py").write_text(
        "from asc_bench.data.layouts import FolderLayout\n"
        f"CORPUS = FolderLayout({str(place)!r}, csv='meta.csv', label='what', location='where')\n"
        f"TAKEN = FolderLayout({str(place)!r}, csv='meta.csv', label='what', name='esc-10')\n"
        f"ODD = FolderLayout({str(place)!r}, csv='meta.csv', label='what', name='My Corpus')\n"
    )
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, str(plugin))
    for found in (registry.layouts, registry.protocols, registry.systems):
        found.cache_clear()
    try:
        assert isinstance(registry.protocol_of("corpus"), FolderProtocol)
        reasons = {name: there.reason for name, there in registry.layouts().unavailable.items()}
        assert "its name is taken by ESC-10" in next(r for n, r in reasons.items() if n.startswith("esc-10 ("))
        assert "is not lower-case words" in reasons["My Corpus"]
        with pytest.raises(ConfigError, match="there is no protocol 'corpsu'"):
            registry.protocol_of("corpsu")
    finally:
        monkeypatch.undo()
        for found in (registry.layouts, registry.protocols, registry.systems):
            found.cache_clear()


def test_the_clip_table_is_the_table_of_the_user(tmp_path: Path) -> None:
    """Against the table read by pandas."""
    own = layout(write_folder(tmp_path / "a"), device="mic")
    given = pd.read_csv(own.folder_path / "meta.csv", dtype=str)
    clips = own.read(own.folder_path).clips
    for ours, theirs in (("scene", "what"), ("location", "where"), ("device", "mic")):
        assert clips[ours].tolist() == given[theirs].tolist()
    assert [Path(p).name for p in clips["path"]] == [Path(n).name for n in given["name"]]


def test_esc10_as_a_folder_of_ones_own_has_the_official_folds(tmp_path: Path) -> None:
    """The real files, described by a table, against the layout that knows them."""
    official = LAYOUTS["esc-10"].read(real_esc10())
    files = [Path(path) for path in official.clips["path"]]
    rows = [
        {"file": path.relative_to(real_esc10()).as_posix(), "class": path.parent.name, "fold": path.name[0]}
        | {"source": path.stem.split("-")[1]}
        for path in files
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "esc.csv", index=False)
    table = str(tmp_path / "esc.csv")
    own = FolderLayout(real_esc10(), csv=table, label="class", location="source", fold="fold", clip_duration_s=5.0)
    found = own.read(own.folder_path)
    assert found.complete and len(found.clips) == 400
    for ours, theirs in zip(found.splits, official.splits, strict=True):
        paths = [dict(zip(d.clips["clip_id"], d.clips["path"], strict=True)) for d in (found, official)]
        assert {paths[0][c] for c in ours.test} == {paths[1][c] for c in theirs.test}
        assert ours.name == theirs.name
    n_sources = official.clips["location"].nunique()
    assert found.clips["location"].nunique() == n_sources
