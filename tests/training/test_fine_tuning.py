import numpy as np
import pytest

from stages.errors import UserError
from stages.models import efficientnet_lite
from stages.models.backbone import body
from stages.settings.sections import Named
from stages.training import fine_tuning
from tests import prepared
from tests.models.public_weights import weights

pytestmark = pytest.mark.slow
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3)).astype("uint8")
LABELS = np.arange(12) % 2
FOLDS = np.arange(12, dtype="int16") // 2 % 2


def tuned(freeze):
    """Fine-tune a backbone for one epoch; return its weights before and after."""
    network = body("efficientnet_lite0", IMAGES.shape[1:])
    network.set_weights(efficientnet_lite.converted(weights()))
    arguments = {"name": "efficientnet_lite0", "freeze": freeze, "rate": 0.1, "dropout": 0.0}
    made = prepared.recipe(Named(name="backbone", arguments=arguments), epochs=1, batch_size=6)
    features = np.asarray(network(IMAGES.astype("f4")))[:, None]
    before = network.get_weights()
    record = fine_tuning.fine_tune(features, before, IMAGES, LABELS, FOLDS, 2, made, 0)
    return before, record.weights[: len(before)]


@pytest.mark.parametrize(("freeze", "all_trained"), [("none", True), (1, False)])
def test_the_stages_that_are_not_frozen_are_trained(freeze, all_trained):
    before, after = tuned(freeze)
    changed = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert changed[0] == all_trained
    assert changed[-5]  # the last convolution
    assert not any(changed[-4:])  # batch normalization


def test_more_stages_than_there_are_is_an_error():
    with pytest.raises(UserError, match="9"):
        tuned(9)
