import pytest

from benchmarks import overhead
from tests.benchmarks import quick


@pytest.mark.parametrize(
    ("intervals", "length"),
    [([], 0), ([(1, 3)], 2), ([(1, 3), (2, 5)], 4), ([(4, 5), (0, 1)], 2), ([(0, 9), (1, 2)], 9)],
)
def test_the_union_counts_what_overlaps_once(intervals, length):
    assert overhead.union(intervals) == length


def test_every_stage_is_timed_and_an_edit_runs_its_row_again(tmp_path):
    found = quick.record("overhead", tmp_path)
    repro = found["repro"]
    assert {row["command"] for row in repro["stages"]} == {
        "environment",
        "prepare",
        "members",
        "train",
    }
    assert [row["stage"] for row in repro["stages"]][-1] == "train@basic"
    fitting = repro["fitting"]["seconds"]
    assert 0 < fitting < repro["seconds"]
    assert repro["not_fitting_share"] == pytest.approx(1 - fitting / repro["seconds"])
    inside = sum(row["seconds"] for row in repro["stages"])
    assert repro["outside_stages_seconds"] == pytest.approx(repro["seconds"] - inside)
    assert found["no_op"]["stages"] == 4
    edited = [row["stage"] for row in found["one_row_edit"]["stages"]]
    assert edited == ["members", "train@basic"]
    assert found["imports"].keys() == {"python", "params"} < overhead.IMPORTS.keys()
