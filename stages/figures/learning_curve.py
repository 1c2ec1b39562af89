"""Learning curves: score against the number of training images, with the fitted power law."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from stages.figures.style import BLUE, GREEN, ORANGE, RED, WIDTH, heading, page, styled
from stages.statistics.learning_curve import Law
from stages.statistics.metrics import metric_of

COLOURS = (BLUE, ORANGE, GREEN, RED)
MARKERS = "osD^v"  # the next one when all colours are used
APART = 0.03  # of the images, between the points of two variants


@styled
def learning_curve(rows: Sequence[Mapping[str, Any]], laws: Mapping[str, Law]) -> Figure:
    """Draw each variant's score by the number of training images, and its law to twice as many.

    `rows` have the columns of results/learning_curve.csv; `laws` are by variant, in order.
    """
    figure = page(WIDTH, 4.2)
    axes = figure.subplots()
    metric = metric_of(rows[0])
    images = sorted({row["images"] for row in rows})
    for position, (name, law) in enumerate(laws.items()):
        colour = COLOURS[position % len(COLOURS)]
        own = [row for row in rows if row["variant"] == name]
        shift = 1 + APART * (position - (len(laws) - 1) / 2)
        axes.errorbar(
            [shift * row["images"] for row in own],
            [metric.scale * row["mean"] for row in own],
            [metric.scale * row["std"] for row in own],
            color=colour,
            fmt=MARKERS[position // len(COLOURS) % len(MARKERS)],
            capsize=3,
            label=name,
        )
        if not law.fits:
            continue
        for start, end, line in ((images[0], images[-1], "-"), (images[-1], 2 * images[-1], "--")):
            drawn = np.geomspace(start, end, 100)
            score = metric.scale * (metric.best - law.at(drawn))
            axes.plot(drawn, score, line, color=colour, linewidth=1.2)
    axes.set(xscale="log", xlabel="training images of a fold")
    axes.xaxis.set_major_locator(FixedLocator([*images, 2 * images[-1]]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylabel(metric.column)
    axes.legend(loc="best")
    note = (
        f"mean ± sd, n = {rows[0]['n']} folds; the line is a power law, dashed beyond the "
        "available images"
    )
    heading(figure, "Learning curve", note)
    return figure
