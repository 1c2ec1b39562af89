import re
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from stages.engine import saved_model
from stages.errors import UserError
from stages.files import sha256
from stages.models import ARCHITECTURES
from stages.settings.registry import check_arguments
from stages.settings.sections import Named
from stages.training.trained_images import Listed, digests, write
from tests import prepared
from tests.refusals import refused

pytestmark = pytest.mark.slow  # imports Keras

DATASET = {"image_shape": [8, 8, 1], "sha256": "ab" * 32}
PREPARED = Path("data/prepared")


@pytest.fixture(autouse=True)
def _empty(folder):
    saved_model._digests.cache_clear()


def save(*layers, shape=(8, 8, 1), members=0):
    """Save a classifier that ends with `layers`; return the arguments that name its file."""
    layers = layers or (keras.layers.Dense(2), keras.layers.Softmax())
    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), *layers])
    if members:
        pixels = keras.Input(shape)
        voting = [
            keras.Sequential([keras.Input(shape), *model.layers], name=f"member_{number}")(pixels)
            for number in range(members)
        ]
        model = keras.Model(pixels, keras.layers.Average()(voting))
    model.save("saved.keras")
    return {"path": "saved.keras", "sha256": digest("saved.keras")}


def digest(name):
    return sha256(Path(name))


def recipe(name="from_model", /, **arguments):
    full = check_arguments(ARCHITECTURES[name], arguments, name)
    return prepared.recipe(Named(name=name, arguments=full), variant="moved")


def check(dataset=DATASET, **arguments):
    saved_model.check(recipe(**arguments), dataset, PREPARED)


def refusal(**arguments):
    with refused(r"^variants\.moved\.architecture\.from_model.*\.$") as caught:
        check(**arguments)
    return str(caught.value)


def test_a_fitting_model_is_valid_and_is_sent_with_the_recipe(folder, monkeypatch):
    arguments = save()
    (folder / "temporary").mkdir()
    for here in (folder, folder / "temporary"):  # an experiment's folder does not have the file
        monkeypatch.chdir(here)
        monkeypatch.setenv("DVC_ROOT", str(folder))
        check(**arguments)
    sent = saved_model.attached(recipe(**arguments))
    assert sent.architecture.arguments["content"] == (folder / "saved.keras").read_bytes()


def test_other_architectures_are_left_alone():
    basic = recipe("basic")
    saved_model.check(basic, {}, PREPARED)
    assert saved_model.attached(basic) is basic
    assert saved_model.note(basic) == ""


def test_the_digest_must_be_given_and_be_the_file_s():
    arguments = save()
    for given, found in (("", "missing"), ("0" * 64, "00000000...")):
        message = refusal(path="saved.keras", sha256=given)
        assert f"sha256 is {found}" in message
        assert arguments["sha256"] in message
    save(keras.layers.Dense(2))  # the file changes after the check
    with pytest.raises(UserError, match=r"from_model\.sha256"):
        saved_model.attached(recipe(**arguments))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"path": "."}, "from_model.path is '.'"),
        ({}, "either path or model"),
        ({"path": "a", "model": "models:/foldlab/3"}, "either path or model"),
        ({"model": "models:/foldlab@champion", "sha256": "a" * 64}, "models:/foldlab@champion"),
    ],
)
def test_a_missing_file_is_rejected(arguments, named):
    assert named in refusal(**arguments)


@keras.saving.register_keras_serializable("tests")
class Doubling(keras.layers.Layer):
    def call(self, x):
        return 2 * x


class Tripling(keras.layers.Layer):
    call = Doubling.call


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        ([keras.layers.Dense(4), keras.layers.Reshape((2, 2))], "Reshape"),
        ([keras.layers.Lambda(lambda x: x, output_shape=(64,)), keras.layers.Dense(2)], "Lambda"),
        ([Doubling(), keras.layers.Dense(2)], "Doubling"),  # registered
        ([Tripling(), keras.layers.Dense(2)], "Tripling"),
    ],
)
def test_a_model_with_other_ends_or_custom_code_is_rejected(layers, named):
    assert named in refusal(**save(*layers))


def test_a_model_with_two_inputs_is_rejected():
    one, other = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Add()([one, other]))
    keras.Model([one, other], keras.layers.Dense(2)(x)).save("saved.keras")
    assert "2 inputs" in refusal(path="saved.keras", sha256=digest("saved.keras"))


