"""Downloads against a server that misbehaves: every fault has its message, and none leaves a wrong file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

import asc_bench.data
from asc_bench import files
from asc_bench.data.download import datasets as download_module
from asc_bench.data.download import fetch
from asc_bench.data.download.datasets import DOWNLOADS, LEDGER, fetch_archives
from asc_bench.data.download.fetch import download
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.resources import Archive, archives_of
from asc_bench.errors import ConfigError, DataError, StoreError
from tests.reliability import fault_server as fs


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            # With a date of its own: the time of day would change the digest.
            archive.writestr(zipfile.ZipInfo(f"set/{name}"), content)
    return stream.getvalue()


BODY = zipped(noise=os.urandom(400_000))
"""Longer than three of the pieces in which a download is read."""


def archive(
    url: str, body: bytes = BODY, *, file: str = "a.zip", sized: bool = True, digest: bool = True
) -> Archive:
    md5 = hashlib.md5(body).hexdigest()
    return Archive("set", file, url, len(body) if sized else None, md5 if digest else None)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept between attempts, without sleeping; one attempt, unless a test allows more."""
    waited: list[float] = []
    monkeypatch.setattr(fetch, "time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(fetch, "N_ATTEMPTS", 1)
    monkeypatch.setattr(fetch, "SILENCE_S", 5)
    return waited


@pytest.fixture
def three_attempts(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "N_ATTEMPTS", 3)


class Told(list[str]):
    """Remembers the messages of a progress report, and checks the fractions."""

    def __call__(self, fraction: float, message: str) -> None:
        assert 0 <= fraction <= 1 + 1e-9
        self.append(message)

    @property
    def text(self) -> str:
        return "\n".join(self)


@pytest.fixture
def server() -> Iterator[fs.FaultServer]:
    with fs.fault_server() as running:
        yield running


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def fail(one: Archive, folder: Path, match: str) -> None:
    """The download fails with this message, which names the file and its address."""
    with pytest.raises(DataError, match=match) as raised:
        download(one, folder)
    assert one.file in str(raised.value)
    assert one.url in str(raised.value)
    assert not (folder / one.file).exists()


# The straight way.


@pytest.mark.parametrize("sized", [True, False])
def test_whole_file(server: fs.FaultServer, tmp_path: Path, sized: bool) -> None:
    one, told = archive(server.put("a.zip", fs.whole(BODY)), sized=sized), Told()
    assert download(one, tmp_path, progress=told).read_bytes() == BODY
    assert names(tmp_path) == ["a.zip"]
    assert told[-1] == f"a.zip: {len(BODY) / 1e6:.1f} MB"
    download(one, tmp_path)
    assert len(server.requests) == 1, "a verified file is not fetched again"


def test_without_announced_length(server: fs.FaultServer, tmp_path: Path) -> None:
    one = archive(server.put("a.zip", fs.chunked(BODY)), sized=False)
    assert download(one, tmp_path).read_bytes() == BODY


def test_a_broken_file_on_disk_does_not_vouch_for_itself(server: fs.FaultServer, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(BODY[:-1] + b"x")
    one = archive(server.put("a.zip", fs.whole(BODY)))
    assert download(one, tmp_path).read_bytes() == BODY


# Faults of the content.


def test_web_page_with_status_200(server: fs.FaultServer, tmp_path: Path) -> None:
    fail(
        archive(server.put("a.zip", fs.web_page())),
        tmp_path,
        "this is a web page instead of the file; open the address in",
    )
    disguised = fs.web_page(content_type="application/zip")
    fail(archive(server.put("b.zip", disguised)), tmp_path, "this is a web page instead of the file")
    assert names(tmp_path) == []


def test_empty_file(server: fs.FaultServer, tmp_path: Path) -> None:
    fail(archive(server.put("a.zip", fs.whole(b"")), b""), tmp_path, "this is an empty file")


def test_digest_changed(server: fs.FaultServer, tmp_path: Path) -> None:
    other = BODY[:-1] + b"x"
    expected, got = (hashlib.md5(b).hexdigest() for b in (BODY, other))
    one = archive(server.put("a.zip", fs.whole(other)))
    fail(one, tmp_path, f"its md5 is {got}, not {expected}; it was deleted: try {one.url} once more")
    assert names(tmp_path) == [], "the wrong file is deleted"


def test_size_differs_from_the_list(server: fs.FaultServer, tmp_path: Path) -> None:
    one = archive(server.put("a.zip", fs.whole(BODY + b"more")))
    fail(one, tmp_path, rf"offers {len(BODY) + 4:,} bytes and {len(BODY):,} are listed")


def test_more_than_the_listed_size(server: fs.FaultServer, tmp_path: Path) -> None:
    one = archive(server.put("a.zip", fs.chunked(BODY + bytes(300_000))))
    fail(one, tmp_path, rf"sends more than the {len(BODY):,} bytes")
    assert names(tmp_path) == []


def test_less_than_the_listed_size(server: fs.FaultServer, tmp_path: Path) -> None:
    one = archive(server.put("a.zip", fs.chunked(BODY[:200_000])))
    fail(one, tmp_path, rf"the server ended after 200,000 of {len(BODY):,} bytes")


def test_encoded_content(server: fs.FaultServer, tmp_path: Path) -> None:
    one = archive(server.put("a.zip", fs.whole(BODY, **{"Content-Encoding": "gzip"})))
    fail(one, tmp_path, "sends it gzip-encoded")


# Faults of the connection.


def test_wrong_content_length(server: fs.FaultServer, tmp_path: Path) -> None:
    n = len(BODY) + 1000
    one = archive(server.put("a.zip", fs.announcing(BODY, n_announced=n)), sized=False)
    fail(one, tmp_path, rf"broke after {len(BODY):,} bytes \(IncompleteRead\(.* 1000 more expected")


def test_connection_reset_in_the_middle(server: fs.FaultServer, tmp_path: Path) -> None:
    one = archive(server.put("a.zip", fs.cut_off(BODY, n_sent=200_000, reset=True)))
    fail(one, tmp_path, r"the connection failed or broke after [\d,]+ bytes \(.*reset by peer")


@pytest.mark.usefixtures("three_attempts")
def test_what_broke_is_tried_again_and_continued(
    server: fs.FaultServer, tmp_path: Path, waits: list[float]
) -> None:
    broken = [fs.cut_off(BODY, n_sent=300_000, reset=False), fs.status(500)]
    url, told = server.put("a.zip", *broken, fs.whole(BODY)), Told()
    assert download(archive(url), tmp_path, progress=told).read_bytes() == BODY
    assert waits == [1.0, 2.0]
    assert "run the same command again; next attempt in 1 s" in told.text
    assert [h.get("Range") for h in server.headers_sent("a.zip")] == [None, *["bytes=300000-"] * 2]


def test_timeouts(server: fs.FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    mute = server.put("a.zip", fs.silent_after(BODY, n_sent=None, until=over))
    stuck = server.put("b.zip", fs.silent_after(BODY, n_sent=200_000, until=over))
    monkeypatch.setattr(fetch, "SILENCE_S", 0.2)
    try:
        fail(archive(mute), tmp_path, r"failed or broke after 0 bytes \(timed out\)")
        fail(archive(stuck), tmp_path, r"failed or broke after 131,072 bytes \(timed out\)")
    finally:
        over.set()


def test_connection_refused(tmp_path: Path) -> None:
    with fs.fault_server() as gone:
        url = gone.put("a.zip", fs.whole(BODY))
    fail(archive(url), tmp_path, r"the connection failed or broke after 0 bytes \(.*refused\); check the network")


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (404, r"answered 404 Not Found; there is no such file: look at the publisher's page"),
        (403, r"answered 403 Forbidden; access is denied: fetch the file by hand"),
        (500, r"is busy or has a fault \(500 Internal Server Error\); run the same command again later"),
        (204, r"answered 204 No Content; 200 was expected"),
        (206, r"answered 206 Partial Content; 200 was expected"),
        (429, r"is busy or has a fault \(429 Too Many Requests\); run"),
    ],
)
def test_status(server: fs.FaultServer, tmp_path: Path, code: int, match: str) -> None:
    fail(archive(server.put("a.zip", fs.status(code))), tmp_path, match)


# A busy server.


@pytest.mark.usefixtures("three_attempts")
def test_too_many_requests_is_waited_for(server: fs.FaultServer, tmp_path: Path, waits: list[float]) -> None:
    past = format_datetime(datetime.now(tz=UTC) - timedelta(hours=1), usegmt=True)
    busy = [fs.status(429, Retry_After="7"), fs.status(503, Retry_After=past)]
    url = server.put("a.zip", *busy, fs.whole(BODY))
    assert download(archive(url), tmp_path).read_bytes() == BODY
    assert waits == [7.0, 0.0]


@pytest.mark.usefixtures("three_attempts")
@pytest.mark.parametrize("as_date", [False, True])
def test_too_long_a_wait_is_left_to_the_user(
    server: fs.FaultServer, tmp_path: Path, waits: list[float], as_date: bool
) -> None:
    until = datetime.now(tz=UTC) + timedelta(hours=1)
    value = format_datetime(until, usegmt=True) if as_date else "3600"
    one = archive(server.put("a.zip", fs.status(429, Retry_After=value)))
    fail(one, tmp_path, r"\(429 .*asks to wait 3(600|59\d) s; run the same command again later")
    assert waits == []


@pytest.mark.usefixtures("three_attempts")
def test_a_wait_that_is_no_time_is_not_asked_for(
    server: fs.FaultServer, tmp_path: Path, waits: list[float]
) -> None:
    url = server.put("a.zip", fs.status(503, Retry_After="soon"), fs.whole(BODY))
    assert download(archive(url), tmp_path).read_bytes() == BODY
    assert waits == [1.0]


# Continuing.


def interrupted(server: fs.FaultServer, folder: Path, then: fs.Answer, *, etag: str | None = '"v1"') -> Archive:
    """A download that broke after 300,000 bytes; ``then`` is what the server answers from now on."""
    first = fs.cut_off(BODY, n_sent=300_000, reset=False, etag=etag)
    one = archive(server.put("a.zip", first, then))
    fail(one, folder, r"broke after 300,000 bytes \(IncompleteRead")
    assert (folder / "a.zip.part").stat().st_size == 300_000
    return one


def test_continued_after_206_and_the_same_etag(server: fs.FaultServer, tmp_path: Path) -> None:
    one = interrupted(server, tmp_path, fs.whole(BODY))
    assert download(one, tmp_path).read_bytes() == BODY
    sent = server.headers_sent("a.zip")[1]
    assert (sent["Range"], sent["If-Range"]) == ("bytes=300000-", '"v1"')
    assert names(tmp_path) == ["a.zip"]


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (fs.ignoring_range(BODY), "200 OK"),
        (fs.whole(BODY, etag='"v2"'), "200 OK"),
        (fs.partial(BODY, start=300_000, etag='"v2"'), "206 Partial Content"),
        (fs.partial(BODY, start=0, etag='"v1"'), "206 Partial Content"),
        (fs.status(416), "416 Requested Range Not Satisfiable"),
    ],
    ids=["range-ignored", "new-version", "206-other-etag", "206-other-part", "416"],
)
def test_started_over(
    server: fs.FaultServer, tmp_path: Path, three_attempts: None, waits: list[float], then: fs.Answer, said: str
) -> None:
    one, told = (
        archive(server.put("a.zip", fs.cut_off(BODY, n_sent=300_000, reset=False), then, fs.whole(BODY))),
        Told(),
    )
    assert download(one, tmp_path, progress=told).read_bytes() == BODY
    (note,) = [m for m in told if "does not continue" in m]
    assert f"the server does not continue this version (it answered {said}); next attempt in 0 s" in note
    assert waits == [1.0, 0.0]
    assert [h.get("Range") for h in server.headers_sent("a.zip")] == [None, "bytes=300000-", None]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_a_version_without_a_name_is_not_continued(
    server: fs.FaultServer, tmp_path: Path, etag: str | None
) -> None:
    one = interrupted(server, tmp_path, fs.whole(BODY, etag=etag), etag=etag)
    assert download(one, tmp_path).read_bytes() == BODY
    assert all("Range" not in headers for headers in server.headers_sent("a.zip"))


