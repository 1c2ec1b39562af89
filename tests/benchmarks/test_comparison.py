import pytest

from tests.benchmarks import quick


def test_more_and_more_variants_are_compared(tmp_path):
    found = quick.record("comparison", tmp_path)
    assert list(found["variants"]) == ["2", "3"]
    for point in found["variants"].values():
        assert len(point["seconds"]["all"]) == found["runs"] == 1
        assert point["peak_mib"]["median"] > 10
        assert 0 < point["report_mib"] < 5
    plot = found["plot"]["10"]
    assert plot["pictures"] == 7
    assert plot["seconds_each"] * plot["pictures"] == pytest.approx(plot["seconds"])
