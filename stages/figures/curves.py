"""Loss and accuracy by epoch, for every fold and their mean."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from stages.figures.style import BLUE, INK, ORANGE, WIDTH, empty, heading, page, styled

History = Mapping[str, np.ndarray]
SERIES = (("", "training", BLUE), ("val_", "validation", ORANGE))


@styled
def curves(
    history: History, *, variant: str, scale: History | None = None, scored: int | None = None
) -> Figure:
    """Draw training and validation loss and accuracy by epoch.

    Each fold is a thin line, the mean over the folds still running at an epoch a thick one, and the
    selected epoch of each fold a ring on its validation line. Folds may end at different epochs.
    An ensemble, whose history is empty, has only a note that nothing was trained.

    Args:
        history: columns of equal length, one row per fold and epoch: `fold`, `epoch` (from 1),
            `loss`, `accuracy` (a fraction), `val_loss`, `val_accuracy`, and `selected`, which is
            true in the row of a fold's selected epoch.
        scale: the same columns of all variants side by side, which set the limits of the axes;
            without it, `history` does.
        scored: number of validation images of a fold that all epochs but the last are scored on;
            None: all.
    """
    title = f"{variant}: training and validation"
    if not history["epoch"].size:
        note = "an ensemble is not trained; its members' curves show their training"
        return empty(title, note)
    figure = page(WIDTH, 5.6)
    loss, accuracy = figure.subplots(2, 1, sharex=True, gridspec_kw={"hspace": 0.1})
    fold, epoch, selected = history["fold"], history["epoch"], history["selected"]
    folds, epochs = np.unique(fold), np.unique(epoch)
    for axes, measure in ((loss, "loss"), (accuracy, "accuracy")):
        for prefix, label, colour in SERIES:
            values = history[prefix + measure]
            lines = [np.column_stack([epoch[fold == one], values[fold == one]]) for one in folds]
            if len(lines) > 1:  # all in one artist, for speed
                thin = LineCollection(lines, colors=colour, linewidths=0.9, alpha=0.45)
                axes.add_collection(thin)
            mean = [values[epoch == at].mean() for at in epochs]
            (thick,) = axes.plot(epochs, mean, color=colour, linewidth=2.6, label=label)
            thick.set(solid_capstyle="round", marker="o" if len(epochs) == 1 else "")
        rings = axes.scatter(epoch[selected], history[f"val_{measure}"][selected], s=42, zorder=3)
        rings.set(
            facecolors="white", edgecolors=INK, linewidths=1.3, label="selected epoch of a fold"
        )
        axes.set_ylabel(measure)
        axes.yaxis.set_label_coords(-0.12, 0.5)
    _limit_loss(loss, scale or history)
    _limit_accuracy(accuracy, scale or history)
    accuracy.set_xlabel("epoch")
    handles = accuracy.get_legend_handles_labels()
    figure.legend(*handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    n = len(folds)
    mean_of = "their mean" if len(fold) == n * epochs[-1] else "the mean of those still running"
    note = f"n = {n} folds (thin) and {mean_of} (thick)" if n > 1 else "n = 1 fold"
    if scored:
        note += f"; validation on {scored:,} images each, on all after the last epoch"
    heading(figure, title, note)
    return figure


def _limit_loss(axes: Axes, history: History) -> None:
    """Fit the axis to finite losses, logarithmic if they differ five times or more."""
    losses = np.concatenate([history["loss"], history["val_loss"]])
    losses = losses[np.isfinite(losses)]
    if losses.size and 0 < 5 * losses.min() < losses.max():
        axes.set(yscale="log", ylim=(losses.min() / 1.1, 1.1 * losses.max()))
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    elif losses.size:
        margin = 0.06 * max(np.ptp(losses), 0.01)
        axes.set_ylim(losses.min() - margin, losses.max() + margin)


def _limit_accuracy(axes: Axes, history: History) -> None:
    """Fit both axes to accuracies; the first epoch, often far below all others, may be outside."""
    last = history["epoch"].max()
    near = (history["epoch"] > 1) | history["selected"] | (last < 3)
    both = np.stack([history["accuracy"], history["val_accuracy"]])
    lowest, highest = both[:, near].min(), both.max()
    margin = 0.06 * max(highest - lowest, 0.01)
    axes.set(xlim=(0.6, last + 0.4), ylim=(lowest - margin, highest + margin))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