def test_faults_while_continuing_keep_what_is_there(server: fs.FaultServer, tmp_path: Path) -> None:
    one = interrupted(server, tmp_path, fs.status(404))
    fail(one, tmp_path, "there is no such file")
    assert (tmp_path / "a.zip.part").stat().st_size == 300_000


def test_a_wrong_beginning_is_not_made_right_by_continuing(server: fs.FaultServer, tmp_path: Path) -> None:
    one = interrupted(server, tmp_path, fs.whole(BODY))
    (tmp_path / "a.zip.part").write_bytes(bytes(300_000))
    fail(one, tmp_path, "is not the published file: .* it was deleted")
    assert names(tmp_path) == []
    assert download(one, tmp_path).read_bytes() == BODY


# Redirects.


def test_redirect_on_the_same_host_is_followed(server: fs.FaultServer, tmp_path: Path) -> None:
    server.put("files/a.zip", fs.whole(BODY))
    one = archive(server.put("a.zip", fs.status(302, Location="/files/a.zip")))
    assert download(one, tmp_path).read_bytes() == BODY


def test_redirect_to_another_host_is_followed_and_the_digest_decides(
    server: fs.FaultServer, tmp_path: Path
) -> None:
    elsewhere = server.put("b.zip", fs.whole(BODY), fs.whole(BODY[:-1] + b"x")).replace("127.0.0.1", "localhost")
    one = archive(server.put("a.zip", fs.status(302, Location=elsewhere)))
    assert download(one, tmp_path).read_bytes() == BODY
    (tmp_path / "a.zip").unlink()
    fail(one, tmp_path, "is not the published file")


