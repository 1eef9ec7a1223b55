"""Extraction: what a hostile or damaged archive can do (nothing), and what a sound one gives."""

from __future__ import annotations

import copy
import io
import os
import re
import resource
import stat
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asc_bench import files
from asc_bench.data.download import extract as extract_module
from asc_bench.data.download.extract import extract
from asc_bench.errors import ConfigError, DataError, StoreError

CONTENT = {
    "set/audio/a-1.wav": b"RIFF" * 100,
    "set/meta.csv": b"filename\tscene_label\n",
    "set/empty.txt": b"",
}


def write_zip(path: Path, members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            # A ZipInfo keeps the name as it is; writestr with a string would clean it.
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = method
            archive.writestr(info, content)
    return path


def write_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def everything_in(folder: Path) -> dict[str, bytes | None]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def refuse(archive: Path, match: str, **limits: int) -> None:
    """Extraction fails with this message and leaves the folder, and all around it, as they were."""
    target = archive.parent / "target"
    (target / "before").mkdir(parents=True)
    (target / "before" / "kept.txt").write_text("kept")
    around = everything_in(archive.parent)
    with pytest.raises(DataError, match=match) as raised:
        extract(archive, target, **limits)
    assert str(archive) in str(raised.value)
    assert everything_in(archive.parent) == around


# What a sound archive gives.


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_gives_every_member(tmp_path: Path, method: int) -> None:
    archive = write_zip(tmp_path / "a.zip", CONTENT, method=method)
    files = extract(archive, tmp_path / "target")
    assert [p.relative_to(tmp_path / "target").as_posix() for p in files] == sorted(CONTENT)
    assert {n: (tmp_path / "target" / n).read_bytes() for n in CONTENT} == CONTENT
    assert sorted(p.name for p in (tmp_path / "target").iterdir()) == ["set"], "no scratch folder is left"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_gives_every_member(tmp_path: Path, mode: str) -> None:
    members = [(member("./set", tarfile.DIRTYPE), b""), *((member(f"./{n}"), c) for n, c in CONTENT.items())]
    archive = write_tar(tmp_path / "a.tar", *members, mode=mode)
    extract(archive, tmp_path / "target")
    assert {n: (tmp_path / "target" / n).read_bytes() for n in CONTENT} == CONTENT


def test_several_archives_merge_into_one_folder(tmp_path: Path) -> None:
    target = tmp_path / "target"
    extract(write_zip(tmp_path / "1.zip", {"set/audio/1.wav": b"1", "set/readme": b"same"}), target)
    extract(write_zip(tmp_path / "2.zip", {"set/audio/2.wav": b"2", "set/readme": b"same"}), target)
    assert {n: c for n, c in everything_in(target).items() if c is not None} == {
        "set/audio/1.wav": b"1",
        "set/audio/2.wav": b"2",
        "set/readme": b"same",
    }


def test_neither_special_bits_nor_the_right_of_others_to_write_are_taken_over(tmp_path: Path) -> None:
    info = member("run.sh")
    info.mode = 0o6777
    (file,) = extract(write_tar(tmp_path / "a.tgz", (info, b"#!")), tmp_path / "target")
    assert stat.S_IMODE(file.stat().st_mode) & 0o7022 == 0


def test_a_differing_file_is_named_and_kept(tmp_path: Path) -> None:
    target = tmp_path / "target"
    extract(write_zip(tmp_path / "1.zip", {"set/readme": b"old"}), target)
    new = write_zip(tmp_path / "2.zip", {"set/a.wav": b"1", "set/readme": b"new"})
    with pytest.raises(DataError, match=r"set/readme exists already and differs"):
        extract(new, target)
    assert everything_in(target) == {"set": None, "set/readme": b"old"}


# What is refused.

OUTSIDE = [
    "../x",
    "set/../../x",
    "/tmp/asc-bench-absolute",
    "C:/x",
    "set/c:x",
    "..\\x",
    "set\\x",
    "a\x00.wav",
    "a\n.wav",
]


def unsafe(name: str) -> str:
    return rf"member {re.escape(repr(name))} has no plain relative name \(it is empty, absolute or has '..'"


@pytest.mark.parametrize("name", OUTSIDE)
def test_zip_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    refuse(write_zip(tmp_path / "a.zip", {"set/ok.wav": b"1", name: b"2"}), unsafe(name))


@pytest.mark.parametrize("name", [n for n in OUTSIDE if "\x00" not in n])
def test_tar_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    refuse(write_tar(tmp_path / "a.tar.gz", (member("set/ok.wav"), b"1"), (member(name), b"2")), unsafe(name))


def test_a_name_too_long_for_the_file_system(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"set/ok.wav": b"1", "x" * 256: b"2"})
    with pytest.raises(StoreError, match=r"target cannot be written \(File name too long"):
        extract(archive, tmp_path / "target")
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"V"]
)
def test_tar_members_that_are_no_plain_files(tmp_path: Path, kind: bytes) -> None:
    info = member("set/special", kind, link="set/ok.wav")
    archive = write_tar(tmp_path / "a.tar", (member("set/ok.wav"), b"1"), (info, b""), mode="w")
    refuse(archive, "'set/special' is a link or device; only plain files and folders are extracted")


