"""Score against latency, and the Pareto front: the variants that no other beats in both."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox

from stages.figures.style import BLUE, DPI, INK, MUTED, WIDTH, heading, page, styled
from stages.statistics.metrics import metric_of

DOT = 7  # points from the centre of a dot to its name
# Possible places of a name, in points from its dot: the first free one is taken.
PLACES = [
    (side * DOT, step * 13 + lift) for step in range(5) for lift in (4, -14) for side in (1, -1)
]


@styled
def cost(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw each variant's cross-validated score against the time of one image.

    `rows` have the columns of results/cost.csv.
    """
    figure = page(WIDTH, 4.2)
    axes = figure.subplots()
    metric = metric_of(rows[0])
    front = sorted((row for row in rows if row["front"]), key=lambda row: row["one_image_ms"])
    axes.step(
        [row["one_image_ms"] for row in front],
        [metric.scale * row["cv_mean"] for row in front],
        where="post",
        color=BLUE,
        linewidth=1.2,
        zorder=1,
    )
    names = []
    for row in rows:
        place = row["one_image_ms"], metric.scale * row["cv_mean"]
        colour = BLUE if row["front"] else MUTED
        axes.errorbar(*place, metric.scale * row["cv_std"], color=colour, alpha=0.4, capsize=3)
        axes.plot(*place, "o", color=colour)
        names.append(axes.annotate(row["variant"], place, (0, 0), textcoords="offset points"))
    axes.set(xscale="log", xlabel="milliseconds for one image, one thread")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylabel(metric.column)
    axes.margins(x=0.2)
    axes.grid(alpha=0.3)
    _place(axes, names)
    note = (
        f"mean ± sd, n = {rows[0]['n']}; the blue line is the Pareto front, where no other "
        "variant is better in both"
    )
    heading(figure, "Score against prediction time", note)
    return figure


def _place(axes: Axes, names: Sequence[Annotation]) -> None:
    """Move each name to the first place where it covers neither a dot nor another name."""
    centres = axes.transData.transform([name.xy for name in names])
    half = DOT / 2 * DPI / 72  # pixels
    taken = [Bbox([centre - half, centre + half]) for centre in centres]
    for name in names:
        name.set(color=INK, size=10, bbox={"color": "white", "alpha": 0.7, "pad": 0.5})
        for place in PLACES:
            name.set(position=place, ha="left" if place[0] > 0 else "right")
            box = name.get_window_extent()
            if not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