def test_redirect_without_end(server: fs.FaultServer, tmp_path: Path) -> None:
    fail(archive(server.put("a.zip", fs.status(302, Location="/a.zip"))), tmp_path, "Exceeded 30 redirects")


# TLS and plain http.


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_an_unknown_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem, certificate = tmp_path / "own.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext subjectAltName=IP:127.0.0.1"
    made = subprocess.run([*command.split(), "-keyout", pem, "-out", certificate], capture_output=True, check=False)
    assert made.returncode == 0, made.stderr.decode()
    pem.write_text(pem.read_text() + certificate.read_text())
    with fs.fault_server(certificate=pem) as server:
        one = archive(server.put("a.zip", fs.whole(BODY)))
        fail(one, tmp_path / "d", r"the certificate was not accepted \(.*self.signed.*set REQUESTS_CA_BUNDLE")
        assert server.requests == [], "nothing was asked before the certificate was checked"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert download(one, tmp_path / "d").read_bytes() == BODY, "it was refused for being unknown only"
        with fs.fault_server() as plain:
            url = server.put("b.zip", fs.status(302, Location=plain.put("a.zip", fs.whole(BODY))))
            fail(archive(url), tmp_path / "e", "redirected from https to plain http, which is not secure")


def test_every_request_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def send(adapter: object, request: requests.PreparedRequest, **settings: object) -> None:
        seen.append(settings["verify"])
        raise requests.ConnectionError("no network in tests")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "")  # older versions of requests took this for "do not verify"
    fail(archive("https://zenodo.org/a.zip"), tmp_path, r"the connection failed .*\(no network in tests\)")
    assert seen == [True]


