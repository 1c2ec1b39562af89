import os
import subprocess
import sys
import time

from stages.files import read_table
from stages.tracking import usage


def test_samples_have_the_work_and_memory_of_the_parent_and_its_children(tmp_path, monkeypatch):
    file = tmp_path / "usage.csv"
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    monkeypatch.setattr(usage, "SECONDS", 0.5)
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as parent:
        monkeypatch.setattr(os, "getppid", lambda: parent.pid)
        try:
            samples = usage.watch(file)
            end = time.monotonic() + 60
            while not file.exists() or len(read_table(file)) < 2:
                assert time.monotonic() < end
                next(samples)
                time.sleep(0.1)
        finally:
            os.killpg(parent.pid, 9)
    for _ in range(7):
        next(samples)  # the processes have ended
        time.sleep(0.1)
    _, busy, *_, ended = read_table(file, usage.COLUMNS)
    assert 10 < busy["cpu_utilization_percentage"] * (os.cpu_count() or 1) < 150
    assert 10 < busy["process_memory_megabytes"] < 500
    assert ended["cpu_utilization_percentage"] == 0
