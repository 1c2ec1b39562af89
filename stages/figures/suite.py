"""Differences from the baseline on several data sets, and their mean, as a forest plot."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stages.figures import comparison
from stages.figures.comparison import beside, draw_difference
from stages.figures.style import TEXT, heading, page, shorten, styled
from stages.statistics.metrics import metric_of
from stages.statistics.suite import ALL

PANEL, PITCH = 3.2, 0.3  # inches: width of the panel, height of a row
NAME = 2.6  # inches that the name of a variant or a source may take
WIDE = 9.0  # inches of the panel and the text beside it
DRAWN = 12  # variants; if there are more, those with the highest mean differences


@styled
def suite(rows: Sequence[Mapping[str, Any]], rope: float) -> Figure:
    """Draw a block for each variant: a row for each source, and one for the mean.

    An outlier does not set the scale: an arrow at the edge marks it, with its numbers beside it.

    Args:
        rows: of `stages.statistics.suite.against_baseline`, at least one with a difference.
        rope: differences up to this count as none; they are shaded.
    """
    means = sorted((row for row in rows if row["source"] == ALL), key=lambda r: -r["difference"])
    names = [row["variant"] for row in means[:DRAWN]]
    lines: list[Any] = []  # the name of a variant, then its rows
    for name in names:
        lines += [name, *(row for row in rows if row["variant"] == name)]
    metric = metric_of(rows[0])
    drawn = [line for line in lines if not isinstance(line, str)]
    ends = metric.scale * np.array([[row[key] for key in comparison.INTERVAL] for row in drawn])
    figure = page(PANEL, PITCH * len(lines))
    axes = figure.subplots()
    setting = [drawn[place] for place in np.flatnonzero(comparison.inliers(ends))]
    comparison.panel_of_differences(axes, setting, len(lines), rope)
    for place, line in enumerate(lines):
        if isinstance(line, str):
            name = shorten(line, NAME, TEXT, "bold")
            beside(axes, place, name, side=0, weight="bold")
            continue
        is_mean = line["source"] == ALL
        label = shorten(f"mean of {line['n']}" if is_mean else line["source"], NAME, 10)
        weight = "bold" if is_mean else "normal"
        beside(axes, place, label, side=0, size=10, weight=weight)
        draw_difference(axes, place, line, bold=is_mean)
    title = f"{len(means)} variant{'s' * (len(means) > 1)} on {means[0]['n']} data sets"
    if len(means) > DRAWN:
        title += f", the best {DRAWN}"
    note = f"Differences from {rows[0]['baseline']} on each data set, and their mean (diamond),"
    note += f" with 95 % intervals; those up to {metric.amount(rope)} (shaded)"
    note += " count as none. Each data set has the same weight in the mean, and"
    note += f" n = {rows[0]['n']} folds."
    heading(figure, title, note, WIDE)
    return figure
