"""The cost of a command with its children, and figures computed from costs."""

import sys

import pytest

from benchmarks import inputs, measured, overhead, processes, publish, scale
from benchmarks.processes import Cost
from stages.files import read_json
from tests.tracking.made_results import make_repository

LEAVES_A_CHILD = """
import subprocess, sys, time
late = "import time; time.sleep(2); open('late', 'w').close()"
subprocess.Popen([sys.executable, "-c", late], start_new_session=True)
time.sleep(.5)
"""


@pytest.mark.slow
def test_children_that_outlive_a_command_are_waited_for_and_not_counted(tmp_path):
    found = processes.cost([sys.executable, "-c", LEAVES_A_CHILD], tmp_path)
    assert (tmp_path / "late").exists()
    assert found.seconds < 2


def test_a_command_does_not_inherit_the_kernels_of_this_process(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert "ONEDNN_MAX_CPU_ISA" not in processes.environment()
    assert processes.environment(ONEDNN_MAX_CPU_ISA="SSE41")["ONEDNN_MAX_CPU_ISA"] == "SSE41"


def test_a_command_that_fails_shows_its_output(tmp_path):
    with pytest.raises(OSError, match="status 3: no such thing"):
        processes.cost(["bash", "-c", "echo no such thing; exit 3"], tmp_path)


@pytest.mark.slow
def test_a_variant_that_the_store_does_not_take_is_no_measurement(tmp_path):
    """The stage only warns and ends with status 0, sooner than if it had published."""
    root = make_repository(tmp_path)
    (root / "mlflow.db").write_text("no database")
    with pytest.raises(OSError, match="basic is not published"):
        publish.seconds(root, "basic")


def test_a_ratio_has_the_spread_of_its_pairs():
    found = processes.ratio([1.0, 2.0, 6.0], [4.0, 4.0, 6.0])
    assert found == {"of_medians": 0.5, "pairs": [0.25, 0.5, 1.0], "low": 0.25, "high": 1.0}


@pytest.mark.parametrize(
    ("intervals", "length"),
    [([], 0), ([(1, 3)], 2), ([(1, 3), (2, 5)], 4), ([(4, 5), (0, 1)], 2), ([(0, 9), (1, 2)], 9)],
)
def test_the_union_counts_what_overlaps_once(intervals, length):
    assert overhead.union(intervals) == length


def test_growth_is_last_over_first_of_the_medians():
    costs = [[Cost(2, 3, 100), Cost(4, 5, 200), Cost(3, 4, 90)], [Cost(9, 9, 9)] * 3]
    costs.append([Cost(6, 2, 50), Cost(5, 2, 50), Cost(7, 2, 70)])
    found = scale.grown(scale.AXES["folds"][:3], costs)
    assert found["last_over_first"] == dict(zip(Cost._fields, [2.0, 0.5, 0.5], strict=True))
    assert [row["folds"] for row in found["points"]] == [2, 5, 10]
    assert found["points"][0]["seconds"] == {"median": 3, "all": [2, 4, 3]}


def test_each_axis_varies_what_it_is_named_after_and_nothing_else():
    for axis, points in scale.AXES.items():
        values = [getattr(point, axis) for point in points]
        assert values == sorted(set(values))
        assert len({point._replace(**{axis: 0}) for point in points}) == 1


def test_the_commit_is_that_of_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "_commit", lambda: "a later one")
    record = read_json(measured.write("some", {"seconds": 1}, tmp_path))
    assert record["environment"]["commit"].rstrip("+")
    assert record["environment"]["commit"] != "a later one"
    assert (record["benchmark"], record["seconds"]) == ("some", 1)


def test_settings_replace_a_named_choice_whole_and_merge_the_rest():
    base = {"train": {"schedule": {"exponential": {"rate": 0.9}}, "epochs": 5}, "seed": 1}
    merged = inputs.merged(base, {"train": {"schedule": "cosine"}})
    assert merged == {"train": {"schedule": "cosine", "epochs": 5}, "seed": 1}
