"""The numbers of the page's drawings, as SVG has them: pixels, from the upper left corner.

A drawing is text like the rest of the page: a few kB, sharp in print, in the colours of the scheme.
report/charts.html.j2 holds the shapes. Variants side by side share their scales.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

PANEL_WIDE, PANEL_TALL = 320, 150  # one diagram; the frame inside leaves room for its labels
LEFT, RIGHT, TOP, BOTTOM = 44, 304, 10, 128
SERIES = (("training", ""), ("validation", "val_"))
FEW = 10  # images of a bin; the accuracy of fewer says little


def curves(histories: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Return loss and accuracy by epoch: of each variant the folds' range and their mean.

    Args:
        histories: variant -> columns of history.csv; none where nothing was trained.

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
    """Return the points of a reliability diagram: (x, y, y where it were calibrated, few images).

    Args:
        bins: `confidence`, `accuracy` and `count`, as from `scoring.calibration.reliability_bins`.
    """
    across, up = _scale(0, 1, LEFT, RIGHT), _scale(0, 1, BOTTOM, TOP)
    columns = (np.asarray(bins[key]).tolist() for key in ("confidence", "accuracy", "count"))
    return [
        (across(sure), up(right), up(sure), count < FEW)
        for sure, right, count in zip(*columns, strict=True)
        if count
    ]


def ruler(kind: str = "percent") -> list[tuple[float, str]]:
    """Return the ticks of a share from 0 to 1: (pixel, text), across or `up`."""
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
    """Return scale and ticks as `axis`, for values above 0 of several orders of magnitude."""
    linear = _scale(math.log10(low), math.log10(high), start, end)
    values = LogLocator(subs=(1, 2, 5), numticks=6).tick_values(low, high)
    shown = [value for value in values.tolist() if low <= value <= high]
    shown = shown[:: math.ceil(len(shown) / 5)]

    def scale(value: float) -> float:
        return linear(math.log10(max(value, low / 10)))

    return scale, [(scale(value), f"{value:g}") for value in shown]


def _by_epoch(history: Mapping[str, np.ndarray], column: str, times: float):
    """Return epochs, and least, mean and greatest value over the folds still running at each."""
    epochs, at = np.unique(history["epoch"], return_inverse=True)
    values = times * np.asarray(history[column], dtype=np.float64)
    least, greatest = np.full(len(epochs), np.inf), np.full(len(epochs), -np.inf)
    with np.errstate(invalid="ignore"):  # the loss of a training that fell apart is no number
        np.minimum.at(least, at, values)
        np.maximum.at(greatest, at, values)
    return epochs, least, np.bincount(at, values) / np.bincount(at), greatest


def _common(parts: Sequence[tuple]) -> tuple[float, float]:
    """Return the range to draw: of all means but the first epoch's, which may be far off.

    A variant that failed is left out likewise: what lies beyond ten times the middle half of all
    means runs out of its diagram.
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
    """Return the range as a closed path, and the mean as a line; what is no number is left out."""
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
