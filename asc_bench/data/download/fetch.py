"""One file from its publisher, continued where it was interrupted and kept only if it is what the list says.

TLS is left as ``requests`` has it, always verified; a proxy or the certificates of an organisation are taken
from the environment (``HTTPS_PROXY``, ``REQUESTS_CA_BUNDLE``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from asc_bench.data.resources import Archive
from asc_bench.errors import ConfigError, DataError
from asc_bench.files import require_space, write_all, write_atomic, writing

if TYPE_CHECKING:
    import requests

Progress = Callable[[float, str], None]

SILENCE_S = 60.0  # longest time until a connection stands, and between two pieces of an answer
LONGEST_WAIT_S = 300.0  # longest pause that a busy server may ask for (Retry-After) and get
N_ATTEMPTS = 4  # what broke is tried again after 1, 2, 4, ... seconds
_CHUNK_BYTES = 2**17
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_HINTS = dict.fromkeys((401, 403), "access is denied: fetch the file by hand")
_HINTS |= dict.fromkeys((404, 410), "there is no such file: look at the publisher's page for a new address")


class _PassingFault(DataError):  # noqa: N818 - what it is: a fault that passes
    """A fault that may be gone at the next try, after ``wait_s`` seconds if the server asks for a pause."""

    def __init__(self, message: str, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def silent(fraction: float, message: str) -> None:
    """Report no progress."""


def download(
    archive: Archive, folder: Path, *, progress: Progress = silent, allow_unverified: bool = False
) -> Path:
    """Bring one archive into ``folder``, unless it lies there with the right digest already.

    Parameters
    ----------
    archive : Archive
        What to fetch. Its url must be https (plain http only to this machine).
    folder : Path
        Where it goes, as ``folder / archive.file``; made if missing. Until it is whole, its name ends in
        ``.part``, and a later call continues it.
    progress : callable
        Gets the fraction done, 0 to 1, and a message.
    allow_unverified : bool
        Whether to take an archive for which no digest is published; see `check_digest`.

    Returns
    -------
    Path
        The verified file.

    Raises
    ------
    DataError
        If the server, the connection or the content is not as it should be. A download with a wrong digest is
        deleted.
    ConfigError
        For an unsafe address, or an archive without digest that is not allowed.
    StoreError
        If the folder cannot be written or is full.
    """
    require_fetchable(archive, allow_unverified=allow_unverified)
    final, part = folder / archive.file, folder / f"{archive.file}.part"
    if final.exists():
        try:
            check_digest(archive, final)
        except DataError:
            if not archive.md5:  # put there by hand, perhaps: not ours to replace
                raise
        else:
            return final
    _transfer(archive, part, progress)
    advice = f"it was deleted: try {archive.url} once more, or look whether the publisher replaced the file"
    try:
        check_digest(archive, part, advice=advice)
    except DataError:
        _forget(part)
        raise
    with writing(final):
        part.replace(final)
    _forget(part)
    if not (archive.md5 or archive.sha256):
        progress(1.0, f"{archive.file}: not verified, no digest is published; its sha256 was recorded")
    return final


def require_fetchable(archive: Archive, *, allow_unverified: bool) -> None:
    """Refuse, before anything is asked of a server, what could not be fetched safely.

    Raises
    ------
    ConfigError
        For a plain http address or a missing digest.
    """
    where, url = f"{archive.dataset}: {archive.file}", urlsplit(archive.url)
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
        raise ConfigError(
            f"{where}: {archive.url} is not an https address, and what comes over plain http can be replaced on "
            f"its way; fetch the file by hand, check it and unpack it where the data set belongs"
        )
    if not (archive.md5 or archive.sha256 or allow_unverified):
        checkable = "only its size" if archive.n_bytes is not None else "neither its content nor its size"
        raise ConfigError(
            f"{where}: no digest is published, so {checkable} can be checked; "
            f"allow unverified archives if you trust {archive.url}"
        )


def check_digest(archive: Archive, path: Path, *, advice: str = "delete it") -> str:
    """Digest of the file at ``path`` as ``algorithm:hex``, once it proved to be that of ``archive``.

    Where no digest is published, or only the beginning of one, the sha256 is recorded beside the file when it is
    first looked at, as ``NAME.sha256``, and whatever comes later must agree with that.

    Raises
    ------
    DataError
        If it is another file; it closes with ``advice``.
    """
    import pooch

    n_bytes, record = path.stat().st_size, path.with_name(f"{archive.file}.sha256")
    with path.open("rb") as stream:
        _refuse_web_page(stream.read(_CHUNK_BYTES), "", where=str(path))
    if archive.n_bytes not in (None, n_bytes):
        raise DataError(f"{path} has {n_bytes:,} bytes and {archive.n_bytes:,} are listed; {advice}")
    algorithm, wanted = ("md5", archive.md5) if archive.md5 else ("sha256", archive.sha256 or "")
    if algorithm == "sha256" and len(wanted) < 64 and record.exists():
        content = record.read_text(encoding="utf-8", errors="replace")
        if not re.match(r"[0-9a-f]{64} ", content):
            raise DataError(f"{record} holds no sha256; delete it and the file beside it, to fetch both again")
        wanted = content[:64]
    found: str = pooch.file_hash(path, alg=algorithm)
    if not found.startswith(wanted):
        raise DataError(
            f"{path} is not the published file: its {algorithm} is {found}, not "
            f"{wanted}{'...' if len(wanted) < len(found) else ''}; {advice}"
        )
    if len(wanted) < len(found):
        write_atomic(record, f"{found}  {archive.file}\n")
    return f"{algorithm}:{found}"


def _refuse_web_page(head: bytes, content_type: str, *, where: str) -> None:
    """Name what a portal sends in place of a file; otherwise the digest would seem to have changed."""
    if content_type.startswith("text/html") or re.match(rb"\s*<(!doctype )?html", head, flags=re.IGNORECASE):
        raise DataError(
            f"{where}: this is a web page instead of the file; open the address in a browser to see what it wants"
        )
    if not head:
        raise DataError(f"{where}: this is an empty file")


def _transfer(archive: Archive, part: Path, progress: Progress) -> None:
    """Bring the file ``part`` to the whole content of ``archive``, in ``N_ATTEMPTS`` at most."""
    import requests
    from urllib3.exceptions import HTTPError

    where = f"{archive.file} from {archive.url}"
    with requests.Session() as session:
        session.headers.update({"User-Agent": f"asc-bench/{version('asc-bench')}", "Accept-Encoding": "identity"})
        for attempt in range(1, N_ATTEMPTS + 1):
            try:
                _attempt(session, archive, part, progress, where=where)
                return
            except requests.exceptions.SSLError as error:
                raise DataError(
                    f"{where}: the certificate was not accepted ({_root(error)}); check this machine's clock, and "
                    f"set REQUESTS_CA_BUNDLE if your organisation has certificates of its own"
                ) from error
            except (requests.exceptions.RequestException, HTTPError) as error:
                fault = _PassingFault(
                    f"{where}: the connection failed or broke after {_size(part):,} bytes ({_root(error)}); "
                    f"check the network and run the same command again"
                )
            except _PassingFault as error:
                fault = error
            wait_s = 2.0 ** (attempt - 1) if fault.wait_s is None else fault.wait_s
            if attempt == N_ATTEMPTS or wait_s > LONGEST_WAIT_S:
                raise fault
            done = _size(part) / archive.n_bytes if archive.n_bytes else 0.0
            progress(done, f"{fault}; next attempt in {wait_s:.0f} s")
            time.sleep(wait_s)


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _attempt(session: requests.Session, archive: Archive, part: Path, progress: Progress, *, where: str) -> None:
    """Continue what was begun, if the server confirms by a 206 that it still has this version; else begin anew."""
    record = _version_of(part)
    version = record.read_text(encoding="utf-8") if record.exists() else ""
    n_bytes = _size(part) if version else 0
    if n_bytes and n_bytes == archive.n_bytes:
        return
    headers = {"Range": f"bytes={n_bytes}-", "If-Range": version} if n_bytes else {}
    with session.get(archive.url, headers=headers, stream=True, timeout=SILENCE_S) as answer:
        if n_bytes and answer.status_code in (200, 206, 416):
            right_part = answer.headers.get("Content-Range", "").startswith(f"bytes {n_bytes}-")
            same_version = version in (answer.headers.get("ETag"), answer.headers.get("Last-Modified"))
            if answer.status_code != 206 or not right_part or not same_version:
                _forget(part)
                said = f"it answered {answer.status_code} {answer.reason}"
                raise _PassingFault(f"{where}: the server does not continue this version ({said})", wait_s=0)
        _require_answer(answer, archive.url, 206 if n_bytes else 200, where=where)
        _store(answer, archive, part, n_bytes, progress, where=where)


def _require_answer(answer: requests.Response, url: str, expected: int, *, where: str) -> None:
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    if url.startswith("https:") and not all(a.url.startswith("https:") for a in (*answer.history, answer)):
        raise DataError(f"{where}: redirected from https to plain http, which is not secure; fetch it by hand")
    code, said = answer.status_code, f"{answer.status_code} {answer.reason}"
    if code == 429 or code >= 500:
        wait_s = None
        with suppress(InvalidHeader):
            wait_s = Retry().get_retry_after(answer.raw)
        asked = "" if wait_s is None else f" and asks to wait {wait_s:.0f} s"
        message = f"{where}: the server is busy or has a fault ({said}){asked}; run the same command again later"
        raise _PassingFault(message, wait_s=wait_s)
    if code != expected:
        raise DataError(f"{where}: the server answered {said}; {_HINTS.get(code, f'{expected} was expected')}")
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise DataError(f"{where}: the server sends it {encoding}-encoded, though the plain file was asked for")


def _store(
    answer: requests.Response, archive: Archive, part: Path, n_bytes: int, progress: Progress, *, where: str
) -> None:
    """Append an answer to the ``n_bytes`` that are there."""
    chunks = answer.raw.stream(_CHUNK_BYTES, decode_content=False)
    first = next(chunks, b"")
    if n_bytes == 0:
        _refuse_web_page(first, answer.headers.get("Content-Type", ""), where=where)
    length = answer.headers.get("Content-Length", "")
    total = n_bytes + int(length) if length.isdecimal() else archive.n_bytes
    if total is not None and archive.n_bytes not in (None, total):
        raise DataError(
            f"{where}: the server offers {total:,} bytes and {archive.n_bytes:,} are listed: "
            f"the publisher replaced the file, or this is not it"
        )
    require_space(part.parent, (total or 0) - n_bytes, purpose=f"downloading {archive.file}")
    if n_bytes == 0:
        _forget(part)
        # Which version is begun is noted before its first byte, so that no other version is added to it. Weak
        # tags, W/"...", do not promise equal bytes.
        etag = answer.headers.get("ETag", "")
        version = etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")
        write_atomic(_version_of(part), version)
    with writing(part):
        sink = part.open("ab", buffering=0)
    with sink:
        for chunk in chain([first], chunks):
            n_bytes += len(chunk)
            if total is not None and n_bytes > total:
                _forget(part)
                raise DataError(f"{where}: the server sends more than the {total:,} bytes of the file")
            with writing(part, n_bytes=total):
                write_all(sink, chunk)
            progress(n_bytes / total if total else 0.0, f"{archive.file}: {n_bytes / 1e6:,.1f} MB")
    if total is not None and n_bytes < total:
        raise _PassingFault(f"{where}: the server ended after {n_bytes:,} of {total:,} bytes")


def _version_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _forget(part: Path) -> None:
    with writing(part):
        part.unlink(missing_ok=True)
        _version_of(part).unlink(missing_ok=True)
