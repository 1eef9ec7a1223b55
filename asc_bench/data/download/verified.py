"""One archive from its publisher, kept only if it is what the list says."""

from __future__ import annotations

import re
from pathlib import Path

from asc_bench.data.download.http import Patience, Progress, forget, silent, transfer
from asc_bench.data.download.server import HEAD_BYTES, check_head, require_safe_url
from asc_bench.data.resources import Archive
from asc_bench.errors import ConfigError, DataError
from asc_bench.files import writing

SHA256_DIGITS = 64


def download(
    archive: Archive,
    folder: Path,
    *,
    progress: Progress = silent,
    allow_unverified: bool = False,
    patience: Patience | None = None,
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
        Whether to take an archive for which no digest is published. The sha256 of what came is then recorded
        beside it as ``NAME.sha256``, and whatever comes later must agree with it.
    patience : Patience, optional
        Waits and attempts.

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
    import pooch

    require_fetchable(archive, allow_unverified=allow_unverified)
    final, part = folder / archive.file, folder / f"{archive.file}.part"
    known = digest_of(archive, folder)
    if known is None and final.exists():
        _check_unrecorded(archive, final)

    arrived = False

    def fetch(url: str, output_file: str, caller: object) -> None:
        nonlocal arrived
        transfer(archive, part, progress=progress, patience=patience or Patience())
        if known is None:
            _require_beginning(archive, part)
        part.replace(output_file)
        forget(part)
        arrived = True

    pooch.get_logger().setLevel("WARNING")
    try:
        with writing(final):
            pooch.retrieve(archive.url, known, fname=archive.file, path=folder, downloader=fetch)
    except ValueError as error:
        if not arrived:
            raise
        # From pooch, which compared the digest and deleted the file.
        raise DataError(
            f"{archive.file} from {archive.url}: the digest changed. {error} Try once more; if it stays so, "
            f"look whether the publisher replaced the file"
        ) from error
    if known is None:
        _record_digest(archive, final)
    if known is None and archive.sha256 is None:
        progress(1.0, f"{archive.file}: not verified, no digest is published; its sha256 was recorded")
    return final


def require_fetchable(archive: Archive, *, allow_unverified: bool) -> None:
    """Refuse, before anything is asked of a server, what could not be fetched safely.

    Raises
    ------
    ConfigError
        For a plain http address, a name that is no plain file name, or a missing digest.
    """
    where = f"{archive.dataset}: {archive.file}"
    require_safe_url(archive.url, where=where)
    for name in (archive.dataset, archive.file):
        if not re.fullmatch(r"\w[\w.+-]*", name, flags=re.ASCII):
            raise ConfigError(f"{where}: {name!r} is no plain file name; fetch it by hand from {archive.url}")
    if archive.md5 is None and archive.sha256 is None and not allow_unverified:
        checkable = "only its size" if archive.n_bytes is not None else "neither its content nor its size"
        raise ConfigError(
            f"{where}: no digest is published, so {checkable} can be checked; "
            f"allow unverified archives if you trust {archive.url}"
        )


def digest_of(archive: Archive, folder: Path) -> str | None:
    """Digest that ``archive`` must have, as ``algorithm:hex``: the published one, else the recorded one.

    A published beginning of a digest is not one; see `check_and_record`.
    """
    if archive.md5:
        return f"md5:{archive.md5}"
    if archive.sha256 and len(archive.sha256) == SHA256_DIGITS:
        return f"sha256:{archive.sha256}"
    record = _record_of(archive, folder)
    if not record.exists():
        return None
    found = re.match(r"[0-9a-f]{64}(?= )", record.read_text(encoding="utf-8", errors="replace"))
    if found is None:
        raise DataError(f"{record} holds no sha256; delete it and the file beside it, to fetch both again")
    return f"sha256:{found.group()}"


def _record_of(archive: Archive, folder: Path) -> Path:
    return folder / f"{archive.file}.sha256"


def _record_digest(archive: Archive, final: Path) -> None:
    import pooch

    record = _record_of(archive, final.parent)
    with writing(record):
        record.write_text(f"{pooch.file_hash(final, alg='sha256')}  {archive.file}\n", encoding="utf-8")


def check_and_record(archive: Archive, folder: Path) -> str:
    """Full SHA-256 of the file of ``archive`` (one with ``sha256``) that lies in ``folder``, once it is verified.

    Where only its beginning is published, the full digest is recorded beside the file when it is first looked at,
    and whatever lies there later must agree with it.

    Raises
    ------
    DataError
        If it is another file.
    """
    import pooch

    path = folder / archive.file
    found: str = pooch.file_hash(path, alg="sha256")
    known = digest_of(archive, folder)
    wanted = known.removeprefix("sha256:") if known else archive.sha256
    if not wanted or not found.startswith(wanted):
        raise DataError(f"{path} is not the published file: its sha256 is {found}, not {wanted}...; delete it")
    if known is None:
        _record_digest(archive, path)
    return found


def _require_beginning(archive: Archive, part: Path) -> None:
    """Compare a file that arrived with what is published of its digest, and delete any other."""
    import pooch

    if archive.sha256 is None:
        return
    found = pooch.file_hash(part, alg="sha256")
    if not found.startswith(archive.sha256):
        forget(part)
        raise DataError(
            f"{archive.file} from {archive.url}: the digest changed. Its sha256 is {found}, and should begin with "
            f"{archive.sha256}. Try once more; if it stays so, look whether the publisher replaced the file"
        )


def _check_unrecorded(archive: Archive, path: Path) -> None:
    """Look at a file that was put in place by hand and that nothing vouches for."""
    with path.open("rb") as stream:
        check_head(archive.file, stream.read(HEAD_BYTES), where=str(path))
    n_bytes = path.stat().st_size
    if archive.n_bytes not in (None, n_bytes):
        raise DataError(f"{path} has {n_bytes:,} bytes and {archive.n_bytes:,} are listed; delete it")
    if archive.sha256:
        check_and_record(archive, path.parent)
