import json

import numpy as np
import pytest

from stages.engine import onnx_file
from stages.engine.traced import trace
from stages.errors import UserError
from stages.training.export import scorer
from tests.engine import exported
from tests.prepared import CLASSES

for package in onnx_file.PACKAGES:
    pytest.importorskip(
        package, reason=f"{package} is missing: pip install -r requirements-export.txt"
    )
pytestmark = pytest.mark.slow


def test_the_file_answers_as_the_model_for_any_number_of_raw_images(tmp_path):
    import onnxruntime

    path = exported.write(tmp_path / "model.keras", exported.NORMALIZED, members=1, views=3)
    expected, _ = scorer(path, "portable")(exported.IMAGES)
    file = tmp_path / "model.onnx"
    file.write_bytes(onnx_file.convert(trace(path, "portable"), CLASSES))
    answer = onnx_file.scorer(file)
    for count in (1, 40, 3):
        found = answer(exported.IMAGES[:count])
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
        assert found.dtype == np.float32
    session = onnxruntime.InferenceSession(file)
    (pixels,), (output,) = session.get_inputs(), session.get_outputs()
    assert (pixels.name, pixels.type, pixels.shape) == (
        "pixels",
        "tensor(uint8)",
        ["n", *exported.SHAPE],
    )
    assert (output.name, output.shape) == ("probabilities", ["n", len(CLASSES)])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata[onnx_file.CLASSES]) == [*CLASSES]


def test_a_layer_without_a_counterpart_is_named(tmp_path):
    path = exported.write_unconvertible(tmp_path / "model.keras")
    with pytest.raises(UserError, match=r"'shrink' \(Resizing\).*ScaleAndTranslate"):
        onnx_file.convert(trace(path, "portable"), CLASSES)
