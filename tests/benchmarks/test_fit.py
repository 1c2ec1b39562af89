"""Operations of a network, which `fit` and `flops` count."""

import keras
import pytest
from keras.layers import Conv2D, Dense, Flatten

from benchmarks import fit, flops
from benchmarks.inputs import on_mnist
from stages.engine.resolve import recipe
from stages.settings import params
from stages.training.fold import network
from tests.prepared import TRAIN

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("layers", "shape", "forward", "first"),
    [
        ([Dense(5)], (7,), 2 * 5 * 7, 2 * 5 * 7),
        (
            [Conv2D(4, 3, padding="same"), Flatten(), Dense(2)],
            (6, 5, 3),
            2 * (6 * 5 * 4 * 27 + 2 * 120),
            2 * 6 * 5 * 4 * 27,
        ),
        ([Conv2D(4, 3, strides=2)], (7, 7, 1), 2 * 3 * 3 * 4 * 9, 2 * 3 * 3 * 4 * 9),
    ],
)
def test_operations_are_those_counted_by_hand(layers, shape, forward, first):
    model = keras.Sequential([keras.Input(shape), *layers])
    assert fit.flops(model) == (forward, 3 * forward - first)


def test_an_epoch_of_sprint_is_what_its_authors_say():
    model = network(recipe(params.parse(on_mnist("sprint")), "sprint"), (28, 28, 1), 10)
    _, training = fit.flops(model)
    assert round(60_000 * training / 1e12, 2) == 0.41


def test_hours_follow_from_folds_epochs_images_and_speed():
    settings = params.parse(
        {"variants": {"a": {"architecture": "basic"}, "b": {"architecture": "tiny"}}}
        | {"compare": {"variants": ["a"], "baseline": "a"}, "train": TRAIN | {"epochs": 3}}
    )
    table = flops.rows(settings, folds=10, gflops=50.0)
    assert [row[:3] for row in table] == [("`a`", "54,000", 3), ("`b`", "54,000", 3)]
    per_image = fit.counted(recipe(settings, "a"), (28, 28, 1), 10)[1]
    assert per_image == 6 * (26 * 26 * 288 + 11 * 11 * 18432 + 204800 + 1280) - 2 * 26 * 26 * 288
    assert table[0][-1] == f"{10 * 3 * 54_000 * per_image / 50e9 / 3600:.2f}"
