import io
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from stages.engine import fold_store
from stages.files import write_json
from stages.training.fold import FoldResult
from tests.prepared import record

WEIGHTS = [np.full((2, place + 1), place, "f4") for place in range(12)]
RECORD = record([0.1, 0.2], 2)._replace(weights=WEIGHTS)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def test_a_stored_fold_is_loaded_whole_and_in_order(tmp_path):
    fold_store.save("abc", 3, RECORD)
    assert (tmp_path / ".foldlab" / "folds" / "abc" / "fold-3.npz").exists()  # as DVC_ROOT says
    back = fold_store.load("abc", 3)
    for name in FoldResult._fields[:-1]:
        np.testing.assert_array_equal(getattr(back, name), getattr(RECORD, name))
    assert [weights[0, 0] for weights in back.weights] == list(range(12))
    assert fold_store.load("abc", 4) is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut", b"no zip at all", None])
def test_a_damaged_file_counts_as_missing(damage):
    fold_store.save("abc", 3, RECORD)
    path = fold_store.folder("abc") / "fold-3.npz"
    path.write_bytes(path.read_bytes()[:-300] if damage is None else damage)
    assert fold_store.load("abc", 3) is None
    stored = fold_store.arrays(path, lambda: {"a": np.arange(3)})
    assert fold_store.arrays(path, None)["a"].tolist() == stored["a"].tolist() == [0, 1, 2]


def test_a_model_is_built_once_and_again_when_it_is_damaged():
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        file.writestr("weights", b"1" * 1000)
    assert fold_store.model("abc", whole.getvalue) == whole.getvalue()
    assert fold_store.model("abc", None) == whole.getvalue()
    path = fold_store.folder("abc") / "model.keras"
    path.write_bytes(whole.getvalue()[:-100])  # as after a power failure
    assert fold_store.model("abc", whole.getvalue) == whole.getvalue()
    assert path.read_bytes() == whole.getvalue()


def age(folder, days):
    then = time.time() - days * 86400
    for path in folder.glob("*"):
        os.utime(path, (then, then))


@pytest.mark.parametrize("kind", ["scores", "backbones"])
def test_what_was_not_used_for_a_week_is_deleted(folder, kind):
    top = folder / ".foldlab" / kind
    for name in ("old.npz", "used.npz"):
        fold_store.arrays(top / name, dict)
    age(top, days=8)
    fold_store.arrays(top / "used.npz", dict)
    fold_store.arrays(top / "new.npz", dict)
    fold_store.prune()
    assert sorted(path.name for path in top.iterdir()) == ["new.npz", "used.npz"]


def test_old_blocks_of_features_are_deleted_and_those_being_computed_are_not(folder):
    top = folder / ".foldlab" / "features"
    for name in ("old", "computed"):
        (top / name).mkdir(parents=True)
        (top / name / "00000000.npy").touch()
        age(top / name, days=8)
    (top / "computed" / "00000256.npy").touch()
    fold_store.prune()
    assert [path.name for path in top.iterdir()] == ["computed"]


def test_old_trainings_are_deleted_unfinished_ones_much_later_and_with_a_message(capsys):
    for name, complete, days in (
        ("new", True, 6),
        ("old", True, 8),
        ("week", False, 8),
        ("season", False, 91),
        ("running", True, 1000),
        ("marked", "marked", 8),
        ("marked, then continued", "continued", 8),
    ):
        fold_store.save(name, 0, RECORD)
        if complete is True:
            fold_store.model(name, lambda: b"any")
        elif complete:
            fold_store.mark_complete([name, "never begun"])
        if complete == "continued":
            fold_store.save(name, 1, RECORD)
        age(fold_store.folder(name), days)
    fold_store.folder("begun").mkdir()  # by another process, which has not written a file yet
    with FileLock(fold_store.lock_path("running")):
        age(fold_store.folder("running"), 1000)
        fold_store.prune()
    left = {path.name for path in fold_store.folder("").iterdir()}
    assert left == {"new", "week", "running", "begun", "marked, then continued"}
    (line,) = capsys.readouterr().err.splitlines()
    assert "1 folds" in line


def test_trainings_whose_results_are_in_use_are_not_deleted(tmp_path):
    results = tmp_path / "results"
    write_json(results / "basic/training.json", {"fingerprint": "own"})
    vote = {"fingerprint": "vote", "members": {"a": "member"}}
    write_json(results / "vote/training.json", vote)
    (results / "broken").mkdir()
    (results / "broken/training.json").write_text("{")
    for name in ("own", "vote", "member", "gone"):
        fold_store.model(name, lambda: b"any")
        age(fold_store.folder(name), 8)
    fold_store.prune()
    assert {path.name for path in fold_store.folder("").iterdir()} == {"own", "vote", "member"}


def test_files_that_disappear_meanwhile_are_no_error(monkeypatch):
    """A file may disappear between being listed and being read."""
    fold_store.save("other", 0, RECORD)
    fold_store.save("old", 0, RECORD)
    age(fold_store.folder("old"), 91)
    gone = fold_store.folder("other") / "fold-9.npz"
    original = Path.glob

    def glob(path, pattern):
        found = list(original(path, pattern))
        return [*found, gone] if path.name == "other" else found

    monkeypatch.setattr(Path, "glob", glob)
    fold_store.prune()
    assert fold_store.load("other", 0) is not None
    assert fold_store.load("old", 0) is None
