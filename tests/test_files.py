import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import files
from stages.errors import UserError
from stages.files import (
    check_writable,
    listed,
    read_array,
    read_arrays,
    read_json,
    read_table,
    replacing,
    write_json,
    write_table,
)


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, interruption):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("ha")
            raise interruption

    with pytest.raises(interruption):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_unwritable_path_is_named_and_other_errors_are_kept(tmp_path):
    (tmp_path / "file").write_text("where a folder belongs")
    path = tmp_path / "file" / "new" / "a.json"
    for write in (lambda: write_json(path, {}), lambda: check_writable(path)):
        with pytest.raises(UserError, match=r"a\.json .*Not a directory"):
            write()
    with pytest.raises(FileNotFoundError, match="absent"), replacing(tmp_path / "a"):
        (tmp_path / "absent").read_text()
    check_writable(tmp_path / "results" / "basic")
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_is_flushed_to_disk_before_and_its_folder_after_the_rename(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle):
        calls.append(("fsync", os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    def renamed(path, target):
        calls.append(("rename", str(path)))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("a")
        assert not path.exists()
        assert temporary.suffix == ".txt"
    assert calls == [
        ("fsync", str(temporary)),
        ("rename", str(temporary)),
        ("fsync", str(path.parent)),
    ]
    assert os.listdir(path.parent) == ["a.txt"]
    assert path.stat().st_mode & 0o777 == 0o644  # others may read it


def test_json_keeps_letters_and_full_precision(tmp_path):
    content = {"class": "größer", "accuracy": 0.1 + 0.2}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content
    assert "größer" in (tmp_path / "a.json").read_text(encoding="utf-8")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_a_table_of_floats_reads_as_the_same_bits(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "a.csv"
    write_table(path, ("value",), [(value,) for value in values])
    assert [row["value"] for row in read_table(path)] == values


def test_a_column_becomes_numbers_only_as_a_whole(tmp_path):
    rows = [(1, 0.5, "7", "a,b", ""), (2, math.nan, "seven", "NA", "")]
    write_table(tmp_path / "a.csv", ("n", "x", "class", "text", "none"), rows)
    first, second = read_table(tmp_path / "a.csv")
    assert first == {"n": 1, "x": 0.5, "class": "7", "text": "a,b", "none": ""}
    assert type(first["n"]) is int
    assert (second["class"], second["text"]) == ("seven", "NA")
    assert math.isnan(second["x"])
    write_table(tmp_path / "a.csv", ("class", "n"), [("01", 1), ("02", 2)])
    rows = [{"class": "01", "n": 1}, {"class": "02", "n": 2}]
    assert read_table(tmp_path / "a.csv", text=("class",)) == rows
    write_table(tmp_path / "a.csv", ("a", "b"), [])
    assert (tmp_path / "a.csv").read_text() == "a,b\n"
    assert read_table(tmp_path / "a.csv") == []


DAMAGED = [
    *((read_table, text) for text in ("a,b\n1\n", "a,b\n1,2,3\n", "b,c\n1,2\n", "", "a\0,b\n\xff")),
    *((read_json, text) for text in ("", "[", '{"b": 1}', "[1]", "3", '{"a": 1', "\xff")),
]


@pytest.mark.parametrize(("read", "text"), DAMAGED)
def test_a_damaged_text_file_is_named(tmp_path, read, text):
    (tmp_path / "t.txt").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"t\.txt .*`dvc repro`"):
        read(tmp_path / "t.txt", ["a"])


def test_damaged_arrays_are_named(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, a=np.arange(3), b=np.array("text"))
    assert read_arrays(path, ["b"]) == {"b": "text"}
    whole = path.read_bytes()
    np.save(tmp_path / "t.npy", np.arange(1000))
    assert read_array(tmp_path / "t.npy").sum() == 499500
    with pytest.raises(UserError, match=r"t\.npz .*`dvc repro`"):
        read_arrays(path, ["c"])
    for content in (b"", whole[:100], whole[:-40], whole.replace(b"\x93NUMPY", b"\x93NUMPX")):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"t\.npz .*`dvc repro`"):
            read_arrays(path, ["a"])
    for content in (b"", b"nothing", (tmp_path / "t.npy").read_bytes()[:500]):
        (tmp_path / "t.npy").write_bytes(content)
        with pytest.raises(UserError, match=r"t\.npy .*`dvc repro`"):
            read_array(tmp_path / "t.npy")
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "absent", ["a"])


