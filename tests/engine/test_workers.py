import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from stages.engine import workers
from stages.errors import UserError
from stages.settings.sections import Parallel

HELD = []  # memory that a worker holds


def double(number):
    return 2 * number


def slow_then_report(number, on_epoch):
    for epoch in (1, 2):
        on_epoch(epoch, number / 10)
    return os.getpid()


def report_for_ever(number, on_epoch):
    while True:
        on_epoch(1, number / 10)
        time.sleep(0.1)


def refuse(number, error=ValueError):
    raise error(f"{number} is not allowed; give another.")


def die(number):
    if number == 1:
        os._exit(9)
    time.sleep(0.2)
    return number


def die_once(number, marker):
    if number == 1 and not marker.exists():
        marker.touch()
        os._exit(9)
    time.sleep(0.2)
    return number


def hold(megabytes):
    HELD.append(b"1" * megabytes * 2**20)
    time.sleep(1.1)  # loky checks memory once per second
    return os.getpid()


def test_a_worker_that_grows_by_a_large_fold_stays_alive():
    first = {pid for _, pid in workers.run(hold, [(1,), (1,)], 2)}
    assert {pid for _, pid in workers.run(hold, [(400,)] * 4, 2)} <= first


@pytest.mark.parametrize(
    ("tasks", "cores", "count"),
    [
        (1, 2, 2),  # `run` starts no more than there are tasks
        (4, 2, 2),
        (5, 2, 3),  # takes the time of 2.5 tasks instead of 3
        (3, 2, 3),
        (30, 2, 2),
        (5, 4, 5),
        (10, 4, 5),
        (30, 4, 4),  # five would save less than a tenth
        (5, 16, 16),
        (5, 1, 1),
    ],
)
def test_the_number_of_workers_leaves_no_core_idle_for_long(tasks, cores, count):
    assert workers.optimal_workers(tasks, cores) == count


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_is_done_once(jobs):
    results = dict(workers.run(double, [(3,), (4,), (5,)], jobs))
    assert results == {0: 6, 1: 8, 2: 10}


def test_no_task_is_no_work():
    assert list(workers.run(double, [], None)) == []


def test_epochs_are_heard_while_workers_work():
    heard = []
    with workers.listening(lambda *event: heard.append(event), Parallel()) as reporter:
        tasks = [(number, reporter(number)) for number in (5, 6)]
        processes = {pid for _, pid in workers.run(slow_then_report, tasks, 2)}
    assert os.getpid() not in processes
    assert sorted(heard) == [(5, 1, 0.5), (5, 2, 0.5), (6, 1, 0.6), (6, 2, 0.6)]


DRIVER = """
from stages.settings.sections import Parallel
from stages.engine import workers
from tests.engine.test_workers import report_for_ever
with workers.listening(lambda *event: print(event, flush=True), Parallel()) as reporter:
    list(workers.run(report_for_ever, [(n, reporter(n)) for n in (1, 2)], 2))
"""


def test_workers_end_soon_after_a_driver_that_was_killed():
    command = [sys.executable, "-c", DRIVER]
    driver = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE)
    driver.stdout.readline()  # an epoch has ended, so the workers are running
    helpers = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(helpers, timeout=30)
    assert len(helpers) > 2
    assert not alive


ALONE = """
from stages.engine import workers
from tests.engine.test_workers import double
print(sorted(workers.run(double, [(3,), (4,)], 2)))
"""


def test_workers_start_where_the_folder_of_temporary_files_has_a_long_name(tmp_path):
    long = tmp_path / ("a" * 100)
    long.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TMPDIR": str(long)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "[(0, 6), (1, 8)]\n"), done.stderr


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("error", [ValueError, EOFError, ConnectionResetError])
def test_a_refusal_in_a_worker_reaches_the_caller_as_it_is(error, jobs):
    with pytest.raises(error, match=r"^7 is not allowed; give another"):
        list(workers.run(refuse, [(7, error)], jobs))


def test_a_worker_that_dies_is_one_clear_error_and_all_others_are_kept():
    kept = {}
    with pytest.raises(UserError, match=r"1 of 3 tasks"):
        kept.update(workers.run(die, [(0,), (1,), (2,)], 2))  # dispatches two tasks at a time
    assert kept == {0: 0, 2: 2}


def test_a_worker_that_dies_once_costs_nothing(tmp_path):
    tasks = [(number, tmp_path / "died") for number in range(3)]
    assert dict(workers.run(die_once, tasks, 2)) == {0: 0, 1: 1, 2: 2}


def die_once_and_measure(number, folder):
    """Return when this task started and ended; the first one kills its worker once."""
    if number == 0 and not (folder / "died").exists():
        (folder / "died").touch()
        os._exit(9)
    began = time.monotonic()
    time.sleep(0.3)
    return began, time.monotonic()


