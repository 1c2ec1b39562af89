from benchmarks import flops
from benchmarks.fit import counted
from stages.engine.resolve import recipe
from stages.settings import params
from tests.prepared import TRAIN


def test_hours_follow_from_folds_epochs_images_and_speed():
    settings = params.parse(
        {"variants": {"a": {"architecture": "basic"}, "b": {"architecture": "tiny"}}}
        | {"compare": {"variants": ["a"], "baseline": "a"}, "train": TRAIN | {"epochs": 3}}
    )
    table = flops.rows(settings, folds=10, gflops=50.0)
    assert [row[:3] for row in table] == [("`a`", "54,000", 3), ("`b`", "54,000", 3)]
    per_image = counted(recipe(settings, "a"), (28, 28, 1), 10)[1]
    assert per_image == 6 * (26 * 26 * 288 + 11 * 11 * 18432 + 204800 + 1280) - 2 * 26 * 26 * 288
    assert table[0][-1] == f"{10 * 3 * 54_000 * per_image / 50e9 / 3600:.2f}"
