"""The confusion matrix, in images and in percent."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from stages.figures.style import (
    FAINT,
    INK,
    MARGIN,
    TEXT,
    heading,
    heading_height,
    page,
    place,
    shorten,
    styled,
    text_width,
    write,
)
from stages.statistics.classification import most_confused_pairs

MISTAKES = LinearSegmentedColormap.from_list("mistakes", ["#fff3e6", "#f79a4b", "#8f1d0e"])
DIAGONAL = "#d3dde6"  # muted, so that mistakes stand out
MOST_NUMBERS = 25  # classes up to which numbers fit into the cells
PAIRS = 5
LONGEST = 1.8  # inches that a class name may take
LINE = 0.22  # inches from one line of text to the next


@styled
def confusion_matrix(counts: np.ndarray, classes: Sequence[str], *, variant: str) -> Figure:
    """Draw the confusion matrix in images, and name the most confused pairs.

    Args:
        counts: int (classes, classes), images by actual (row) and predicted class (column).
        classes: the names of the classes.
        variant: the name in the title.

    Returns:
        A figure with one axes. Mistakes are coloured, the diagonal is grey, zeros are empty; with
        more than 25 classes the cells have no numbers.
    """
    mistakes = int(counts.sum() - np.trace(counts))
    pairs = [
        f"{actual} taken for {predicted}: {'once' if images == 1 else f'{images:,} times'}"
        for actual, predicted, images in _commonest(counts, classes)
    ]
    return _draw(
        counts,
        lambda images: f"{images:,}",
        classes,
        f"{variant}: confusion matrix",
        f"n = {counts.sum():,} test images, {mistakes:,} mistake{'' if mistakes == 1 else 's'}",
        pairs,
        least=4,
    )


@styled
def confusion_matrix_normalized(
    counts: np.ndarray, classes: Sequence[str], *, variant: str
) -> Figure:
    """Draw the confusion matrix in percent of each class; see `confusion_matrix`.

    Args:
        counts: int (classes, classes), images by actual (row) and predicted class (column). Each
            row is divided by its sum; the row of a class without images stays empty.
        classes: the names of the classes.
        variant: the name in the title.

    Returns:
        A figure with one axes, its numbers in percent.
    """
    images = counts.sum(axis=1)
    share = counts / np.maximum(images, 1)[:, None]
    pairs = [
        f"{actual} taken for {predicted}: {_percent(part)} % of the time"
        for actual, predicted, part in _commonest(share, classes)
    ]
    note = f"n = {counts.sum():,} test images; cells are % of the actual class"
    if not images.all():
        note += "\na class without test images has an empty row"
    title = f"{variant}: confusion matrix, normalized"
    return _draw(share, _percent, classes, title, note, pairs, least=0.02)


def _percent(share: float) -> str:
    """Format percents; only 0 and 1 themselves become 0 and 100."""
    if 0 < share < 0.0005:
        return "<0.1"
    if 0.9995 <= share < 1:
        return ">99.9"
    return "100" if share == 1 else f"{100 * share:.1f}"


def _commonest(matrix: np.ndarray, classes: Sequence[str]) -> list[tuple[str, str, float]]:
    """Return the largest off-diagonal cells: names of actual and predicted class, and value."""
    return [
        (
            shorten(classes[actual], LONGEST, TEXT),
            shorten(classes[predicted], LONGEST, TEXT),
            value,
        )
        for actual, predicted, value in most_confused_pairs(matrix, PAIRS)
    ]


def _draw(
    matrix: np.ndarray,
    number: Callable[[float], str],
    classes: Sequence[str],
    title: str,
    note: str,
    pairs: Sequence[str],
    *,
    least: float,
) -> Figure:
    """Lay out the heading, the matrix, and the most confused pairs below it.

    Args:
        matrix: (classes, classes), the values of the cells.
        number: formats the value of a cell.
        classes: the names of the classes.
        title: the bold line.
        note: the line below it.
        pairs: the most confused pairs in words.
        least: the darkest colour is the largest mistake but at least this, so that a single
            mistake is pale.
    """
    n = len(classes)
    off_diagonal = np.where(np.eye(n, dtype=bool), 0, matrix)
    if n > MOST_NUMBERS and pairs:
        note += f"\nthe darker, the more mistakes; darkest: {number(off_diagonal.max())}"
    side = float(np.clip(0.56 * n, 2.6, 7.0))
    cell = side / n
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, n) if step * cell > 0.17)
    names = [shorten(name, LONGEST, TEXT) for name in classes[::step]]
    longest = max(text_width(name, TEXT) for name in names)
    upright = longest > 0.9 * cell
    left = MARGIN + 0.3 + longest + 0.1
    below = 0.1 + (longest if upright else 0.17) + 0.27
    width = max(5.4, left + side + MARGIN, *(text_width(p, TEXT) + 2 * MARGIN for p in pairs))
    top = heading_height(note, width) + 0.1
    height = top + side + below + 0.2 + LINE * (len(pairs) + 1) + MARGIN
    figure = page(width, height)
    heading(figure, title, note)
    axes = place(figure, left, height - top - side, side, side)
    axes.imshow(_colours(matrix, off_diagonal / max(off_diagonal.max(), least)))
    _rule(axes, n, step, names, upright)
    if n <= MOST_NUMBERS:
        _number(axes, matrix, number, cell)
    write(figure, left + side / 2, top + side + below, "predicted", ha="center", va="bottom")
    write(figure, MARGIN, top + side / 2, "actual", rotation=90, va="center")
    down = top + side + below + 0.2
    write(figure, MARGIN, down, "Most often confused" if pairs else "No mistakes", weight="bold")
    for row, pair in enumerate(pairs, start=1):
        write(figure, MARGIN, down + LINE * row, pair)
    return figure


def _colours(matrix: np.ndarray, mistaken: np.ndarray) -> np.ndarray:
    """Return the colour of each cell, float (classes, classes, 3).

    The exponent keeps one mistake visible next to a hundred.
    """
    colours = MISTAKES(mistaken**0.7)[..., :3]
    colours[matrix == 0] = 1.0
    correct = np.eye(len(matrix), dtype=bool) & (matrix > 0)
    colours[correct] = to_rgb(DIAGONAL)
    return colours


def _rule(axes: Axes, n: int, step: int, names: Sequence[str], upright: bool) -> None:
    """Label every `step`-th row and column, and draw the grid."""
    shown = range(0, n, step)
    axes.set_xticks(shown, names, rotation=90 if upright else 0)
    axes.set_yticks(shown, names)
    axes.tick_params(length=0 if step == 1 else 3)
    axes.grid(False)
    edges = np.arange(0, n + 1, step) - 0.5
    axes.hlines(edges, -0.5, n - 0.5, colors=FAINT, linewidths=0.8)
    axes.vlines(edges, -0.5, n - 0.5, colors=FAINT, linewidths=0.8)
    axes.spines[:].set(visible=True, color=FAINT)


def _number(axes: Axes, matrix: np.ndarray, number: Callable[[float], str], cell: float) -> None:
    """Write each cell's number, white on dark cells."""
    texts = {
        (row, column): number(matrix[row, column]) for row, column in np.argwhere(matrix).tolist()
    }
    widest = max((text_width(text, 12) for text in texts.values()), default=0.1)
    size = min(12.0, 12 * 0.86 * cell / widest)
    light = axes.images[0].get_array() @ (0.299, 0.587, 0.114) > 0.48
    for (row, column), text in texts.items():
        axes.text(
            column,
            row,
            text,
            size=size,
            color=INK if light[row, column] else "white",
            ha="center",
            va="center_baseline",
        )
