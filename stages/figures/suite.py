"""Differences from the baseline on several data sets, and their mean, as a forest plot."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stages.figures.comparison import COLOURS, OUTCOME, beside, inside, near_others, panel
from stages.figures.style import FAINT, MUTED, TEXT, heading, page, shorten, styled
from stages.statistics.metrics import of
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
    metric = of(rows[0])
    form, keys = f".{metric.digits}f", ("difference", "ci_low", "ci_high")
    drawn = {place: line for place, line in enumerate(lines) if not isinstance(line, str)}
    interval = {
        place: metric.scale * np.array([row[key] for key in keys]) for place, row in drawn.items()
    }
    values = np.array([*interval.values()])
    band = metric.scale * rope * np.array([-1, 1])
    figure = page(PANEL, PITCH * len(lines))
    axes = figure.subplots()
    shown = np.append(values[near_others(values)], [*band, 0])
    panel(axes, shown, len(lines), f"Difference, {metric.unit}", "and 95 % interval")
    axes.axvspan(*band, color=FAINT, linewidth=0, zorder=0)
    axes.axvline(0, color=MUTED, linewidth=1)
    for place, line in enumerate(lines):
        if isinstance(line, str):
            name = shorten(line, NAME, TEXT, "bold")
            beside(axes, place, name, side=0, weight="bold")
            continue
        is_mean = line["source"] == ALL
        weight = "bold" if is_mean else "normal"
        label = f"mean of {line['n']}" if is_mean else line["source"]
        beside(axes, place, shorten(label, NAME, 10), side=0, size=10, weight=weight)
        centre, low, high = interval[place]
        text = f"{centre:+z{form}} ({low:z{form}} to {high:z{form}})".replace("-", "−")  # noqa: RUF001
        colour = COLOURS[line["outcome"]]
        beside(axes, place, text, size=10, weight=weight)
        beside(axes, place, line["outcome"], right=OUTCOME, size=10, color=colour, weight="bold")
        if inside(axes, place, centre, colour):
            axes.plot([low, high], [place, place], color=colour, linewidth=3 if is_mean else 1.5)
            face = "white" if line["outcome"] == "undecided" else colour
            mark, size = ("D", 9) if is_mean else ("s", 6)
            axes.plot(centre, place, mark, color=colour, markersize=size, mfc=face, mew=1.6)
    title = f"{len(means)} variant{'s' * (len(means) > 1)} on {means[0]['n']} data sets"
    if len(means) > DRAWN:
        title += f", the best {DRAWN}"
    note = f"Differences from {rows[0]['baseline']} on each data set, and their mean (diamond),"
    note += f" with 95 % intervals; those up to {metric.scale * rope:g} {metric.unit} (shaded)"
    note += " count as none. Each data set has the same weight in the mean, and"
    note += f" n = {rows[0]['n']} folds."
    heading(figure, title, note, WIDE)
    return figure
