import json
import zipfile

import keras
import numpy as np
import pytest

from stages.augment import views
from stages.models import build
from stages.settings.sections import Named
from stages.training import export, temperature
from stages.training.epoch import SCORING_BATCH
from stages.training.export import assemble, average, scorer
from stages.training.fold import train_fold
from stages.training.shrink import shrunk
from stages.training.trained_images import Listed, read
from tests.prepared import recipe

pytestmark = pytest.mark.slow

LISTED = Listed(np.array([5, 7], "<u8"), True)  # not digests of images used here
RECIPE = recipe(Named(name="batchnorm", arguments={"dense": 4, "momentum": 0.9}))
SHAPE, CLASSES = (12, 12, 1), 3
IMAGES = np.random.default_rng(0).integers(0, 256, (SCORING_BATCH + 7, *SHAPE), dtype="uint8")


@pytest.fixture(scope="module")
def members():
    """Return the weights and the probabilities of three models."""
    keras.utils.set_random_seed(3)
    models = [build(RECIPE.architecture, SHAPE, CLASSES) for _ in range(3)]
    pixels = IMAGES.astype("f4")
    votes = [keras.ops.softmax(model(pixels, training=False)).numpy() for model in models]
    return [model.get_weights() for model in models], np.stack(votes)


@pytest.fixture(scope="module")
def path(members, tmp_path_factory):
    file = tmp_path_factory.mktemp("artifact") / "model.keras"
    file.write_bytes(assemble(RECIPE, SHAPE, CLASSES, members[0], LISTED))
    return file


def test_the_model_is_the_mean_of_its_members(path, members):
    mean, each = scorer(path, "portable")(IMAGES)
    np.testing.assert_allclose(each, members[1], atol=1e-6)
    np.testing.assert_allclose(mean, each.mean(0), atol=1e-6)


def test_a_plain_keras_user_loads_it_and_gives_raw_pixels(path, members):
    model = keras.saving.load_model(path, safe_mode=True)
    assert model.input_shape == (None, *SHAPE)
    for dtype in ("uint8", "float32"):
        predicted = model.predict(IMAGES.astype(dtype), verbose=0)
        np.testing.assert_allclose(predicted, members[1].mean(0), atol=1e-6)
        assert predicted.dtype == np.float32


