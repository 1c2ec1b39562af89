"""Faults of disks, clocks, networks, memory and people, on the real commands and a small data set.

After each fault is mended, the results are compared with those of an undisturbed pipeline.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.checkout import call, query, results, run
from benchmarks.processes import environment
from stages.files import read_json, read_table, write_json
from tests.pipeline.faults import BACKWARDS, disk, fill, remount, trainers
from tests.prepared import edit

pytestmark = pytest.mark.slow
TRAIN = [sys.executable, "-m", "stages", "train", "basic"]
AGAIN = "run the same command again: finished work is saved."


def start(command, folder):
    """Start a command whose stderr is read later."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(folder, command, place, why):
    """Run a command that must end with one sentence about a path that cannot be written."""
    done = call(command, folder)
    assert done.returncode == 1
    message = rf"foldlab: {place} cannot be written \({why}\); .*{AGAIN}\n"
    assert re.fullmatch(message, done.stderr), done.stderr
    assert not list(folder.rglob(".partial-*"))


def same(folder, made):
    """Return whether all results of `basic` are those of the undisturbed run."""
    found = {name: data for name, data in results(folder).items() if "basic" in name}
    return found.items() <= made.results.items()


@pytest.mark.warm
def test_a_full_disk_stops_each_stage_with_one_sentence(made, tmp_path):
    copy = made.copy(tmp_path / "copy", "results")
    rooms = [
        ("train", 2**20, "results/basic/model.keras"),
        ("evaluate", 2**13, "results/basic/predictions.npz"),
        ("plot", 2**17, r"results/basic/plots/\w+.png"),
        ("publish", 0, "results/published/basic.json"),
    ]
    with disk(copy / "results", "size=8m") as crowded:
        for stage, room, place in rooms:
            full = fill(crowded, room)
            command = f"python -m stages {stage} basic"
            refused(copy, command, place, "No space left on device")
            assert same(copy, made)
            full.unlink()
            run(command, copy)
            assert same(copy, made)
        assert made.of("basic").keys() | {place} <= results(copy).keys()


@pytest.mark.warm
def test_data_without_room_on_the_disk_are_prepared_once_there_is_some(made, copy):
    shutil.rmtree(copy / "data/prepared")
    with disk(copy / "data/prepared", "size=50k") as prepared:
        place = "data/prepared/train_images.npy"
        refused(copy, "python -m stages prepare", place, "No space left on device")
        assert not list(prepared.iterdir())
        remount(prepared, "size=1m")
        run("python -m stages prepare", copy)
        for path in (made.folder / "data/prepared").iterdir():
            assert (prepared / path.name).read_bytes() == path.read_bytes()


@pytest.mark.warm
def test_only_a_fold_without_room_on_the_disk_is_trained_again_and_only_once(made, tmp_path):
    """Of two simultaneous trainings, the second reports what it waits for."""
    folder = made.copy(tmp_path / "copy", "results", ".foldlab")
    with disk(folder / ".foldlab", "size=1200k") as cramped:
        done = call("python -m stages train basic", folder)
        assert done.returncode == 1
        message = r"foldlab: \S+/fold-\d.npz cannot be written \(No space left on device\); "
        assert re.fullmatch(rf"{message}.*{AGAIN}\n", done.stderr), done.stderr
        (kept,) = cramped.glob("folds/*/*.npz")
        assert not list(folder.rglob(".partial-*"))
        assert not (folder / "results").exists()

        remount(cramped, "size=20m")
        written = kept.stat().st_mtime_ns
        both = [start(TRAIN, folder) for _ in range(2)]
        printed = sorted(process.communicate()[1] for process in both)
        assert [process.returncode for process in both] == [0, 0], printed
        assert printed[0] == ""
        assert re.fullmatch(r"foldlab: another process runs train-basic here, .*\n", printed[1])
        assert kept.stat().st_mtime_ns == written
        assert same(folder, made)
        assert "results/basic/model.keras" in results(folder)


@pytest.mark.warm
def test_of_two_repros_at_once_one_succeeds_and_the_other_may_report_a_lock(made, tmp_path):
    copy = made.copy(tmp_path / "copy", "results", ".dvc/cache")
    both = [start(["dvc", "repro", "evaluate@basic"], copy) for _ in range(2)]
    ended = [(process.communicate()[1], process.returncode) for process in both]
    assert any(status == 0 for _, status in ended), ended
    for stderr, status in ended:
        assert status == 0 or "is busy" in stderr or "Unable to acquire lock" in stderr
    assert same(copy, made)
    assert "results/basic/metrics.json" in results(copy)
    assert not list(copy.rglob(".partial-*"))


