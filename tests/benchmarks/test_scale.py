from benchmarks import scale
from benchmarks.processes import Cost
from tests.benchmarks import quick


def test_every_point_of_every_axis_is_run(tmp_path):
    found = quick.record("scale", tmp_path)["axes"]
    assert set(found) == set(scale.QUICK)
    for axis, rows in found.items():
        points = rows["points"]
        asked = [point._asdict() for point in scale.QUICK[axis]]
        assert [{name: row[name] for name in scale.Point._fields} for row in points] == asked
        for name in Cost._fields:
            assert min(row[name]["median"] for row in points) > 0


def test_growth_is_last_over_first_of_the_medians():
    costs = [[Cost(2, 3, 100), Cost(4, 5, 200), Cost(3, 4, 90)], [Cost(9, 9, 9)] * 3]
    costs.append([Cost(6, 2, 50), Cost(5, 2, 50), Cost(7, 2, 70)])
    found = scale.grown(scale.AXES["folds"][:3], costs)
    assert found["last_over_first"] == {
        "seconds": 2.0,
        "processor_seconds": 0.5,
        "peak_mib": 0.5,
    }
    assert [row["folds"] for row in found["points"]] == [2, 5, 10]
    assert found["points"][0]["seconds"] == {"median": 3, "all": [2, 4, 3]}


def test_each_axis_varies_what_it_is_named_after_and_nothing_else():
    for axis, points in scale.AXES.items():
        values = [getattr(point, axis) for point in points]
        assert values == sorted(set(values))
        assert len({point._replace(**{axis: 0}) for point in points}) == 1
