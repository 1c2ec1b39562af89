import numpy as np
import pytest

from stages.models import efficientnet_lite
from stages.models.backbone import body
from stages.settings.sections import Named
from stages.training import epoch
from stages.training.features import features
from tests import prepared
from tests.models.public_weights import weights

pytestmark = pytest.mark.slow
IMAGES = np.random.default_rng(0).integers(0, 256, (7, 32, 40, 3)).astype("uint8")
FLIP = Named(name="flip", arguments={})


@pytest.fixture
def saved(folder, monkeypatch):
    """Return a backbone, and the file of its weights; images are scored three at a time."""
    monkeypatch.setattr(epoch, "SCORING_BATCH", 3)
    model = body("efficientnet_lite0", IMAGES.shape[1:])
    model.set_weights(efficientnet_lite.converted(weights()))
    arrays = {f"{number:04d}": array for number, array in enumerate(model.get_weights())}
    np.savez("weights.npz", **arrays)
    return model, folder / "weights.npz"


def recipe(views=None, ops=()):
    arguments = {"name": "efficientnet_lite0", "views": views}
    return prepared.recipe(Named(name="backbone", arguments=arguments), ops)


def test_features_are_those_of_the_model_with_these_weights(saved):
    found = features(IMAGES, recipe(), saved[1])
    assert (found.shape, found.dtype) == ((7, 1, 1280), np.float32)
    np.testing.assert_allclose(found[:, 0], saved[0](IMAGES.astype("f4")), atol=1e-4)


def test_views_are_augmented_each_with_its_own_draws(saved):
    found = features(IMAGES, recipe(8, [FLIP]), saved[1])
    assert found.shape == (7, 9, 1280)
    upright, mirrored = (saved[0](pixels.astype("f4")) for pixels in (IMAGES, IMAGES[:, :, ::-1]))
    np.testing.assert_allclose(found[:, 0], upright, atol=1e-4)
    is_upright, is_mirrored = (
        np.isclose(found[:, 1:], np.asarray(one)[:, None], atol=1e-4).all(axis=2)
        for one in (upright, mirrored)
    )
    assert (is_upright ^ is_mirrored).all()
    assert 10 < is_mirrored.sum() < 46  # of 56
    assert len(np.unique(is_mirrored, axis=0)) > 4  # no two batches draw alike
    other = features(IMAGES[3:], recipe(8, [FLIP]), saved[1], start=3)
    np.testing.assert_array_equal(other, found[3:])
