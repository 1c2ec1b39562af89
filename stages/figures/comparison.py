"""All variants in one figure: the score of every fold, and differences from the baseline."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.figures.style import BLUE, FAINT, INK, MUTED, ORANGE, heading, page, styled
from stages.statistics.metrics import Metric, metric_of

PANEL = 2.1  # inches
MEAN, GAP = 1.2, 0.15  # inches: of the column of means, and before a text beside a panel
OUTCOME, DIGIT = 145, 18  # points from an interval of two decimals to its outcome; for one more
WIDE = 10.4  # inches of both panels and the text beside them
BREAK = ".{1,24}$|.{1,23}_|.{24}"  # lines of a name, if possible broken after underscores
INTERVAL = ("difference", "ci_low", "ci_high")
COLOURS = {"better": BLUE, "worse": ORANGE, "no difference": INK, "undecided": MUTED}


@styled
def comparison(
    rows: Sequence[Mapping[str, Any]], scores: np.ndarray, *, rope: float, hidden: int = 0
) -> Figure:
    """Draw fold scores on the left and, for two variants or more, a forest plot on the right.

    An outlier does not set the scale: an arrow at the edge marks it, with its numbers beside it.

    Args:
        rows: of `stages.statistics.baseline.against_baseline`, from top to bottom.
        scores: float (rows, n), of the rows' metric; the same folds for all, n at least 2.
        rope: differences up to this count as none; they are shaded.
        hidden: number of further variants that were compared but are not drawn.
    """
    count, n = scores.shape
    metric = metric_of(rows[0])
    scores = metric.scale * scores
    baseline = rows[0]["baseline"]
    others = [place for place, row in enumerate(rows) if row["variant"] != baseline]
    near = inliers(scores)
    labels = ["\n".join(re.findall(BREAK, row["variant"])) for row in rows]
    lines = max(label.count("\n") + 1 for label in labels)
    pitch = max(0.12 + 0.18 * lines, 0.5 if count <= 3 else 0.38)
    panels = 2 if others else 1
    figure = page(panels * PANEL + (panels - 1) * (MEAN + 2 * GAP), pitch * count)
    gaps = {"wspace": (MEAN + 2 * GAP) / PANEL}
    left, *right = figure.subplots(1, panels, squeeze=False, gridspec_kw=gaps)[0]

    mean, std = (
        metric.scale * np.array([row[key] for row in rows]) for key in ("cv_mean", "cv_std")
    )
    shown = np.column_stack([scores, mean - std, mean + std])[near]
    title = f"{metric.title}{',' if metric.sign else ''}{metric.sign}"
    panel(left, shown, count, title, "mean ± sd", tick_intervals(metric))
    for place, label in enumerate(labels):
        weight = "normal" if place in others else "bold"
        beside(left, place, label, side=0, weight=weight, linespacing=1)
        text = metric.mean_std(rows[place]["cv_mean"], rows[place]["cv_std"])
        beside(left, place, minus(text), size=10)
        _folds(left, place, scores[place], mean[place], std[place])

    for axes in right:
        panel_of_differences(axes, [rows[place] for place in others if near[place]], count, rope)
        for place, row in enumerate(rows):
            if place in others:
                draw_difference(axes, place, row)
            else:
                beside(axes, place, row["outcome"], size=10, color=MUTED)

    title = f"{count + hidden} variants on the same folds" if others else rows[0]["variant"]
    if hidden:
        title += f", the best {count - 1} and {baseline}"
    note = f"Dots are the n = {n} folds, line and bar their mean and standard deviation."
    if others:
        note += f" Differences are from {baseline}, with 95 % intervals; those up to"
        note += f" {metric.amount(rope)} (shaded) count as none."
    heading(figure, title, note, WIDE if others else WIDE / 2)
    return figure


def inliers(accuracy: np.ndarray) -> np.ndarray:
    """Return which variants set the scale, all but outliers: bool (variants,).

    An outlier is further from the median variant than ten times the median distance, and than ten
    times the median range of folds.
    """
    mean = accuracy.mean(axis=1)
    away = np.abs(mean - np.median(mean))
    return away <= 10 * max(np.median(away), np.median(np.ptp(accuracy, axis=1)), 1e-9)


def panel(
    axes: Axes, shown: np.ndarray, count: int, title: str, column: str, ticks: int = 5
) -> None:
    """Set up one row per variant, the first on top, limits from `shown`, and titles.

    There are at most `ticks` intervals between tick labels.
    """
    low, high = shown.min(), shown.max()
    margin = 0.06 * (high - low) or 0.05
    axes.set(xlim=(low - margin, high + margin), ylim=(count - 0.5, -0.5), yticks=[])
    axes.grid(True, axis="x")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(ticks))
    axes.hlines(np.arange(count) - 0.5, *axes.get_xlim(), color=FAINT, linewidth=0.5, zorder=0)
    axes.set_title(title, loc="left", size=11, weight="bold")
    beside(axes, -0.5, column, up=6, size=10, color=MUTED, va="baseline")


def tick_intervals(metric: Metric) -> int:
    """Return how many intervals between tick labels of that length fit on a panel."""
    return 5 if metric.digits <= 2 else 3


def minus(text: str) -> str:
    """Return numbers with minus signs instead of hyphens, as Matplotlib writes them on axes."""
    return text.replace("-", "−")  # noqa: RUF001


def panel_of_differences(
    axes: Axes, shown: Sequence[Mapping[str, Any]], count: int, rope: float
) -> None:
    """Set up a panel with limits from the intervals of the rows shown, and shade the ROPE."""
    metric = metric_of(shown[0])
    band = metric.scale * rope * np.array([-1, 1])
    ends = metric.scale * np.array([[row[key] for key in INTERVAL] for row in shown])
    title = f"Difference, {metric.unit}"
    panel(axes, np.append(ends, band), count, title, "and 95 % interval", tick_intervals(metric))
    axes.axvspan(*band, color=FAINT, linewidth=0, zorder=0)
    axes.axvline(0, color=MUTED, linewidth=1)


def draw_difference(axes: Axes, place: int, row: Mapping[str, Any], bold: bool = False) -> None:
    """Draw a difference with its interval; write its numbers and the outcome beside the panel."""
    metric, colour = metric_of(row), COLOURS[row["outcome"]]
    text = minus(metric.difference(*(row[key] for key in INTERVAL)))
    beside(axes, place, text, size=10, weight="bold" if bold else "normal")
    right = OUTCOME + DIGIT * (metric.digits - 2)
    beside(axes, place, row["outcome"], right=right, size=10, color=colour, weight="bold")
    centre, low, high = (metric.scale * row[key] for key in INTERVAL)
    if inside(axes, place, centre, colour):
        axes.plot([low, high], [place, place], color=colour, linewidth=3 if bold else 2)
        face = "white" if row["outcome"] == "undecided" else colour
        marker, size = ("D", 9) if bold else ("s", 8)
        axes.plot(centre, place, marker, color=colour, markersize=size, mfc=face, mew=1.6)


def beside(
    axes: Axes, place: float, text: str, side: int = 1, right: float = 0, up: float = 0, **keywords
) -> None:
    """Write beside a row: on the left (side 0) or right (1), moved `right` and `up` points."""
    axes.annotate(
        text,
        (side, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=((2 * side - 1) * 72 * GAP + right, up),
        textcoords="offset points",
        **{"ha": "left" if side else "right", "va": "center", **keywords},
    )


def _folds(axes: Axes, place: int, scores: np.ndarray, mean: float, std: float) -> None:
    """Draw the folds of one variant as dots, over their mean and standard deviation."""
    if not inside(axes, place, mean, INK):
        return
    axes.plot([mean - std, mean + std], [place, place], color=BLUE, alpha=0.25, linewidth=10)
    axes.plot([mean, mean], [place - 0.38, place + 0.38], color=INK, linewidth=2)
    # a fold has the same height in every row, so equal scores do not overlap
    height = place + np.linspace(-0.24, 0.24, len(scores))
    size = 5 if len(scores) <= 20 else 3
    axes.plot(scores, height, "o", color=BLUE, markersize=size, mec="white", mew=0.5)


def inside(axes: Axes, place: int, value: float, colour: str) -> bool:
    """Return whether `value` lies inside the axes; if not, draw an arrow at the edge."""
    low, high = axes.get_xlim()
    if low <= value <= high:
        return True
    at, mark = (low, "<") if value < low else (high, ">")
    axes.plot(at, place, mark, color=colour, markersize=9, clip_on=False)
    return False
