import traceback

import numpy as np
import pytest

from stages.engine import fold_store, fold_tasks
from stages.engine.fold_tasks import Arrays, FoldTask
from stages.settings.sections import Named, Parallel, Train
from stages.training import fold
from stages.training.fold import HISTORY, FoldResult
from stages.training.recipe import Recipe
from tests.prepared import TRAIN

ARRAYS = Arrays(
    images=np.zeros((6, 4, 4, 1), "uint8"),
    labels=np.array([0, 1] * 3),
    folds=np.array([[0, 0, 1, 1, 2, 2], [2, 2, 1, 1, 0, 0]], "int16"),
    classes=2,
)
ONE = Parallel(jobs=1)
MODEL = b"PK\5\6" + bytes(18)  # an empty zip file


def recipe(**train):
    return Recipe(
        variant="small",
        architecture=Named(name="basic"),
        augmentation=[],
        train=Train(**TRAIN | {"epochs": 4} | train),
    )


def record(accuracies, best):
    history = np.zeros((len(accuracies), len(HISTORY)))
    history[:, HISTORY.index("val_accuracy")] = accuracies
    return FoldResult(
        history=history,
        times=np.zeros((len(accuracies), 2)),
        best_epoch=np.array(best),
        validation=np.array([0]),
        probability=np.full((1, 2), 0.5, "f4"),
        train_images=np.array(4),
        weights=[np.array([best], "f4")],
    )


@pytest.fixture(autouse=True)
def trained(tmp_path, monkeypatch):
    """Store folds in a temporary folder, and record what would be trained and assembled."""
    calls = {"folds": [], "epochs": [], "members": []}

    def train_fold(images, labels, assigned, classes, recipe, fold, on_epoch):
        calls["folds"].append(fold)
        calls["epochs"].append(recipe.train.epochs)
        return record([0.1, 0.2], 2)

    def assemble(recipe, shape, classes, members, listed):
        calls["members"].append([weights[0].item() for weights in members])
        return MODEL

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(fold_tasks, "train_fold", train_fold)
    monkeypatch.setattr(fold_tasks, "assemble", assemble)
    return calls


def test_a_plan_has_every_fold_of_every_repeat():
    units = fold_tasks.variant_tasks("fingerprint", recipe(), ARRAYS)
    assert [unit.fold for unit in units] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("fold", "row"), [(0, 0), (2, 0), (3, 1), (5, 1)])
def test_a_unit_validates_with_its_own_repeat(fold, row):
    task = FoldTask("fingerprint", recipe(), fold).arguments(ARRAYS)
    np.testing.assert_array_equal(task[2], ARRAYS.folds[row])
    assert task[3:] == (2, recipe(), fold)


def test_refitting_validates_with_nothing():
    assert FoldTask("fingerprint", recipe(), "refit").arguments(ARRAYS)[2] is None


def test_only_units_that_are_not_kept_are_trained(trained):
    fold_store.save("fingerprint", 1, record([0.5], 1))
    units = fold_tasks.variant_tasks("fingerprint", recipe(), ARRAYS)[:3]
    fold_tasks.run_folds(units, ARRAYS, ONE)
    assert trained["folds"] == [0, 2]
    assert [len(kept.history) for kept in fold_tasks.records(units)] == [2, 1, 2]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bug_in_a_fold_names_the_fold_and_keeps_its_traceback(jobs, monkeypatch):
    """Workers import the real function, although the fixture has replaced it here."""
    monkeypatch.setattr(fold_tasks, "train_fold", fold.train_fold)
    broken = ARRAYS._replace(labels=ARRAYS.labels[:5])
    units = fold_tasks.variant_tasks("fingerprint", recipe(), broken)[1:2]
    with pytest.raises(RuntimeError, match=r"^small fold 1 failed: IndexError: ") as raised:
        fold_tasks.run_folds(units * jobs, broken, Parallel(jobs=jobs))
    assert "everything[folds != number]" in "".join(traceback.format_exception(raised.value))


def test_soft_vote_takes_all_folds(trained):
    folds = [record([0.1], 1), record([0.1, 0.9], 2)]
    assert fold_tasks.model("fingerprint", recipe(), ARRAYS, ONE, folds) == MODEL
    assert trained["members"] == [[1.0, 2.0]]


def test_best_fold_takes_the_fold_with_the_best_kept_epoch(trained):
    folds = [record([0.3, 0.95], 1), record([0.1, 0.9], 2), record([0.2], 1)]
    fold_tasks.model("fingerprint", recipe(final="best_fold"), ARRAYS, ONE, folds)
    assert trained["members"] == [[2.0]]


def test_refit_trains_once_more_for_the_mean_best_epoch(trained):
    folds = [record([0.1] * 4, 2), record([0.1] * 4, 4)]
    fold_tasks.model("fingerprint", recipe(final="refit"), ARRAYS, ONE, folds)
    assert (trained["folds"], trained["epochs"]) == (["refit"], [3])
    assert trained["members"] == [[2.0]]


def test_a_model_is_assembled_once(trained):
    fold_tasks.model("fingerprint", recipe(), ARRAYS, ONE, [record([0.1], 1)])
    assert fold_tasks.model("fingerprint", recipe(), ARRAYS, ONE, []) == MODEL
    assert len(trained["members"]) == 1
