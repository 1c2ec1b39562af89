"""The confusion matrix, in images and in percent, and its difference from another one."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from stages.figures import style
from stages.figures.style import FAINT, INK, LINE, TEXT, styled
from stages.statistics.classification import most_confused_pairs

MISTAKES = LinearSegmentedColormap.from_list("mistakes", ["#fff3e6", "#f79a4b", "#8f1d0e"])
BETTER = LinearSegmentedColormap.from_list("better", ["#e9f2fb", "#6ba3da", "#123f70"])
DIAGONAL = "#d3dde6"  # muted, so that mistakes stand out
MOST_NUMBERS = 25  # classes up to which numbers fit into the cells
PAIRS = 5
LONGEST = 1.8  # inches that a class name may take
LEAST = 4  # images of the darkest colour, if no cell has more: a single mistake is pale


@styled
def confusion_matrix(
    counts: np.ndarray, classes: Sequence[str], *, variant: str, normalized: bool = False
) -> Figure:
    """Draw the confusion matrix, and name the most confused pairs below it.

    Mistakes are coloured, the diagonal is grey, and zeros are empty. With more than 25 classes the
    cells have no numbers. `counts` is int (classes, classes), images by actual (row) and predicted
    class (column); if `normalized`, percents of the actual class are drawn instead.
    """
    images, wrong = counts.sum(axis=1), int(counts.sum() - np.trace(counts))
    title, note = f"{variant}: confusion matrix", f"n = {counts.sum():,} test images"
    if normalized:
        matrix, formatted, least = counts / np.maximum(images, 1)[:, None], percent, LEAST / 200
        title += ", normalized"
        note += "; cells are % of the actual class"
        note += "" if images.all() else "\na class without test images has an empty row"
    else:
        matrix, formatted, least = counts, "{:,}".format, LEAST
        note += f", {wrong:,} mistake{'' if wrong == 1 else 's'}"
    mistakes = np.where(np.eye(len(counts), dtype=bool), 0, matrix)
    colours = _shade(MISTAKES, mistakes / max(mistakes.max(), least))
    colours[(mistakes == 0) & (matrix > 0)] = to_rgb(DIAGONAL)
    colours[matrix == 0] = 1.0
    if wrong and len(classes) > MOST_NUMBERS:
        note += f"\nthe darker, the more mistakes; darkest: {formatted(mistakes.max())}"
    figure = _draw(matrix, colours, formatted, classes)
    short = [style.shorten(name, LONGEST, TEXT) for name in classes]
    pairs = []
    for actual, predicted, value in most_confused_pairs(matrix, PAIRS):
        often = "once" if value == 1 else f"{value:,} times"
        often = f"{percent(value)} % of the time" if normalized else often
        pairs.append(f"{short[actual]} taken for {short[predicted]}: {often}")
    box = figure.get_tightbbox()
    first = "Most often confused" if pairs else "No mistakes"
    style.write(figure, box.x0, box.y0 - LINE, first, weight="bold", va="top")
    style.write(figure, box.x0, box.y0 - 2 * LINE, "\n".join(pairs), va="top")
    style.heading(figure, title, note)
    return figure


@styled
def confusion_difference(
    counts: np.ndarray,
    other: np.ndarray,
    classes: Sequence[str],
    *,
    variant: str,
    baseline: str,
    most: int,
) -> Figure:
    """Draw a confusion matrix minus that of the baseline, on the same test images.

    More mistakes and fewer correct predictions are orange, the opposite is blue, and equal cells
    are empty. `counts` and `other`, of the baseline, are as in `confusion_matrix`; `most` images
    have the darkest colour, in all figures side by side.
    """
    change = counts - other
    worse = np.where(np.eye(len(counts), dtype=bool), -change, change)
    share = np.abs(change) / max(most, LEAST)
    colours = np.where((worse > 0)[..., None], _shade(MISTAKES, share), _shade(BETTER, share))
    colours[change == 0] = 1.0
    figure = _draw(change, colours, lambda images: f"{images:+,}".replace("-", "−"), classes)  # noqa: RUF001
    note = "orange is worse (more mistakes, fewer correct), blue is better"
    style.heading(figure, f"{variant} minus {baseline}", note)
    return figure


def percent(share: float) -> str:
    """Format percents; only 0 and 1 themselves become 0 and 100."""
    if 0 < share < 0.0005:
        return "<0.1"
    if 0.9995 <= share < 1:
        return ">99.9"
    return "100" if share == 1 else f"{100 * share:.1f}"


def _shade(colours: LinearSegmentedColormap, share: np.ndarray) -> np.ndarray:
    """Return colours; the exponent keeps one image visible next to a hundred."""
    return colours(share**0.7)[..., :3]


def _draw(
    matrix: np.ndarray, colours: np.ndarray, number: Callable[[float], str], classes: Sequence[str]
) -> Figure:
    """Draw cells in these colours with their values, formatted by `number`, and the classes."""
    n = len(classes)
    side = float(np.clip(0.56 * n, 2.6, 7.0))
    cell = side / n
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, n) if step * cell > 0.17)
    names = [style.shorten(name, LONGEST, TEXT) for name in classes[::step]]
    upright = max(style.text_width(name, TEXT) for name in names) > 0.9 * cell
    figure = style.page(side, side)
    axes = figure.subplots()
    edges = np.arange(n + 1) - 0.5
    axes.pcolormesh(edges, edges, colours, edgecolors=FAINT, linewidth=0.8 if cell > 0.17 else 0)
    axes.set_xticks(range(0, n, step), names, rotation=90 if upright else 0)
    axes.set_yticks(range(0, n, step), names)
    axes.tick_params(length=0 if step == 1 else 3)
    axes.set(xlabel="predicted", ylabel="actual", ylim=(n - 0.5, -0.5))
    axes.grid(False)
    axes.spines[:].set(visible=True, color=FAINT)
    if n > MOST_NUMBERS:
        return figure
    texts = {at: number(matrix[at]) for at in map(tuple, np.argwhere(matrix).tolist())}
    widest = max((style.text_width(text, 12) for text in texts.values()), default=0.1)
    size = min(12.0, 12 * 0.86 * cell / widest)
    light = colours @ (0.299, 0.587, 0.114) > 0.48
    for (row, column), text in texts.items():
        colour = INK if light[row, column] else "white"
        drawn = axes.text(column, row, text, color=colour, size=size)
        drawn.set(ha="center", va="center_baseline", in_layout=False)
    return figure