def test_tar_passes_through_the_data_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a name to slip through the check of names, the filter of the standard library would refuse it."""
    monkeypatch.setattr(extract_module, "_check", lambda members, where: None)
    refuse(
        write_tar(tmp_path / "a.tar.gz", (member("../x"), b"1")), "would be extracted to .* outside the destination"
    )


def test_a_python_without_the_data_filter_unpacks_no_tar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(ConfigError, match=r"takes Python 3\.11\.4 or newer"):
        extract(write_tar(tmp_path / "a.tar.gz", (member("x"), b"1")), tmp_path / "target")


def test_writing_through_a_link_of_the_archive(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = member("set", tarfile.SYMTYPE, link=str(outside))
    refuse(write_tar(tmp_path / "a.tgz", (link, b""), (member("set/x"), b"evil")), "is a link or device")


def test_zip_link(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("set")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, str(tmp_path))
        archive.writestr("set/x", "evil")
    refuse(tmp_path / "a.zip", "'set' is a link or device")


def test_a_link_in_the_target_is_not_written_through(tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (target / "set").symlink_to(outside)
    with pytest.raises(DataError, match="nothing is written through links"):
        extract(write_zip(tmp_path / "a.zip", {"set/x": b"1"}), target)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.wav", "a.wav"),
        ("a.wav", "./a.wav"),
        ("a", "a/b"),
        ("a/b", "a"),
    ],
)
def test_duplicates(tmp_path: Path, first: str, second: str) -> None:
    refuse(
        write_tar(tmp_path / "a.tgz", (member(first), b"1"), (member(second), b"2")), "'a(.wav)?' is there twice"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_duplicates(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.wav", "1")
        archive.writestr("a.wav", "2")
    refuse(tmp_path / "a.zip", "'a.wav' is there twice")


def test_ten_thousandfold_zip_bomb(tmp_path: Path) -> None:
    """Forty members that share one compressed megabyte: their sum is in no header."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("0", bytes(2**20))
        for i in range(1, 40):
            info = copy.copy(archive.filelist[0])
            info.filename = info.orig_filename = str(i)
            archive.filelist.append(info)
    assert (tmp_path / "a.zip").stat().st_size * 10_000 < 40 * 2**20
    refuse(tmp_path / "a.zip", r"over the limit of 1,048,576 .* a decompression bomb", max_bytes=2**20)


def test_tar_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        info = member("zeros")
        info.size = 2**26
        archive.addfile(info, io.BytesIO(bytes(2**26)))
    refuse(tmp_path / "a.tgz", r"67,108,864 bytes, .*bomb", max_bytes=2**20)


