import zipfile

import numpy as np
import pytest

from stages.engine import tflite_file
from stages.engine.traced import trace
from stages.errors import UserError
from stages.training.export import scorer
from tests.engine import exported
from tests.prepared import CLASSES

pytest.importorskip(
    "ai_edge_litert", reason="ai-edge-litert is missing: pip install -r requirements-export.txt"
)
pytestmark = pytest.mark.slow


def test_the_file_answers_as_the_model_for_any_number_of_raw_images(tmp_path):
    path = exported.write(tmp_path / "model.keras", exported.NORMALIZED, members=1, views=3)
    expected, _ = scorer(path, "portable")(exported.IMAGES)
    file = tmp_path / "model.tflite"
    file.write_bytes(tflite_file.convert(trace(path, "portable"), CLASSES))
    answer = tflite_file.scorer(file)
    for count in (1, 40, 3):
        found = answer(exported.IMAGES[:count])
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
        assert found.dtype == np.float32
    with zipfile.ZipFile(file) as archive:
        assert archive.read(tflite_file.CLASSES).decode().splitlines() == [*CLASSES]


def test_int8_computes_in_bytes_and_takes_the_same_raw_images(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    path = exported.write(tmp_path / "model.keras", exported.NORMALIZED)
    expected, _ = scorer(path, "portable")(exported.IMAGES)
    file = tmp_path / "model.tflite"
    file.write_bytes(tflite_file.convert(trace(path, "portable"), CLASSES, exported.IMAGES))
    found = tflite_file.scorer(file)(exported.IMAGES)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.05
    tensors = Interpreter(str(file)).get_tensor_details()
    floats = [tensor["name"] for tensor in tensors if tensor["dtype"] == np.float32]
    assert len(floats) == 2  # the pixels before quantization, and the probabilities after it


def test_a_layer_without_a_counterpart_is_named(tmp_path):
    path = exported.write_unconvertible(tmp_path / "model.keras")
    with pytest.raises(UserError, match=r"'shrink' \(Resizing\).*ScaleAndTranslate"):
        tflite_file.convert(trace(path, "portable"), CLASSES, exported.IMAGES)
