"""Downloads against a real server on the loopback that behaves well or badly."""

import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stages.data import download
from stages.errors import UserError

CONTENT = bytes(range(256)) * 1000  # more than one chunk
ADVICE = "name a folder in data.folder"


class Mirror(ThreadingHTTPServer):
    """Serves one content; `cuts` says after how many bytes each of the first answers ends."""

    def __init__(self, content=CONTENT, cuts=(), ranges=True, status=None):
        super().__init__(("127.0.0.1", 0), Answer)
        self.content, self.cuts, self.ranges, self.status = content, list(cuts), ranges, status
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/images.gz"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self):
        mirror = self.server
        wanted = self.headers["Range"]
        mirror.asked.append(wanted)
        if mirror.status:
            return self.send_error(mirror.status)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and mirror.ranges else 0
        if start and start >= len(mirror.content):
            return self.send_error(416)
        body = mirror.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: mirror.cuts.pop(0)] if mirror.cuts else body)

    def log_message(self, *ignored):
        pass


@pytest.fixture
def mirror():
    """Start mirrors, and stop them after the test."""
    started = []

    def start(**settings):
        started.append(Mirror(**settings))
        return started[-1]

    yield start
    for one in started:
        one.shutdown()
        one.server_close()


@pytest.fixture
def dead_url():
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/images.gz"


def accept(path):
    content = path.read_bytes()
    if content != CONTENT:
        raise UserError("wrong")
    return len(content)


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_file_comes_whole_and_is_asked_for_once(tmp_path, mirror):
    good = mirror()
    path = tmp_path / "new" / "images.gz"
    for _ in range(2):
        assert download.fetch([good.url], path, accept, ADVICE) == len(CONTENT)
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["images.gz"]
    assert good.asked == [None]


@pytest.mark.parametrize(
    ("ranges", "asked"),
    [(True, [None, "bytes=100000-", "bytes=150000-"]), (False, [None, "bytes=100000-"])],
)
def test_a_cut_connection_is_resumed_where_it_was_cut(tmp_path, mirror, ranges, asked):
    cutting = mirror(cuts=[100_000, 50_000] if ranges else [100_000], ranges=ranges)
    path = tmp_path / "images.gz"
    download.fetch([cutting.url], path, accept, ADVICE)
    assert path.read_bytes() == CONTENT
    assert cutting.asked == asked


def test_a_later_run_goes_on_with_what_an_earlier_one_left(tmp_path, mirror):
    path = tmp_path / "images.gz"
    cutting = mirror(cuts=[100_000, 0])
    with pytest.raises(UserError, match="cut after 100000 of 256000 bytes"):
        download.fetch([cutting.url], path, accept, ADVICE)
    assert names(tmp_path) == ["images.gz.1.part"]
    download.fetch([cutting.url], path, accept, ADVICE)
    assert cutting.asked[-1] == "bytes=100000-"
    assert names(tmp_path) == ["images.gz"]


@pytest.mark.parametrize("left", [b"other content", b"x" * len(CONTENT), CONTENT + b"more"])
def test_what_was_left_of_another_file_is_dropped(tmp_path, mirror, left):
    (tmp_path / "images.gz.1.part").write_bytes(left)
    good = mirror()
    download.fetch([good.url], tmp_path / "images.gz", accept, ADVICE)
    assert (tmp_path / "images.gz").read_bytes() == CONTENT
    assert good.asked == [f"bytes={len(left)}-", None]


def test_a_whole_part_is_taken_without_a_second_download(tmp_path, mirror):
    (tmp_path / "images.gz.1.part").write_bytes(CONTENT)
    good = mirror()
    download.fetch([good.url], tmp_path / "images.gz", accept, ADVICE)
    assert good.asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("bad", [{"status": 404}, {"status": 503}, {"content": b"<html>"}])
def test_the_next_mirror_helps(tmp_path, mirror, bad):
    first, second = mirror(**bad), mirror()
    download.fetch([first.url, second.url], tmp_path / "images.gz", accept, ADVICE)
    assert names(tmp_path) == ["images.gz"]
    assert len(first.asked) == len(second.asked) == 1


def test_a_dead_mirror_is_passed_over(tmp_path, mirror, dead_url):
    download.fetch([dead_url, mirror().url], tmp_path / "images.gz", accept, ADVICE)
    assert names(tmp_path) == ["images.gz"]


def test_two_mirrors_pieces_are_never_joined(tmp_path, mirror):
    first, second = mirror(cuts=[100_000, 0]), mirror()
    download.fetch([first.url, second.url], tmp_path / "images.gz", accept, ADVICE)
    assert second.asked == [None]
    assert names(tmp_path) == ["images.gz"]


def test_wrong_content_never_gets_the_finished_name(tmp_path, mirror):
    wrong = mirror(content=b"<html>please sign in</html>")
    with pytest.raises(UserError, match="not the expected content"):
        download.fetch([wrong.url], tmp_path / "images.gz", accept, ADVICE)
    assert names(tmp_path) == []


def test_wrong_content_that_is_cut_each_time_ends_too(tmp_path, mirror):
    wrong = mirror(content=b"x" * 1000, cuts=[10, 990] * 5)
    with pytest.raises(UserError, match="not the expected content"):
        download.fetch([wrong.url], tmp_path / "images.gz", accept, ADVICE)
    assert len(wrong.asked) == 4


def test_a_finished_file_that_was_damaged_is_replaced(tmp_path, mirror):
    (tmp_path / "images.gz").write_bytes(b"damaged")
    download.fetch([mirror().url], tmp_path / "images.gz", accept, ADVICE)
    assert (tmp_path / "images.gz").read_bytes() == CONTENT


def test_when_no_mirror_helps_one_sentence_says_why_and_what_to_do(tmp_path, mirror, dead_url):
    absent = mirror(status=404)
    with pytest.raises(UserError) as refusal:
        download.fetch([dead_url, absent.url], tmp_path / "images.gz", accept, ADVICE)
    host, gone = dead_url.split("/")[2], absent.url.split("/")[2]
    assert str(refusal.value) == (
        f"images.gz cannot be downloaded ({host}: Connection refused; {gone}: HTTP status 404); "
        "name a folder in data.folder."
    )
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named_and_no_mirror_is_asked(tmp_path, mirror):
    (tmp_path / "data").write_text("a file")
    good = mirror()
    with pytest.raises(UserError, match=r"data/downloads cannot be written \(Not a directory\)"):
        download.fetch([good.url], tmp_path / "data/downloads/images.gz", accept, ADVICE)
    assert good.asked == []
