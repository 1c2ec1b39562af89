"""The numbers of the page's drawings."""

import re

import numpy as np
import pytest

from stages.report import charts


def points(path):
    """Return the points of a path as pairs of numbers."""
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.replace("h0", ""))]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def history(loss, accuracy):
    """Return two folds that train alike, the second a little worse."""
    epochs = np.arange(1, len(loss) + 1)
    loss, accuracy = np.array(loss), np.array(accuracy)
    columns = {"fold": [0] * len(loss) + [1] * len(loss), "epoch": [*epochs, *epochs]}
    for prefix in ("", "val_"):
        columns[f"{prefix}loss"] = [*loss, *(1.1 * loss)]
        columns[f"{prefix}accuracy"] = [*accuracy, *(accuracy - 0.02)]
    return {key: np.array(column) for key, column in columns.items()}


def test_curves_share_their_scale_and_hold_range_and_mean():
    better = history([0.3, 0.2, 0.15], [0.9, 0.94, 0.96])
    found = charts.curves({"a": better, "b": history([0.3, 0.2, 0.15], [0.8, 0.84, 0.86])})
    for measure in ("accuracy", "loss"):
        band, mean = found[measure]["rows"]["a"]["validation"]
        assert len(points(mean)) == 3
        assert len(points(band)) == 6
        assert found[measure]["epochs"][0][1] == "1"
    heights = {
        name: [y for _, y in points(found["accuracy"]["rows"][name]["validation"][1])]
        for name in "ab"
    }
    assert heights["a"][-1] < heights["b"][-1]  # a higher accuracy is higher up
    assert heights["a"] == sorted(heights["a"], reverse=True)
    assert all(charts.TOP <= y <= charts.BOTTOM for y in heights["b"][1:])


def test_folds_that_stop_early_count_while_they_run():
    one = history([0.3, 0.2], [0.9, 0.92])
    short = {key: column[:3] for key, column in one.items()}  # the second fold has one epoch
    band, mean = charts.curves({"a": short})["accuracy"]["rows"]["a"]["training"]
    assert len(points(mean)) == 2
    (_, upper), (_, lower) = points(band)[1:3]
    assert upper == lower  # one fold is left


def test_losses_of_several_orders_are_logarithmic_and_one_epoch_is_a_dot():
    wide = history([2.0, 1.0, 0.01], [0.1, 0.5, 0.9])
    ticks = charts.curves({"a": wide})["loss"]["ticks"]
    values = [float(text) for _, text in ticks]
    assert max(values) / min(values) >= 10
    dot = charts.curves({"a": history([1.0], [0.5])})["loss"]["rows"]["a"]["training"][1]
    first, second = points(dot)
    assert first == second


def test_a_variant_that_fell_apart_does_not_squeeze_the_others(recwarn):
    good = {f"v{i}": history([0.5, 0.4, 0.3], [0.9, 0.93, 0.95]) for i in range(5)}
    bad = {"bad": history([np.nan] * 3, [0.1, 0.1, 0.1])}
    found = charts.curves(good | bad)
    lowest = min(float(text) for _, text in found["accuracy"]["ticks"])
    assert lowest > 80
    assert found["loss"]["rows"]["bad"]["training"] == ("", "")
    assert not recwarn.list


def test_bins_lie_where_confidence_and_accuracy_say():
    bins = {"confidence": [0, 0.5, 1.0], "accuracy": [0, 0.25, 1.0], "count": [0, 9, 10]}
    half, full = charts.calibration(bins)
    middle = (charts.LEFT + charts.RIGHT) / 2
    assert half[0] == pytest.approx(middle)
    assert half[1] > half[2] == pytest.approx((charts.TOP + charts.BOTTOM) / 2)
    assert full == (charts.RIGHT, charts.TOP, charts.TOP, False)
    assert half[3]
    assert [text for _, text in charts.ruler()] == ["0", "25", "50", "75", "100"]
