"""One file over HTTP, continued where it was interrupted.

TLS is left as ``requests`` has it, always verified; a proxy or the certificates of an organisation are taken
from the environment (``HTTPS_PROXY``, ``REQUESTS_CA_BUNDLE``).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from asc_bench.data.download.server import (
    HEAD_BYTES,
    PassingFault,
    announced_bytes,
    check_head,
    connecting,
    redirect_target,
    require_status,
)
from asc_bench.data.resources import Archive
from asc_bench.errors import DataError
from asc_bench.files import require_space, write_all, writing

if TYPE_CHECKING:
    import requests

Progress = Callable[[float, str], None]

CHUNK_BYTES = 2**17
MAX_REDIRECTS = 5


def silent(fraction: float, message: str) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to ask.

    Attributes
    ----------
    connect_s, silence_s : float
        Longest time until a connection stands, and between two pieces of an answer, in seconds.
    longest_wait_s : float
        Longest pause that a busy server may ask for (``Retry-After``) and get, in seconds.
    n_attempts : int
        Most attempts. What broke is tried again after 1, 2, 4, ... seconds.
    sleep : callable
        Waits the given number of seconds.
    """

    connect_s: float = 20.0
    silence_s: float = 60.0
    longest_wait_s: float = 300.0
    n_attempts: int = 4
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class _Begun:
    """A file that was begun: how much is there, and by what the server tells its versions apart."""

    n_bytes: int
    header: str
    value: str


def transfer(archive: Archive, part: Path, *, progress: Progress, patience: Patience) -> None:
    """Bring the file ``part`` to the whole content of ``archive``.

    A file that was begun is continued only if the server confirms by a 206 answer that it still is the
    version whose ``ETag`` or ``Last-Modified`` was recorded beside ``part``; otherwise it is started over.

    Raises
    ------
    DataError
        For each way in which a server or a connection can fail, with a message of its own.
    StoreError
        If the disk is full.
    """
    import requests

    with requests.Session() as session:
        session.headers.update({"User-Agent": f"asc-bench/{version('asc-bench')}", "Accept-Encoding": "identity"})
        job = _Job(session, archive, part, progress, patience)
        for attempt in range(1, patience.n_attempts + 1):
            try:
                job.attempt()
            except PassingFault as fault:
                wait_s = 2.0 ** (attempt - 1) if fault.wait_s is None else fault.wait_s
                if attempt == patience.n_attempts or wait_s > patience.longest_wait_s:
                    raise
                job.report(f"{fault}; next attempt in {wait_s:.0f} s")
                patience.sleep(wait_s)
            else:
                return


def forget(part: Path) -> None:
    """Remove a file that was begun, and the record beside it."""
    with writing(part):
        part.unlink(missing_ok=True)
        _record_of(part).unlink(missing_ok=True)


def _record_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


