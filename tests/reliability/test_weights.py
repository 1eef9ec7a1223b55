"""Published weights: fetched on request only, from loopback here, and verified by all that is published."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from asc_bench.data import weights
from asc_bench.data.download.fetch import download
from asc_bench.data.resources import Archive
from asc_bench.data.weights import cached_weights, fetch_weights, verified_weights, weights_folder
from asc_bench.errors import ConfigError, DataError
from tests.reliability import fault_server as fs

BODY, OTHER = os.urandom(300_000), b"PCA" * 999


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def server() -> Iterator[fs.FaultServer]:
    with fs.fault_server() as running:
        yield running


@pytest.fixture
def listed(server: fs.FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A set "toy" of two files, known by eight digits; its folder in an empty cache."""
    rows = [
        {
            "set": "toy",
            "file": name,
            "url": server.put(name, fs.whole(body)),
            "bytes": "",
            "sha256": sha256(body)[:8],
        }
        for name, body in (("net.pth", BODY), ("pca.pth", OTHER))
    ]
    monkeypatch.setattr(weights, "_rows", lambda: rows)
    monkeypatch.setenv("ASC_BENCH_CACHE", str(tmp_path))
    return weights_folder("toy")


def test_fetched_verified_and_recorded(listed: Path, server: fs.FaultServer) -> None:
    assert cached_weights("toy", "net.pth") is None
    paths = fetch_weights("toy")
    assert [path.read_bytes() for path in paths] == [BODY, OTHER]
    assert (listed / "net.pth.sha256").read_text() == f"{sha256(BODY)}  net.pth\n"
    assert cached_weights("toy", "net.pth") == verified_weights("toy", "net.pth") == listed / "net.pth"
    fetch_weights("toy")
    assert len(server.requests) == 2, "verified files are not fetched again"


def test_another_content_is_never_put_in_place(listed: Path, server: fs.FaultServer) -> None:
    other = BODY[:-1] + bytes([BODY[-1] ^ 1])
    server.put("net.pth", fs.whole(other))
    match = rf"its sha256 is {sha256(other)}, not {sha256(BODY)[:8]}\.\.\.; it was deleted"
    with pytest.raises(DataError, match=match):
        fetch_weights("toy")
    assert not list(listed.glob("net.pth*"))


def test_a_listed_size_is_compared(server: fs.FaultServer, tmp_path: Path) -> None:
    one = Archive("toy", "net.pth", server.put("net.pth", fs.whole(BODY)), len(BODY) + 1, None, sha256(BODY)[:8])
    with pytest.raises(DataError, match="offers 300,000 bytes and 300,001 are listed"):
        download(one, tmp_path)


def test_a_full_digest_is_compared_in_full(server: fs.FaultServer, tmp_path: Path) -> None:
    url = server.put("net.pth", fs.whole(BODY))
    assert download(Archive("toy", "net.pth", url, None, None, sha256(BODY)), tmp_path).read_bytes() == BODY
    wrong = sha256(BODY)[:8] + "0" * 56
    with pytest.raises(DataError, match=f"not {wrong}; it was deleted"):
        download(Archive("toy", "net.pth", url, None, None, wrong), tmp_path / "other")


def test_a_web_page_is_refused(listed: Path, server: fs.FaultServer) -> None:
    server.put("net.pth", fs.web_page())
    with pytest.raises(DataError, match="this is a web page instead of the file"):
        fetch_weights("toy")


def test_a_file_put_there_by_hand_is_recorded_on_first_load(listed: Path) -> None:
    listed.mkdir(parents=True)
    (listed / "net.pth").write_bytes(BODY)
    verified_weights("toy", "net.pth")
    assert (listed / "net.pth.sha256").read_text().startswith(sha256(BODY))


def test_a_wrong_file_put_there_by_hand_is_refused(listed: Path) -> None:
    listed.mkdir(parents=True)
    (listed / "net.pth").write_bytes(OTHER)
    for look in (lambda: verified_weights("toy", "net.pth"), lambda: fetch_weights("toy")):
        with pytest.raises(DataError, match=f"its sha256 is {sha256(OTHER)}, not {sha256(BODY)[:8]}...; delete it"):
            look()


def test_a_file_that_changed_since_it_was_recorded_is_refused_though_its_prefix_fits(listed: Path) -> None:
    fetch_weights("toy")
    record = listed / "net.pth.sha256"
    record.write_text(f"{sha256(BODY)[:8]}{'0' * 56}  net.pth\n")
    with pytest.raises(DataError, match=f"is {sha256(BODY)}, not {sha256(BODY)[:8]}0000"):
        verified_weights("toy", "net.pth")


def test_unknown_names_and_absent_files(listed: Path) -> None:
    with pytest.raises(ConfigError, match="no set of weights 'x'; there are: toy"):
        fetch_weights("x")
    with pytest.raises(ConfigError, match=r"have no file 'x'; there are: net\.pth, pca\.pth"):
        cached_weights("toy", "x")
    with pytest.raises(
        ConfigError, match=r"net.pth is not there; fetch it with `asc-bench prepare toy --download`"
    ):
        verified_weights("toy", "net.pth")
