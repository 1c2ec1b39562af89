"""Frozen backbones from features to the shipped model, on pieces of photographs."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, suppress
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from sklearn.datasets import load_sample_image

from stages.commands.sweep import sweep
from stages.engine import features, fold_store
from stages.engine.resolve import recipe
from stages.evaluate import evaluate
from stages.files import read_json, read_table
from stages.settings import params
from stages.settings.sections import Parallel
from stages.train import train
from stages.training.export import scorer
from tests import prepared

pytestmark = pytest.mark.slow
ROWS = {
    "linear": {"architecture": {"backbone": {"name": "efficientnet_lite0"}}},
    "deep": {"architecture": {"backbone": {"name": "efficientnet_lite0", "dense": 16}}},
}


def write(folder):
    """Write prepared data, pieces of two photographs and noise, and two rows with a backbone."""
    prepared.write(folder, shape=(32, 32, 3), epochs=20, learning_rate=0.01)
    photos = [load_sample_image(name) for name in ("flower.jpg", "china.jpg")]
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        path = folder / f"data/prepared/{split}_images.npy"
        images = np.load(path)
        for row, label in enumerate(np.load(folder / f"data/prepared/{split}_labels.npy")):
            if label < len(photos):
                top, left = random.integers(0, (395, 608))
                images[row] = photos[label][top : top + 32, left : left + 32]
        np.save(path, images)
    settings = yaml.safe_load((folder / "params.yaml").read_text()) | {"variants": ROWS}
    settings["compare"] = {"variants": [*ROWS], "baseline": "linear"}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Train and evaluate both rows; return the folder and how many images got features."""
    folder = tmp_path_factory.mktemp("features")
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        write(folder)
        counted = []
        compute = features.features
        patch.setattr(features, "features", lambda *a: (counted.append(len(a[0])), compute(*a))[1])
        sweep(follow=lambda variant: None)
        for variant in ROWS:
            train(variant)
            evaluate(variant)
    return folder, counted


def test_features_are_computed_once_for_all_folds_and_rows(once):
    assert once[1] == [60]
    (stored,) = (once[0] / ".foldlab/features").iterdir()
    assert np.load(stored).shape == (60, 1, 1280)


def test_the_shipped_model_holds_the_backbone_once_and_gives_the_heads_votes(once):
    folder = once[0] / "results/linear"
    model = keras.models.load_model(folder / "model.keras")  # in safe mode, without our code
    names = [layer.name for layer in model.layers if layer.weights]
    assert names == ["backbone", "member_0", "member_1"]
    heads = sum(model.get_layer(name).count_params() for name in names[1:])
    parameters = read_json(folder / "training.json", ["parameters"])["parameters"]
    assert parameters == model.count_params() - heads // 2
    with np.load(folder / "predictions.npz") as stored:
        images = np.load(once[0] / "data/prepared/test_images.npy")
        np.testing.assert_allclose(
            model(images.astype("f4")), stored["test_probability"], atol=1e-5
        )
    (weights,) = (once[0] / ".foldlab/backbones").iterdir()
    assert (folder / "model.keras").stat().st_size < 1.3 * weights.stat().st_size


def test_pretrained_features_tell_the_photographs_apart(once):
    """Scores on features in training are those that the shipped model gives for pixels."""
    for variant in ROWS:
        folds = read_table(once[0] / "results" / variant / "folds.csv")
        assert np.mean([fold["accuracy"] for fold in folds]) > 0.8
        metrics = read_json(once[0] / "results" / variant / "metrics.json", ["test"])
        assert metrics["test"]["accuracy"] > 0.8


def test_an_interrupted_computation_continues_and_workers_change_nothing(once, folder, monkeypatch):
    write(folder)
    images = np.load("data/prepared/train_images.npy", mmap_mode="r")
    monkeypatch.setattr(features, "BLOCK", 16)
    chosen = {"a": recipe(params.load(), "linear")}
    made = {}
    for jobs in (1, 2):
        made[jobs] = features.inputs(chosen, {"a": images}, Parallel(jobs=jobs))["a"]
        path = Path(made[jobs].filename)
        content = path.read_bytes()
        path.unlink()
    assert made[1].tobytes() == made[2].tobytes()

    compute, computed = features.features, []

    def interrupted(*task):
        computed.append(len(task[0]))
        if len(computed) == 3:
            raise KeyboardInterrupt
        return compute(*task)

    monkeypatch.setattr(features, "features", interrupted)
    with suppress(KeyboardInterrupt):
        features.inputs(chosen, {"a": images}, Parallel(jobs=1))
    features.inputs(chosen, {"a": images}, Parallel(jobs=1))
    assert computed == [16, 16, 16, 16, 12]
    assert path.read_bytes() == content