@dataclass(frozen=True)
class _Job:
    session: requests.Session
    archive: Archive
    part: Path
    progress: Progress
    patience: Patience

    @property
    def where(self) -> str:
        return f"{self.archive.file} from {self.archive.url}"

    def report(self, message: str) -> None:
        n_bytes = self.part.stat().st_size if self.part.exists() else 0
        self.progress(min(1.0, n_bytes / self.archive.n_bytes) if self.archive.n_bytes else 0.0, message)

    def attempt(self) -> None:
        begun = self._begun()
        if begun is not None and begun.n_bytes == self.archive.n_bytes:
            return
        if begun is not None:
            headers = {"Range": f"bytes={begun.n_bytes}-", "If-Range": begun.value}
            with self._ask(headers) as answer:
                reason = self._why_not_continued(answer, begun)
                if reason is None:
                    self._store(answer, begun.n_bytes, head=b"")
                    return
            self.report(f"{self.archive.file}: {reason}; starting over")
        forget(self.part)
        with self._ask({}) as answer:
            require_status(answer, 200, where=self.where)
            head = self._read(answer, HEAD_BYTES, n_before=0, n_total=None)
            content_type = answer.headers.get("Content-Type", "")
            check_head(self.archive.file, head, content_type=content_type, where=self.where)
            self._store(answer, 0, head=head)

    @contextmanager
    def _ask(self, headers: dict[str, str]) -> Iterator[requests.Response]:
        """The first answer that is no redirect."""
        url, timeout = self.archive.url, (self.patience.connect_s, self.patience.silence_s)
        for _ in range(MAX_REDIRECTS + 1):
            with connecting(urlsplit(url).netloc, where=self.where, patience_s=timeout):
                answer = self.session.get(url, headers=headers, stream=True, allow_redirects=False, timeout=timeout)
            with answer:
                if not answer.is_redirect:
                    yield answer
                    return
                location = answer.headers["Location"]
                url = redirect_target(self.archive.url, url, location, where=self.where)
        raise DataError(f"{self.where}: redirected more than {MAX_REDIRECTS} times, the last time to {url}")

    def _why_not_continued(self, answer: requests.Response, begun: _Begun) -> str | None:
        if answer.status_code == 200:
            return "the server sends the whole file, not the rest of it (200 instead of 206)"
        if answer.status_code == 416:
            return f"the server has nothing from byte {begun.n_bytes:,} on"
        require_status(answer, 206, where=self.where)
        content_range = answer.headers.get("Content-Range", "")
        if not re.match(rf"bytes {begun.n_bytes}-", content_range):
            return f"the server sends another part ({content_range!r}) than from byte {begun.n_bytes:,} on"
        if answer.headers.get(begun.header) != begun.value:
            now = answer.headers.get(begun.header)
            return f"the file changed on the server ({begun.header} was {begun.value}, is {now})"
        return None

    def _store(self, answer: requests.Response, n_begun: int, *, head: bytes) -> None:
        total = announced_bytes(answer, n_listed=self.archive.n_bytes, where=self.where)
        if total is not None:
            require_space(self.part.parent, total - n_begun, purpose=f"downloading {self.archive.file}")
        if n_begun == 0:
            self._record(answer)
        with writing(self.part):
            sink = self.part.open("ab", buffering=0)
        n_bytes = n_begun
        with sink:
            chunk = head or self._read(answer, CHUNK_BYTES, n_before=n_bytes, n_total=total)
            while chunk:
                n_bytes += len(chunk)
                if total is not None and n_bytes > total:
                    forget(self.part)
                    raise DataError(f"{self.where}: the server sends more than the {total:,} bytes of the file")
                with writing(self.part, n_bytes=total):
                    write_all(sink, chunk)
                fraction = n_bytes / total if total else 0.0
                self.progress(fraction, f"{self.archive.file}: {n_bytes / 1e6:,.1f} MB")
                chunk = self._read(answer, CHUNK_BYTES, n_before=n_bytes, n_total=total)
        if total is not None and n_bytes < total:
            raise self._cut_short(n_bytes, total)

    def _read(self, answer: requests.Response, n_bytes: int, *, n_before: int, n_total: int | None) -> bytes:
        from http.client import IncompleteRead

        from urllib3.exceptions import HTTPError, ReadTimeoutError

        try:
            piece: bytes = answer.raw.read(n_bytes, decode_content=False)
        except ReadTimeoutError as error:
            raise PassingFault(
                f"{self.where}: timeout, the server fell silent for {self.patience.silence_s:g} s after "
                f"{n_before:,} bytes; run the same command again"
            ) from error
        except HTTPError as error:
            if isinstance(error.__cause__, IncompleteRead):
                raise self._cut_short(n_before, n_total) from error
            raise PassingFault(
                f"{self.where}: the connection broke after {n_before:,} bytes ({error.__cause__ or error}); "
                f"run the same command again"
            ) from error
        return piece

    def _cut_short(self, n_bytes: int, total: int | None) -> PassingFault:
        announced = "more" if total is None else f"{total:,} bytes"
        return PassingFault(
            f"{self.where}: the server announced {announced} and ended after {n_bytes:,}; "
            f"run the same command again"
        )

    def _begun(self) -> _Begun | None:
        """What an earlier attempt left, if it can be continued."""
        try:
            record = json.loads(_record_of(self.part).read_text(encoding="utf-8"))
            n_bytes = self.part.stat().st_size
        except (FileNotFoundError, ValueError):  # ValueError: a record cut off by a crash
            return None
        match record:
            case {"url": self.archive.url, "header": str(header), "value": str(value)} if n_bytes:
                return _Begun(n_bytes, header, value)
        return None

    def _record(self, answer: requests.Response) -> None:
        """Note the version that is begun, before its first byte, so that no other version is added to it."""
        etag, modified = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
        if etag.startswith('"'):  # weak ones, W/"...", do not promise equal bytes
            header, value = "ETag", etag
        elif modified:
            header, value = "Last-Modified", modified
        else:
            return
        record = {"url": self.archive.url, "header": header, "value": value}
        with writing(_record_of(self.part)):
            _record_of(self.part).write_text(json.dumps(record), encoding="utf-8")
