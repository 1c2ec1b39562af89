import numpy as np
import pytest

from stages.engine import preview as module
from stages.engine.fold_tasks import Arrays
from stages.engine.preview import DRAWS, IMAGES, augmented, preview
from stages.settings.sections import Named, Parallel
from tests.prepared import recipe

RANDOM = np.random.default_rng(0)
ARRAYS = Arrays(
    images=RANDOM.integers(1, 255, (40, 6, 5, 1), dtype=np.uint8),
    labels=np.array([2] * 20 + [0] * 19 + [1]),
    folds=np.zeros((1, 40), "int16"),
    classes=4,
)
ONE = Parallel(jobs=1)
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("folder")]
DARKER = Named(name="brightness", arguments={"factor": 0.5})
FLIP = Named(name="flip", arguments={"horizontal": True, "vertical": False})
MIXUP = Named(name="mixup", arguments={"alpha": 1.0})


@pytest.mark.parametrize("given", [None, recipe()])
def test_without_augmentation_the_first_images_of_each_class_in_turn_are_shown(given):
    rows = [20, 39, 0, 21, 1, 22, 2, 23]  # classes 0, 1, 2, then 0, 2, 0, 2, 0
    made = preview("fingerprint", given, ARRAYS, ONE)
    np.testing.assert_array_equal(made["original"], ARRAYS.images[rows])
    assert made["changed"].shape == (0, DRAWS, IMAGES, 6, 5, 1)


def test_each_op_alone_then_all_together():
    made = preview("fingerprint", recipe(ops=[DARKER, FLIP]), ARRAYS, ONE)
    assert made["changed"].dtype == np.uint8
    assert made["changed"].shape == (3, DRAWS, IMAGES, 6, 5, 1)
    brightness, flip, both = made["changed"].astype(int)
    original = made["original"].astype(int)
    ratio = brightness.sum((2, 3, 4)) / original.sum((1, 2, 3))
    assert len({*ratio.ravel()}) > IMAGES  # each image of each draw differs
    as_it_was = (flip == original).all((2, 3, 4))
    mirrored = (flip == original[:, :, ::-1]).all((2, 3, 4))
    assert (as_it_was ^ mirrored).all()
    assert as_it_was.any()
    assert mirrored.any()
    assert not any(np.array_equal(both, alone) for alone in (brightness, flip))


def test_the_result_is_stored_and_the_same_when_made_again(tmp_path, monkeypatch):
    first = preview("fingerprint", recipe(ops=[FLIP]), ARRAYS, ONE)
    monkeypatch.setattr(module, "augmented", None)  # calling it would fail
    kept = preview("fingerprint", recipe(ops=[FLIP]), ARRAYS, ONE)
    monkeypatch.undo()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "elsewhere"))
    again = preview("fingerprint", recipe(ops=[FLIP]), ARRAYS, ONE)
    for made in (kept, again):
        np.testing.assert_equal(made, first)


def test_mixing_ops_mix_the_images_shown():
    images, labels = ARRAYS.images[:8], ARRAYS.labels[:8]
    (first,) = augmented([[MIXUP]], images, labels, 4, 5, "portable")
    assert not np.array_equal(first[0], first[1])
    assert (first >= images.min(0)).all()
    assert (first <= images.max(0)).all()
