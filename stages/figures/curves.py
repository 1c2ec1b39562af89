"""Loss and accuracy by epoch, for every fold and their mean."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from stages.figures.style import BLUE, INK, ORANGE, WIDTH, heading, page, styled

SERIES = (("", "training", BLUE), ("val_", "validation", ORANGE))
COLUMNS = ("fold", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "kept")


@styled
def curves(
    history: Mapping[str, np.ndarray],
    *,
    variant: str,
    scale: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Draw training and validation loss and accuracy by epoch.

    Each fold is a thin line, the mean over the folds still running at an epoch a thick one, and
    the kept epoch of each fold a ring on its validation line. Folds may end at different epochs.
    An ensemble, whose history is empty, has only a note that nothing was trained.

    Args:
        history: COLUMNS of equal length, one row a fold and epoch: epochs are numbered from 1,
            accuracies are fractions, and `kept` is true in the row of a fold's kept epoch.
        scale: the same columns of all variants side by side, which set the limits of the axes;
            without it, `history` does.
    """
    title = f"{variant}: training and validation"
    if not history["epoch"].size:
        figure = page(WIDTH, 0.1)
        note = "nothing to train: an ensemble of other variants, whose curves show their training"
        heading(figure, title, note)
        return figure
    figure = page(WIDTH, 5.6)
    loss, accuracy = figure.subplots(2, 1, sharex=True, gridspec_kw={"hspace": 0.1})
    kept = history["kept"]
    for axes, measure in ((loss, "loss"), (accuracy, "accuracy")):
        for prefix, label, colour in SERIES:
            _lines(axes, history, prefix + measure, colour, label)
        ring = {"s": 42, "facecolors": "white", "edgecolors": INK, "linewidths": 1.3, "zorder": 3}
        ring["label"] = "kept epoch of a fold"
        axes.scatter(history["epoch"][kept], history[f"val_{measure}"][kept], **ring)
        axes.set_ylabel(measure)
        axes.yaxis.set_label_coords(-0.12, 0.5)
    _limit(loss, accuracy, scale or history)
    accuracy.set_xlabel("epoch")
    handles = accuracy.get_legend_handles_labels()
    figure.legend(*handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    n = len(np.unique(history["fold"]))
    whole = len(history["fold"]) == n * history["epoch"].max()
    mean = "their mean" if whole else "the mean of those still running"
    heading(figure, title, f"n = {n} folds (thin) and {mean} (thick)" if n > 1 else "n = 1 fold")
    return figure


def _lines(
    axes: Axes, history: Mapping[str, np.ndarray], column: str, colour: str, label: str
) -> None:
    """Draw one column: a thin line per fold, all in one artist for speed, and the thick mean."""
    fold, epoch, values = history["fold"], history["epoch"], history[column]
    lines = [
        np.column_stack([epoch[fold == unit], values[fold == unit]]) for unit in np.unique(fold)
    ]
    if len(lines) > 1:
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.9, alpha=0.45))
    epochs = np.unique(epoch)
    mean = [values[epoch == at].mean() for at in epochs]
    thick = {"color": colour, "linewidth": 2.6, "solid_capstyle": "round", "label": label}
    axes.plot(epochs, mean, marker="o" if len(epochs) == 1 else None, **thick)


def _limit(loss: Axes, accuracy: Axes, history: Mapping[str, np.ndarray]) -> None:
    """Set scales, limits and ticks so that they fit `history`."""
    last = history["epoch"].max()
    losses = np.concatenate([history["loss"], history["val_loss"]])
    losses = losses[np.isfinite(losses)]
    if losses.size and 0 < 5 * losses.min() < losses.max():
        loss.set(yscale="log", ylim=(losses.min() / 1.1, 1.1 * losses.max()))
        loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        loss.yaxis.set_minor_locator(NullLocator())
        loss.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    elif losses.size:
        room = 0.06 * max(np.ptp(losses), 0.01)
        loss.set_ylim(losses.min() - room, losses.max() + room)
    # The first epoch is often far below all others: leave it outside of the axes.
    near = (history["epoch"] > 1) | history["kept"] | (last < 3)
    both = [history[column] for column in ("accuracy", "val_accuracy")]
    lowest = min(values[near].min() for values in both)
    highest = max(values.max() for values in both)
    room = 0.06 * max(highest - lowest, 0.01)
    accuracy.set(xlim=(0.6, last + 0.4), ylim=(lowest - room, highest + room))
    accuracy.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
