import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import chdir
from pathlib import Path

import hypothesis
import psutil
import pytest
from filelock import FileLock

import stages  # noqa: F401 - before NumPy, whose kernels it selects
from stages.commands import warm
from tests import prepared

pytest_plugins = ["tests.tracking.fixtures", "tests.tracking.team_fixtures"]

FOREIGN = (
    *(f"MLFLOW_TRACKING_{name}" for name in ("URI", "USERNAME", "PASSWORD", "TOKEN")),
    *("MLFLOW_RUN_ID", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME", "FOLDLAB_DATA"),
    "DNNL_MAX_CPU_ISA",
)

# As in a worker process: TensorFlow reads these when a test first computes with it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # also where a test imports TensorFlow itself
for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ[threads] = "1"
os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # one worker, this process, where no number is given

# Tests commit to databases thousands of times, which takes some 10 ms each on a disk: use memory.
MEMORY = Path("/dev/shm")
if (
    MEMORY.is_dir()
    and shutil.disk_usage(MEMORY).free > 4 * 2**30
    and psutil.virtual_memory().available > 8 * 2**30
):
    os.environ.setdefault("TMPDIR", str(MEMORY))
    tempfile.tempdir = None  # pytest has already set it

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a job in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # for the tests of Ctrl-C

hypothesis.settings.register_profile("any machine", deadline=None)  # it may be busy
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Start each test and its fixtures without variables that name a store, a stage or data.

    The user who runs the tests may have set them, or an earlier test: MLflow sets some of them
    itself.
    """
    for name in FOREIGN:
        os.environ.pop(name, None)
    # Portable kernels: oneDNN chooses when a process first computes, in whichever test that is.
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id):
    """Return a folder that all workers of a run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def trained(shared):
    """Train and evaluate both variants of small prepared data, once for all workers.

    Return the folder, which tests must not change.
    """
    from stages.evaluate import evaluate
    from stages.train import train

    folder = shared / "trained"
    with FileLock(f"{folder}.lock"):
        if not (folder / "results/normed/metrics.json").exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a training that failed
            folder.mkdir()
            with chdir(folder):
                prepared.write(folder, epochs=1)
                for variant in ("plain", "normed"):
                    train(variant)
                    evaluate(variant)
    return folder


WARM = """
import sys
from stages.training.tf_runtime import load_tensorflow
load_tensorflow()
from stages.commands.warm import warm
warm(sys.argv[1])
"""


@pytest.fixture(scope="session")
def warm_process():
    """Start a warm process, as `make repro` does, and return its address.

    It has imported TensorFlow too: with one worker, a training computes in the forked process.
    """
    with tempfile.TemporaryDirectory() as folder:
        address = Path(folder) / "socket"
        command = [sys.executable, "-c", WARM, str(address)]
        root = Path(__file__).parents[1]
        with subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, start_new_session=True
        ) as server:
            while not address.exists():
                assert server.poll() is None
                time.sleep(0.05)
            yield str(address)
            server.terminate()


@pytest.fixture(autouse=True)
def warm_stages(request):
    """Run the stages that a test marked `warm` starts in a process that has imported everything."""
    with pytest.MonkeyPatch.context() as patch:  # the test's own is undone before its folder goes
        if request.node.get_closest_marker("warm"):
            patch.setenv(warm.ADDRESS, request.getfixturevalue("warm_process"))
        yield


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder: an empty one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def copy(folder, tmp_path, monkeypatch):
    """The working folder: a copy of `folder`, where tests of a file share one."""
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "copy"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each worker whole files, so that their fixtures are made once, but single benchmarks.

    All files with a team's server count as one.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            if LONGEST[1] in nodeid:
                return nodeid
            return super()._split_scope(nodeid).replace("test_team_access", "test_team_server")

    return Scheduling(config, log)


# These take longest; the first makes what the other tests of the pipeline copy.
LONGEST = (
    "tests/pipeline/test_repro.py",
    "tests/benchmarks/test_quick.py",
    "tests/pipeline/test_your_own_data.py",
    "tests/engine/test_cluster.py",
    "tests/engine/test_features.py",
    "tests/tracking/test_team_server.py",
    "tests/tracking/test_team_access.py",  # it leaves runs, and revokes a permission
)


def pytest_collection_modifyitems(items):
    """Start with the longest files, then those with most slow tests."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    rank = {Path(__file__).parents[1] / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (rank.get(item.path, len(rank)), -slow[item.path]))
