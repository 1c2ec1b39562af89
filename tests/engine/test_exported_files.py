"""ONNX and TFLite files."""

import json
import zipfile

import numpy as np
import pytest

from stages.engine import onnx_file, tflite_file
from stages.engine.traced import trace
from stages.errors import UserError
from stages.training.export import scorer
from tests.engine import exported
from tests.prepared import CLASSES

pytestmark = pytest.mark.slow
FORMATS = {"onnx": onnx_file, "tflite": tflite_file}


@pytest.fixture(params=FORMATS)
def module(request):
    """Return the module of each format."""
    return exported.importable(FORMATS[request.param])


def class_names(file):
    """Return the names that a file holds, as a program without this repository reads them."""
    if file.suffix == ".tflite":
        return zipfile.ZipFile(file).read(tflite_file.CLASSES).decode().splitlines()
    import onnxruntime

    session = onnxruntime.InferenceSession(file)
    (pixels,), (output,) = session.get_inputs(), session.get_outputs()
    assert (pixels.name, pixels.type) == ("pixels", "tensor(uint8)")
    assert pixels.shape == ["n", *exported.SHAPE]
    assert (output.name, output.shape) == ("probabilities", ["n", len(CLASSES)])
    return json.loads(session.get_modelmeta().custom_metadata_map[onnx_file.CLASSES])


def test_a_file_answers_as_the_model_for_any_number_of_raw_images(module, tmp_path):
    path = exported.write(tmp_path / "model.keras", exported.NORMALIZED, members=1, views=3)
    expected, _ = scorer(path, "portable")(exported.IMAGES)
    file = path.with_suffix(".onnx" if module is onnx_file else ".tflite")
    file.write_bytes(module.convert(trace(path, "portable"), CLASSES))
    answer = module.scorer(file)
    for count in (1, 40, 3):
        found = answer(exported.IMAGES[:count])
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
        assert found.dtype == np.float32
    assert class_names(file) == [*CLASSES]
    assert module.convert(trace(path, "portable"), CLASSES) == file.read_bytes()


def test_a_layer_without_a_counterpart_is_named(module, tmp_path):
    path = exported.write_unconvertible(tmp_path / "model.keras")
    with pytest.raises(UserError, match=r"'shrink' \(Resizing\).*ScaleAndTranslate"):
        module.convert(trace(path, "portable"), CLASSES)
