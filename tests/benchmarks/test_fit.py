import statistics

import keras
import pytest

from benchmarks import fit, processes
from stages.engine import resolve
from stages.settings import params
from stages.training.fold import network
from tests.benchmarks import quick


def test_shares_are_rates_times_operations_over_the_peak(tmp_path):
    found = quick.record("fit", tmp_path, "sprint")
    row = found["variants"]["sprint"]
    assert row["flop_training"] == 6_773_760
    for name, workers in (("one_worker", 1), ("two_workers", 2)):
        form = row[name]
        each = form["images_per_second_each"]
        assert len(each) == len(form["peak_flop_per_second_each"]) == workers
        rate = sum(statistics.median(one) for one in each)
        peak = sum(statistics.median(one) for one in form["peak_flop_per_second_each"])
        assert form["images_per_second"] == pytest.approx(rate)
        assert form["share_of_peak"] == pytest.approx(rate * row["flop_training"] / peak)


@pytest.mark.parametrize(
    ("layers", "shape", "forward", "first"),
    [
        ([keras.layers.Dense(5)], (7,), 2 * 5 * 7, 2 * 5 * 7),
        (
            [
                keras.layers.Conv2D(4, 3, padding="same"),
                keras.layers.Flatten(),
                keras.layers.Dense(2),
            ],
            (6, 5, 3),
            2 * (6 * 5 * 4 * 27 + 2 * 120),
            2 * 6 * 5 * 4 * 27,
        ),
        ([keras.layers.Conv2D(4, 3, strides=2)], (7, 7, 1), 2 * 3 * 3 * 4 * 9, 2 * 3 * 3 * 4 * 9),
    ],
)
def test_operations_are_those_counted_by_hand(layers, shape, forward, first):
    model = keras.Sequential([keras.Input(shape), *layers])
    assert fit.flops(model) == (forward, 3 * forward - first)


def test_an_epoch_of_sprint_is_what_its_authors_say():
    settings = params.parse(processes.settings("sprint"))
    model = network(resolve.recipe(settings, "sprint"), (28, 28, 1), 10)
    _, training = fit.flops(model)
    assert round(60_000 * training / 1e12, 2) == 0.41


def test_what_has_a_kernel_and_no_formula_is_refused():
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.Conv1D(3, 2)])
    with pytest.raises(ValueError, match="Conv1D cannot be counted"):
        fit.flops(model)
