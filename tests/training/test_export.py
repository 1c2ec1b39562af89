import json
import zipfile
from io import BytesIO

import numpy as np
import pytest

from stages.models import build
from stages.settings.sections import Named, Train
from stages.training.export import assemble, average, probabilities
from stages.training.recipe import Recipe
from stages.training.trained_images import Listed, read
from tests.prepared import TRAIN

LISTED = Listed(np.array([5, 7], "<u8"), True)  # not digests of images used here
RECIPE = Recipe(
    variant="small",
    architecture=Named(name="batchnorm", arguments={"dense": 4, "momentum": 0.9}),
    augmentation=[],
    train=Train(**TRAIN),
)
SHAPE, CLASSES = (12, 12, 1), 3


@pytest.fixture(scope="module")
def members():
    import keras

    keras.utils.set_random_seed(3)
    return [build(RECIPE.architecture, SHAPE, CLASSES).get_weights() for _ in range(3)]


@pytest.fixture(scope="module")
def path(members, tmp_path_factory):
    file = tmp_path_factory.mktemp("artifact") / "model.keras"
    file.write_bytes(assemble(RECIPE, SHAPE, CLASSES, members, LISTED))
    return file


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (7, *SHAPE), dtype="uint8")


def expected(members, images):
    import keras

    votes = []
    for weights in members:
        model = build(RECIPE.architecture, SHAPE, CLASSES)
        model.set_weights(weights)
        votes.append(keras.ops.softmax(model(images.astype("f4"), training=False)).numpy())
    return np.stack(votes)


def test_the_model_is_the_mean_of_its_members(path, members, images):
    vote, each = probabilities(path, images)
    np.testing.assert_allclose(each, expected(members, images), atol=1e-6)
    np.testing.assert_allclose(vote, each.mean(0), atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_plain_keras_user_loads_it_and_gives_raw_pixels(path, members, images, dtype):
    import keras

    model = keras.saving.load_model(path, safe_mode=True)
    assert model.input_shape == (None, *SHAPE)
    predicted = model.predict(images.astype(dtype), verbose=0)
    np.testing.assert_allclose(predicted, expected(members, images).mean(0), atol=1e-6)
    assert predicted.dtype == np.float32


def test_a_single_member_is_the_model(members, images, tmp_path):
    (tmp_path / "one.keras").write_bytes(assemble(RECIPE, SHAPE, CLASSES, members[:1], LISTED))
    vote, each = probabilities(tmp_path / "one.keras", images)
    np.testing.assert_array_equal(vote, each[0])


def test_the_same_weights_give_the_same_bytes(path, members, images):
    probabilities(path, images)  # does not depend on earlier work in the process
    assert assemble(RECIPE, SHAPE, CLASSES, members, LISTED) == path.read_bytes()


def test_other_weights_give_other_bytes(path, members):
    assert assemble(RECIPE, SHAPE, CLASSES, members[::-1], LISTED) != path.read_bytes()


def test_no_time_of_saving_is_in_the_file(path):
    with zipfile.ZipFile(BytesIO(path.read_bytes())) as saved:
        assert {info.date_time for info in saved.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(saved.read("metadata.json"))["date_saved"].startswith("1980")


def test_parts_of_a_batch_score_as_the_whole(path, images):
    whole, _ = probabilities(path, np.concatenate([images] * 80))
    np.testing.assert_allclose(whole[-7:], probabilities(path, images)[0], atol=1e-6)


def test_a_model_lists_what_it_was_trained_on_and_an_ensemble_what_any_member_was(path, members):
    other = assemble(RECIPE, SHAPE, CLASSES, members[:1], Listed(np.array([6, 7], "<u8"), True))
    both = read(average("both", SHAPE, CLASSES, {"a": path.read_bytes(), "b": other}))
    assert read(path.read_bytes()).digests.tolist() == [5, 7]
    assert both.digests.tolist() == [5, 6, 7]
    assert both.complete
