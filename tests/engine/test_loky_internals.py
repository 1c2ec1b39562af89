import os
import sys
import time

import pytest

from stages.engine import workers
from tests.engine.driver import output

pytestmark = pytest.mark.slow
HELD = []  # memory that a worker holds


def hold(megabytes):
    HELD.append(b"1" * megabytes * 2**20)
    time.sleep(1.1)  # loky checks memory once per second
    return os.getpid()


def test_a_worker_whose_memory_grows_by_a_large_fold_is_not_replaced():
    first = {pid for _, pid in workers.run(hold, [(1,), (1,)], 2)}
    assert {pid for _, pid in workers.run(hold, [(400,)] * 4, 2)} <= first


FORKED = """
import sys
import joblib, psutil
from stages.engine import loky_internals
loky_internals.fork_workers_with("colorsys")
loky_internals.start_servers()
started = {child.pid for child in psutil.Process().children()}
loky_internals.start_servers()
assert started == {child.pid for child in psutil.Process().children()}
tasks = [joblib.delayed(lambda: ("colorsys" in sys.modules, psutil.Process().ppid()))()] * 2
imported, parents = zip(*joblib.Parallel(2, backend="loky")(tasks))
print(len(started), all(imported), started.issuperset(parents))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_workers_are_forked_from_one_server_that_has_imported_a_module(tmp_path):
    assert output(tmp_path, FORKED) == "3 True True\n"  # the server and two resource trackers
