"""What a power loss leaves of logged calls; test_quick.py replays those of a training."""

import pytest

from benchmarks.power_loss import Call, Disk, calls


def call(name, path, to="", at=0, data=b""):
    return Call(name, path, to, at, data)


CAREFUL = [
    call("truncate", "new/.partial-a"),
    call("write", "new/.partial-a", data=b"12"),
    call("write", "new/.partial-a", at=2, data=b"34"),
    call("fsync", "new/.partial-a"),
    call("rename", "new/.partial-a", "new/a"),
    call("fsync", "new"),
]
CARELESS = [one for one in CAREFUL if one.name != "fsync"]


@pytest.fixture
def disk(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new/a").write_bytes(b"old")
    return Disk(tmp_path)


@pytest.mark.parametrize(
    ("done", "nothing", "names", "halves"),
    [
        (CAREFUL, b"1234", b"1234", b"1234"),
        (CAREFUL[:-1], b"old", b"1234", b"1234"),  # the name was not flushed
        (CARELESS, b"old", b"", b"12"),
        ([call("truncate", "new/a"), call("write", "new/a", data=b"1234")], b"old", b"", b"12"),
        ([call("unlink", "new/a")], b"old", None, None),
        ([call("unlink", "new/a"), call("fsync", "new")], None, None, None),
    ],
)
def test_only_what_was_flushed_is_certain(disk, done, nothing, names, halves):
    for one in done:
        disk.apply(one)
    left = [disk.after_power_loss(way).get("new/a") for way in ("nothing", "names", "halves")]
    assert left == [nothing, names, halves]


def test_a_file_that_is_written_again_is_as_it_was_flushed_last(disk):
    for one in [*CAREFUL, call("write", "new/a", at=1, data=b"xyz5")]:
        disk.apply(one)
    assert disk.after_power_loss("nothing") == {"new/a": b"1234"}
    assert disk.after_power_loss("halves") == {"new/a": b"1x"}


def test_a_renamed_folder_takes_its_files_along(disk):
    disk.apply(call("rename", "new", "other"))
    assert disk.after_power_loss("names") == {"other/a": b"old"}
    assert disk.after_power_loss("nothing") == {"new/a": b"old"}


def test_a_log_is_read_with_the_bytes_that_were_written(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(
        b"write\t/w/a\t\t3\t4\n\n\t\n1rename\t/w/a\t/w/b/c\t0\t0\nwrite\t/w/x (deleted)\t\t0\t1\nz"
    )
    assert [*calls(log, "/w")] == [
        call("write", "a", at=3, data=b"\n\t\n1"),
        call("rename", "a", "b/c"),
    ]
