from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.data.folds import stratified_folds
from stages.engine import fold_tasks, subsets
from stages.engine.fold_tasks import Arrays
from stages.errors import UserError
from stages.files import write_table
from stages.settings.sections import EarlyStopping, Folds, Named, Parallel, ReduceOnPlateau
from stages.training.fold import HISTORY, UntrainableError, train_fold
from tests import prepared
from tests.prepared import recipe

CLASSES = ("circle", "square", "star")


def arrays(labels, settings, groups=None):
    folds = stratified_folds(labels, CLASSES, settings, groups)
    return Arrays(np.zeros((len(labels), 2, 2, 1), "uint8"), labels, folds, len(CLASSES))


@settings(max_examples=20)
@given(
    counts=st.lists(st.integers(12, 60), min_size=3, max_size=3),
    folds=st.integers(3, 6),
    repeats=st.integers(1, 2),
    seed=st.integers(0, 100),
)
def test_subsets_are_nested_shares_of_each_folds_training_images_and_classes(
    counts, folds, repeats, seed
):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(3), counts))
    given = Folds(count=folds, repeats=repeats, seed=seed)
    data = arrays(labels, given)
    found = subsets.subsets(data, CLASSES, given)
    assert len(found) == folds * repeats
    for number, chosen in enumerate(found):
        training = np.flatnonzero(data.folds[number // folds] != number % folds)
        assert [*chosen] == [1 / 2, 1 / 4, 1 / 8]
        for smaller, larger in pairwise([*reversed(chosen.values()), training]):
            assert set(smaller) < set(larger)
        for share, rows in chosen.items():
            assert abs(len(rows) - share * len(training)) < 1
            for label in range(3):
                due = share * (labels[training] == label).sum()
                assert abs((labels[rows] == label).sum() - due) < 2
    again = subsets.subsets(data, CLASSES, given)
    assert all(np.array_equal(a[1 / 8], b[1 / 8]) for a, b in zip(found, again, strict=True))


def test_groups_stay_whole():
    groups = np.repeat(np.arange(60), 4)
    labels = groups % 3
    folds = Folds(count=3)
    data = arrays(labels, folds, groups)
    for number, chosen in enumerate(subsets.subsets(data, CLASSES, folds, groups)):
        training = np.flatnonzero(data.folds[0] != number)
        for share, rows in chosen.items():
            inside, outside = set(groups[rows]), set(groups[np.setdiff1d(training, rows)])
            assert not inside & outside
            assert {*labels[rows]} == {0, 1, 2}
            assert len(rows) == pytest.approx(share * len(training), abs=12)


@pytest.mark.parametrize("grouped", [False, True])
def test_a_class_missing_from_a_subset_is_named(grouped):
    labels = np.repeat([0, 1, 2], [40, 6, 40])
    groups = np.arange(len(labels)) if grouped else None
    folds = Folds(count=3)
    with pytest.raises(UserError, match="'square'"):
        subsets.subsets(arrays(labels, folds, groups), CLASSES, folds, groups)


def test_the_groups_of_the_prepared_images_are_read_again(folder):
    prepared.write(folder)
    write_table("data/prepared/train_names.csv", ("row", "file"), [(5, "b.png"), (2, "a.png")])
    write_table("groups.csv", ("file", "group"), [("a.png", "x"), ("b.png", "y"), ("c.png", "x")])
    assert subsets.groups(Folds(group="groups.csv")).tolist() == [1, 0]
    decomposed = "e\N{COMBINING ACUTE ACCENT}.png"
    write_table("data/prepared/train_names.csv", ("row", "file"), [(5, "b.png"), (2, decomposed)])
    write_table("groups.csv", ("file", "group"), [("é.png", "x"), ("b.png", "x ")])
    assert subsets.groups(Folds(group="groups.csv")).tolist() == [0, 0]
    write_table("data/prepared/train_names.csv", ("row", "file"), [(5, ""), (2, "")])
    write_table("groups.csv", ("row", "group"), [(0, "x"), (2, "x"), (5, "x")])
    assert subsets.groups(Folds(group="groups.csv")).tolist() == [0, 0]
    write_table("groups.csv", ("row", "group"), [(0, "x"), (2, "x")])
    with pytest.raises(UserError, match=r"groups\.csv.*row '5'"):
        subsets.groups(Folds(group="groups.csv"))
    assert subsets.groups(Folds()) is None


def test_all_that_is_counted_in_epochs_is_stretched():
    own = recipe(
        epochs=6,
        schedule=Named(name="exponential", arguments={"rate": 0.5, "warmup": 0.1}),
        early_stopping=EarlyStopping(patience=3),
        reduce_on_plateau=ReduceOnPlateau(patience=2),
    )
    train = subsets.longer(own, 1 / 4).train
    assert train.schedule.arguments["rate"] ** train.epochs == pytest.approx(0.5**6)
    factor = train.epochs / 6
    assert 1 < factor <= 4
    assert train.early_stopping.patience == 3 * factor
    assert train.reduce_on_plateau.patience == 2 * factor
    assert subsets.longer(recipe(epochs=6), 1 / 4).train.schedule == Named(name="constant")


def test_each_size_and_choice_of_images_has_its_own_fingerprint(folder):
    labels, folds = np.tile([0, 1, 2], 20), Folds(count=2)
    data = arrays(labels, folds)

    def keys(chosen):
        found = subsets.tasks(recipe(), "data", chosen)
        assert all([task.fold for task in tasks] == [0, 1] for tasks in found.values())
        return {task.fingerprint for tasks in found.values() for task in tasks}

    chosen = subsets.subsets(data, CLASSES, folds)
    other = subsets.subsets(data, CLASSES, folds, np.arange(len(labels)))
    assert len(keys(chosen)) == 3
    assert keys(chosen) == keys(chosen)
    assert not keys(chosen) & keys(other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "own",
    [
        recipe({"basic": {"dense": 8}}, epochs=2, ema=0.9),
        recipe(
            {"basic": {"dense": 8}},
            [Named(name="flip", arguments={"horizontal": True, "vertical": False})],
            epochs=1,
            predict_views=2,
        ),
        recipe({"basic": {"dense": 8}}, epochs=1, early_stopping=EarlyStopping()),
    ],
    ids=["once", "views", "each epoch"],
)
def test_a_subset_is_trained_as_if_there_were_no_other_images(folder, own):
    """In the last fold and another one; the whole fold is scored, in each epoch only if needed."""
    prepared.write(folder, folds=3, count=72)
    data = fold_tasks.read_training_data({"classes": CLASSES})
    folds = Folds(count=3)
    chosen = subsets.subsets(data, CLASSES, folds)
    tasks = subsets.tasks(own, "data", chosen)[1 / 8]
    fold_tasks.run_folds(tasks[1:], data, Parallel(jobs=1))
    for fold, found in enumerate(fold_tasks.records(tasks[1:]), start=1):
        rows = chosen[fold][1 / 8]
        validation = np.flatnonzero(data.folds[0] == fold)
        np.testing.assert_array_equal(found.validation, validation)
        assert found.train_images == len(rows)
        kept = np.sort([*rows, *validation])
        alone = train_fold(
            np.array(data.images)[kept],
            data.labels[kept],
            np.where(np.isin(kept, validation), fold, (fold + 1) % 3),
            3,
            tasks[fold].recipe,
            fold,
        )
        np.testing.assert_array_equal(found.probability, alone.probability)
        is_scored = np.isfinite(found.history[:, HISTORY.index("val_loss")])
        assert is_scored.all() if own.train.early_stopping else not is_scored.any()


def test_a_network_that_diverges_in_its_last_step_is_named(monkeypatch):
    """Only the scores after it show that."""
    scored = prepared.record([], 0)._replace(probability=np.full((4, 3), np.nan))
    monkeypatch.setattr(fold_tasks, "train_fold", lambda *task, initial: scored)
    with pytest.raises(UntrainableError, match="small"):
        fold_tasks._scored(np.zeros((4, 2, 2, 1), np.uint8), 3, recipe(), [])
