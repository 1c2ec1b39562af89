import json

import pytest

from tests.engine.driver import output

CODE = """
import sys
from stages.training.tf_runtime import load_tensorflow
load_tensorflow()
print(*sorted({"keras", "matplotlib", "pandas", "sklearn"} & set(sys.modules)))
import keras, matplotlib.pyplot, pandas, sklearn.metrics
print(keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())
print(keras.config.backend())
"""


@pytest.mark.slow
def test_tensorflow_comes_without_what_keras_wraps_and_ignores_keras_json(tmp_path, monkeypatch):
    """What Keras wraps can be imported later; a user's configuration of it changes nothing."""
    settings = {
        "backend": "torch",
        "floatx": "float16",
        "epsilon": 1e-3,
        "image_data_format": "channels_first",
    }
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert output(tmp_path, CODE) == "keras\nfloat32 1e-07 channels_last\ntensorflow\n"
