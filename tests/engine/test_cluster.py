"""Tasks, stages and commands on a real Ray cluster of two nodes that these tests start.

Its nodes have another working folder than the repository and no path to it.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
from contextlib import chdir, nullcontext
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cluster as cluster_benchmark
from benchmarks import nodes
from benchmarks.inputs import ROOT
from benchmarks.nodes import on
from stages.commands.sweep import sweep
from stages.engine import cluster
from stages.errors import UserError
from stages.files import read_json
from stages.settings.sections import Parallel
from stages.train import train
from tests import prepared
from tests.prepared import contents
from tests.refusals import command_refusal

ray = pytest.importorskip("ray", reason="requirements-cluster.txt is not installed")
pytestmark = pytest.mark.slow
DIVERGING = {"learning_rate": 100.0, "l2": 1.0, "optimizer": {"sgd": {"momentum": 0.0}}}


@pytest.fixture(scope="module")
def two_nodes():
    for module in (sys.modules[__name__], cluster_benchmark):
        ray.cloudpickle.register_pickle_by_value(module)
    with nodes.two() as started:
        yield started


def where(seconds):
    time.sleep(seconds)
    return ray.get_runtime_context().get_node_id()


def die(marker):
    """Kill this process: always without a marker, else only until the marker exists."""
    if not marker or not Path(marker).exists():
        Path(marker or os.devnull).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def refuse(number):
    raise ValueError(f"{number} is not allowed; give another.")


def surroundings(array):
    """Return the files in a worker's folder, and the repositories that it could import from."""
    import stages

    assert not array.flags.writeable  # shared memory
    assert not array.flags.owndata
    paths = [path for path in sys.path if Path(path, "params.yaml").exists()]
    return os.listdir(), paths, "runtime_resources" in stages.__file__


def together(head, recipe, number):
    return float(head[0].sum() + head[1][0].sum()), recipe.variant, number


def wait_for(path):
    while path and not Path(path).exists():
        time.sleep(0.05)
    return where(0)


def test_tasks_run_on_all_nodes_and_results_come_as_they_end(two_nodes, tmp_path):
    go = tmp_path / "go"
    found = {}
    for position, node in cluster.run(wait_for, [(str(go),), ("",), ("",), ("",)], on(two_nodes)):
        found[position] = node
        if len(found) == 3:
            go.touch()  # the first task ends after all others
    assert list(found)[-1] == 0
    assert len({*found.values()}) == 2


def test_workers_share_arrays_and_have_the_code_without_the_repository(two_nodes):
    found = dict(cluster.run(surroundings, [(np.zeros((1000, 1000)),)] * 4, on(two_nodes)))
    assert list(found.values()) == [([], [], True)] * 4


def test_a_recipe_and_the_parts_of_a_tuple_are_stored_once(two_nodes, monkeypatch):
    stored, put = [], ray.put
    monkeypatch.setattr(ray, "put", lambda part: stored.append(part) or put(part))
    head, row = (np.zeros(3), [np.ones(2)]), prepared.recipe()
    found = dict(cluster.run(together, [(head, row, number) for number in range(3)], on(two_nodes)))
    assert [*map(type, stored)] == [tuple, type(row)]
    assert found == {number: (2.0, "small", number) for number in range(3)}


def test_no_more_jobs_than_the_setting_run_at_once(two_nodes):
    began = time.monotonic()
    assert len(list(cluster.run(where, [(0.4,)] * 4, on(two_nodes, jobs=1)))) == 4
    assert time.monotonic() - began >= 4 * 0.4


def test_a_killed_task_is_tried_again_and_the_others_are_yielded(two_nodes, tmp_path):
    results = cluster.run(die, [(None,), (str(tmp_path / "marker"),)], on(two_nodes))
    found = [next(results)]
    with pytest.raises(UserError, match=r"1 of 2 tasks .*parallel\.cpus_per_fold"):
        next(results)
    assert found == [(1, "alive")]


def test_an_exception_on_a_node_reaches_the_caller(two_nodes):
    with pytest.raises(ValueError, match=r"^7 is not allowed; give another") as raised:
        list(cluster.run(refuse, [(7,)], on(two_nodes)))
    assert "in refuse" in "".join(traceback.format_exception(raised.value))


def test_a_node_that_dies_has_its_tasks_done_elsewhere(two_nodes):
    node = two_nodes.add_node(num_cpus=1, resources={"doomed": 1})
    killed = False
    found = []
    for result in cluster.run(where, [(0.3,)] + [(4.0,)] * 3, on(two_nodes)):
        if not killed:  # all three cores are busy now
            two_nodes.remove_node(node, allow_graceful=False)
            killed = True
        found.append(result)
    assert sorted(position for position, _ in found) == [0, 1, 2, 3]
    assert node.node_id not in {place for _, place in found}


