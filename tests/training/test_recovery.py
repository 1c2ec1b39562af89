import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from stages import params
from stages.sections import Named
from stages.training import recovery
from stages.training.fold import HISTORY, Record
from stages.training.recipe import recipe
from tests.test_params import CONTENT

RECORD = Record(
    history=np.arange(2.0 * len(HISTORY)).reshape(2, -1),
    times=np.ones((2, 2)),
    best_epoch=np.array(2),
    validation=np.array([0, 3]),
    probability=np.full((2, 2), 0.5, "f4"),
    train_images=np.array(4),
    weights=[np.full((2, place + 1), place, "f4") for place in range(12)],
)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture
def chosen():
    return recipe(params.parse(CONTENT), "basic")


def test_a_kept_fold_comes_back_whole_and_in_order():
    recovery.keep("abc", 3, RECORD)
    back = recovery.kept("abc", 3)
    for name in Record._fields[:-1]:
        np.testing.assert_array_equal(getattr(back, name), getattr(RECORD, name))
    assert [weights[0, 0] for weights in back.weights] == list(range(12))


def test_what_was_not_kept_is_not_there():
    recovery.keep("abc", 3, RECORD)
    assert recovery.kept("abc", 4) is None
    assert recovery.kept("abd", 3) is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut", b"no zip at all"])
def test_a_damaged_file_counts_as_unfinished(damage):
    recovery.keep("abc", 3, RECORD)
    (recovery.folder("abc") / "fold-3.npz").write_bytes(damage)
    assert recovery.kept("abc", 3) is None


def test_a_cut_file_counts_as_unfinished():
    recovery.keep("abc", 3, RECORD)
    path = recovery.folder("abc") / "fold-3.npz"
    path.write_bytes(path.read_bytes()[:-300])
    assert recovery.kept("abc", 3) is None


def test_a_model_comes_back_whole_or_not_at_all():
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        file.writestr("weights", b"1" * 1000)
    recovery.keep_model("abc", whole.getvalue())
    assert recovery.kept_model("abc") == whole.getvalue()
    assert recovery.kept_model("abd") is None
    path = recovery.folder("abc") / "model.keras"
    path.write_bytes(whole.getvalue()[:-100])  # as a loss of power may leave it
    assert recovery.kept_model("abc") is None


def test_folds_lie_in_the_repository_that_dvc_names(tmp_path):
    recovery.keep("abc", 0, RECORD)
    assert (tmp_path / ".foldlab" / "folds" / "abc" / "fold-0.npz").exists()


def test_old_folds_are_forgotten_and_recent_ones_stay():
    recovery.keep("old", 0, RECORD)
    recovery.keep("new", 0, RECORD)
    os.utime(recovery.folder("old") / "fold-0.npz", (0, 0))
    recovery.forget_old()
    assert recovery.kept("old", 0) is None
    assert recovery.kept("new", 0) is not None


def test_a_training_that_another_process_begins_stays():
    """It has made its folder and no file yet."""
    recovery.folder("begun").mkdir(parents=True)
    recovery.forget_old()
    assert recovery.folder("begun").is_dir()


def test_what_another_process_moves_or_deletes_meanwhile_is_no_error(monkeypatch):
    """A file's temporary name goes when it is finished, in between listing it and looking at it."""
    recovery.keep("other", 0, RECORD)
    recovery.keep("old", 0, RECORD)
    os.utime(recovery.folder("old") / "fold-0.npz", (0, 0))
    partial = recovery.folder("other") / ".partial-x.npz"
    original = Path.glob

    def glob(path, pattern):
        found = list(original(path, pattern))
        return [*found, partial] if path.name == "other" else found

    monkeypatch.setattr(Path, "glob", glob)
    recovery.forget_old()
    assert recovery.kept("other", 0) is not None
    assert recovery.kept("old", 0) is None


def test_the_fingerprint_is_the_same_for_the_same_and_other_for_other(chosen):
    mark = recovery.fingerprint(chosen, "data")
    assert recovery.fingerprint(chosen, "data") == mark
    others = [
        recovery.fingerprint(chosen, "other data"),
        recovery.fingerprint(recipe(params.parse(CONTENT), "dropout"), "data"),
        recovery.fingerprint(
            chosen.model_copy(update={"train": chosen.train.model_copy(update={"seed": 9})}), "data"
        ),
        recovery.fingerprint(
            chosen.model_copy(
                update={"augmentation": [Named(name="zoom", arguments={"factor": 0.1})]}
            ),
            "data",
        ),
    ]
    assert len({mark, *others}) == 5


def test_the_fingerprint_covers_library_versions(chosen, monkeypatch):
    mark = recovery.fingerprint(chosen, "data")
    monkeypatch.setattr(recovery, "version", lambda name: "0.0")
    assert recovery.fingerprint(chosen, "data") != mark


def test_the_fingerprint_covers_the_code_that_trains(chosen, monkeypatch, tmp_path):
    code = tmp_path / "stages"
    for room in recovery.CODE:
        (code / room).mkdir(parents=True)
    (code / "training" / "fold.py").write_text("a = 1\n")
    monkeypatch.setattr(recovery, "__file__", str(code / "training" / "recovery.py"))
    mark = recovery.fingerprint(chosen, "data")
    (code / "training" / "fold.py").write_text("a = 2\n")
    assert recovery.fingerprint(chosen, "data") != mark
