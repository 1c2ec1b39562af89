import json

import pytest

from tests.engine.test_preload import ran

pytestmark = pytest.mark.slow

WITHOUT = """
import sys
from stages.training.tf_runtime import load_tensorflow
load_tensorflow()
print(*sorted({"keras", "matplotlib", "pandas", "sklearn"} & set(sys.modules)))
import matplotlib.pyplot, pandas, sklearn.metrics
"""


def test_tensorflow_comes_without_what_keras_only_wraps_and_that_can_be_imported_later():
    assert ran(WITHOUT) == (0, "keras\n", "")


CONFIGURED = """
from stages.training.tf_runtime import load_tensorflow
load_tensorflow()
import keras
print(keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())
"""


def test_a_user_s_configuration_of_keras_changes_nothing(tmp_path, monkeypatch):
    settings = {"floatx": "float16", "epsilon": 1e-3, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert ran(CONFIGURED) == (0, "float32 1e-07 channels_last\n", "")
