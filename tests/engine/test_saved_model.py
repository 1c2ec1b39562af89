import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from stages.engine import saved_model
from stages.errors import UserError
from stages.models import ARCHITECTURES
from stages.settings.registry import check_arguments
from stages.settings.sections import Named
from stages.training.trained_images import Listed, digests, write
from tests.settings.test_params import HERE

DATASET = {"image_shape": [8, 8, 1], "sha256": "ab" * 32}
PREPARED = Path("data/prepared")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    saved_model._digests.cache_clear()
    return tmp_path


def save(*layers, name="saved.keras", shape=(8, 8, 1), members=0):
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
    model.save(name)
    return {"path": name, "sha256": digest(name)}


def digest(name):
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def named(**arguments):
    full = check_arguments(ARCHITECTURES["from_model"], arguments, "from_model")
    return Named(name="from_model", arguments=full)


def check(dataset=DATASET, **arguments):
    saved_model.check("moved", named(**arguments), dataset, PREPARED)


def refusal(dataset=DATASET, **arguments):
    with pytest.raises(UserError) as caught:
        check(dataset, **arguments)
    message = str(caught.value)
    assert message.startswith("variants.moved.architecture.from_model")
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_a_fitting_model_is_fine_and_travels_with_the_recipe(folder):
    arguments = save()
    check(**arguments)
    sent = saved_model.attached("moved", named(**arguments))
    assert sent.arguments["content"] == (folder / "saved.keras").read_bytes()


def test_other_architectures_are_left_alone():
    basic = Named(name="basic", arguments={"dense": 8})
    saved_model.check("basic", basic, {}, PREPARED)
    assert saved_model.attached("basic", basic) is basic


def test_a_file_that_is_not_in_a_temporary_experiment_s_folder_is_found(folder, monkeypatch):
    arguments = save()
    (folder / "temporary").mkdir()
    monkeypatch.chdir(folder / "temporary")
    monkeypatch.setenv("DVC_ROOT", str(folder))
    check(**arguments)


@pytest.mark.parametrize("given", ["", "0" * 64])
def test_the_digest_must_be_given_and_be_the_file_s(given):
    right = save()["sha256"]
    message = refusal(path="saved.keras", sha256=given)
    assert f"sha256 is {'missing' if not given else '00000000...'}" in message
    assert right in message


def test_a_file_that_changed_is_refused_also_after_the_check(folder):
    arguments = save()
    check(**arguments)
    save(keras.layers.Dense(2))
    with pytest.raises(UserError, match=r"from_model\.sha256"):
        saved_model.attached("moved", named(**arguments))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": "none.keras"}, "from_model.path is 'none.keras'"),
        ({"path": "."}, "from_model.path is '.'"),
        ({}, "either path or model"),
        ({"path": "a", "model": "models:/foldlab/3"}, "either path or model"),
        (
            {"model": "models:/foldlab@champion", "sha256": "a" * 64},
            "`python -m stages fetch models:/foldlab@champion`",
        ),
    ],
)
def test_a_file_that_is_not_there_is_refused(arguments, said):
    assert said in refusal(**arguments)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"\x89HDF"])
def test_what_is_no_keras_file_is_refused(folder, content):
    (folder / "saved.keras").write_bytes(content)
    assert "saved.keras is not a .keras file" in refusal(path="saved.keras")


@pytest.mark.parametrize("config", ["[]", "{}", '{"class_name": 1, "config": []}', "not JSON"])
def test_a_zip_of_something_else_is_refused(config):
    with zipfile.ZipFile("saved.keras", "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", b"")
    assert "is not a .keras file" in refusal(path="saved.keras")


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([keras.layers.ReLU()], "Flatten"),
        ([keras.layers.Dense(4), keras.layers.Reshape((2, 2))], "Reshape"),
        ([keras.layers.Lambda(lambda x: x, output_shape=(64,)), keras.layers.Dense(2)], "Lambda"),
    ],
)
def test_a_model_that_cannot_be_started_from_is_refused(layers, said):
    assert said in refusal(**save(*layers))


@keras.saving.register_keras_serializable("tests")
class Doubling(keras.layers.Layer):
    def call(self, x):
        return 2 * x


class Tripling(keras.layers.Layer):
    def call(self, x):
        return 3 * x


@pytest.mark.parametrize("own", [Doubling, Tripling])
def test_a_model_with_custom_objects_is_refused(own):
    assert f"custom object '{own.__name__}'" in refusal(**save(own(), keras.layers.Dense(2)))


def test_a_model_with_two_inputs_is_refused():
    one, other = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Add()([one, other]))
    keras.Model([one, other], keras.layers.Dense(2)(x)).save("saved.keras")
    assert "2 inputs" in refusal(path="saved.keras")


@pytest.mark.parametrize("shape", [(9, 8, 1), (8, 8, 3)])
@pytest.mark.parametrize("members", [0, 2])
def test_a_model_for_other_images_is_refused(shape, members):
    size = "x".join(str(side) for side in shape)
    message = refusal(**save(shape=shape, members=members))
    assert size in message
    assert "8x8x1" in message


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
    ("known", "said"),
    [
        (slice(0, 5), ("5 of the 20 images", "0 of the 6 test images")),
        (slice(23, 24), ("0 of the 20 images", "1 of the 6 test images")),
        (slice(10, 30), ("10 of the 20 images", "6 of the 6 test images")),
    ],
)
def test_a_model_of_images_that_are_here_is_refused_by_their_number(present, known, said):
    """Images are compared one by one, whatever their order, split and neighbours."""
    save()
    others = np.random.default_rng(1).integers(0, 256, (50, 8, 8, 1), "uint8")
    arguments = listing("saved.keras", others, present[known][::-1])
    assert all(part in refusal(**arguments) for part in said)
    check(**arguments, force=True)


def test_a_model_of_other_images_is_taken_without_a_note(present):
    save()
    arguments = listing("saved.keras", 255 - present)
    check(**arguments)
    assert saved_model.note("moved", named(**arguments)) == ""


def test_a_model_without_a_full_list_is_taken_with_a_note(present):
    arguments = save()
    check(**arguments)
    unlisted = saved_model.note("moved", named(**arguments))
    assert unlisted.startswith("variants.moved.architecture.from_model: ")
    arguments = listing("saved.keras", 255 - present, complete=False)
    check(**arguments)
    assert saved_model.note("moved", named(**arguments)) not in ("", unlisted)
    assert saved_model.note("basic", Named(name="basic", arguments={})) == ""


def test_what_a_model_is_trained_on_holds_what_its_start_was_trained_on(present):
    save()
    others = 255 - present
    sent = saved_model.attached("moved", named(**listing("saved.keras", others)))
    found = saved_model.listed(sent, present)
    assert found.complete
    assert set(found.digests) == {*digests(present), *digests(others)}
    sent = saved_model.attached("moved", named(**save()))
    assert not saved_model.listed(sent, present).complete


def test_checking_needs_no_tensorflow(folder):
    arguments = named(**save()).model_dump()
    code = (
        "import sys; from pathlib import Path; from stages.settings.sections import Named;"
        "from stages.engine import saved_model;"
        f"saved_model.check('moved', Named(**{arguments!r}), {DATASET!r}, Path('data/prepared'));"
        "print({'tensorflow', 'keras', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(HERE)}
    )
    assert done.stdout == "set()\n", done.stderr