def test_the_same_weights_give_the_same_bytes_without_a_time(path, members):
    scorer(path, "portable")(IMAGES[:1])  # does not depend on earlier work in the process
    assert assemble(RECIPE, SHAPE, CLASSES, members[0], LISTED) == path.read_bytes()
    with zipfile.ZipFile(path) as saved:
        assert {info.date_time for info in saved.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(saved.read("metadata.json"))["date_saved"].startswith("1980")


def test_a_temperature_divides_the_logits(path, members, tmp_path):
    (tmp_path / "one.keras").write_bytes(
        assemble(RECIPE, SHAPE, CLASSES, members[0][:1], LISTED, temperature=1.6)
    )
    found, _ = scorer(tmp_path / "one.keras", "portable")(IMAGES)
    np.testing.assert_allclose(found, temperature.scaled(members[1][0], 1.6), atol=1e-6)


@pytest.mark.parametrize("count", [1, 4])
def test_a_model_shrinks_images_as_training_does(tmp_path, count):
    shape = (6, 6, 1)
    ops = [Named(name="shift", arguments={"fraction": 0.2, "whole": False})]
    small = recipe("logistic", ops, predict_views=count)
    row = small.model_copy(update={"shrink": 2})
    smaller = shrunk(IMAGES, 2)
    labels, folds = np.arange(len(IMAGES)) % CLASSES, np.arange(len(IMAGES)) % 2
    fold = train_fold(smaller, labels, folds, CLASSES, row, 0)
    content = assemble(row, SHAPE, CLASSES, [fold.weights], LISTED)
    (tmp_path / "model.keras").write_bytes(content)
    mean, _ = scorer(tmp_path / "model.keras", "portable")(IMAGES[fold.validation])
    np.testing.assert_allclose(mean, fold.probability, atol=1e-6)
    (tmp_path / "small.keras").write_bytes(assemble(small, shape, CLASSES, [fold.weights], LISTED))
    on_small, _ = scorer(tmp_path / "small.keras", "portable")(smaller[fold.validation])
    np.testing.assert_array_equal(mean, on_small)


def test_one_member_is_the_model_and_an_ensemble_lists_the_images_of_both(path, members, tmp_path):
    one = assemble(RECIPE, SHAPE, CLASSES, members[0][:1], Listed(np.array([6, 7], "<u8"), True))
    (tmp_path / "one.keras").write_bytes(one)
    mean, each = scorer(tmp_path / "one.keras", "portable")(IMAGES[:7])
    np.testing.assert_array_equal(mean, each[0])
    both = read(average("both", SHAPE, CLASSES, {"a": path.read_bytes(), "b": one}, "portable"))
    assert read(path.read_bytes()).digests.tolist() == [5, 7]
    assert both.digests.tolist() == [5, 6, 7]
    assert both.complete


def test_views_are_in_the_model_and_validation_scores_are_made_the_same_way(members, tmp_path):
    """They do not depend on the batch, and an ensemble or a user of Keras gets them too."""
    flip = Named(name="flip", arguments={"horizontal": True, "vertical": False})
    ops = [Named(name="rotate", arguments={"degrees": 20}), flip]
    settings = {"predict_views": 3, "epochs": 1, "seed": 2}
    chosen = recipe(RECIPE.architecture, ops, **settings)
    images, labels = IMAGES[:60], np.arange(60) % CLASSES
    record = train_fold(images, labels, (np.arange(60) % 2).astype("i2"), CLASSES, chosen, 0)
    content = assemble(chosen, SHAPE, CLASSES, [record.weights, members[0][1]], LISTED)
    assert content == assemble(chosen, SHAPE, CLASSES, [record.weights, members[0][1]], LISTED)
    (tmp_path / "model.keras").write_bytes(content)
    mean, each = scorer(tmp_path / "model.keras", "portable")(images)
    np.testing.assert_allclose(each[0, record.validation], record.probability, atol=1e-6)
    np.testing.assert_allclose(mean, each.mean(0), atol=1e-6)

    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(model.predict(images[5:6], verbose=0), mean[5:6], atol=1e-6)
    plain = keras.Sequential([model.get_layer("member_0"), keras.layers.Softmax()])
    pixels = images.astype("f4")
    moved = [views.moved(pixels, move) for move in views.transforms(ops, 3, 2, SHAPE[:2])]
    expected = np.mean([plain(view) for view in (pixels, *moved)], axis=0)
    np.testing.assert_allclose(each[0], expected, atol=1e-6)
    assert not np.allclose(each[0], plain(pixels), atol=1e-4)

    both = average("both", SHAPE, CLASSES, {"a": content, "b": content}, "portable")
    (tmp_path / "both.keras").write_bytes(both)
    np.testing.assert_allclose(
        scorer(tmp_path / "both.keras", "portable")(images)[0], mean, atol=1e-6
    )


def test_fewer_images_are_scored_at_once_with_more_views_also_in_an_ensemble(
    members, tmp_path, monkeypatch
):
    asked = []

    class Images:
        def __len__(self):
            return 20

        def __getitem__(self, rows):
            asked.append(rows.stop - rows.start)
            return IMAGES[:20][rows]

    monkeypatch.setattr(export, "scoring_batch", lambda shape: 15)
    flip = Named(name="flip", arguments={"horizontal": True, "vertical": True})
    of_views = recipe(RECIPE.architecture, [flip], predict_views=3)
    one = assemble(of_views, SHAPE, CLASSES, members[0][:1], LISTED)
    for content in (one, average("both", SHAPE, CLASSES, {"a": one, "b": one}, "portable")):
        (tmp_path / "model.keras").write_bytes(content)
        scorer(tmp_path / "model.keras", "portable")(Images())
    assert asked == 2 * [5] * 4
