import os
import shutil
import signal
from collections import Counter

import hypothesis
import pytest

import stages  # noqa: F401 - before NumPy, whose kernels it selects
from stages.commands import warm
from tests.prepared import inside

pytest_plugins = ["tests.tracking.fixtures"]

# As in a worker process: TensorFlow reads these when a test first computes with it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # also where a test imports TensorFlow itself
for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ[threads] = "1"

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a job in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # for the tests of Ctrl-C

hypothesis.settings.register_profile("any machine", deadline=None)  # it may be busy
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def warm_process():
    """Start a warm process, as `make repro` does, and return its address."""
    with warm.started(), pytest.MonkeyPatch.context() as patch:
        address = os.environ[warm.ADDRESS]
        patch.delenv(warm.ADDRESS)
        yield address


@pytest.fixture(autouse=True)
def warm_stages(request, monkeypatch):
    """Let the stages that a test marked `warm` starts use it: each imports nothing then."""
    if request.node.get_closest_marker("warm"):
        monkeypatch.setenv(warm.ADDRESS, request.getfixturevalue("warm_process"))


@pytest.fixture
def folder(tmp_path):
    """The working folder: an empty one."""
    with inside(tmp_path):
        yield tmp_path


@pytest.fixture
def copy(folder, tmp_path, monkeypatch):
    """The working folder: a copy of `folder`, where tests of a file share one."""
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "copy"))


def pytest_collection_modifyitems(items):
    """Give the files with most slow tests to the workers first, so that none is left at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
