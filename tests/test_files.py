import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_replacing_puts_the_file_in_place_with_its_folder(tmp_path):
    with replacing(tmp_path / "new" / "a.txt") as beside:
        beside.write_text("whole")
        assert not (tmp_path / "new" / "a.txt").exists()
        assert beside.suffix == ".txt"
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"
    assert os.listdir(tmp_path / "new") == ["a.txt"]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_writing_leaves_the_old_file_and_nothing_else(tmp_path, interruption):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with replacing(path) as beside:
            beside.write_text("ha")
            raise interruption

    with pytest.raises(interruption):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_cannot_be_written_is_one_sentence_and_what_cannot_be_read_is_left_as_it_is(tmp_path):
    (tmp_path / "file").write_text("where a folder belongs")
    path = tmp_path / "file" / "new" / "a.json"
    with pytest.raises(UserError, match=r"a\.json .*Not a directory"):
        write_json(path, {})
    with pytest.raises(FileNotFoundError, match="absent"), replacing(tmp_path / "a"):
        (tmp_path / "absent").read_text()


def test_a_folder_is_known_to_be_writable_before_it_is_made_and_nothing_is_left(tmp_path):
    check_writable(tmp_path / "results" / "basic")
    assert os.listdir(tmp_path) == []
    (tmp_path / "results").write_text("a file where the folder belongs")
    with pytest.raises(UserError, match=r"results/basic .*Not a directory"):
        check_writable(tmp_path / "results" / "basic")


def test_the_disk_has_a_file_before_its_name_and_the_name_before_the_block_is_over(
    tmp_path, monkeypatch
):
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
    with replacing(tmp_path / "a.txt") as beside:
        beside.write_text("a")
    assert calls == [("fsync", str(beside)), ("rename", str(beside)), ("fsync", str(tmp_path))]


def test_others_may_read_a_written_file(tmp_path):
    write_json(tmp_path / "a.json", {})
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644


def test_json_keeps_letters_and_full_precision(tmp_path):
    content = {"class": "größer", "accuracy": 0.1 + 0.2}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content
    assert "größer" in (tmp_path / "a.json").read_text(encoding="utf-8")


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_a_table_of_floats_reads_as_the_same_bits(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("table") / "a.csv"
    write_table(path, ("value",), [(value,) for value in values])
    assert [row["value"] for row in read_table(path)] == values


def test_a_column_becomes_numbers_only_as_a_whole(tmp_path):
    write_table(tmp_path / "a.csv", ("n", "x", "class"), [(1, 0.5, "7"), (2, math.nan, "seven")])
    first, second = read_table(tmp_path / "a.csv")
    assert first == {"n": 1, "x": 0.5, "class": "7"}
    assert second["class"] == "seven"
    assert math.isnan(second["x"])


@pytest.mark.parametrize("text", ["a,b\n1\n", "a,b\n1,2,3\n", "b,c\n1,2\n", "", "a\0,b\n\xff"])
def test_a_damaged_table_is_one_sentence(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"t\.csv .*`dvc repro`"):
        read_table(tmp_path / "t.csv", ["a"])


@pytest.mark.parametrize("text", ["", "[", '{"b": 1}', "[1]", "3", '{"a": 1', "\xff"])
def test_damaged_json_is_one_sentence(tmp_path, text):
    (tmp_path / "t.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"t\.json .*`dvc repro`"):
        read_json(tmp_path / "t.json", ["a"])


def test_damaged_arrays_are_one_sentence(tmp_path):
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


def test_a_table_without_rows_is_a_header(tmp_path):
    write_table(tmp_path / "a.csv", ("a", "b"), [])
    assert (tmp_path / "a.csv").read_text() == "a,b\n"
    assert read_table(tmp_path / "a.csv") == []


KILLED = """
import sys
from pathlib import Path
from stages.files import replacing
with replacing(Path(sys.argv[1]) / "a.txt") as beside:
    beside.write_text("ha")
    print("half", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_goes_with_the_next_writing_and_a_living_one_s_stays(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [writer.stdout.readline() for writer in writers] == ["half\n"] * 2
    killed, living = writers
    killed.kill()
    killed.wait()
    assert len(os.listdir(tmp_path)) == 2
    write_json(tmp_path / "b.json", {})
    assert len(list(tmp_path.glob(".partial-*"))) == 1
    living.communicate("")
    assert living.returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.json"]


def test_what_is_being_written_is_not_listed(tmp_path):
    for name in ("b.json", "a.json", ".partial-x.json", "c.csv"):
        (tmp_path / name).touch()
    (tmp_path / ".partial-folder").mkdir()
    assert [path.name for path in listed(tmp_path)] == ["a.json", "b.json", "c.csv"]
    assert [path.name for path in listed(tmp_path, "*.json")] == ["a.json", "b.json"]
    assert listed(tmp_path / "missing") == []
