"""Augmented training images: each op by itself, and all of them together."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from stages.figures.gallery import show
from stages.figures.style import (
    MARGIN,
    TEXT,
    WIDTH,
    heading,
    heading_height,
    page,
    place,
    shorten,
    styled,
)

GAP = 0.06  # inches between images
LINE = 0.3  # inches for the name above a row


@styled
def augmentation(
    original: np.ndarray, changed: np.ndarray, names: Sequence[str], *, variant: str
) -> Figure:
    """Draw the original images, and below them several draws of each op.

    Args:
        original: uint8 (n, height, width, channels), 1 or 3 channels; one column each.
        changed: uint8 (rows, draws, n, height, width, channels), at least one row.
        names: what each row shows: an op with its arguments, or all of them.
        variant: the name in the title.

    Returns:
        A figure.
    """
    draws, n = changed.shape[1:3]
    note = f"n = {n} training images, one a column; each op is drawn {draws} times"
    side = (WIDTH - 2 * MARGIN - (n - 1) * GAP) / n
    height = side * original.shape[1] / original.shape[2]
    step = height + GAP
    down = heading_height(note)
    high = down + (LINE + step) + len(changed) * (LINE + draws * step) + MARGIN
    figure = page(WIDTH, high)
    heading(figure, f"{variant}: augmentation", note)
    axes = place(figure, 0, 0, WIDTH, high)
    axes.set_axis_off()
    rows = [("as they are", original[None]), *zip(names, changed, strict=True)]
    for name, images in rows:
        text = shorten(name, WIDTH - 2 * MARGIN, TEXT)
        axes.text(MARGIN, down + LINE - 0.07, text, size=TEXT, ha="left", va="baseline")
        down += LINE
        for line in images:
            for column, image in enumerate(line):
                show(axes, image, MARGIN + column * (side + GAP), down, height, side)
            down += step
    axes.set(xlim=(0, WIDTH), ylim=(high, 0))
    return figure
