from tests.benchmarks import quick


def test_a_run_that_is_killed_twice_ends_as_if_nothing_had_happened(tmp_path):
    found = quick.record("chaos", tmp_path)
    assert found["faults"] == []
    assert found["kills"] == sum(found["by_stage"].values()) == 2
    assert found["files_compared"] > 20
