"""All variants in one figure: accuracy of every fold, and differences to the baseline."""

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.figures.style import BLUE, FAINT, INK, MUTED, ORANGE, heading, page, styled

PANEL = 2.1  # inches
MEAN, GAP = 1.2, 0.15  # inches: of the column of means, and before a text beside a panel
OUTCOME = 145  # points from the interval's text to the outcome's
WIDE = 10.4  # inches of both panels and the text beside them
BREAK = ".{1,24}$|.{1,23}_|.{24}"  # lines of a name, if possible broken after underscores
COLOURS = {"better": BLUE, "worse": ORANGE, "no difference": INK, "undecided": MUTED}


@styled
def comparison(
    names: Sequence[str],
    accuracy: np.ndarray,
    interval: np.ndarray,
    outcomes: Sequence[str],
    *,
    baseline: str,
    rope: float,
    hidden: int = 0,
) -> Figure:
    """Draw fold accuracies on the left and, for two variants or more, a forest plot on the right.

    An outlier does not set the scale: an arrow at the edge marks it, with its numbers beside it.

    Args:
        names: the variants, from the top row to the bottom row.
        accuracy: float (variants, n), fractions; the same folds for all, n at least 2.
        interval: float (variants, 3), fractions: difference to the baseline, lower and upper end
            of its 95 % interval; the baseline's row is ignored.
        outcomes: one per variant: "better", "worse", "no difference" or "undecided"; the
            baseline's is ignored.
        baseline: which of the names all others are compared with.
        rope: differences up to this fraction count as none; they are shaded.
        hidden: number of further variants that were compared and are not drawn.
    """
    fraction = np.asarray(accuracy, dtype=np.float64)  # its mean rounds as in the tables
    accuracy, interval = 100 * fraction, 100 * np.asarray(interval)
    mean, std = 100 * fraction.mean(axis=1), 100 * fraction.std(axis=1, ddof=1)
    near = near_others(accuracy)
    count, n = accuracy.shape
    others = [row for row in range(count) if names[row] != baseline]
    labels = ["\n".join(re.findall(BREAK, name)) for name in names]
    lines = max(label.count("\n") + 1 for label in labels)
    pitch = max(0.12 + 0.18 * lines, 0.5 if count <= 3 else 0.38)
    panels = 2 if others else 1
    figure = page(panels * PANEL + (panels - 1) * (MEAN + 2 * GAP), pitch * count)
    gaps = {"wspace": (MEAN + 2 * GAP) / PANEL}
    left, *right = figure.subplots(1, panels, squeeze=False, gridspec_kw=gaps)[0]

    shown = np.column_stack([accuracy, mean - std, mean + std])[near]
    _panel(left, shown, count, "Accuracy by fold, %", "mean ± sd")
    for row, label in enumerate(labels):
        weight = "normal" if row in others else "bold"
        _beside(left, row, label, side=0, weight=weight, linespacing=1)
        _beside(left, row, f"{mean[row]:.2f} ± {std[row]:.2f}", size=10)
        _folds(left, row, accuracy[row], mean[row], std[row])

    band = 100 * rope * np.array([-1, 1])
    for axes in right:
        shown = np.append(interval[[row for row in others if near[row]]], band)
        _panel(axes, shown, count, "Difference, points", "and 95 % interval")
        axes.axvspan(*band, color=FAINT, linewidth=0, zorder=0)
        axes.axvline(0, color=MUTED, linewidth=1)
        for row, outcome in enumerate(outcomes):
            if row not in others:
                _beside(axes, row, "baseline", size=10, color=MUTED)
                continue
            centre, low, high = interval[row]
            text = f"{centre:+z.2f} ({low:z.2f} to {high:z.2f})".replace("-", "−")  # noqa: RUF001
            _beside(axes, row, text, size=10)
            bold = {"color": COLOURS[outcome], "weight": "bold"}
            _beside(axes, row, outcome, right=OUTCOME, size=10, **bold)
            _interval(axes, row, interval[row], outcome)

    title = f"{count + hidden} variants on the same folds"
    if hidden:
        title += f", the best {count - 1} and {baseline}"
    note = f"Dots are the n = {n} folds, line and bar their mean and standard deviation."
    if others:
        note += f" Differences are to {baseline}, with 95 % intervals; those up to"
        note += f" {100 * rope:g} points (shaded) count as none."
    heading(figure, title if others else names[0], note, WIDE if others else WIDE / 2)
    return figure


