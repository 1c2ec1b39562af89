"""Reliability diagram: accuracy against confidence."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from stages.figures.style import (
    BLUE,
    MARGIN,
    MUTED,
    ORANGE,
    WIDTH,
    heading,
    key,
    page,
    place,
    styled,
)

PALE = "#d3dfec"
FEW = 10  # images in a bin; the accuracy of fewer is unreliable


@styled
def calibration(bins: Mapping[str, np.ndarray], error: float, *, variant: str) -> Figure:
    """Draw accuracy against confidence in bins, and how many images each bin holds.

    Args:
        bins: arrays (bins,) over equal widths of confidence from 0 to 1: `confidence` and
            `accuracy`, the means over a bin's images as fractions, and `count`, their number;
            from `stages.statistics.calibration.reliability_bins`.
        error: the expected calibration error, a fraction.
        variant: the name in the title.

    Returns:
        A figure with two axes: the reliability diagram, and the histogram of confidences.
    """
    count = np.asarray(bins["count"])
    filled, few = count > 0, count < FEW
    confidence, accuracy = np.asarray(bins["confidence"]), np.asarray(bins["accuracy"])
    width = 1 / len(count)
    middle = (np.arange(len(count)) + 0.5) * width
    note = f"expected calibration error {100 * error:.2f} %, n = {count.sum():,} test images"
    figure = page(WIDTH, 7.6)
    down = heading(figure, f"{variant}: calibration", note)

    left, wide = 1.05, WIDTH - 1.05 - MARGIN
    diagram = place(figure, left, 2.3, wide, 7.6 - 2.3 - down - 0.45)
    diagram.bar(middle[filled], accuracy[filled], 0.94 * width, color=PALE)
    diagram.plot([0, 1], [0, 1], color=MUTED, linewidth=1.4, linestyle=(0, (4, 3)))
    diagram.vlines(confidence[filled], accuracy[filled], confidence[filled], ORANGE, linewidths=2.2)
    for chosen, face in ((filled & ~few, BLUE), (filled & few, "white")):
        diagram.scatter(
            confidence[chosen],
            accuracy[chosen],
            s=44,
            facecolors=face,
            edgecolors=BLUE,
            linewidths=1.5,
            zorder=3,
            clip_on=False,
        )
    diagram.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
    diagram.yaxis.set_major_formatter(_percent)
    diagram.tick_params(labelbottom=False)
    key(figure, _handles(), down + 0.03)

    histogram = place(figure, left, 0.7, wide, 1.35, sharex=diagram)
    histogram.bar(middle, count, 0.94 * width, color=BLUE)
    histogram.set_yscale("log")
    histogram.set_ylim(0.7, max(count.max(), 10) * 1.6)
    histogram.yaxis.set_major_locator(LogLocator(numticks=5))
    histogram.yaxis.set_minor_locator(NullLocator())
    histogram.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    histogram.xaxis.set_major_formatter(_percent)
    histogram.set_xticks(np.linspace(0, 1, 6))
    histogram.set(xlabel="confidence of the prediction", ylabel="images")
    for axes in (diagram, histogram):
        axes.yaxis.set_label_coords(-0.66 / wide, 0.5)
    return figure


def _percent(value: float, _: int) -> str:
    return f"{100 * value:.0f} %"


def _handles() -> list[Line2D]:
    """Return the legend's handles."""
    dot = {"linestyle": "", "marker": "o", "markersize": 6.6, "markeredgecolor": BLUE}
    return [
        Line2D([], [], color=MUTED, linewidth=1.4, linestyle=(0, (4, 3)), label="perfect"),
        Line2D([], [], label="bin of images", markerfacecolor=BLUE, **dot),
        Line2D([], [], label=f"bin of fewer than {FEW}", markerfacecolor="white", **dot),
        Line2D([], [], color=ORANGE, linewidth=2.2, label="gap"),
    ]
