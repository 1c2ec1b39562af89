"""Downloads from real servers on the loopback interface that behave well or badly."""

import gzip
import hashlib
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stages.data import download
from stages.errors import UserError

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMPRESSED = gzip.compress(CONTENT)
ADVICE = "name a folder in data.folder"


class Mirror(ThreadingHTTPServer):
    """Serves one body, or an error status; `cut` is after how many bytes it hangs up."""

    def __init__(self, body=COMPRESSED, cut=None, status=200):
        super().__init__(("127.0.0.1", 0), Answer)
        self.body, self.cut, self.status = body, cut, status
        self.requests = 0
        self.host = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.host}/images.gz"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self):
        mirror = self.server
        mirror.requests += 1
        if mirror.status != 200:
            return self.send_error(mirror.status)
        self.send_response(200)
        self.send_header("Content-Length", str(len(mirror.body)))
        self.end_headers()
        self.wfile.write(mirror.body[: mirror.cut])

    def log_message(self, *ignored):
        pass


@pytest.fixture
def mirror():
    """Start mirrors, and stop them after the test."""
    with ExitStack() as stop:

        def start(**settings):
            started = stop.enter_context(Mirror(**settings))
            stop.callback(started.shutdown)
            return started

        yield start


DEAD = "http://127.0.0.1:1/images.gz"


def fetch(path, *urls):
    return download.fetch(urls, path, SHA256, ADVICE)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("body", [COMPRESSED, CONTENT])
def test_a_file_is_downloaded_once_however_it_is_compressed(tmp_path, mirror, body):
    good = mirror(body=body)
    path = tmp_path / "new" / "images"
    for _ in range(2):
        assert fetch(path, good.url) == path
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["images"]
    assert good.requests == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"status": 404},
        {"body": b"<html>please sign in</html>"},
        {"body": gzip.compress(b"other content")},
        {"body": COMPRESSED[:-9]},  # a whole answer with half a file
        {"cut": 1000},
    ],
)
def test_the_next_mirror_is_used_and_a_damaged_file_replaced(tmp_path, mirror, bad):
    (tmp_path / "images").write_bytes(b"damaged")
    first, second = mirror(**bad), mirror()
    path = fetch(tmp_path / "images", DEAD, first.url, second.url)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["images"]
    assert first.requests == second.requests == 1


def test_the_error_names_the_file_each_failure_and_the_advice(tmp_path, mirror):
    absent, wrong = mirror(status=404), mirror(body=b"<html>")
    with pytest.raises(UserError, match=r"images.*404") as refusal:
        fetch(tmp_path / "images", DEAD, absent.url, wrong.url)
    message = str(refusal.value)
    assert all(part in message for part in ("127.0.0.1:1:", absent.host, wrong.host, ADVICE))
    assert "\n" not in message
    assert names(tmp_path) == []


def test_an_unwritable_folder_is_refused_before_any_request(tmp_path, mirror):
    (tmp_path / "data").write_text("a file")
    good = mirror()
    with pytest.raises(UserError, match="data/downloads"):
        fetch(tmp_path / "data/downloads/images", good.url)
    assert good.requests == 0