def near_others(accuracy: np.ndarray) -> np.ndarray:
    """Return which variants set the scale, all but outliers: bool (variants,).

    An outlier is further from the median variant than ten times the median distance, and than ten
    times the median range of folds.
    """
    mean = accuracy.mean(axis=1)
    away = np.abs(mean - np.median(mean))
    return away <= 10 * max(np.median(away), np.median(np.ptp(accuracy, axis=1)), 1e-9)


def _panel(axes: Axes, shown: np.ndarray, count: int, title: str, column: str) -> None:
    """Set up one row per variant, the first on top, limits from `shown`, and titles."""
    low, high = shown.min(), shown.max()
    margin = 0.06 * (high - low) or 0.05
    axes.set(xlim=(low - margin, high + margin), ylim=(count - 0.5, -0.5), yticks=[])
    axes.grid(True, axis="x")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.hlines(np.arange(count) - 0.5, *axes.get_xlim(), color=FAINT, linewidth=0.5, zorder=0)
    axes.set_title(title, loc="left", size=11, weight="bold")
    _beside(axes, -0.5, column, up=6, size=10, color=MUTED, va="baseline")


def _beside(
    axes: Axes, row: float, text: str, side: int = 1, right: float = 0, up: float = 0, **keywords
) -> None:
    """Write beside a row: on the left (side 0) or right (1), moved `right` and `up` points."""
    axes.annotate(
        text,
        (side, row),
        xycoords=axes.get_yaxis_transform(),
        xytext=((2 * side - 1) * 72 * GAP + right, up),
        textcoords="offset points",
        **{"ha": "left" if side else "right", "va": "center", **keywords},
    )


def _folds(axes: Axes, row: int, scores: np.ndarray, mean: float, std: float) -> None:
    """Draw the folds of one variant as dots, over their mean and standard deviation."""
    if _edge(axes, row, mean, INK):
        return
    axes.plot([mean - std, mean + std], [row, row], color=BLUE, alpha=0.25, linewidth=10)
    axes.plot([mean, mean], [row - 0.38, row + 0.38], color=INK, linewidth=2)
    # a fold has the same height in every row, so equal scores do not overlap
    height = row + np.linspace(-0.24, 0.24, len(scores))
    dot = {"markersize": 5 if len(scores) <= 20 else 3, "mec": "white", "mew": 0.5}
    axes.plot(scores, height, "o", color=BLUE, **dot)


def _interval(axes: Axes, row: int, interval: np.ndarray, outcome: str) -> None:
    """Draw one difference with its interval; a hollow marker means undecided."""
    colour = COLOURS[outcome]
    centre, low, high = interval
    if _edge(axes, row, centre, colour):
        return
    axes.plot([low, high], [row, row], color=colour, linewidth=2)
    face = "white" if outcome == "undecided" else colour
    axes.plot(centre, row, "s", color=colour, markersize=8, mfc=face, mew=1.6)


def _edge(axes: Axes, row: int, value: float, colour: str) -> bool:
    """Draw an arrow at the edge if `value` lies outside of the axes; return whether it does."""
    low, high = axes.get_xlim()
    if low <= value <= high:
        return False
    at, mark = (low, "<") if value < low else (high, ">")
    axes.plot(at, row, mark, color=colour, markersize=9, clip_on=False)
    return True
