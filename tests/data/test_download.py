"""Downloads from a real server on the loopback interface, from which some files are bad."""

import gzip
import hashlib
import shutil

import pytest

from stages.data import download
from stages.errors import UserError
from tests import drawn

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILES = {
    "good.gz": gzip.compress(CONTENT),
    "plain": CONTENT,
    "sign-in": b"<html>please sign in</html>",
    "other.gz": gzip.compress(b"other content"),
    "half.gz": gzip.compress(CONTENT)[:-9],
}
DEAD = "http://127.0.0.1:1/good.gz"


@pytest.fixture
def fetch(here, mirror):
    """Return a function that downloads the first good one of the mirror's files."""
    drawn.tree(here / "mirror", FILES)

    def fetch(*files, path=here / "new/images"):
        urls = [file if file == DEAD else mirror + file for file in files]
        return download.fetch(urls, path, SHA256, "name a folder in data.folder")

    return fetch


@pytest.mark.parametrize("file", ["good.gz", "plain"])
def test_a_file_is_downloaded_once_however_it_is_compressed(here, fetch, file):
    assert fetch(file).read_bytes() == CONTENT
    assert [path.name for path in (here / "new").iterdir()] == ["images"]
    shutil.rmtree(here / "mirror")
    assert fetch(file) == here / "new/images"


@pytest.mark.parametrize("bad", [DEAD, "absent", "sign-in", "other.gz", "half.gz"])
def test_the_next_mirror_is_used_and_a_damaged_file_replaced(here, fetch, bad):
    (here / "images").write_bytes(b"damaged")
    assert fetch(bad, "good.gz", path=here / "images").read_bytes() == CONTENT
    assert [path.name for path in here.iterdir() if path.is_file()] == ["images"]


def test_the_error_names_the_file_each_failure_and_the_advice(here, fetch):
    with pytest.raises(UserError) as refusal:
        fetch(DEAD, "absent", "sign-in")
    parts = ("images", "127.0.0.1:1:", "404", "not the expected content", "data.folder")
    assert all(part in str(refusal.value) for part in parts)
    assert "\n" not in str(refusal.value)
    assert list((here / "new").iterdir()) == []


def test_an_unwritable_folder_is_refused(here, fetch):
    (here / "data").write_text("a file")
    with pytest.raises(UserError, match="data/downloads"):
        fetch("good.gz", path=here / "data/downloads/images")
