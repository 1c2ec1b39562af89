"""What benchmarks.faults calls a fault, and what counts as a call; test_quick.py runs it."""

import ctypes
import subprocess
import sys

import pytest

from benchmarks import faults, preloaded
from benchmarks.preloaded import Ended
from stages.files import read_json

SENTENCE = "foldlab: a cannot be written (No space left on device); free disk space.\n"
TRACEBACK = "Traceback (most recent call last):\nOSError: [Errno 28] No space left on device\n"
BEFORE, AFTER = {"a": b"old"}, {"a": b"new", "b": b"new"}
CALLS = """
import os, pathlib, sys
inside, outside = map(pathlib.Path, sys.argv[1:])
for folder in (outside, inside):
    (folder / "a").mkdir()
    (folder / "a" / "b").write_text("12345678")
    (folder / "a" / "b").read_text()
    (folder / "a" / "b").rename(folder / "c")
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
"""


@pytest.mark.parametrize(
    ("status", "stderr", "error", "now", "wrong"),
    [
        (1, SENTENCE, "ENOSPC", BEFORE, ""),
        (1, SENTENCE, "EIO", {**BEFORE, "b": b"new"}, ""),
        (1, TRACEBACK, "EIO", BEFORE, "not one sentence"),
        (1, SENTENCE + SENTENCE, "EIO", BEFORE, "not one sentence"),
        (1, SENTENCE, "EIO", {"a": b"ne"}, "half-written: a"),
        (1, SENTENCE, "short", BEFORE, "no error"),
        (0, "", "short", AFTER, ""),
        (0, "", "EIO", BEFORE, "nothing said"),
        (0, SENTENCE, "EIO", BEFORE, ""),  # a warning; a later run writes what is missing
        (-9, "", "kill", BEFORE, ""),
        (-9, "", "kill", {"a": b""}, "half-written: a"),
        (-14, "", "EIO", BEFORE, "status -14"),  # it did not end in time
    ],
)
def test_what_is_wrong_after_a_failed_call(status, stderr, error, now, wrong):
    found = [*faults.inspect(Ended(status, stderr, {}, "a", 0.0), error, BEFORE, AFTER, now)]
    assert bool(found) == bool(wrong)
    assert wrong in "".join(found)


@pytest.mark.parametrize(
    ("kind", "error", "raised"),
    [
        ("open", "ENOSPC", "No space left"),
        ("write", "EIO", "Input/output error"),
        ("write", "short", ""),
        ("fsync", "EIO", "Input/output error"),
        ("rename", "EIO", "Input/output error"),
        ("mkdir", "ENOSPC", "No space left"),
        ("rename", "kill", None),
    ],
)
def test_the_first_call_of_each_kind_in_the_folder_fails(tmp_path, kind, error, raised):
    shared = preloaded.Shared(kind=preloaded.KINDS.index(kind), nth=1)
    shared.error = preloaded.ERRORS[error]
    (tmp_path / "shared").write_bytes(bytes(shared))
    folders = tmp_path / "work", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    given = preloaded.library(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", CALLS, *folders], env=given, capture_output=True, text=True
    )
    counted = preloaded.Shared.from_buffer_copy((tmp_path / "shared").read_bytes())
    assert str(folders[0]) in counted.at.decode()
    assert (folders[1] / "c").read_text() == "12345678"  # no call there fails
    if raised == "":
        assert done.returncode == 0, done.stderr
        assert (folders[0] / "c").read_text() == "12345678"
        assert [*counted.count] == [1, 2, 1, 1, 1]
    else:
        assert done.returncode == (1 if raised else -9)
        assert (raised or "") in done.stderr
        assert not (folders[0] / "c").exists() or kind == "fsync"
    assert ctypes.sizeof(preloaded.Shared) == (tmp_path / "shared").stat().st_size


def row(injected, *faults):
    return {"calls": {"open": 3}, "injected": injected, "faults": [*faults], "commit": "a"}


def test_a_complete_series_is_added_to_the_record_command_by_command(tmp_path, monkeypatch):
    def measure(watched, names, most, quick):
        assert most >= 10**6
        yield "plot", row(2)
        assert [*read_json(tmp_path / "faults-complete.json")["commands"]] == ["plot"]
        yield "prepare", row(5)

    monkeypatch.setattr(sys, "argv", ["faults", "--complete", "--folder", str(tmp_path)])
    monkeypatch.setattr(faults.preloaded, "restart", lambda name: None)
    monkeypatch.setattr(faults, "Watched", lambda workers: None)
    monkeypatch.setattr(faults, "measure", measure)
    faults.main()
    monkeypatch.setattr(faults, "measure", lambda *given: iter([("prepare", row(1, "lost"))]))
    with pytest.raises(SystemExit, match="prepare: lost"):
        faults.main()
    found = read_json(tmp_path / "faults-complete.json")
    assert [*found["commands"].items()] == [("prepare", row(1, "lost")), ("plot", row(2))]
    assert (found["calls"], found["injected"], found["faults"]) == (6, 3, ["prepare: lost"])
