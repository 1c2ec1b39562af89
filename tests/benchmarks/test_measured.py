"""What a record says of the place where it was made."""

from benchmarks import measured
from stages.files import read_json


def test_the_commit_is_that_of_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "_commit", lambda: "a later one")
    record = read_json(measured.write("some", {"seconds": 1}, tmp_path))
    assert record["environment"]["commit"].rstrip("+")
    assert record["environment"]["commit"] != "a later one"
    assert (record["benchmark"], record["seconds"]) == ("some", 1)
