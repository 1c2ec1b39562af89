"""Coordinates of the page's SVG charts, in pixels from the upper left corner.

SVG charts take a few kB, print sharply and follow the page's colour scheme. charts.html.j2 is
their template. Variants side by side share their scales.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

PANEL_WIDE, PANEL_TALL = 320, 150  # one chart; the frame inside leaves space for labels
LEFT, RIGHT, TOP, BOTTOM = 44, 304, 10, 128
SERIES = (("training", ""), ("validation", "val_"))
FEW = 10  # images in a bin; the accuracy of fewer is unreliable


def curves(histories: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Return loss and accuracy by epoch: range and mean over the folds of each variant.

    Args:
        histories: variant -> columns of history.csv; ensembles have none.

    Returns:
        measure -> `ticks`, `epochs` (ticks below), and `rows`: variant -> ("training" or
        "validation") -> (path of the range, path of the mean).
    """
    if not histories:
        return {}
    last = max(int(history["epoch"].max()) for history in histories.values())
    across, epochs = axis(1, last, LEFT + 6, RIGHT - 6, whole=True)
    drawn = {}
    for measure, times in (("accuracy", 100), ("loss", 1)):
        ranges = {
            name: {kind: _by_epoch(history, prefix + measure, times) for kind, prefix in SERIES}
            for name, history in histories.items()
        }
        low, high = _common([part for both in ranges.values() for part in both.values()])
        wide = measure == "loss" and 0 < 5 * low < high
        up, ticks = (_logarithmic if wide else axis)(low, high, BOTTOM, TOP)
        rows = {
            name: {kind: _band(*part, across, up) for kind, part in both.items()}
            for name, both in ranges.items()
        }
        drawn[measure] = {"ticks": ticks, "epochs": epochs, "rows": rows}
    return drawn


def calibration(bins: Mapping[str, np.ndarray]) -> list[tuple[float, float, float, bool]]:
    """Return the points of a reliability diagram: (x, y, y if calibrated, whether images are few).

    Args:
        bins: `confidence`, `accuracy` and `count`, from `statistics.calibration.reliability_bins`.
    """
    across, up = _scale(0, 1, LEFT, RIGHT), _scale(0, 1, BOTTOM, TOP)
    columns = (np.asarray(bins[key]).tolist() for key in ("confidence", "accuracy", "count"))
    return [
        (across(confidence), up(accuracy), up(confidence), count < FEW)
        for confidence, accuracy, count in zip(*columns, strict=True)
        if count
    ]


def ruler(kind: str = "percent") -> list[tuple[float, str]]:
    """Return the ticks of a percent axis: (pixel, text), horizontal or `up`."""
    at = _scale(0, 1, BOTTOM, TOP) if kind == "up" else _scale(0, 1, LEFT, RIGHT)
    return [(at(part), f"{100 * part:.0f}") for part in (0, 0.25, 0.5, 0.75, 1)]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Return the function from a value to its pixel."""
    return lambda value: round(start + (end - start) * (value - low) / (high - low), 1)


def axis(low: float, high: float, start: float, end: float, whole: bool = False):
    """Return the scale for values from `low` to `high`, and its ticks: (pixel, text)."""
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    scale = _scale(low, high, start, end)
    values = MaxNLocator(4, integer=whole, min_n_ticks=1).tick_values(low, high)
    shown = [value for value in values.tolist() if low - 1e-9 <= value <= high + 1e-9]
    return scale, [(scale(value), f"{round(value, 9):g}") for value in shown]


def _logarithmic(low: float, high: float, start: float, end: float):
    """Return a logarithmic scale and its ticks; see `axis`."""
    linear = _scale(math.log10(low), math.log10(high), start, end)
    values = LogLocator(subs=(1, 2, 5), numticks=6).tick_values(low, high)
    shown = [value for value in values.tolist() if low <= value <= high]
    shown = shown[:: math.ceil(len(shown) / 5)]

    def scale(value: float) -> float:
        return linear(math.log10(max(value, low / 10)))

    return scale, [(scale(value), f"{value:g}") for value in shown]


def _by_epoch(history: Mapping[str, np.ndarray], column: str, times: float):
    """Return epochs, and minimum, mean and maximum over the folds still running at each."""
    epochs, at = np.unique(history["epoch"], return_inverse=True)
    values = times * np.asarray(history[column], dtype=np.float64)
    least, greatest = np.full(len(epochs), np.inf), np.full(len(epochs), -np.inf)
    with np.errstate(invalid="ignore"):  # the loss of a diverged training is NaN
        np.minimum.at(least, at, values)
        np.maximum.at(greatest, at, values)
    return epochs, least, np.bincount(at, values) / np.bincount(at), greatest


def _common(parts: Sequence[tuple]) -> tuple[float, float]:
    """Return the y range: of all means but the first epoch's, which are often far off.

    Diverged variants are cut off likewise: the range ignores means further from the median than
    ten times the interquartile range.
    """
    means = np.concatenate([mean[1:] if len(mean) > 2 else mean for _, _, mean, _ in parts])
    means = means[np.isfinite(means)]
    if not means.size:
        return 0.0, 1.0
    quarter, middle, threequarters = np.percentile(means, (25, 50, 75))
    reach = 10 * max(threequarters - quarter, 1e-3)
    means = means[np.abs(means - middle) <= reach]
    room = 0.08 * max(np.ptp(means), 1e-3)
    low = means.min() - room if means.min() > room else 0.9 * means.min()  # neither is below 0
    return float(low), float(means.max() + room)


def _band(epochs, least, mean, greatest, across: Callable, up: Callable) -> tuple[str, str]:
    """Return the range as a closed path and the mean as a line, without NaN."""
    known = np.isfinite(least) & np.isfinite(mean) & np.isfinite(greatest)
    if not known.any():
        return "", ""
    xs = [across(epoch) for epoch in epochs[known]]
    upper = [f"{x} {up(y)}" for x, y in zip(xs, greatest[known], strict=True)]
    lower = [f"{x} {up(y)}" for x, y in zip(xs, least[known], strict=True)]
    line = [f"{x} {up(y)}" for x, y in zip(xs, mean[known], strict=True)]
    if len(line) == 1:
        line.append(line[0])  # round ends make it a dot
    return "M" + "L".join(upper + lower[::-1]) + "Z", "M" + "L".join(line)