def test_no_source_of_ours_touches_verification() -> None:
    package = Path(asc_bench.data.__path__[0])
    sources = {p: p.read_text(encoding="utf-8") for p in package.rglob("*.py")}
    assert any(p.name == "fetch.py" for p in sources)
    words = (
        "verify=",
        ".verify",
        "CERT_NONE",
        "check_hostname",
        "_create_unverified",
        "disable_warnings",
        "ssl.",
    )
    assert [(p.name, w) for p, text in sources.items() for w in words if w in text] == []


@pytest.mark.parametrize("url", ["http://zenodo.org/a.zip", "ftp://zenodo.org/a.zip", "file:///etc/passwd"])
def test_addresses_that_are_not_https(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="is not an https address"):
        download(archive(url), tmp_path)


# Archives without a published digest.


def test_unverified_only_on_request(server: fs.FaultServer, tmp_path: Path) -> None:
    url = server.put("a.zip", fs.whole(BODY))
    for sized, match in ((True, "only its size can be checked"), (False, "neither its content nor its size")):
        with pytest.raises(ConfigError, match=match):
            download(archive(url, sized=sized, digest=False), tmp_path)
    assert server.requests == []
    told = Told()
    one = archive(url, sized=False, digest=False)
    assert download(one, tmp_path, allow_unverified=True, progress=told).read_bytes() == BODY
    assert "not verified, no digest is published" in told.text
    assert (tmp_path / "a.zip.sha256").read_text() == f"{hashlib.sha256(BODY).hexdigest()}  a.zip\n"
    download(one, tmp_path, allow_unverified=True)
    assert len(server.requests) == 1


def test_unverified_later_content_must_agree_with_the_first(server: fs.FaultServer, tmp_path: Path) -> None:
    one = archive(server.put("a.zip", fs.whole(BODY), fs.whole(BODY[:-1] + b"x")), digest=False)
    download(one, tmp_path, allow_unverified=True).unlink()
    with pytest.raises(
        DataError, match=f"its sha256 is .*, not {hashlib.sha256(BODY).hexdigest()}; it was deleted"
    ):
        download(one, tmp_path, allow_unverified=True)