def test_two_processes_that_need_the_same_features_compute_them_once(once, folder, monkeypatch):
    write(folder)
    images = np.load("data/prepared/train_images.npy")
    computed = []

    def compute(block, *task):
        computed.append(len(block))
        time.sleep(0.1)
        return np.zeros((len(block), 1, 4), "f4")

    monkeypatch.setattr(features, "BLOCK", 16)
    monkeypatch.setattr(features, "features", compute)
    task = {"a": recipe(params.load(), "linear")}, {"a": images}, Parallel(jobs=1)
    with ThreadPoolExecutor() as pool:  # a lock excludes threads as it does processes
        for found in [pool.submit(features.inputs, *task) for _ in range(2)]:
            assert found.result()["a"].shape == (60, 1, 4)
    assert computed == [16, 16, 16, 12]


def test_old_features_are_deleted_and_those_in_use_are_not(once, folder):
    shutil.copytree(once[0], folder, dirs_exist_ok=True)
    (stored,) = Path(".foldlab/features").iterdir()
    os.utime(stored, (0, 0))
    shutil.rmtree(".foldlab/folds")
    train("linear")
    assert stored.exists()
    os.utime(stored, (0, 0))
    fold_store.prune()
    assert not stored.exists()


def test_fine_tuning_starts_from_features_and_ships_whole_networks(once, folder):
    shutil.copytree(once[0], folder, dirs_exist_ok=True)
    backbone = {"name": "efficientnet_lite0", "freeze": 2}
    row = {"architecture": {"backbone": backbone}, "augmentation": [{"flip": {}}]}
    row |= {"train": {"epochs": 4, "predict_views": 2}}
    prepared.edit(folder, {"variants": {"tuned": row}})
    train("tuned")
    evaluate("tuned")
    assert len(list(Path(".foldlab/features").iterdir())) == 1  # no new ones
    folds = read_table(Path("results/tuned/folds.csv"))
    assert np.mean([fold["accuracy"] for fold in folds]) > 0.8
    first = read_table(Path("results/tuned/history.csv"))[0]
    assert first["learning_rate"] == pytest.approx(0.0002)
    assert first["val_accuracy"] > 0.6  # the head has been trained before
    model = keras.models.load_model("results/tuned/model.keras")
    tuned, other = (
        model.get_layer(name).get_layer("backbone") for name in ("member_0", "member_1")
    )
    with np.load(next(Path(".foldlab/backbones").iterdir())) as stored:
        original = [stored[name] for name in sorted(stored.files)]
    assert np.array_equal(tuned.get_weights()[0], original[0])
    last = -5  # convolution; normalization follows
    assert not np.array_equal(tuned.get_weights()[last], original[last])
    assert not np.array_equal(tuned.get_weights()[last], other.get_weights()[last])


def test_a_frozen_backbones_views_are_those_of_the_shipped_model(once, folder):
    shutil.copytree(once[0], folder, dirs_exist_ok=True)
    backbone = {"name": "efficientnet_lite0", "views": 2}
    ops = [{"crop": {"area": 0.3}}, {"flip": {}}]
    row = {"architecture": {"backbone": backbone}, "augmentation": ops}
    row |= {"train": {"epochs": 2, "predict_views": 3}}
    prepared.edit(folder, {"variants": {"seen": row}})
    train("seen")
    images = np.load("data/prepared/train_images.npy")
    _, members = scorer(Path("results/seen/model.keras"), "portable")(images)
    (fold_of,) = np.load("data/prepared/folds.npy")
    with np.load("results/seen/out_of_fold.npz") as stored:
        for fold, member in enumerate(members):
            rows = fold_of == fold
            scored = stored["oof_probability"][0, rows]
            np.testing.assert_allclose(member[rows], scored, atol=1e-5)