KILLED = """
import sys
from pathlib import Path
from stages.files import replacing
with replacing(Path(sys.argv[1]) / "a.txt") as temporary:
    temporary.write_text("ha")
    print("half", flush=True)
    sys.stdin.read()
"""


def test_the_next_write_removes_a_killed_process_temporary_file_but_no_living_one_s(tmp_path):
    killed, living = (
        subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    )
    assert [writer.stdout.readline() for writer in (killed, living)] == ["half\n"] * 2
    killed.kill()
    killed.wait()
    assert len(os.listdir(tmp_path)) == 2
    write_json(tmp_path / "b.json", {})
    assert len(list(tmp_path.glob(".partial-*"))) == 1
    living.communicate("")
    assert living.returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.json"]


def test_an_array_in_blocks_has_the_bytes_that_numpy_saves(tmp_path):
    array = np.arange(60, dtype="<i2").reshape(5, 3, 4)
    blocks = (array[start : start + 2].copy() for start in range(0, 5, 2))
    files.write_blocks(tmp_path / "blocks.npy", array.dtype, array.shape, blocks)
    np.save(tmp_path / "whole.npy", array)
    assert (tmp_path / "blocks.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_temporary_files_are_not_listed(tmp_path):
    for name in ("b.json", "a.json", ".partial-x.json", "c.csv"):
        (tmp_path / name).touch()
    (tmp_path / ".partial-folder").mkdir()
    assert [path.name for path in listed(tmp_path)] == ["a.json", "b.json", "c.csv"]
    assert [path.name for path in listed(tmp_path, "*.json")] == ["a.json", "b.json"]
    assert listed(tmp_path / "missing") == []


def test_a_path_is_sought_in_the_working_folder_then_in_the_repository(monkeypatch, tmp_path):
    repository, working = tmp_path / "repository", tmp_path / "repository/experiment"
    for folder in (repository / "both", repository / "there", working / "both"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(working)
    assert files.root() == working
    monkeypatch.setenv("DVC_ROOT", str(repository))
    assert files.root() == repository
    assert files.find("both") == working / "both"
    for name in ("there", "nowhere"):
        assert files.find(name) == repository / name
        assert files.find(str(tmp_path / name)) == tmp_path / name


def test_a_scratch_array_is_on_disk_without_a_name_and_needs_room_first(folder):
    array = files.scratch((3, 4, 1))
    array[1] = 7
    assert array.sum() == 4 * 7
    assert list(Path(".foldlab").iterdir()) == []
    with pytest.raises(UserError, match=r"\.foldlab cannot be written"):
        files.scratch((2**20, 2**20, 2**10))  # a pebibyte
    assert files.scratch((0, 3)).shape == (0, 3)


def test_npz_files_have_the_same_bytes_with_every_release_of_python(tmp_path):
    """The digest was the same with Python 3.11.2 and 3.11.7, whose zipfile modules differ."""
    arrays = {"a": np.arange(1000), "s": np.array("x"), "e": np.zeros((0, 3))}
    path = tmp_path / "arrays.npz"
    files.write_arrays(path, arrays)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest.startswith("1b542ecd77bc")
    with np.load(path) as stored:
        assert stored.files == [*arrays]
        for name, array in arrays.items():
            np.testing.assert_array_equal(stored[name], array)
