"""Downloads with pooch: mirrors are tried in turn, and only verified content is kept."""

import sys
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from stages import files
from stages.data import idx
from stages.errors import UserError


def fetch(urls: Sequence[str], path: Path, sha256: str, advice: str) -> Path:
    """Download a file to `path` unless it is already there, and return `path`.

    `urls` are the file's addresses, gzip or plain, in order of preference. `sha256` is that of the
    decompressed content, since mirrors compress differently. When no mirror has the file, a
    UserError repeats `advice`.
    """
    import pooch  # takes 0.3 s with requests, and the default data is not downloaded
    import requests

    def download(url: str, output: str, pooch_object: object) -> None:
        """Download to pooch's temporary file and decompress it there, before pooch checks it."""
        pooch.HTTPDownloader(progressbar=sys.stderr.isatty())(url, output, pooch_object)
        Path(output).write_bytes(idx.content(Path(output)))

    files.check_writable(path.parent)
    failures = []
    for url in urls:
        host = urllib.parse.urlsplit(url).netloc
        try:
            pooch.retrieve(url, sha256, path.name, path.parent, downloader=download)
            return path
        except requests.RequestException as error:
            status = None if error.response is None else f"HTTP status {error.response.status_code}"
            failures.append(f"{host}: {status or type(error).__name__}")
        except ValueError:  # pooch: the digest differs; ours: damaged gzip
            failures.append(f"{host}: not the expected content")
    raise UserError(f"could not download {path.name} ({'; '.join(failures)}); {advice}.")
