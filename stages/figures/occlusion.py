"""Where a model looks: images with the parts on which its prediction depends."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from stages.figures import gallery, style
from stages.figures.style import INK, ORANGE, styled
from stages.statistics.classification import Mistake

STRONGEST = 0.75  # share of orange where the probability drops most
LEAST = 0.05  # if even the largest drop of an image is below this, it is drawn paler


@styled
def occlusion(
    test_images: np.ndarray,
    found: Sequence[Mistake],
    drops: np.ndarray,
    classes: Sequence[str],
    *,
    variant: str,
) -> Figure:
    """Show the mistakes of `stages.figures.gallery.mistakes` with the parts that led to them.

    `drops` is from `stages.statistics.occlusion`, of the first mistakes; the rest is as there.
    """
    title = f"{variant}: where it looks in its mistakes"
    if not len(drops):
        return style.empty(title, "none: all test images are classified correctly")
    shown = found[: len(drops)]
    captions = [
        ((classes[predicted], f"for {classes[actual]}"), INK, (_points(drop),))
        for (_, actual, predicted, _), drop in zip(shown, drops, strict=True)
    ]
    images = [
        overlaid(test_images[index], drop) for (index, *_), drop in zip(shown, drops, strict=True)
    ]
    note = (
        "orange: if a window there is hidden, the predicted class loses probability\n"
        "predicted for actual, with the largest loss"
    )
    return gallery.grid(np.stack(images), captions, title, note)


def _points(drop: np.ndarray) -> str:
    """Return the largest loss; none if every hidden window raises the probability."""
    points = round(100 * max(float(drop.max()), 0))
    return "no loss" if points == 0 else f"−{points} point{'s' * (points > 1)}"  # noqa: RUF001


def beside(image: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """Return an image and, to its right, the same `overlaid`: uint8 (height, 2 width, 3)."""
    return np.concatenate(
        [image.repeat(3 // image.shape[2], axis=2), overlaid(image, drop)], axis=1
    )


def overlaid(image: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """Return an image in grey with orange where the probability drops: uint8 (height, width, 3).

    `image` is uint8 (height, width, 1 or 3), `drop` float (rows, columns) over the whole image.
    """
    height, width = image.shape[:2]
    smooth = Image.fromarray(drop.astype(np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    weight = np.clip(np.asarray(smooth) / max(float(drop.max()), LEAST), 0, 1)[..., None]
    grey = image.astype(np.float64).mean(axis=2, keepdims=True)
    mixed = grey + STRONGEST * weight * (255 * np.array(to_rgb(ORANGE)) - grey)
    return np.rint(mixed).astype(np.uint8)