def test_unverified_file_put_there_by_hand(tmp_path: Path) -> None:
    one = archive("https://zenodo.org/a.zip", digest=False)
    (tmp_path / "a.zip").write_text("<html>log in</html>")
    with pytest.raises(DataError, match="web page"):
        download(one, tmp_path, allow_unverified=True)
    (tmp_path / "a.zip").write_bytes(BODY[:-1])
    with pytest.raises(DataError, match=f"has {len(BODY) - 1:,} bytes and {len(BODY):,} are listed"):
        download(one, tmp_path, allow_unverified=True)


def test_disk_full(server: fs.FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = archive(server.put("a.zip", fs.whole(BODY)))
    monkeypatch.setattr(files, "free_bytes", lambda folder: 1000)
    with pytest.raises(StoreError, match=rf"downloading a\.zip needs {len(BODY):,} bytes and 1,000 are free"):
        download(one, tmp_path)


# Whole data sets.


def three(server: fs.FaultServer) -> list[Archive]:
    bodies = {f"{i}.zip": zipped(**{f"{i}.wav": bytes([i]) * 1000, "readme": b"same"}) for i in (1, 2)}
    bodies["labels.csv"] = b"file,scene\n"
    return [archive(server.put(n, fs.whole(b)), b, file=n) for n, b in bodies.items()]


def check_three(folder: Path) -> None:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in (folder / "set").rglob("*")}
    assert found == {
        "set/1.wav": b"\1" * 1000,
        "set/2.wav": b"\2" * 1000,
        "set/readme": b"same",
        "set/labels.csv": b"file,scene\n",
    }


@pytest.mark.parametrize("keep", [True, False])
def test_all_archives_once(server: fs.FaultServer, tmp_path: Path, keep: bool) -> None:
    told = Told()
    assert fetch_archives(three(server), tmp_path, keep_archives=keep, progress=told) == tmp_path
    check_three(tmp_path)
    assert names(tmp_path / ".asc-bench-downloads") == (["1.zip", "2.zip", "labels.csv"] if keep else [])
    assert "1.zip: unpacking" in told.text
    fetch_archives(three(server), tmp_path, keep_archives=keep)
    assert len(server.requests) == 3
    done = json.loads((tmp_path / LEDGER).read_text())["archives"]["set/1.zip"]
    assert done == {
        "digest": f"md5:{three(server)[0].md5}",
        "n_members": 2,
        "members": {"set/1.wav": 1000, "set/readme": 4},
    }


def test_what_was_lost_since_is_fetched_again(server: fs.FaultServer, tmp_path: Path) -> None:
    fetch_archives(three(server), tmp_path)
    (tmp_path / "set" / "2.wav").unlink()
    fetch_archives(three(server), tmp_path)
    check_three(tmp_path)
    assert [path for path, _ in server.requests] == ["/1.zip", "/2.zip", "/labels.csv", "/2.zip"]


KILLED = """
import sys
from pathlib import Path
from asc_bench.data.download.datasets import fetch_archives
from asc_bench.data.resources import Archive
archives = [Archive(d, f, u, int(n), m) for d, f, u, n, m in (line.split("|") for line in sys.argv[2:])]
fetch_archives(archives, Path(sys.argv[1]))
"""


def line_of(one: Archive) -> str:
    return "|".join(map(str, (one.dataset, one.file, one.url, one.n_bytes, one.md5)))


def test_killed_between_archives(server: fs.FaultServer, tmp_path: Path) -> None:
    archives, over = three(server), threading.Event()
    normal = server.answers["/2.zip"]
    server.answers["/2.zip"] = [fs.silent_after(b"", n_sent=None, until=over)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), *map(line_of, archives)])
    try:
        deadline = time.monotonic() + 20
        while not server.headers_sent("2.zip"):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        with pytest.raises(StoreError, match="another process is fetching into this folder"):
            fetch_archives(archives, tmp_path)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        over.set()
    server.answers["/2.zip"] = normal
    fetch_archives(archives, tmp_path)
    check_three(tmp_path)
    assert [path for path, _ in server.requests] == ["/1.zip", "/2.zip", "/2.zip", "/labels.csv"]