@pytest.mark.warm
@pytest.mark.parametrize(
    ("stage", "place"),
    [
        ("train", "results/basic"),
        ("evaluate", "results/basic"),
        ("plot", r"results/basic/plots/\w+.png"),
    ],
)
def test_results_that_cannot_be_written_stop_a_stage_before_it_computes(copy, made, stage, place):
    shutil.rmtree(copy / ".foldlab")
    with disk(copy / "results", "size=20m"):
        for name, data in made.results.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(data)
        remount(copy / "results", "ro")
        refused(copy, f"python -m stages {stage} basic", place, "Read-only file system")
        assert results(copy) == made.results
    kept = {path.name for path in (copy / ".foldlab").iterdir()}
    assert kept == {"running"}  # neither folds nor scores


@pytest.mark.warm
def test_a_checkout_that_cannot_be_written_is_one_sentence(copy):
    with disk(copy / ".foldlab", "ro"):
        place = ".foldlab/running/train-basic.lock"
        refused(copy, "python -m stages train basic", place, "Read-only file system")


def test_a_clock_that_runs_backwards_gives_no_negative_times(made, tmp_path):
    """MLflow shows the run while it trains, as for a long training."""
    folder = made.copy(tmp_path / "copy", ".foldlab")
    edit(folder, {"tracking": {"live_after": 0}})
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock/sitecustomize.py").write_text(BACKWARDS)
    run("python -m stages train basic", folder, PYTHONPATH=str(tmp_path / "clock"))
    timing = read_table(folder / "results/basic/timing.csv")
    assert all(0 < row["seconds"] < 600 for row in timing)
    assert timing[0]["time"] < timing[0]["began"]  # or this test shows nothing
    run("python -m stages publish basic", folder)
    names = ["basic", "basic fold 0", "basic fold 1"]
    runs = query(folder, "select name, status from runs order by name")
    assert runs == [(name, "FINISHED") for name in names]
    assert query(folder, "select name from runs where end_time < start_time") == []
    assert query(folder, "select min(value) > 0 from metrics where key = 'fit_seconds'") == [(1,)]
    assert same(folder, made)


def test_a_clock_set_back_between_two_publishings_hides_no_number_and_doubles_none(copy):
    if not shutil.which("faketime"):
        pytest.skip("faketime, which gives a process another clock, is not installed")
    run("python -m stages publish basic", copy)
    path = copy / "results/basic/metrics.json"
    metrics = read_json(path)
    metrics["test"]["accuracy"] = 0.125
    write_json(path, metrics)
    logged = "select key, value, timestamp, step from metrics join runs using (run_uuid) order by 1"
    before = query(copy, logged)
    for _ in range(2):
        run("faketime -f -1h python -m stages publish basic", copy)
        shown = "select value from latest_metrics where key = 'test_accuracy'"
        assert (0.125,) in query(copy, shown)
        assert len(query(copy, logged)) == len(before) + 1
    assert query(copy, "select name from runs where end_time < start_time") == []


def test_inputs_from_the_future_are_no_news(copy):
    later = time.time() + 86400
    for path in [*copy.rglob("data/prepared/*"), *copy.rglob("stages/*.py")]:
        os.utime(path, (later, later))
    assert run("dvc status", copy).strip().endswith("up to date.")


def test_a_worker_that_never_has_enough_memory_costs_only_its_own_fold(made, tmp_path):
    """A stopped worker is killed when the other has finished, and again when it is tried alone."""
    if not Path("/proc").is_dir():
        pytest.skip("there is no /proc, which tells what a worker has loaded")
    folder = made.copy(tmp_path / "copy", ".foldlab", "results")
    edit(folder, {"parallel": {"jobs": 2}})
    with start(TRAIN, folder) as process:
        while len(found := trainers(process)) < 2:
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(found[0], signal.SIGSTOP)
        while not list(folder.glob(".foldlab/folds/*/*.npz")):
            assert process.poll() is None
            time.sleep(0.02)
        while process.poll() is None:
            for worker in trainers(process):
                os.kill(worker, signal.SIGKILL)
            time.sleep(0.05)
        stderr = process.stderr.read()
    assert process.returncode == 1
    assert re.fullmatch(
        r"foldlab: a worker process died, [^\n]*\n"
        r"foldlab: the worker processes of 1 of 2 tasks died, [^\n]*\n",
        stderr,
    ), stderr
    assert len(list(folder.glob(".foldlab/folds/*/*.npz"))) == 1
    assert not (folder / "results").exists()
