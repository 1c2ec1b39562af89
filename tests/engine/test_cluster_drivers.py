"""Stages and commands as DVC runs them, on a real Ray cluster of two nodes."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from benchmarks import nodes
from stages.train import train
from tests import prepared
from tests.test_train import contents

pytest.importorskip("ray", reason="requirements-cluster.txt is not installed")
pytestmark = pytest.mark.slow
HERE = Path(__file__).parents[2]
DIVERGING = {"learning_rate": 100.0, "l2": 1.0, "optimizer": {"sgd": {"momentum": 0.0}}}


@pytest.fixture(scope="module")
def two_nodes():
    with nodes.two() as started:
        yield started


def repository(folder, address, jobs=None, **train):
    """Write prepared data, in a repository that trains on the cluster."""
    prepared.write(folder, **train)
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    settings["parallel"] = {"backend": "ray", "address": address, "jobs": jobs}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    return folder


def driver(folder, *arguments, before=""):
    """Start a stage or a command as DVC does, in a separate process."""
    code = f"import sys; {before}\nfrom stages.__main__ import handle, main\nhandle(main)"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(HERE), "DVC_ROOT": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory):
    """The result files of two variants trained in this process."""
    with prepared.inside(tmp_path_factory.mktemp("one")) as folder:
        prepared.write(folder)
        train("plain")
        train("normed")
    return {name: contents(folder / "results" / name) for name in ("plain", "normed")}


def test_a_killed_driver_resumes_to_the_files_of_one_machine(two_nodes, one_machine, tmp_path):
    folder = repository(tmp_path, two_nodes.address, jobs=1)
    process = driver(folder, "train", "plain")
    while not (kept := list(folder.glob(".foldlab/folds/*/fold-*.npz"))):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert len(list(folder.glob(".foldlab/folds/*/fold-*.npz"))) == 1
    times = {path: path.stat().st_mtime_ns for path in kept}

    again = driver(folder, "train", "plain")
    _, stderr = again.communicate()
    assert again.returncode == 0, stderr
    assert {path: path.stat().st_mtime_ns for path in kept} == times
    assert contents(folder / "results" / "plain") == one_machine["plain"]


def test_after_a_sweep_on_the_cluster_the_stages_need_no_cluster(two_nodes, one_machine, folder):
    repository(folder, two_nodes.address)
    sweep = driver(folder, "sweep")
    _, stderr = sweep.communicate()
    assert sweep.returncode == 0, stderr
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace(two_nodes.address, "127.0.0.1:1"))
    for variant in ("plain", "normed"):
        train(variant)
        assert contents(folder / "results" / variant) == one_machine[variant]


@pytest.mark.parametrize(
    ("before", "printed"),
    [
        ("", r"foldlab: plain fold \d .*train\.learning_rate.*\n"),
        ("sys.modules['ray'] = None", r"foldlab: .*pip install .*cluster.*\n"),
    ],
)
def test_divergence_or_a_lack_of_ray_is_one_sentence(two_nodes, tmp_path, before, printed):
    folder = repository(tmp_path, two_nodes.address, epochs=20, **DIVERGING)
    process = driver(folder, "train", "plain", before=before)
    _, stderr = process.communicate()
    assert process.returncode == 1
    assert re.fullmatch(printed, stderr)
