import os
import time

import pytest

from stages.training import workers


def double(number):
    return 2 * number


def slow_then_report(number, on_epoch):
    for epoch in (1, 2):
        on_epoch(epoch, number / 10)
    return os.getpid()


def refuse(number):
    raise ValueError(f"{number} is not allowed; give another.")


def die(number):
    if number == 1:
        os._exit(9)
    time.sleep(0.2)
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_is_done_once(jobs):
    results = dict(workers.run(double, [(3,), (4,), (5,)], jobs))
    assert results == {0: 6, 1: 8, 2: 10}


def test_no_task_is_no_work():
    assert list(workers.run(double, [], None)) == []


def test_epochs_are_heard_while_workers_work():
    heard = []
    with workers.listening(lambda *event: heard.append(event)) as reporter:
        tasks = [(number, reporter(number)) for number in (5, 6)]
        processes = {pid for _, pid in workers.run(slow_then_report, tasks, 2)}
    assert os.getpid() not in processes
    assert sorted(heard) == [(5, 1, 0.5), (5, 2, 0.5), (6, 1, 0.6), (6, 2, 0.6)]


def test_a_refusal_in_a_worker_reaches_the_caller_as_it_is():
    with pytest.raises(ValueError, match="7 is not allowed; give another"):
        list(workers.run(refuse, [(7,)], 2))


def test_a_worker_that_dies_is_one_clear_error():
    with pytest.raises(RuntimeError, match=r"a worker process died.*lower parallel\.jobs"):
        list(workers.run(die, [(0,), (1,), (2,)], 2))
