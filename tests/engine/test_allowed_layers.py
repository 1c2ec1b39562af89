"""Which networks may be trained: those whose model files are loaded again."""

import json

import numpy as np
import pytest

from stages.engine import allowed_layers, fold_store, fold_tasks
from stages.engine.model_file import layers
from stages.errors import UserError
from stages.models import ARCHITECTURES
from stages.settings.sections import Parallel
from stages.training import fold
from tests.engine.keras_files import INPUT, layer, part
from tests.prepared import recipe

ARRAYS = fold_tasks.Arrays(
    images=np.zeros((8, 8, 8, 1), "uint8"),
    labels=np.arange(8) % 2,
    folds=np.array([[0, 0, 1, 1] * 2], "int16"),
    classes=2,
)


def rows(keras, x):
    return keras.layers.Reshape((8, 8))(x)


def positions(keras, x):
    counted = keras.ops.cumsum(keras.ops.ones_like(rows(keras, x)[..., 0]), axis=1)
    return keras.layers.Embedding(9, 8)(counted) + rows(keras, x)


NETWORKS = {
    "normalized": lambda keras, x: keras.layers.RMSNormalization()(keras.layers.Flatten()(x)),
    "pooled": lambda keras, x: keras.layers.MaxPooling1D()(rows(keras, x)),
    "positions": positions,
    "recurrent": lambda keras, x: keras.layers.Bidirectional(
        keras.layers.LSTM(4), backward_layer=keras.layers.GRU(4, go_backwards=True)
    )(keras.layers.Masking()(rows(keras, x))),
    "distributed": lambda keras, x: keras.layers.TimeDistributed(keras.layers.Dense(2))(x),
    "celu": lambda keras, x: keras.layers.Conv2D(2, 3, activation="celu")(x),
    "gelu": lambda keras, x: keras.activations.gelu(x),
    "sliced": lambda keras, x: x[:, ::2, ..., None],
    "constant": lambda keras, x: x * np.ones((8, 8, 1), "f4"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_what_keras_computes_on_tensors_is_allowed_before_training_and_in_the_file(
    name, tmp_path, monkeypatch
):
    import keras

    def own(layers, images, classes):
        return layers.Dense(classes)(layers.Flatten()(NETWORKS[name](keras, images)))

    monkeypatch.setitem(ARCHITECTURES, "own", own)
    allowed_layers.check_network(fold.try_network(recipe("own"), (8, 8, 1), 2), "row")
    model = fold.network(recipe("own"), (8, 8, 1), 2)
    model.save(tmp_path / "own.keras")
    layers((tmp_path / "own.keras").read_bytes(), "row")
    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 1)).astype("f4")
    saved = keras.saving.load_model(tmp_path / "own.keras", compile=False)
    np.testing.assert_array_equal(saved(images), model(images))


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (layer("Lambda"), r"keras\.layers\.Lambda"),
        (layer("Dense", units=2, activation="mine"), "'mine'"),
        (part("stages.models.own", "Own", registered_name="Own"), r"stages\.models\.own\.Own"),
        (part(None, "__tensor__", {"value": [1], "dtype": "float32"}), "NumPy array"),
    ],
)
def test_anything_else_is_refused_by_name(found, named):
    config = json.dumps(part("keras", "Functional", {"layers": [INPUT, found]}))
    with pytest.raises(fold.UntrainableError, match=rf"^row: .*{named}"):
        allowed_layers.check_network(config, "row")


@pytest.mark.slow
@pytest.mark.parametrize("variants", [["one"], ["one", "two"]])
def test_no_fold_is_trained_of_a_network_whose_file_would_be_refused(variants, folder, monkeypatch):
    def own(layers, images, classes):
        doubled = layers.Lambda(lambda x: 2 * x)(layers.Flatten()(images))
        return layers.Dense(classes)(doubled)

    monkeypatch.setitem(ARCHITECTURES, "own", own)
    tasks = [
        task
        for name in variants
        for task in fold_tasks.variant_tasks(name, recipe("own", variant=name), ARRAYS)
    ]
    with pytest.raises(UserError, match=r"variants\.one\.architecture.*Lambda"):
        fold_tasks.run_folds(tasks, ARRAYS, Parallel(jobs=1))
    assert [fold_store.load(task.fingerprint, task.fold) for task in tasks] == [None] * len(tasks)


@pytest.mark.slow
def test_a_layer_that_keras_cannot_save_is_refused_with_the_variant(monkeypatch):
    import keras

    class Own(keras.layers.Layer):
        def __init__(self, function):
            super().__init__()
            self.call = function

    def own(layers, images, classes):
        return layers.Dense(classes)(Own(lambda x: 2 * x)(layers.Flatten()(images)))

    monkeypatch.setitem(ARCHITECTURES, "own", own)
    with pytest.raises(fold.UntrainableError, match=r"variants\.small"):
        fold.try_network(recipe("own"), (8, 8, 1), 2)
