import pytest

from tests.engine.driver import output

IMPORTING = """
import sys
import stages.engine.preload
tensorflow = sys.modules["tensorflow"]
tensorflow.config.threading.set_inter_op_parallelism_threads(3)  # refused once it has started
print("ready", flush=True)
"""


@pytest.mark.slow
def test_tensorflow_is_imported_but_not_started_and_ends_in_silence(tmp_path):
    assert output(tmp_path, IMPORTING) == "ready\n"
