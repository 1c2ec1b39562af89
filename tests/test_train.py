import errno
import os
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

from stages.commands.sweep import sweep
from stages.engine import fold_store, fold_tasks
from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.files import read_json, read_table, sha256, write_json
from stages.settings import params
from stages.train import train
from stages.training.export import assemble
from stages.training.fold import network
from stages.training.trained_images import Listed
from tests import prepared
from tests.prepared import contents, edit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Train `plain` on small data, with repeats, in a folder that tests do not change."""
    folder = tmp_path_factory.mktemp("once")
    with chdir(folder):
        prepared.write(folder, repeats=2)
        train("plain")
    return folder


@pytest.fixture
def trained(folder, once):
    """Return the working folder with a copy of `once`, including its stored folds."""
    return Path(shutil.copytree(once, folder, dirs_exist_ok=True))


def test_the_files_hold_what_the_contract_says(once):
    results = once / "results" / "plain"
    folds = read_table(results / "folds.csv")
    columns = "fold,accuracy,loss,best_epoch,epochs,train_images,val_images"
    assert ",".join(folds[0]) == columns
    assert [(row["best_epoch"], row["train_images"]) for row in folds] == [(2, 30)] * 4
    assert folds[0]["loss"] != folds[2]["loss"]  # of the same images in another repeat
    history = read_table(results / "history.csv")
    columns = "fold,epoch,loss,accuracy,val_loss,val_accuracy,learning_rate"
    assert ",".join(history[0]) == columns
    assert [(row["fold"], row["epoch"]) for row in history[:3]] == [(0, 1), (0, 2), (1, 1)]
    assert [row["accuracy"] for row in folds] == [row["val_accuracy"] for row in history[1::2]]
    timing = read_table(results / "timing.csv")
    assert all(row["time"] > 1.7e12 and row["seconds"] >= 0 for row in timing)
    training = read_json(results / "training.json")
    assert {row["fingerprint"] for row in timing} == {training["fingerprint"]}
    assert training["description"] == "The small one."
    assert training["settings"]["train"]["epochs"] == 2
    assert training["parameters"] == 19363  # 320 + 18,496 + 520 + 27
    with np.load(results / "out_of_fold.npz") as stored:
        correct = stored["oof_probability"].argmax(2) == stored["oof_label"]
        np.testing.assert_allclose(stored["oof_probability"].sum(2), 1, atol=1e-5)
    assigned = np.load(once / "data/prepared/folds.npy")
    for row in folds:
        repeat, fold = divmod(row["fold"], 2)
        accuracy = correct[repeat][assigned[repeat] == fold].mean()
        assert accuracy == pytest.approx(row["accuracy"])


def test_training_again_from_nothing_gives_the_same_bytes(trained, monkeypatch):
    first = contents(trained / "results/plain")
    monkeypatch.setenv("DVC_ROOT", str(trained / "elsewhere"))  # no folds are stored there
    train("plain")
    assert contents(trained / "results/plain") == first


def test_only_unfinished_folds_are_trained(trained, monkeypatch):
    first = contents(trained / "results/plain")
    fingerprint = read_json(trained / "results/plain/training.json")["fingerprint"]
    again = []
    original = fold_tasks.train_fold
    monkeypatch.setattr(
        fold_tasks, "train_fold", lambda *task: again.append(task[5]) or original(*task)
    )
    train("plain")
    assert again == []
    assert contents(trained / "results/plain") == first
    (fold_store.folder(fingerprint) / "fold-1.npz").unlink()
    train("plain")
    assert again == [1]
    assert contents(trained / "results/plain") == first


@pytest.mark.parametrize("command", ["train", "sweep"])
@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ({"plain": {"augmentation": ["flip"]}}, r"variants\.plain\.augmentation\[0\] is flip"),
        ({"normed": {"augmentation": ["flip"]}}, r"variants\.normed\.augmentation\[0\] is flip"),
        ({"normed": {"architecture": "m5"}}, r"variants\.normed: .*'m5'"),  # too deep
    ],
)
def test_invalid_variants_are_rejected_before_any_is_trained(folder, command, rows, named):
    """All variants are checked, also those that would be trained later."""
    prepared.write(folder)
    path = folder / "data/prepared/dataset.json"
    write_json(path, read_json(path) | {"classes": [str(digit) for digit in range(10)]})
    edit(folder, {"variants": rows})
    with pytest.raises(UserError, match=f"^{named}"):
        train("normed") if command == "train" else sweep()
    assert not (folder / "results").exists()
    assert list((folder / ".foldlab").rglob("fold-*")) == []


def test_no_variant_starts_from_a_model_of_its_own_images(folder):
    """The model was trained on twice the images with other folds; members are checked too."""
    prepared.write(folder, epochs=1, count=60)
    train("plain")
    saved = shutil.copy(folder / "results/plain/model.keras", folder)
    shutil.rmtree(folder / "data")
    prepared.write(folder, epochs=1, count=30, folds=3)
    digest = sha256(Path(saved))
    start = {"from_model": {"path": "model.keras", "sha256": digest}}
    vote = {"ensemble": ["plain", "normed"]}
    edit(folder, {"variants": {"normed": {"architecture": start}, "vote": vote}})
    for variant in ("normed", "vote"):
        with pytest.raises(UserError, match="30 of the 30 images"):
            train(variant)
        assert not (folder / "results" / variant).exists()


def test_a_variant_starts_from_another_s_saved_model(folder):
    """The frozen body has exactly the member's weights; the head is trained."""
    import keras

    prepared.write(folder, epochs=1)
    plain = recipe(params.load(), "plain")
    weights = [network(plain, (12, 12, 1), 3).get_weights() for _ in range(2)]
    saved = folder / "saved.keras"
    saved.write_bytes(assemble(plain, (12, 12, 1), 3, weights, Listed(np.empty(0, "<u8"), True)))
    digest = sha256(saved)
    start = {"path": "saved.keras", "sha256": digest, "member": 1, "dense": 4}
    edit(folder, {"variants": {"normed": {"architecture": {"from_model": start}}}})
    train("normed")

    made = keras.saving.load_model(folder / "results/normed/model.keras", safe_mode=True)
    *kept, _, _ = weights[1]
    for number in (0, 1):
        *body, dense, _, head, _ = made.get_layer(f"member_{number}").get_weights()
        assert all(np.array_equal(*pair) for pair in zip(body, kept, strict=True))
        assert (dense.shape, head.shape) == ((8, 4), (4, 3))
    assert not np.array_equal(head, made.get_layer("member_0").get_weights()[-2])
    images = np.load(folder / "data/prepared/test_images.npy")
    np.testing.assert_allclose(made.predict(images, verbose=0).sum(1), 1, atol=1e-5)
    described = read_json(folder / "results/normed/training.json")["settings"]["architecture"]
    assert described["arguments"]["sha256"] == digest
    assert "content" not in described["arguments"]


def test_a_training_that_cannot_be_written_whole_has_no_training_json(trained, monkeypatch):
    """Otherwise files of one training could be mixed with the fingerprint of another."""
    edit(trained, {"variants": {"plain": {"description": "Other."}}})

    def full(path, arrays):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("stages.files.write_arrays", full)
    with pytest.raises(OSError, match="No space left"):
        train("plain")
    assert not (trained / "results/plain/training.json").exists()


def test_a_results_folder_that_cannot_be_written_is_an_error(folder):
    prepared.write(folder)
    (folder / "results").write_text("a file where a folder belongs")
    with pytest.raises(UserError, match="results"):
        train("plain")
