"""Loss and accuracy by epoch, for every fold and their mean."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from stages.figures.style import (
    BLUE,
    INK,
    MARGIN,
    ORANGE,
    WIDTH,
    heading,
    heading_height,
    key,
    page,
    place,
    styled,
)

SERIES = (("", "training", BLUE), ("val_", "validation", ORANGE))


@styled
def curves(
    history: Mapping[str, np.ndarray], best_epoch: Mapping[int, int], *, variant: str
) -> Figure:
    """Draw training and validation loss and accuracy by epoch.

    Each fold is a thin line, the mean over the folds still running at an epoch a thick one, and
    the kept epoch of each fold a ring on its validation line. Folds may end at different epochs.

    Args:
        history: columns of equal length, one row a fold and epoch: `fold`, `epoch` (from 1),
            `loss`, `val_loss`, `accuracy`, `val_accuracy` (fractions).
        best_epoch: fold -> its kept epoch.
        variant: the name in the title.

    Returns:
        A figure with two axes: loss, logarithmic if its range is large, and accuracy. For an
        ensemble, whose history ends at epoch 0, only a note that nothing was trained.
    """
    history = {name: np.asarray(column) for name, column in history.items()}
    title = f"{variant}: training and validation"
    if history["epoch"].max() == 0:
        note = (
            "nothing to train: an ensemble of other variants, whose own curves show their training"
        )
        figure = page(WIDTH, heading_height(note) + MARGIN)
        heading(figure, title, note)
        return figure
    n, last = len(np.unique(history["fold"])), history["epoch"].max()
    figure = page(WIDTH, 7.6)
    whole = len(history["fold"]) == n * last
    mean = "their mean" if whole else "the mean of those still running"
    note = f"n = {n} folds (thin) and {mean} (thick)" if n > 1 else "n = 1 fold"
    down = heading(figure, title, note)
    _legend(figure, down + 0.03)
    best = np.array([best_epoch.get(unit) for unit in history["fold"].tolist()])
    kept = best == history["epoch"]
    wide, high = WIDTH - 0.85 - MARGIN, 2.45
    loss = place(figure, 0.85, 0.65 + high + 0.5, wide, high)
    accuracy = place(figure, 0.85, 0.65, wide, high, sharex=loss)
    for axes, measure in ((loss, "loss"), (accuracy, "accuracy")):
        for prefix, _, colour in SERIES:
            _lines(axes, history, prefix + measure, colour)
        ring = {"s": 42, "facecolors": "white", "edgecolors": INK, "linewidths": 1.3, "zorder": 3}
        axes.scatter(history["epoch"][kept], history[f"val_{measure}"][kept], **ring)
        axes.set_title(measure.capitalize(), loc="left", size=12, weight="bold")
    losses = np.concatenate([history["loss"], history["val_loss"]])
    losses = losses[np.isfinite(losses)]
    if losses.size and 0 < 5 * losses.min() < losses.max():
        loss.set_yscale("log")
        loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        loss.yaxis.set_minor_locator(NullLocator())
        loss.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    loss.tick_params(labelbottom=False)
    # The first epoch is often far below all others: leave it outside of the axes.
    near = (history["epoch"] > 1) | kept | (last < 3)
    lowest = min(history[column][near].min() for column in ("accuracy", "val_accuracy"))
    highest = max(history[column].max() for column in ("accuracy", "val_accuracy"))
    room = 0.06 * max(highest - lowest, 0.01)
    accuracy.set_ylim(lowest - room, highest + room)
    accuracy.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    accuracy.set_xlim(0.6, last + 0.4)
    accuracy.set_xlabel("epoch")
    return figure


def _lines(axes: Axes, history: Mapping[str, np.ndarray], column: str, colour: str) -> None:
    """Draw one column: a thin line per fold, all in one artist for speed, and the thick mean."""
    fold, epoch, values = history["fold"], history["epoch"], history[column]
    lines = [
        np.column_stack([epoch[fold == unit], values[fold == unit]]) for unit in np.unique(fold)
    ]
    if len(lines) > 1:
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.9, alpha=0.45))
    epochs = np.unique(epoch)
    mean = [values[epoch == at].mean() for at in epochs]
    marker = "o" if len(epochs) == 1 else None  # a line of one point would be invisible
    axes.plot(epochs, mean, color=colour, linewidth=2.6, marker=marker, solid_capstyle="round")


def _legend(figure: Figure, down: float) -> None:
    """Explain the colours and the rings in one line, `down` inches below the upper edge."""
    handles = [
        Line2D([], [], color=colour, linewidth=2.6, label=name) for _, name, colour in SERIES
    ]
    ring = {"marker": "o", "markersize": 6.5, "markerfacecolor": "white", "markeredgecolor": INK}
    handles.append(Line2D([], [], linestyle="", label="kept epoch of a fold", **ring))
    key(figure, handles, down)
