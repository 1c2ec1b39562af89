"""Augmented training images: each op by itself, and all of them together."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from stages.figures.gallery import show
from stages.figures.style import TEXT, WIDTH, heading, sheet, shorten, styled

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
    """
    draws, n = changed.shape[1:3]
    side = (WIDTH - (n - 1) * GAP) / n
    height = side * original.shape[1] / original.shape[2]
    step = height + GAP
    figure, axes = sheet(WIDTH, LINE + step + len(changed) * (LINE + draws * step))
    down = 0.0
    rows = [("original", original[None]), *zip(names, changed, strict=True)]
    for name, images in rows:
        down += LINE
        axes.text(0, down - 0.07, shorten(name, WIDTH, TEXT), va="baseline")
        for line in images:
            for column, image in enumerate(line):
                show(axes, image, column * (side + GAP), down, height, side)
            down += step
    note = f"n = {n} training images, one per column; each op is drawn {draws} times"
    heading(figure, f"{variant}: augmentation", note)
    return figure
