from tests.engine.test_preload import ran

WITHOUT = """
import sys
from stages.training.starting import load_tensorflow
load_tensorflow()
print(*sorted({"keras", "matplotlib", "pandas", "sklearn"} & set(sys.modules)))
import matplotlib.pyplot, pandas, sklearn.metrics
"""


def test_tensorflow_comes_without_what_keras_only_wraps_and_that_can_be_imported_later():
    assert ran(WITHOUT) == (0, "keras\n", "")