def test_killed_in_the_middle_of_a_file(server: fs.FaultServer, tmp_path: Path) -> None:
    over = threading.Event()
    one = archive(server.put("a.zip", fs.silent_after(BODY, n_sent=300_000, until=over), fs.whole(BODY)))
    part = tmp_path / DOWNLOADS / "a.zip.part"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), line_of(one)])
    try:
        deadline = time.monotonic() + 20
        while not part.exists() or part.stat().st_size < 262_144:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
        over.set()
    fetch_archives([one], tmp_path)
    assert [h.get("Range") for h in server.headers_sent("a.zip")] == [None, "bytes=262144-"]
    assert (tmp_path / "set" / "noise").stat().st_size == 400_000


def test_killed_while_unpacking(server: fs.FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, folder: Path, *, max_bytes: int | None) -> list[Path]:
        (folder / ".asc-bench-extracting-x" / "set").mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download_module, "extract", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch_archives(three(server), tmp_path)
    fetch_archives(three(server), tmp_path)
    check_three(tmp_path)
    assert [path for path, _ in server.requests] == ["/1.zip", "/2.zip", "/labels.csv"]
    assert not list(tmp_path.rglob(".asc-bench-extracting-*"))


def test_room_for_everything_is_asked_first(
    server: fs.FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [a.n_bytes or 0 for a in three(server)]
    monkeypatch.setattr(files, "free_bytes", lambda folder: 3000)
    with pytest.raises(
        StoreError, match=rf"3 archives \({sum(sizes):,} bytes.* needs {sum(sizes) + max(sizes):,} bytes"
    ):
        fetch_archives(three(server), tmp_path)
    assert server.requests == []


def test_one_unfit_archive_stops_all_before_the_first(server: fs.FaultServer, tmp_path: Path) -> None:
    archives = [*three(server), archive("http://zenodo.org/4.zip", file="4.zip")]
    with pytest.raises(ConfigError, match=r"set: 4\.zip: http://zenodo\.org"):
        fetch_archives(archives, tmp_path)
    assert server.requests == []


def test_a_file_that_differs_is_not_replaced(server: fs.FaultServer, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "labels.csv").write_text("mine")
    with pytest.raises(DataError, match=r"labels\.csv exists and differs"):
        fetch_archives(three(server), tmp_path)
    assert (tmp_path / "set" / "labels.csv").read_text() == "mine"


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2, "archives": {}}'])
def test_a_broken_ledger(server: fs.FaultServer, tmp_path: Path, content: str) -> None:
    (tmp_path / LEDGER).write_text(content)
    with pytest.raises(StoreError, match="is no list of fetched archives; delete it"):
        fetch_archives(three(server), tmp_path)


def test_only_archives_without_a_published_digest_are_limited(server: fs.FaultServer, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb:
        bomb.writestr("set/zeros", bytes(2**22))
    body = stream.getvalue()
    assert 200 * len(body) < 2**22
    url = server.put("a.zip", fs.whole(body))
    limit = max(2**20, 200 * len(body))
    with pytest.raises(
        DataError, match=rf"4,194,304 bytes, which is over the limit of {limit:,} for archives without"
    ):
        fetch_archives([archive(url, body, digest=False)], tmp_path, allow_unverified=True)
    assert not (tmp_path / "set").exists()
    fetch_archives([archive(url, body)], tmp_path)
    assert (tmp_path / "set" / "zeros").stat().st_size == 2**22


def test_the_list_itself() -> None:
    """Numbers of audio archives and their sum, as Zenodo's pages give them."""
    for name, n_audio, total_gb in (
        ("TUT-urban-acoustic-scenes-2018-mobile-development", 7, 11.27),
        ("TAU-urban-acoustic-scenes-2019-mobile-development", 11, 18.68),
    ):
        found = archives_of(name)
        audio = [a for a in found if ".audio." in a.file]
        assert len(audio) == n_audio
        assert round(sum(a.n_bytes or 0 for a in audio) / 1e9, 2) == total_gb
        assert all(a.md5 and a.url.startswith("https://zenodo.org/record/") for a in found)
    for layout in LAYOUTS.values():
        listed = archives_of(layout.archives) if layout.archives else ()
        assert all(re.fullmatch(r"\w[\w.+-]*", name, re.ASCII) for a in listed for name in (a.dataset, a.file))
    with pytest.raises(ConfigError, match=r"did you mean .*TUT-urban-acoustic-scenes-2018-mobile-development"):
        archives_of("TUT-urban-acoustic-scenes-2018-mobile-dev")
    with pytest.raises(ConfigError, match="no archives are known for 'nothing'"):
        archives_of("nothing")
