"""All variants in one figure: accuracy of every fold, and differences to the baseline."""

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.figures.style import (
    BLUE,
    FAINT,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    heading,
    page,
    place,
    styled,
    text_width,
    write,
)

PAGE = 11.0  # inches: two panels and the text beside them
HEAD, FOOT = 1.55, 0.6  # inches above the rows (heading, titles) and below (numbers)
MEAN, TEST, OUTCOME = 1.35, 2.15, 1.05  # inches, widths of the text columns
BESIDE = 0.15  # inches between a panel and its text
LINE = 24  # characters of a name on one line
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

    Returns:
        The figure; its height grows with the number of variants.
    """
    fraction = np.asarray(accuracy, dtype=np.float64)  # its mean rounds as in the tables
    accuracy, interval = 100 * fraction, 100 * np.asarray(interval)
    count, n = accuracy.shape
    others = [row for row in range(count) if names[row] != baseline]
    labels = [_broken(name) for name in names]
    lines = [line for label in labels for line in label.split("\n")]
    pitch = 0.12 + 0.18 * max(label.count("\n") + 1 for label in labels)
    pitch = max(pitch, 0.5 if count <= 3 else 0.38)
    figure = page(PAGE, HEAD + pitch * count + FOOT)
    note = f"Dots are the n = {n} folds, line and bar their mean and standard deviation."
    if others:
        note += f" Differences are to {baseline}, with 95 % intervals; those up to"
        note += f" {100 * rope:g} points (shaded) count as none."
    title = f"{count + hidden} variants on the same folds"
    if hidden:
        title += f", the best {count - 1} and {baseline}"
    heading(figure, title if others else names[0], note)

    start = MARGIN + max(text_width(line, 11, "bold") for line in lines) + BESIDE
    room = PAGE - MARGIN - start - MEAN
    if others:
        room = (room - TEST - OUTCOME) / 2
    near = near_others(accuracy)
    mean, std = 100 * fraction.mean(axis=1), 100 * fraction.std(axis=1, ddof=1)
    shown = np.column_stack([accuracy, mean - std, mean + std])[near]
    left = _panel(figure, start, room, pitch, shown, count)
    _titles(figure, start, "Accuracy by fold, %", room, "mean ± sd")
    for row, label in enumerate(labels):
        weight = "bold" if names[row] == baseline else "normal"
        beside = {"transform": left.get_yaxis_transform(), "va": "center"}
        left.text(-BESIDE / room, row, label, ha="right", weight=weight, linespacing=1, **beside)
        _folds(left, row, accuracy[row], mean[row], std[row])
        text = f"{mean[row]:.2f} ± {std[row]:.2f}"
        left.text(1 + BESIDE / room, row, text, size=10, **beside)
    if not others:
        return figure

    start += room + MEAN
    band = 100 * rope * np.array([-1, 1])
    shown = interval[[row for row in others if near[row]]]
    right = _panel(figure, start, room, pitch, np.append(shown, band), count)
    _titles(figure, start, "Difference, points", room, "and 95 % interval")
    right.axvspan(*band, color=FAINT, linewidth=0, zorder=0)
    right.axvline(0, color=MUTED, linewidth=1)
    for row in range(count):
        beside = {"transform": right.get_yaxis_transform(), "va": "center", "size": 10}
        if row not in others:
            right.text(1 + BESIDE / room, row, "baseline", color=MUTED, **beside)
            continue
        centre, low, high = interval[row]
        colour = COLOURS[outcomes[row]]
        _interval(right, row, interval[row], colour, hollow=outcomes[row] == "undecided")
        text = f"{centre:+z.2f} ({low:z.2f} to {high:z.2f})".replace("-", "−")  # noqa: RUF001
        right.text(1 + BESIDE / room, row, text, **beside)
        beside |= {"color": colour, "weight": "bold"}
        right.text(1 + TEST / room, row, outcomes[row], **beside)
    return figure


def _broken(name: str) -> str:
    """Wrap a long name, if possible after underscores."""
    lines = [""]
    for part in re.findall(rf"[^_]{{1,{LINE - 1}}}_*|_+", name):
        if lines[-1] and len(lines[-1] + part) > LINE:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def near_others(accuracy: np.ndarray) -> np.ndarray:
    """Return which variants set the scale, all but outliers: bool (variants,).

    An outlier is further from the median variant than ten times the median distance, and than ten
    times the median range of folds.
    """
    mean = accuracy.mean(axis=1)
    away = np.abs(mean - np.median(mean))
    return away <= 10 * max(np.median(away), np.median(np.ptp(accuracy, axis=1)), 1e-9)


def _panel(
    figure: Figure, start: float, room: float, pitch: float, shown: np.ndarray, count: int
) -> Axes:
    """Add axes with one row per variant, the first on top, and limits from `shown`."""
    axes = place(figure, start, FOOT, room, pitch * count)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks([])
    low, high = shown.min(), shown.max()
    margin = 0.06 * (high - low) or 0.05
    axes.set_xlim(low - margin, high + margin)
    axes.grid(True, axis="x")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.hlines(np.arange(count) - 0.5, *axes.get_xlim(), color=FAINT, linewidth=0.5, zorder=0)
    return axes


def _titles(figure: Figure, start: float, panel: str, room: float, column: str) -> None:
    """Write the titles of a panel and of the text column beside it."""
    write(figure, start, HEAD - 0.1, panel, va="bottom", weight="bold")
    write(figure, start + room + BESIDE, HEAD - 0.1, column, va="bottom", size=10, color=MUTED)


def _folds(axes: Axes, row: int, scores: np.ndarray, mean: float, std: float) -> None:
    """Draw the folds of one variant as dots, over their mean and standard deviation."""
    if _edge(axes, row, mean, INK):
        return
    axes.plot([mean - std, mean + std], [row, row], color=BLUE, alpha=0.25, linewidth=10)
    axes.plot([mean, mean], [row - 0.38, row + 0.38], color=INK, linewidth=2)
    # a fold has the same height in every row, so equal scores do not overlap
    height = row + np.linspace(-0.24, 0.24, len(scores))
    size = 5 if len(scores) <= 20 else 3
    axes.plot(
        scores,
        height,
        "o",
        color=BLUE,
        markersize=size,
        markeredgecolor="white",
        markeredgewidth=0.5,
    )


def _interval(axes: Axes, row: int, interval: np.ndarray, colour: str, hollow: bool) -> None:
    """Draw one difference with its interval; a hollow marker means undecided."""
    centre, low, high = interval
    if _edge(axes, row, centre, colour):
        return
    axes.plot([low, high], [row, row], color=colour, linewidth=2)
    face = "white" if hollow else colour
    axes.plot(
        centre, row, "s", markersize=8, color=colour, markerfacecolor=face, markeredgewidth=1.6
    )


def _edge(axes: Axes, row: int, value: float, colour: str) -> bool:
    """Draw an arrow at the edge if `value` lies outside of the axes; return whether it does."""
    low, high = axes.get_xlim()
    if low <= value <= high:
        return False
    at, mark = (low, "<") if value < low else (high, ">")
    axes.plot(at, row, mark, color=colour, markersize=9, clip_on=False)
    return True
