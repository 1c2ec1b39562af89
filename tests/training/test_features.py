import numpy as np
import pytest

from stages.models.backbone import body
from stages.settings.sections import Named
from stages.training import epoch
from stages.training.features import features

pytestmark = pytest.mark.slow
LITE = Named(name="backbone", arguments={"name": "efficientnet_lite0"})


def test_features_are_those_of_the_model_with_these_weights(folder, monkeypatch):
    keras_model = body("efficientnet_lite0", (32, 40, 3))
    arrays = {f"{number:04d}": array for number, array in enumerate(keras_model.get_weights())}
    np.savez("weights.npz", **arrays)
    monkeypatch.setattr(epoch, "SCORING_BATCH", 3)
    images = np.random.default_rng(0).integers(0, 256, (7, 32, 40, 3)).astype("uint8")
    found = features(images, LITE, folder / "weights.npz", "portable")
    assert (found.shape, found.dtype) == ((7, 1280), np.float32)
    np.testing.assert_allclose(found, keras_model(images.astype("f4")), atol=1e-5)