@pytest.mark.parametrize(("shape", "members"), [((9, 8, 1), 0), ((8, 8, 3), 2)])
def test_a_model_for_other_images_is_rejected(shape, members):
    message = refusal(**save(shape=shape, members=members))
    assert "x".join(map(str, shape)) in message
    assert "8x8x1" in message


def test_heads_on_a_frozen_backbone_are_rejected_as_such():
    pixels = keras.Input((8, 8, 1))
    features = keras.layers.Flatten()(pixels)
    head = keras.Sequential([keras.Input((64,)), keras.layers.Dense(2)], name="member_0")
    keras.Model(pixels, keras.layers.Softmax()(head(features))).save("saved.keras")
    message = refusal(path="saved.keras", sha256=digest("saved.keras"))
    assert "backbone" in message
    assert "images of" not in message


def test_members_are_counted_from_zero():
    arguments = save(members=2)
    check(**arguments, member=1)
    assert "from_model.member is 2" in refusal(**arguments, member=2)
    assert "from_model.member is 1" in refusal(**save(), member=1)


def listing(path, *known, complete=True):
    """Add a list of images to a saved model; return the arguments that name its file."""
    listed = Listed(np.unique(np.concatenate([digests(part) for part in known])), complete)
    with zipfile.ZipFile(path, "a") as archive:
        write(archive, listed)
    return {"path": path, "sha256": digest(path)}


@pytest.fixture
def present(folder):
    """The prepared images: 20 training and 6 test images."""
    images = np.random.default_rng(0).integers(0, 256, (26, 8, 8, 1), "uint8")
    (folder / PREPARED).mkdir(parents=True)
    for split, part in (("train", images[:20]), ("test", images[20:])):
        np.save(folder / PREPARED / f"{split}_images.npy", part)
    return images


@pytest.mark.parametrize(
    ("known", "counts"),
    [
        (slice(0, 5), ["5 of the 20"]),
        (slice(23, 24), ["1 of the 6"]),
        (slice(10, 30), ["10 of the 20", "6 of the 6"]),
    ],
)
def test_a_model_trained_on_prepared_images_is_rejected_with_their_number(present, known, counts):
    """Images are compared one by one, whatever their order, split and neighbours."""
    save()
    others = np.random.default_rng(1).integers(0, 256, (50, 8, 8, 1), "uint8")
    arguments = listing("saved.keras", others, present[known][::-1])
    assert re.findall(r"\d+ of the \d+", refusal(**arguments)) == counts
    check(**arguments, force=True)


def test_the_weights_of_a_backbone_must_not_know_prepared_images_either(present):
    def weights(path):
        named = {"name": "efficientnet_lite0", "weights": path, "sha256": digest(path)}
        return recipe("backbone", **named)

    save()
    listing("saved.keras", present[18:22])
    with refused(r"^variants\.moved\.architecture\.backbone.*weights of .* other .*") as caught:
        saved_model.check(weights("saved.keras"), DATASET, PREPARED)
    assert re.findall(r"\d+ of the \d+", str(caught.value)) == ["2 of the 20", "2 of the 6"]

    save()
    listing("saved.keras", 255 - present)
    others = weights("saved.keras")
    saved_model.check(others, DATASET, PREPARED)
    assert saved_model.note(others) == ""
    found = saved_model.listed(others.architecture, present)
    assert found.complete
    assert set(found.digests) == {*digests(present), *digests(255 - present)}

    save()  # the file changes after the check
    assert not saved_model.listed(others.architecture, present).complete
    Path("saved.keras").write_bytes(b"cut off")
    damaged = weights("saved.keras")
    saved_model.check(damaged, DATASET, PREPARED)
    assert saved_model.note(damaged) == saved_model.note(weights("saved.keras"))


def test_a_model_without_a_full_list_of_other_images_is_valid_with_a_note(present):
    others, unlisted = 255 - present, save()
    check(**unlisted)
    first = saved_model.note(recipe(**unlisted))
    partial = listing("saved.keras", others, complete=False)
    check(**partial)
    assert saved_model.note(recipe(**partial)) not in ("", first)
    save()
    full = listing("saved.keras", others)
    check(**full)
    assert saved_model.note(recipe(**full)) == ""
    found = saved_model.listed(saved_model.attached(recipe(**full)).architecture, present)
    assert found.complete
    assert set(found.digests) == {*digests(present), *digests(others)}