def test_after_a_death_the_others_still_run_side_by_side(tmp_path, capfd):
    tasks = [(number, tmp_path) for number in range(12)]
    found = dict(workers.run(die_once_and_measure, tasks, 2))
    assert found.keys() == set(range(12))
    spans = sorted(found.values())
    together = sum(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans))
    assert together >= 3  # one at a time, it would be 0
    assert capfd.readouterr().err.count("foldlab: ") == 1


HANGS = """
import time
from stages.engine import workers
if __name__ == "__main__":
    list(workers.run(abs, [(1,), (2,)], 2))
    print("idle", flush=True)
    time.sleep(600)
"""


def test_idle_workers_and_the_process_that_forks_them_end_with_a_killed_driver(tmp_path):
    (tmp_path / "driver.py").write_text(HANGS)
    driver = subprocess.Popen(
        [sys.executable, tmp_path / "driver.py"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
    )
    assert driver.stdout.readline() == b"idle\n"
    helpers = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(helpers, timeout=20)
    assert len(helpers) > 2
    assert not alive


INTERRUPTED = """
import time
from stages import __main__
from stages.engine import workers
if __name__ == "__main__":
    __main__.handle(lambda: list(workers.run(time.sleep, [(60,)] * 4, 2)))
"""


@pytest.mark.parametrize("seconds", [1, 2, 4])
def test_ctrl_c_while_workers_start_is_one_sentence(tmp_path, seconds):
    """The terminal sends it to every process, also to those that import TensorFlow."""
    (tmp_path / "driver.py").write_text(INTERRUPTED)
    driver = subprocess.Popen(
        [sys.executable, tmp_path / "driver.py"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a job in the background of a script inherits that it ignores Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    time.sleep(seconds)
    started = psutil.Process(driver.pid).children(recursive=True)
    os.killpg(driver.pid, signal.SIGINT)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert said.startswith("foldlab: ")
    assert said.count("\n") == 1
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive


def test_the_progress_listener_ends_though_no_datagram_arrives(monkeypatch):
    monkeypatch.setattr(workers, "_send", lambda message, port: None)
    began = time.monotonic()
    with workers.listening(print, Parallel()):
        pass
    assert time.monotonic() - began < 5


DIES = """
import multiprocessing
from operator import neg
from stages.engine import workers
if __name__ == "__main__":
    workers._start_method()
    multiprocessing.set_forkserver_preload(["dying"])
    print(sorted(workers.run(neg, [(n,) for n in range(4)], 2)))
"""
DYING = """
import os
from pathlib import Path
def die_once():
    marker = Path(__file__).with_name("died")
    if not marker.exists():
        marker.touch()
        os._exit(9)
os.register_at_fork(before=die_once)
"""


def test_the_process_that_workers_are_forked_from_may_die_too(tmp_path):
    if sys.platform != "linux":
        pytest.skip("workers are not forked here")
    (tmp_path / "dying.py").write_text(DYING)
    (tmp_path / "driver.py").write_text(DIES)
    done = subprocess.run(
        [sys.executable, tmp_path / "driver.py"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (tmp_path / "died").exists()
    assert done.stdout == "[(0, 0), (1, -1), (2, -2), (3, -3)]\n", done.stderr


ENDS = """
import os, sys
from pathlib import Path
import numpy as np
from stages.engine import workers
from tests.engine.test_workers import measured
if __name__ == "__main__":
    image = np.zeros(2**21, "uint8")
    print(sorted(size for _, size in workers.run(measured, [(image,)] * 2, 2)))
    print([*Path("/dev/shm").glob(f"joblib_memmapping_folder_{os.getpid()}_*/*")])
"""


def measured(array):
    time.sleep(0.5)  # so that two workers are needed
    return array.nbytes


def test_workers_leave_no_files_of_large_arrays_behind(tmp_path):
    (tmp_path / "driver.py").write_text(ENDS)
    done = subprocess.run(
        [sys.executable, tmp_path / "driver.py"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("[2097152, 2097152]\n[]\n", "")


OFFLINE = """
from stages.settings.sections import Parallel
from stages.engine import workers
with workers.listening(print, Parallel()) as reporter:
    reporter("a fold")(1, 0.5)
print("went on")
"""


def test_without_any_network_not_even_loopback_epochs_go_unheard_and_nothing_else_happens():
    if not shutil.which("unshare") or subprocess.run(["unshare", "-n", "true"]).returncode:
        pytest.skip("a process without network is not allowed here")
    command = ["unshare", "-n", sys.executable, "-c", OFFLINE]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr
