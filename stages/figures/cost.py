"""Score against latency, and the Pareto front: the variants that no other beats in both."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from stages.figures.style import BLUE, INK, MUTED, WIDTH, heading, page, styled
from stages.statistics.metrics import of


@styled
def cost(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw each variant's cross-validated score against the time of one image.

    `rows` have the columns of results/cost.csv.
    """
    figure = page(WIDTH, 4.2)
    axes = figure.subplots()
    metric = of(rows[0])
    front = sorted((row for row in rows if row["front"]), key=lambda row: row["one_image_ms"])
    axes.step(
        [row["one_image_ms"] for row in front],
        [metric.scale * row["cv_mean"] for row in front],
        where="post",
        color=BLUE,
        linewidth=1.2,
        zorder=1,
    )
    for row in rows:
        place = row["one_image_ms"], metric.scale * row["cv_mean"]
        colour = BLUE if row["front"] else MUTED
        axes.errorbar(*place, metric.scale * row["cv_std"], color=colour, fmt="o", capsize=3)
        name = axes.annotate(row["variant"], place, (7, 5), textcoords="offset points")
        name.set(color=INK, size=10, bbox={"color": "white", "alpha": 0.8, "pad": 0.5})
    axes.set(xscale="log", xlabel="milliseconds for one image, one thread")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylabel(f"CV {metric.column.removeprefix('CV ')}")
    axes.margins(x=0.2)
    axes.grid(alpha=0.3)
    note = (
        f"mean ± sd, n = {rows[0]['n']}; the blue line is the Pareto front, where no other "
        "variant is better in both"
    )
    heading(figure, "Score against prediction time", note)
    return figure
