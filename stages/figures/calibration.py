"""Reliability diagram: accuracy against confidence."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter

from stages.figures.style import BLUE, MUTED, ORANGE, WIDTH, heading, page, styled

PALE = "#d3dfec"
FEW = 10  # images in a bin; the accuracy of fewer is unreliable


@styled
def calibration(bins: Mapping[str, np.ndarray], error: float, *, variant: str) -> Figure:
    """Draw accuracy against confidence in bins, and how many images each bin holds.

    `bins` are from `stages.statistics.classification.reliability_bins`; `error` is the expected
    calibration error, a fraction.
    """
    confidence, accuracy, count = (bins[key] for key in ("confidence", "accuracy", "count"))
    filled, few = count > 0, count < FEW
    middle = (np.arange(len(count)) + 0.5) / len(count)
    wide = 0.94 / len(count)
    figure = page(WIDTH, 5.6)
    diagram, histogram = figure.subplots(
        2, 1, sharex=True, height_ratios=(3, 1), gridspec_kw={"hspace": 0.08}
    )
    diagram.bar(middle[filled], accuracy[filled], wide, color=PALE)
    perfect = {"color": MUTED, "linewidth": 1.4, "linestyle": (0, (4, 3))}
    diagram.plot([0, 1], [0, 1], label="perfect", **perfect)
    gap = {"colors": ORANGE, "linewidths": 2.2, "label": "gap"}
    diagram.vlines(confidence[filled], accuracy[filled], confidence[filled], **gap)
    dot = {"s": 44, "edgecolors": BLUE, "linewidths": 1.5, "zorder": 3, "clip_on": False}
    for label, chosen, face in (
        ("bin of images", filled & ~few, BLUE),
        (f"bin of fewer than {FEW}", filled & few, "white"),
    ):
        diagram.scatter(confidence[chosen], accuracy[chosen], facecolors=face, label=label, **dot)
    diagram.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
    diagram.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))

    histogram.bar(middle, count, wide, color=BLUE)
    histogram.set(yscale="log", ylim=(0.7, max(count.max(), 10) * 1.6), ylabel="images")
    histogram.yaxis.set_major_locator(LogLocator(numticks=5))
    histogram.yaxis.set_minor_locator(NullLocator())
    histogram.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    histogram.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    histogram.set(xticks=np.linspace(0, 1, 6), xlabel="confidence of the prediction")
    for axes in (diagram, histogram):
        axes.yaxis.set_label_coords(-0.12, 0.5)
    figure.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    note = f"expected calibration error {100 * error:.2f} %, n = {count.sum():,} test images"
    heading(figure, f"{variant}: calibration", note)
    return figure