def test_limit_in_bytes(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", CONTENT)
    total = sum(map(len, CONTENT.values()))
    refuse(archive, f"{total:,} bytes, which is over the limit of {total - 1}", max_bytes=total - 1)
    assert len(extract(archive, tmp_path / "target", max_bytes=total)) == 3


def patched(path: Path, signature: bytes, offset: int, value: bytes) -> Path:
    """Overwrite a field of every header with this signature."""
    raw = bytearray(path.read_bytes())
    at = raw.find(signature)
    while at >= 0:
        raw[at + offset : at + offset + len(value)] = value
        at = raw.find(signature, at + 1)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("declared", [10, 999, 1001, 5000])
def test_zip_sizes_that_lie(tmp_path: Path, declared: int) -> None:
    """The size in the headers is not what the data decompresses to."""
    archive = write_zip(tmp_path / "a.zip", {"a.wav": bytes(range(250)) * 4})
    patched(archive, b"PK\x01\x02", 24, struct.pack("<I", declared))
    patched(archive, b"PK\x03\x04", 22, struct.pack("<I", declared))
    match = r"is damaged .*\(Bad CRC" if declared < 1000 else rf"declares {declared:,} bytes and holds 1,000"
    refuse(archive, match)


def test_zip_content_that_does_not_match_its_checksum(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.wav": b"intact--"}, method=zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"intact--", b"flipped-"))
    refuse(archive, r"is damaged .*\(Bad CRC-32 for file 'a.wav'")


def test_encrypted(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.wav": b"1"})
    patched(archive, b"PK\x01\x02", 8, b"\x01\x00")
    patched(archive, b"PK\x03\x04", 6, b"\x01\x00")
    refuse(archive, "filename='a.wav'.* is encrypted")


def test_unknown_compression(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.wav": b"1"})
    patched(archive, b"PK\x01\x02", 10, struct.pack("<H", 97))
    patched(archive, b"PK\x03\x04", 8, struct.pack("<H", 97))
    refuse(archive, r"cannot be read \(That compression method is not supported")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_truncated(tmp_path: Path, kind: str, share: float) -> None:
    content = {f"{i}.wav": os.urandom(3000) for i in range(6)}
    if kind == "zip":
        archive = write_zip(tmp_path / "a.zip", content)
    else:
        members = [(member(n), c) for n, c in content.items()]
        archive = write_tar(tmp_path / "a.tar", *members, mode="w:gz" if kind == "tgz" else "w")
    # tar pads the end with zeros up to 10,240 bytes, so cut from where the content ends
    n_content = 6 * (3000 + 72 + 512) if kind == "tar" else archive.stat().st_size
    archive.write_bytes(archive.read_bytes()[: int(share * n_content)])
    refuse(archive, "is damaged")


def test_tar_cut_between_members_is_no_shorter_archive(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", (member("1"), b"1"), (member("2"), b"2"), mode="w")
    archive.write_bytes(archive.read_bytes()[:1024])
    refuse(archive, "neither a header nor the end mark at byte 1,024")


def test_tar_with_a_broken_header_is_no_shorter_archive(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", (member("1"), b"1"), (member("2"), b"2"), mode="w")
    raw = bytearray(archive.read_bytes())
    raw[1024 + 148] ^= 1
    archive.write_bytes(raw)
    refuse(archive, "is damaged")


def test_gzip_checksum_is_compared(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tgz", (member("1"), b"1"))
    raw = bytearray(archive.read_bytes())
    raw[-8] ^= 1
    archive.write_bytes(raw)
    refuse(archive, r"is damaged .*\(CRC check failed")


def test_no_archive_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("<html>Please log in</html>")
    refuse(tmp_path / "a.zip", r"is damaged .*\(File is not a zip file")
    (tmp_path / "tar").mkdir()
    (tmp_path / "tar" / "a.tar.gz").write_text("<html>Please log in</html>")
    refuse(tmp_path / "tar" / "a.tar.gz", r"is damaged .*\(file could not be opened")
    with pytest.raises(DataError, match="does not exist"):
        extract(tmp_path / "b.zip", tmp_path / "target")


def test_disk_full_is_known_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.wav": bytes(5000)})
    monkeypatch.setattr(files, "free_bytes", lambda folder: 4000)
    with pytest.raises(StoreError, match="needs 5,000 bytes and 4,000 are free"):
        extract(archive, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_disk_full_while_writing(tmp_path: Path) -> None:
    """The kernel refuses to let the file grow, as it does on a full disk."""
    archive = write_zip(tmp_path / "a.zip", {"a.wav": os.urandom(2**19), "b.wav": b"1"})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, hard))
    try:
        with pytest.raises(StoreError, match=r"target cannot be written .*524,289 bytes were needed, .* free"):
            extract(archive, tmp_path / "target")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "target").iterdir()) == []


piece = st.sampled_from(["..", ".", "a", "A", "", "C:", "\\", "\x00", "é", "set"]) | st.text(max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(piece, min_size=1, max_size=4).map("/".join), min_size=1, max_size=4))
@example(["a", "a/b/"])  # a file, and a folder in a folder of its name
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_name_reaches_outside(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(folder / "a.zip", "w") as archive:
                for member_name in names:
                    info = zipfile.ZipInfo("x")
                    info.filename = member_name
                    archive.writestr(info, b"" if member_name.endswith("/") else b"1")
        except UnicodeEncodeError:  # a lone surrogate cannot be written by zipfile
            return
        try:
            files = extract(folder / "a.zip", folder / "deep" / "target")
        except DataError:
            files = []
        assert {p.name for p in folder.iterdir()} <= {"a.zip", "deep"}
        assert {p.name for p in folder.joinpath("deep").glob("*")} <= {"target"}
        found = {p for p in (folder / "deep" / "target").resolve().rglob("*") if p.is_file()}
        assert found == set(files)
