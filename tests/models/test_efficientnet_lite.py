import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from stages.models import efficientnet_lite
from stages.models.backbone import body
from tests.models.public_weights import weights

pytestmark = pytest.mark.slow  # imports Keras


def scores(images):
    """Return the scores of ImageNet's classes, (n, 1000)."""
    model = body("efficientnet_lite0", images.shape[1:])
    model.set_weights(efficientnet_lite.converted(weights()))
    features = model(images.astype("f4")).numpy()
    return features @ weights()["_fc.weight"].T + weights()["_fc.bias"]


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (224, [-0.6743, 0.6194, -0.4056, -1.7858, -0.7959, 0.0667]),
        (65, [0.2823, 1.7, 1.5533, -2.7016, 0.4845, -1.2658]),
    ],
)
def test_scores_are_those_of_the_public_implementation(side, expected):
    """What efficientnet_lite_pytorch 0.1.0 with PyTorch 2.14 gives for the same pixels."""
    place = np.arange(224 * 224 * 3, dtype=np.uint64).reshape(1, 224, 224, 3)
    images = (place * np.uint64(2654435761) >> np.uint64(20)) % 256
    np.testing.assert_allclose(scores(images[:, :side, :side])[0, :6], expected, atol=1e-3)


@pytest.mark.parametrize(("photo", "name"), [("flower.jpg", 985), ("china.jpg", 698)])
def test_known_photographs_are_named_rightly(photo, name):
    """A blossom is a daisy, ImageNet's class for such flowers; the Summer Palace is a palace."""
    image = Image.fromarray(load_sample_image(photo))
    width, height = image.size
    left = (width - height) // 2
    square = image.crop((left, 0, left + height, height)).resize((224, 224), Image.BICUBIC)
    assert scores(np.asarray(square)[None]).argmax() == name
