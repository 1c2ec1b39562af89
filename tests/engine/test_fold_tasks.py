import traceback
from pathlib import Path

import numpy as np
import pytest

from stages.engine import final_model, fold_store, fold_tasks
from stages.engine.fold_tasks import Arrays, FoldTask
from stages.errors import UserError
from stages.files import PREPARED, read_dataset
from stages.settings.sections import EarlyStopping, Parallel
from stages.training import fold
from tests import prepared
from tests.prepared import recipe, record

ARRAYS = Arrays(
    images=np.zeros((6, 4, 4, 1), "uint8"),
    labels=np.array([0, 1] * 3),
    folds=np.array([[0, 0, 1, 1, 2, 2], [2, 2, 1, 1, 0, 0]], "int16"),
    classes=2,
)
ONE = Parallel(jobs=1)
MODEL = b"PK\5\6" + bytes(18)  # an empty zip file


@pytest.fixture(autouse=True)
def trained(folder, monkeypatch):
    """Store folds in a temporary folder, and record what would be trained and assembled."""
    calls = {"folds": [], "epochs": [], "members": []}

    def train_fold(*task):
        calls["folds"].append(task[5])
        calls["epochs"].append(task[4].train.epochs)
        return record([0.1, 0.2], 2)

    def assemble(*task):
        calls["members"].append([weights[0].item() for weights in task[3]])
        return MODEL

    monkeypatch.setattr(fold_tasks, "_try", lambda *task: None)
    monkeypatch.setattr(fold_tasks, "train_fold", train_fold)
    monkeypatch.setattr(final_model, "assemble", assemble)
    return calls


def test_every_fold_of_every_repeat_has_a_task():
    tasks = fold_tasks.variant_tasks("fingerprint", recipe(), ARRAYS)
    assert [task.fold for task in tasks] == [0, 1, 2, 3, 4, 5]
    for task in tasks:
        np.testing.assert_array_equal(task.arguments(ARRAYS)[2], ARRAYS.folds[task.fold // 3])
    assert FoldTask("fingerprint", recipe(), "refit").arguments(ARRAYS)[2] is None


def test_training_data_that_are_missing_are_an_error(folder):
    prepared.write(folder)
    Path("data/prepared/folds.npy").unlink()
    with pytest.raises(UserError, match=r"folds\.npy"):
        fold_tasks.read_training_data(read_dataset(PREPARED))


def test_only_folds_that_are_not_stored_are_trained(trained):
    fold_store.save("fingerprint", 1, record([0.5], 1))
    tasks = fold_tasks.variant_tasks("fingerprint", recipe(), ARRAYS)[:3]
    finished = []
    fold_tasks.run_folds(tasks, ARRAYS, ONE, on_complete=finished.append)
    assert trained["folds"] == [0, 2]
    assert [len(stored.history) for stored in fold_tasks.records(tasks)] == [2, 1, 2]
    assert finished == ["fingerprint"]
    fold_tasks.run_folds(tasks, ARRAYS, ONE, on_complete=finished.append)
    assert finished == ["fingerprint"]  # not for what was complete before


@pytest.mark.parametrize("stopping", [None, EarlyStopping()])
@pytest.mark.parametrize("fold", range(6))
def test_a_fold_on_some_rows_gets_their_features_and_its_whole_validation(
    fold, stopping, monkeypatch
):
    """As for fine-tuning; the other folds keep their number, and no weights are stored."""
    numbers = np.arange(6)
    images = ARRAYS.images + numbers.astype("uint8")[:, None, None, None]
    starts = {"fingerprint": (images, (numbers, "backbone"))}
    monkeypatch.setattr(fold_tasks, "_training_inputs", lambda *given: starts)
    own = ARRAYS.folds[fold // 3]
    validation = np.flatnonzero(own == fold % 3)
    got, scored = [], []

    def fine_tune(*task):
        got.append(task)
        return record([0.5], 1)._replace(validation=np.flatnonzero(own[task[0]] == fold % 3))

    def train_fold(pixels, *task, initial):
        scored.extend(pixels[:, 0, 0, 0])
        assert initial == record([0.5], 1).weights
        return record([], 0)._replace(probability=np.full((len(pixels), 2), 0.25, "f4"))

    monkeypatch.setattr(fold_tasks, "fine_tune", fine_tune)
    monkeypatch.setattr(fold_tasks, "train_fold", train_fold)
    rows = np.flatnonzero(own != fold % 3)[:2]
    task = FoldTask("fingerprint", recipe(early_stopping=stopping), fold, rows)
    fold_tasks.run_folds([task], ARRAYS, ONE)
    ((features, backbone, pixels, labels, folds, *_),) = got
    assert backbone == "backbone"
    trained = sorted([*rows, *validation]) if stopping else rows.tolist()
    assert features.tolist() == pixels[:, 0, 0, 0].tolist() == trained
    assert labels.tolist() == ARRAYS.labels[features].tolist()
    assert (folds.max() == 2) if stopping else (folds is None)
    assert scored == ([] if stopping else validation.tolist())
    (stored,) = fold_tasks.records([task])
    assert stored.validation.tolist() == validation.tolist()
    assert len(stored.probability) == len(validation) or stopping
    assert stored.weights == []


def test_folds_share_one_copy_of_the_recipe_with_its_saved_model(trained, monkeypatch):
    made, given = [], []

    def attached(recipe):
        made.append(recipe.model_copy())
        return made[-1]

    monkeypatch.setattr(fold_tasks.saved_model, "attached", attached)
    monkeypatch.setattr(
        fold_tasks, "train_fold", lambda *task: given.append(task[4]) or record([0.1], 1)
    )
    fold_tasks.run_folds(fold_tasks.variant_tasks("fingerprint", recipe(), ARRAYS), ARRAYS, ONE)
    assert len(given) == 6
    assert {*map(id, given)} == {*map(id, made)}
    assert len(made) == 1


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bug_in_a_fold_names_the_fold_and_keeps_its_traceback(jobs, monkeypatch):
    """Workers import the real function, although the fixture has replaced it here."""
    monkeypatch.setattr(fold_tasks, "train_fold", fold.train_fold)
    broken = ARRAYS._replace(images=np.zeros((6, 12, 12, 1), "uint8"), labels=None)
    tasks = fold_tasks.variant_tasks("fingerprint", recipe(), broken)[1:2]
    with pytest.raises(RuntimeError, match=r"^small fold 1 failed: TypeError: ") as raised:
        fold_tasks.run_folds(tasks * jobs, broken, Parallel(jobs=jobs))
    assert "in train_fold" in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("final", "folds", "members"),
    [
        ("soft_vote", [record([0.1], 1), record([0.1, 0.9], 2)], [1.0, 2.0]),
        ("best_fold", [record([0.3, 0.95], 1), record([0.1, 0.9], 2), record([0.2], 1)], [2.0]),
        ("refit", [record([0.1] * 4, 2), record([0.1] * 4, 4)], [2.0]),
    ],
)
def test_a_model_is_built_once_from_the_folds_that_final_names(trained, final, folds, members):
    arrays = ARRAYS._replace(folds=ARRAYS.folds[:1])
    tasks = fold_tasks.variant_tasks("fingerprint", recipe(final=final), arrays)[: len(folds)]
    for number, stored in enumerate(folds):
        fold_store.save("fingerprint", number, stored)
    for _ in range(2):
        assert final_model.model(tasks, arrays, ONE) == MODEL
    assert trained["members"] == [members]
    refits = (["refit"], [3]) if final == "refit" else ([], [])  # for the mean best epoch
    assert (trained["folds"], trained["epochs"]) == refits
