import os
import shutil
from pathlib import Path

import pytest
import yaml

from stages.commands import champion, stamp
from stages.files import write_json, write_text
from tests.prepared import write

EXPORTED = "results/b/export/model.onnx"


@pytest.fixture
def repository(folder):
    """Work in a repository where a stage has made an output from an image and a folder of code."""
    write(folder)
    for name in ("photos/a.png", "code/one.py", "results/b/metrics.json", EXPORTED, "mlflow.db"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    deps = [{"path": "photos"}, {"path": "code"}, {"path": "results"}]
    stage = {"deps": deps, "outs": [{"path": "results/b/metrics.json"}]}
    (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": {"train": stage}}))
    (folder / "results/comparison.csv").write_text("variant\n")
    write_text(folder / ".foldlab/shown", champion.identity())
    return folder


def touch(path):
    times = os.stat(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1))


CHANGES = {
    "an image": lambda: touch("photos/a.png"),
    "a new image": lambda: shutil.copy("photos/a.png", "photos/b.png"),
    "a setting": lambda: touch("params.yaml"),
    "a result": lambda: touch("results/b/metrics.json"),
    "a lost result": lambda: os.remove("results/b/metrics.json"),
    "a lost export": lambda: os.remove(EXPORTED),
    "a lost folder of exports": lambda: shutil.rmtree(Path(EXPORTED).parent),
    "the lock file": lambda: touch("dvc.lock"),
    "MLflow's store": lambda: touch("mlflow.db"),
    "a lost store": lambda: os.remove("mlflow.db"),
    "another store": lambda: os.environ.update(MLFLOW_TRACKING_URI="sqlite:///other.db"),
    "a server": lambda: os.environ.update(MLFLOW_TRACKING_URI="http://example"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_seen(repository, monkeypatch, change):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    stamp.write(stamp.inputs(), "text")
    assert stamp.summary_if_unchanged() == "text"
    CHANGES[change]()
    assert stamp.summary_if_unchanged() is None


def test_byte_code_is_no_change(repository):
    stamp.write(stamp.inputs(), "text")
    (repository / "code/__pycache__").mkdir()
    (repository / "code/__pycache__/one.pyc").touch()
    assert stamp.summary_if_unchanged() == "text"


def test_an_input_that_changed_during_the_run_leaves_no_stamp(repository):
    stamp.write(stamp.inputs(), "text")
    before = stamp.inputs()
    touch("code/one.py")
    stamp.write(before, "text")
    assert not stamp.STAMP.exists()


def test_outputs_may_change_during_the_run(repository):
    before = stamp.inputs()
    touch("results/b/metrics.json")
    stamp.write(before, "text")
    assert stamp.summary_if_unchanged() == "text"


def test_a_store_that_cannot_be_read_leaves_no_stamp(repository, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example")
    stamp.write(stamp.inputs(), "text")
    assert not stamp.STAMP.exists()


def publish(variant):
    """Mark a variant as published, and note that MLflow shows its comparison."""
    identity = {"fingerprint": "0", "results_sha256": "0"}
    write_json(Path("results/published", f"{variant}.json"), identity)
    write_text(Path(".foldlab/shown"), champion.identity())


UNPUBLISHED = {
    "a variant": lambda: write_text(Path(".foldlab/unpublished/plain"), ""),
    "the comparison": lambda: write_text(Path("results/comparison.csv"), "another\n"),
    "the results of another checkout": lambda: (publish("plain"), os.remove("mlflow.db")),
    "any, to a store that cannot be read": lambda: publish("plain"),
}


@pytest.mark.parametrize("missing", UNPUBLISHED)
def test_no_stamp_is_left_while_something_is_missing_from_mlflow(repository, missing):
    UNPUBLISHED[missing]()
    stamp.write(stamp.inputs(), "text")
    assert not stamp.STAMP.exists()


def test_a_note_on_a_removed_row_does_not_count(repository):
    write_text(Path(".foldlab/unpublished/gone"), "")
    stamp.write(stamp.inputs(), "text")
    assert stamp.STAMP.exists()


def test_a_lock_file_with_a_merge_conflict_is_left_to_dvc(repository):
    before = stamp.inputs()
    with open("dvc.lock", "a") as lock:
        lock.write("<<<<<<< HEAD\n")
    assert stamp.inputs() != before


def test_without_a_lock_file_there_is_nothing_to_be_current(repository):
    os.remove("dvc.lock")
    assert stamp.summary_if_unchanged() is None
