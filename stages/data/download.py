"""Downloads: several mirrors, resumed when cut, and a finished name only for checked content."""

import contextlib
import http.client
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from stages.errors import UserError

TIMEOUT = 20  # seconds without any answer
CHUNK = 1 << 16  # bytes
NETWORK_ERRORS = (  # of the OSErrors only those: a full disk is not the mirror's fault
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)
Accepted = TypeVar("Accepted")


def fetch(
    urls: Sequence[str], path: Path, accept: Callable[[Path], Accepted], advice: str
) -> Accepted:
    """Make sure that a file is there and is the right one: kept from before or downloaded.

    What has arrived is kept beside it (`<name>.<mirror>.part`) and resumed by the next try, also
    in a later run. Only accepted content gets the finished name. A lock keeps several processes
    from downloading the same file at once.

    Args:
        urls: the file's address on each mirror, the first choice first.
        path: the finished file.
        accept: reads a file and returns what is wanted of it, or raises UserError when the
            content is not as expected.
        advice: what the user can do when no mirror helps; the end of the message.

    Returns:
        What `accept` returned.

    Raises:
        ConnectionError: when no mirror gave the file.
        OSError: when the file cannot be written.
    """
    _make_folder(path.parent)
    parts = [path.with_name(f"{path.name}.{number}.part") for number in range(1, len(urls) + 1)]
    reasons = []
    with FileLock(f"{path}.lock"):
        if path.exists():
            with contextlib.suppress(UserError):  # damaged since: download it again
                return accept(path)
        for url, part in zip(urls, parts, strict=True):
            try:
                accepted = _from_mirror(url, part, accept)
            except NETWORK_ERRORS as error:
                reasons.append(f"{urllib.parse.urlsplit(url).netloc}: {_reason(error)}")
            except UserError:
                reasons.append(f"{urllib.parse.urlsplit(url).netloc}: not the expected content")
            else:
                part.replace(path)
                for other in parts:
                    other.unlink(missing_ok=True)
                return accepted
    raise UserError(f"{path.name} cannot be downloaded ({'; '.join(reasons)}); {advice}.")


def _from_mirror(url: str, part: Path, accept: Callable[[Path], Accepted]) -> Accepted:
    """Bring `part` to its full length and return what `accept` makes of it."""
    restarted = False
    while True:
        before = _size(part)
        try:
            _continue(url, part, before)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not before:
                raise
        except NETWORK_ERRORS:
            if _size(part) <= before:  # no progress: the mirror is of no use now
                raise
            continue
        try:
            return accept(part)
        except UserError:
            part.unlink()
            if restarted or not before:
                raise
            restarted = True  # the pieces may have been of different files: once more from zero


def _continue(url: str, part: Path, before: int) -> None:
    """Ask for what is missing after the first `before` bytes and add it to `part`."""
    from tqdm import tqdm  # only a download needs it

    headers = {"Range": f"bytes={before}-"} if before else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http(s) from our lists
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        start = before if resumed else 0
        length = answer.headers["Content-Length"]
        total = start + int(length) if length else None
        with (
            part.open("ab" if resumed else "wb") as file,
            tqdm(
                desc=part.name.split(".")[0],
                initial=start,
                total=total,
                unit="B",
                unit_scale=True,
                disable=None,  # no bar where nobody watches
            ) as bar,
        ):
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and _size(part) < total:  # urllib ends a cut answer without an error
        raise ConnectionError(f"cut after {_size(part)} of {total} bytes")


def _make_folder(folder: Path) -> None:
    """Make a folder, or say in one sentence that nothing can be written there."""
    reason = "no permission"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise UserError(f"{folder} cannot be written ({reason}); make it a folder that can be.")


def _size(part: Path) -> int:
    """Return the number of bytes that have arrived, 0 when there is no file."""
    return part.stat().st_size if part.exists() else 0


def _reason(error: Exception) -> str:
    """Say in a few words why a mirror did not help."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__
