"""How likely each variant takes each rank."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from stages.figures import style
from stages.figures.style import BLUE, FAINT, INK, TEXT, styled

CELL = 0.42  # inches
NAME = 2.6  # inches that a variant's name may take


@styled
def ranks(names: Sequence[str], probability: np.ndarray, label: str) -> Figure:
    """Draw a square of probabilities: one row per variant, one column per rank, in percent.

    `probability` is float (variants, variants) in the order of `names`, best first, as from
    `stages.statistics.best.ranks`; `label` is the metric's. Less than half a percent is left empty.
    """
    n = len(names)
    figure = style.page(CELL * n, CELL * n)
    axes = figure.subplots()
    edges = np.arange(n + 1) - 0.5
    blue = np.array(to_rgb(BLUE))
    colours = 1 - probability[..., None] ** 0.7 * (1 - blue)
    axes.pcolormesh(edges, edges, colours, edgecolors=FAINT, linewidth=0.8)
    axes.set_xticks(range(n), [str(rank + 1) for rank in range(n)])
    axes.set_yticks(range(n), [style.shorten(name, NAME, TEXT) for name in names])
    axes.tick_params(length=0)
    axes.set(xlabel="rank", ylim=(n - 0.5, -0.5))
    axes.grid(False)
    axes.spines[:].set(visible=True, color=FAINT)
    for row, column in np.argwhere(probability >= 0.005).tolist():
        value = probability[row, column]
        colour = "white" if value > 0.6 else INK
        text = axes.text(column, row, f"{100 * value:.0f}", color=colour, size=TEXT)
        text.set(ha="center", va="center_baseline", in_layout=False)
    note = f"probability in percent of each rank by expected {label}, given these folds"
    style.heading(figure, "Ranks", note)
    return figure