def test_a_node_with_another_keras_is_rejected(two_nodes, tmp_path):
    about = tmp_path / "keras-3.14.0.dist-info" / "METADATA"  # where Python finds the version
    about.parent.mkdir()
    about.write_text("Metadata-Version: 2.1\nName: keras\nVersion: 3.14.0\n")
    node = two_nodes.add_node(
        num_cpus=1, num_gpus=1, env_vars={"PYTHONPATH": str(tmp_path)}
    )  # the only node with a GPU
    try:
        with pytest.raises(UserError, match=r"keras 3\.14\.0"):
            list(cluster.run(where, [(0.1,)], on(two_nodes, gpus_per_fold=1)))
    finally:
        two_nodes.remove_node(node, allow_graceful=False)


def test_a_node_with_other_kernels_is_rejected_unless_they_are_portable(two_nodes, monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")  # the driver's kernels are those of the processor
    node = two_nodes.add_node(num_cpus=1, num_gpus=1, env_vars={"ONEDNN_MAX_CPU_ISA": "AVX2"})
    try:
        on_it = on(two_nodes, gpus_per_fold=1)  # no other node declares a GPU
        assert list(cluster.run(where, [(0.1,)], on_it, "portable")) == [(0, node.node_id)]
        with pytest.raises(UserError, match="at most avx2"):
            list(cluster.run(where, [(0.1,)], on_it, "native"))
    finally:
        two_nodes.remove_node(node, allow_graceful=False)


@pytest.mark.parametrize("address", ["127.0.0.1:{free}", "somewhere"])
def test_no_cluster_at_the_address_is_an_error_within_seconds(monkeypatch, address):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = address.format(free=unused.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(UserError, match=rf"parallel\.address '{address}'"):
            cluster.connect(Parallel(backend="ray", address=address))
    assert time.monotonic() - began < 30


def repository(folder, address, jobs=None, **train):
    """Write prepared data, in a repository that trains on the cluster."""
    parallel = {"backend": "ray", "address": address, "jobs": jobs}
    prepared.write(folder, parallel=parallel, **train)


def driver(folder, *arguments):
    """Start a stage or a command as DVC does, in a separate process."""
    return subprocess.Popen(
        [sys.executable, "-m", "stages", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory):
    """Return the result files of two variants trained in this process."""
    folder = tmp_path_factory.mktemp("one")
    with chdir(folder):
        prepared.write(folder)
        train("plain")
        train("normed")
    return {name: contents(folder / "results" / name) for name in ("plain", "normed")}


def test_a_killed_driver_resumes_to_the_files_of_one_machine(two_nodes, one_machine, folder):
    repository(folder, two_nodes.address, jobs=1)
    process = driver(folder, "train", "plain")
    while not (kept := list(folder.glob(".foldlab/folds/*/fold-*.npz"))):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert len(list(folder.glob(".foldlab/folds/*/fold-*.npz"))) == 1
    times = {path: path.stat().st_mtime_ns for path in kept}

    train("plain")
    assert {path: path.stat().st_mtime_ns for path in kept} == times
    assert contents(folder / "results" / "plain") == one_machine["plain"]


def test_after_a_sweep_on_the_cluster_the_stages_need_no_cluster(
    two_nodes, one_machine, folder, monkeypatch
):
    repository(folder, two_nodes.address)
    sweep()
    monkeypatch.setattr(cluster, "run", None)  # calling it would fail
    for variant in ("plain", "normed"):
        train(variant)
        assert contents(folder / "results" / variant) == one_machine[variant]


def test_the_benchmark_measures_a_queue_and_two_engines(two_nodes, tmp_path, monkeypatch, capsys):
    """Its `--quick` form, on the running nodes."""
    monkeypatch.setattr(nodes, "two", lambda: nullcontext(two_nodes))
    monkeypatch.setattr(sys, "argv", ["cluster", "--quick", "--folder", str(tmp_path)])
    cluster_benchmark.main()
    found = read_json(Path(capsys.readouterr().out.splitlines()[-1]))
    assert (found["trivial"]["units"], found["tiny"]["units"]) == (20, 2)
    assert found["trivial"]["ms_a_unit_inside"] < found["tiny"]["ms_a_unit_inside"]
    assert found["basic"]["images_trained"] == 2 * 54
    assert {len(each) for each in found["basic"]["seconds"].values()} == {1}


def test_divergence_is_one_sentence(two_nodes, folder):
    repository(folder, two_nodes.address, epochs=20, **DIVERGING)
    assert re.match(r"plain fold \d .*train\.learning_rate", command_refusal("train", "plain"))


def test_without_ray_the_error_is_one_sentence(folder, monkeypatch):
    repository(folder, "127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "ray", None)
    assert re.search("pip install .*cluster", command_refusal("train", "plain"))
