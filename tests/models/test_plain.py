"""The rows that every network must beat."""

import keras
import numpy as np
import pytest

from stages.models import build
from stages.settings.sections import Named

pytestmark = pytest.mark.slow


def test_majority_ignores_the_image_and_logistic_has_no_hidden_layer():
    images = np.random.default_rng(0).uniform(0, 255, (5, 28, 28, 1)).astype(np.float32)
    majority = build(Named(name="majority"), (28, 28, 1), 10)
    logits = majority.predict(images, verbose=0)
    assert (logits == logits[0]).all()
    logistic = build(Named(name="logistic"), (28, 28, 1), 10)
    assert logistic.count_params() == 7850
    assert len([layer for layer in logistic.layers if isinstance(layer, keras.layers.Dense)]) == 1
