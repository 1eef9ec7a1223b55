"""What a server may answer to a download, and what each other answer means for the user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from asc_bench.errors import ConfigError, DataError

if TYPE_CHECKING:
    import requests

HEAD_BYTES = 512
"""How much of a file is looked at before any of it is kept."""

LOOPBACK = ("127.0.0.1", "[::1]", "localhost")

STORAGE_HOSTS = {"github.com": ("githubusercontent.com",)}
"""Domains, besides its own subdomains, to which a host may hand a download over."""

_MAGIC = {
    ".zip": (0, (b"PK\x03\x04", b"PK\x05\x06")),
    ".tar": (257, (b"ustar",)),
    ".tar.gz": (0, (b"\x1f\x8b",)),
    ".tgz": (0, (b"\x1f\x8b",)),
}


class PassingFault(DataError):  # noqa: N818 - what it is: a fault that passes
    """A fault that may be gone at the next try; ``wait_s`` is the pause the server asked for, if it did."""

    def __init__(self, message: str, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def require_safe_url(url: str, *, where: str) -> None:
    """Refuse addresses that are not https, except plain http to this machine.

    Raises
    ------
    ConfigError
        For any other address.
    """
    try:
        scheme, host = _scheme_and_host(url)
    except ValueError:
        scheme = host = ""
    if scheme == "https" or (scheme == "http" and host in LOOPBACK):
        return
    raise ConfigError(
        f"{where}: {url} is not an https address, and what comes over plain http can be replaced on its way; "
        f"fetch the file by hand, check it and unpack it where the data set belongs"
    )


def redirect_target(origin: str, hop: str, location: str, *, where: str) -> str:
    """Absolute address of a redirect, if it may be followed.

    The rule: to the host of ``origin`` (the listed address), its subdomains and its ``STORAGE_HOSTS``; and
    never from https to anything else.

    Raises
    ------
    DataError
        If it may not.
    """
    old_scheme, old_host = _scheme_and_host(hop)
    try:
        target = urljoin(hop, location)
        scheme, host = _scheme_and_host(target)
    except ValueError as error:
        raise DataError(f"{where}: redirected from {old_host} to {location!r}, which is no address") from error
    if scheme not in ("https", old_scheme):
        raise DataError(f"{where}: redirected from {old_scheme} to {scheme} ({target}); not followed, not secure")
    home = _scheme_and_host(origin)[1].removeprefix("www.")
    allowed = (home, *STORAGE_HOSTS.get(home, ()))
    if not any(host == name or host.endswith(f".{name}") for name in allowed):
        raise DataError(
            f"{where}: redirected from {old_host} to another host, {host}, and not followed: downloads stay "
            f"on {' and '.join(allowed)} and subdomains. If the publisher moved, fetch {target} by hand"
        )
    return target


def _scheme_and_host(url: str) -> tuple[str, str]:
    """Scheme and host of an address; ValueError if it has none."""
    # The parser of the library that connects: two parsers can read two hosts in one crafted address.
    from urllib3.util import parse_url

    parts = parse_url(url)
    if not parts.scheme or not parts.host:
        raise ValueError(f"{url!r} has no scheme or no host")
    return parts.scheme, parts.host


@contextmanager
def connecting(host: str, *, where: str, patience_s: tuple[float, float]) -> Iterator[None]:
    """Say what went wrong before a server answered."""
    import requests

    try:
        yield
    except requests.exceptions.SSLError as error:
        raise DataError(
            f"{where}: the certificate of {host} was not accepted ({_root(error)}). asc-bench never goes "
            f"on unverified: check this machine's clock, and set REQUESTS_CA_BUNDLE if your organisation has "
            f"certificates of its own"
        ) from error
    except requests.exceptions.Timeout as error:
        raise PassingFault(
            f"{where}: timeout, no answer within {patience_s[0]:g} s to connect and {patience_s[1]:g} s after"
        ) from error
    except requests.exceptions.RequestException as error:
        raise DataError(
            f"{where}: no connection to {host} ({_root(error)}); check the network and run the same command again"
        ) from error


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def require_status(answer: requests.Response, expected: int, *, where: str) -> None:
    """Refuse an answer with another status than the expected one.

    Raises
    ------
    PassingFault
        If the server is busy (429, or 503) or has a fault of its own (5xx).
    DataError
        For any other status.
    """
    status, said = answer.status_code, f"{answer.status_code} {answer.reason}".strip()
    if status == expected:
        return
    if status in (429, 503) and (wait_s := _retry_after_s(answer)) is not None:
        until = datetime.now(tz=UTC) + timedelta(seconds=wait_s)
        raise PassingFault(
            f"{where}: the server is busy ({said}) and asks to wait {wait_s:.0f} s, until "
            f"{until:%Y-%m-%d %H:%M:%S} UTC; run the same command again after that",
            wait_s=wait_s,
        )
    if status == 429:
        raise DataError(f"{where}: too many requests ({said}), with no time to wait; try again in an hour")
    if status >= 500:
        raise PassingFault(f"{where}: the server has a fault ({said}); try again later")
    if status in (404, 410):
        raise DataError(f"{where}: there is no such file ({said}); look at the publisher's page for a new address")
    if status in (401, 403):
        raise DataError(f"{where}: the server denies access ({said}); fetch the file by hand")
    raise DataError(f"{where}: the server answered {said}, {expected} was expected")


def _retry_after_s(answer: requests.Response) -> float | None:
    """Seconds that ``Retry-After`` asks for, given there as a number or as a date."""
    value = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(tz=UTC)).total_seconds())


def announced_bytes(answer: requests.Response, *, n_listed: int | None, where: str) -> int | None:
    """Size of the whole file as the server announces it, else as it is listed, in bytes.

    Raises
    ------
    DataError
        If the two contradict each other, or the content is transformed on its way.
    """
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise DataError(f"{where}: the server sends it {encoding}-encoded, though the plain file was asked for")
    in_range = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    length = in_range.group(1) if in_range else answer.headers.get("Content-Length", "")
    if not re.fullmatch(r"\d{1,18}", length) or (answer.status_code == 206 and not in_range):
        return n_listed
    if n_listed is not None and int(length) != n_listed:
        raise DataError(
            f"{where}: the server offers {int(length):,} bytes and {n_listed:,} are listed: "
            f"the publisher replaced the file, or this is not it"
        )
    return int(length)


def check_head(file: str, head: bytes, *, content_type: str = "", where: str) -> None:
    """Look at the first ``HEAD_BYTES`` of a file for what its name promises.

    Raises
    ------
    DataError
        For a web page, for nothing at all, and for an archive that does not begin like one.
    """
    text = head.lstrip().lower()
    if content_type.startswith("text/html") or text.startswith((b"<!doctype html", b"<html")):
        raise DataError(
            f"{where}: the server sent a web page ({content_type or 'HTML'}) instead of the file; open the "
            f"address in a browser to see what it wants"
        )
    if not head:
        raise DataError(f"{where}: the server sent an empty file")
    for suffix, (offset, magics) in _MAGIC.items():
        if file.lower().endswith(suffix) and not head[offset:].startswith(magics):
            raise DataError(f"{where}: this is no {suffix} file, it begins with {head[:16]!r}")
