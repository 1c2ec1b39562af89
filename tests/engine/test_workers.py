import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest

from stages.engine import workers
from stages.errors import UserError
from tests.engine.driver import output, start


@pytest.mark.parametrize(
    ("tasks", "cores", "count"),
    [
        (1, 2, 2),  # `run` starts no more than there are tasks
        (5, 2, 3),  # takes the time of 2.5 tasks instead of 3
        (30, 4, 4),  # five would save less than a tenth
        (5, 16, 16),
        (5, 1, 1),
    ],
)
def test_the_number_of_workers_leaves_no_core_idle_for_long(tasks, cores, count):
    assert workers.optimal_workers(tasks, cores) == count


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_every_task_is_done_once(jobs):
    assert dict(workers.run(abs, [(-3,), (4,), (-5,)], jobs)) == {0: 3, 1: 4, 2: 5}
    assert list(workers.run(abs, [], jobs)) == []


def refuse(number, error=ValueError):
    raise error(f"{number} is not allowed; give another.")


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("error", [ValueError, EOFError])  # as when a worker dies
def test_an_exception_in_a_task_reaches_the_caller(error, jobs):
    with pytest.raises(error, match=r"^7 is not allowed; give another"):
        list(workers.run(refuse, [(7, error)], jobs))


def slow_then_report(number, on_epoch):
    for epoch in (1, 2):
        on_epoch(epoch, number / 10)
    return os.getpid()


@pytest.mark.slow
def test_epochs_are_reported_while_workers_work():
    heard = []
    with workers.listening(lambda *event: heard.append(event)) as report:
        tasks = [(number, partial(report, number)) for number in (5, 6)]
        processes = {pid for _, pid in workers.run(slow_then_report, tasks, 2)}
    assert os.getpid() not in processes
    assert sorted(heard) == [(5, 1, 0.5), (5, 2, 0.5), (6, 1, 0.6), (6, 2, 0.6)]


def test_reports_that_arrived_before_the_end_are_shown():
    heard = []
    with workers.listening(lambda *event: heard.append(event)) as report:
        for epoch in range(50):
            report("basic", epoch, 0.5)
    assert heard == [("basic", epoch, 0.5) for epoch in range(50)]


def die(number):
    if number == 1:
        os._exit(9)
    time.sleep(0.2)
    return number


@pytest.mark.slow
def test_a_worker_that_always_dies_is_one_error_and_all_other_results_are_yielded():
    results = {}
    with pytest.raises(UserError, match=r"1 of 3 tasks"):
        results.update(workers.run(die, [(0,), (1,), (2,)], 2))  # dispatches two tasks at a time
    assert results == {0: 0, 2: 2}


def die_once_and_measure(number, folder):
    """Return when this task started and ended; the first one kills its worker once."""
    if number == 0 and not (folder / "died").exists():
        (folder / "died").touch()
        os._exit(9)
    began = time.monotonic()
    time.sleep(0.2)
    return began, time.monotonic()


@pytest.mark.slow
def test_after_a_death_all_tasks_are_done_the_others_in_parallel(tmp_path, capfd):
    tasks = [(number, tmp_path) for number in range(12)]
    found = dict(workers.run(die_once_and_measure, tasks, 2))
    assert found.keys() == set(range(12))
    spans = sorted(found.values())
    together = sum(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans))
    assert together >= 3  # one at a time, it would be 0
    assert capfd.readouterr().err.count("foldlab: ") == 1


BUSY = """
def report_for_ever(on_epoch):
    while True:
        on_epoch(1, 0.5)
        time.sleep(0.1)
with workers.listening(lambda *event: print(event, flush=True)) as report:
    list(workers.run(report_for_ever, [(partial(report, n),) for n in (1, 2)], 2))
"""
IDLE = """
list(workers.run(abs, [(1,), (2,)], 2))
print("idle", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [BUSY, IDLE])
def test_workers_and_the_process_that_forks_them_end_with_a_killed_driver(tmp_path, code):
    driver = start(tmp_path, code)
    driver.stdout.readline()  # the workers are running
    helpers = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(helpers, timeout=30)
    assert len(helpers) > 2
    assert not alive


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.1, 2])
def test_ctrl_c_while_workers_start_prints_one_sentence(tmp_path, seconds):
    """The terminal sends it to every process, including those that import TensorFlow."""
    driver = start(
        tmp_path,
        'print("begins", flush=True)\n'
        "__main__.handle(lambda: list(workers.run(time.sleep, [(60,)] * 4, 2)))",
        start_new_session=True,
        # background jobs of a script ignore Ctrl-C, and so would this process
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    driver.stdout.readline()
    time.sleep(seconds)
    started = psutil.Process(driver.pid).children(recursive=True)
    os.killpg(driver.pid, signal.SIGINT)
    _, printed = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert printed.startswith("foldlab: ")
    assert printed.count("\n") == 1
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive


DYING = """
import os
from functools import partial
from pathlib import Path
def die_once():
    marker = Path(__file__).with_name("died")
    if not marker.exists():
        marker.touch()
        os._exit(9)
os.register_at_fork(before=die_once)
"""
PRELOAD = 'workers._are_forked(); multiprocessing.set_forkserver_preload(["dying"])\n'


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
@pytest.mark.parametrize("before", [PRELOAD, ""])
def test_the_fork_server_may_die_or_the_temporary_folder_have_a_long_name(tmp_path, before):
    """A long name keeps sockets, and so a fork server, from being made there."""
    (tmp_path / "dying.py").write_text(DYING)
    folder = tmp_path / ("a" if before else "a" * 100)
    folder.mkdir()
    four = "print(sorted(workers.run(neg, [(n,) for n in range(4)], 2)))"
    printed = output(tmp_path, before + four, env={} if before else {"TMPDIR": str(folder)})
    assert (tmp_path / "died").exists() == bool(before)
    assert printed.startswith("[(0, 0), (1, -1), (2, -2), (3, -3)]\n")


LARGE = """
image = np.zeros(2**21, "uint8")
print(sorted(size for _, size in workers.run(np.size, [(image,)] * 2, 2)))
print([*Path("/dev/shm").glob(f"joblib_memmapping_folder_{os.getpid()}_*/*")])
"""


@pytest.mark.slow
def test_workers_leave_no_files_of_large_arrays_behind(tmp_path):
    assert output(tmp_path, LARGE) == "[2097152, 2097152]\n[]\n"


OFFLINE = """
with workers.listening(print) as report:
    report("a fold", 1, 0.5)
print("went on")
"""


@pytest.mark.slow
def test_without_any_network_epochs_are_not_reported_and_nothing_else_happens(tmp_path):
    if not shutil.which("unshare") or subprocess.run(["unshare", "-n", "true"]).returncode:
        pytest.skip("a process without network is not allowed here")
    command = ("unshare", "-n", sys.executable)
    assert output(tmp_path, OFFLINE, command) == "went on\n"
