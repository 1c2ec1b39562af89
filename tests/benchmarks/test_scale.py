from benchmarks import scale
from tests.benchmarks import quick


def test_every_point_of_every_axis_is_run_and_growth_is_last_over_first(tmp_path):
    found = quick.record("scale", tmp_path)["axes"]
    assert set(found) == set(scale.QUICK)
    for axis, rows in found.items():
        points = rows["points"]
        asked = [point._asdict() for point in scale.QUICK[axis]]
        assert [{name: row[name] for name in scale.Point._fields} for row in points] == asked
        for name, times in rows["last_over_first"].items():
            assert times == points[-1][name]["median"] / points[0][name]["median"]
            assert min(row[name]["median"] for row in points) > 0


def test_each_axis_varies_what_it_is_named_after_and_nothing_else():
    for axis, points in scale.AXES.items():
        values = [getattr(point, axis) for point in points]
        assert values == sorted(set(values))
        assert len({point._replace(**{axis: 0}) for point in points}) == 1
