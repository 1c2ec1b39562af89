import hashlib
from importlib.machinery import ModuleSpec
from pathlib import Path

import keras
import numpy as np
import pytest

from stages.engine import backbones, identity, saved_model
from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.files import sha256
from stages.models import efficientnet_lite
from tests.prepared import parse
from tests.refusals import refusal

LITE = {"name": "efficientnet_lite0"}


@pytest.fixture(autouse=True)
def _empty(folder):
    pass


def row(augmentation=(), **arguments):
    rows = {"photos": {"architecture": {"backbone": arguments}, "augmentation": [*augmentation]}}
    compare = {"variants": ["photos"], "baseline": "photos"}
    return recipe(parse(variants=rows, compare=compare), "photos")


def check(side=32, **arguments):
    backbones.check(row(**arguments), {"image_shape": [side, 40, 3]})


def test_the_row_of_a_bundled_backbone_holds_its_digest():
    made = row(**LITE)
    assert made.architecture.arguments["sha256"] == efficientnet_lite.SHA256
    assert backbones.is_frozen(made)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"name": "efficientnet_lite"}, "backbone.name.*'efficientnet_lite0'"),
        (LITE | {"freeze": "some"}, "freeze"),
        (LITE | {"freeze": 0}, "freeze"),
        (LITE | {"freeze": "none", "views": 2}, "views"),
        (LITE | {"sha256": "ab" * 32}, "backbone.sha256"),
        (LITE | {"weights": None, "sha256": "ab" * 32}, "backbone.sha256"),
        (LITE | {"augmentation": [{"flip": {}}]}, "no views"),
        (LITE | {"views": 2}, "no augmentation"),
        (LITE | {"views": 2, "augmentation": [{"mixup": {"alpha": 0.2}}]}, "mixup"),
    ],
)
def test_rows_that_make_no_sense_are_refused_by_name(arguments, named):
    with pytest.raises(UserError, match=named):
        row(**arguments)


def test_weights_are_converted_once_and_again_when_the_copy_is_damaged():
    made = row(**LITE)
    path = backbones.weights(made)
    assert path.is_relative_to(Path.cwd() / ".foldlab")
    before = path.read_bytes()
    assert backbones.weights(row(**LITE, dense=8)) == path
    path.write_bytes(before[:1000])
    assert backbones.weights(made).read_bytes() == before
    assert backbones.parameters(made) == 3_413_024
    with np.load(path) as stored:
        assert stored["0000"].shape == (3, 3, 3, 32)


def test_downloads_that_keras_cannot_check_are_reported_once_with_their_digest(monkeypatch, capsys):
    array = np.arange(6, dtype="f4").reshape(2, 3)
    monkeypatch.setattr(backbones.workers, "run", lambda *_: [(0, [array, array[0]])])
    made = row(name="mobilenet_v2")
    found = identity.of_arrays(backbones.arrays(made))
    assert found == hashlib.sha256(array.tobytes() + array[0].tobytes()).hexdigest()
    assert found in capsys.readouterr().err
    backbones.weights(made)
    backbones.weights(row(name="mobilenet_v3_small"))  # Keras has checked it
    assert capsys.readouterr().err == ""


def test_images_smaller_than_the_minimum_are_refused():
    check(**LITE)
    assert "31x40" in refusal(check, 31, **LITE)


@pytest.mark.parametrize("damage", ["absent", "no file", "other content"])
def test_a_missing_or_damaged_package_is_refused(damage, folder, monkeypatch):
    package = efficientnet_lite.PACKAGE
    copy = folder / package / efficientnet_lite.FILE
    copy.parent.mkdir(parents=True)
    if damage == "other content":
        copy.write_bytes(b"not the weights")
    spec = None if damage == "absent" else ModuleSpec(package, None, origin=f"{folder}/{package}/x")
    monkeypatch.setattr(backbones, "find_spec", lambda name: spec)
    assert "install" in refusal(check, **LITE)


def test_a_file_that_is_not_in_keras_format_is_refused_before_keras_is_imported():
    content = b"cut off"
    Path("own.keras").write_bytes(content)
    own = {"weights": "own.keras", "sha256": hashlib.sha256(content).hexdigest()}
    assert "own.keras" in refusal(check, name="mobilenet_v3_small", **own)


@pytest.mark.slow
def test_random_weights_are_the_same_in_every_process():
    made = row(name="mobilenet_v3_small", weights=None)
    path = backbones.weights(made)
    before = path.read_bytes()
    path.unlink()
    assert backbones.weights(made).read_bytes() == before


@pytest.mark.slow
def test_weights_of_a_user_s_file_need_its_digest(folder):
    model = keras.applications.MobileNetV3Small(weights=None, include_top=False)
    model.save_weights("own.weights.h5")
    own = {"name": "mobilenet_v3_small", "weights": "own.weights.h5"}
    found = sha256(Path("own.weights.h5"))
    assert found in refusal(check, **own)
    assert "absent.h5" in refusal(check, **own | {"weights": "absent.h5"})
    made = row(**own, sha256=found)
    with np.load(backbones.weights(made)) as stored:
        arrays = [stored[name] for name in stored.files]
    assert all(map(np.array_equal, arrays, model.get_weights()))
    assert "list" in saved_model.note(made)
    assert not saved_model.listed(made.architecture, np.zeros((1, 32, 32, 3), "uint8")).complete
