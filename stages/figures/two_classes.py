"""ROC and precision-recall curves, for data of two classes."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from stages.figures.style import BLUE, FAINT, MUTED, ORANGE, WIDTH, heading, page, styled

Curves = Mapping[str, Any]  # of stages.statistics.two_classes


@styled
def two_classes(
    test: Curves, out_of_fold: Curves, share: float, *, positive: str, variant: str
) -> Figure:
    """Draw the ROC curve and, below it, precision against recall; `test` may be empty.

    `share` is the fraction of positive images in the test set: the precision of guessing.
    """
    figure = page(WIDTH, 8.4)
    roc, precision_recall = figure.subplots(2, 1, gridspec_kw={"hspace": 0.22})
    for name, curves, colour in (
        ("out-of-fold predictions", out_of_fold, ORANGE),
        ("test images", test, BLUE),
    ):
        if curves:
            drawn = {"color": colour, "linewidth": 2, "clip_on": False, "label": name}
            roc.plot(curves["false_positive_rate"], curves["true_positive_rate"], **drawn)
            drawn |= {"drawstyle": "steps-post"}
            precision_recall.plot(curves["recall"], curves["precision"], **drawn)
    guessing = {"color": MUTED, "linewidth": 1.4, "linestyle": (0, (4, 3)), "label": "guessing"}
    roc.plot([0, 1], [0, 1], **guessing)
    precision_recall.plot([0, 1], [share, share], **guessing)
    roc.set(
        xlabel=f"other images taken for {positive} (false positive rate)",
        ylabel=f"{positive} found (recall)",
    )
    precision_recall.set(xlabel=f"{positive} found (recall)", ylabel="precision")
    for axes in (roc, precision_recall):
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(axis="x", color=FAINT)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    figure.legend(
        *roc.get_legend_handles_labels(), loc="lower left", bbox_to_anchor=(0, 1), ncols=3
    )
    note = "no curve for the test set, which has images of one class only"
    if test:
        note = (
            f"test images: area under the ROC curve {test['roc_auc']:.3f}, average precision "
            f"{test['average_precision']:.3f}"
        )
    title = f"{variant}: ROC and precision-recall, positive class: {positive}"
    heading(figure, title, note)
    return figure
