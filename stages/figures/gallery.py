"""Images with their predictions: the worst mistakes, a random sample, a user's own images."""

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stages.figures.style import (
    FAINT,
    GREEN,
    INK,
    LINE,
    MUTED,
    RED,
    TEXT,
    WIDTH,
    heading,
    page,
    sheet,
    shorten,
    styled,
    text_width,
)

GAP = 0.16  # inches between images

Line = tuple[str, str, str]  # text, colour, weight


@styled
def mistakes(
    test_images: np.ndarray,
    found: Sequence[tuple[int, int, int, float]],
    classes: Sequence[str],
    *,
    variant: str,
    count: int = 20,
) -> Figure:
    """Show the most confident mistakes, each as "8 for 3" with its confidence.

    Args:
        test_images: uint8 (n, height, width, channels), 1 or 3 channels; only the rows shown
            are read, so it may be memory-mapped.
        found: (index, actual, predicted, confidence) of each mistake, most confident first,
            from `stages.statistics.classification.mistakes`.
        classes: the names of the labels.
        variant: the name in the title.
        count: maximum number of images.

    Returns:
        A figure; without mistakes, only a note.
    """
    title = f"{variant}: most confident mistakes"
    n, m, shown = len(test_images), len(found), found[:count]
    if m == 0:
        figure = page(WIDTH, 0.1)
        heading(figure, title, f"none: all n = {n:,} test images are classified correctly")
        return figure
    columns, one_line = _columns(classes, "{} for {}")
    captions = []
    for _, actual, predicted, confidence in shown:
        lines = [(f"{classes[predicted]} for {classes[actual]}", INK, "bold")]
        if not one_line:
            lines = [(classes[predicted], INK, "bold"), (f"for {classes[actual]}", INK, "normal")]
        captions.append([*lines, (percent(confidence), MUTED, "normal")])
    which = f"the first {count} of {m:,} mistakes" if m > count else f"all {m:,} mistakes"
    which = "the only mistake" if m == 1 else which
    note = f"{which} on n = {n:,} test images\npredicted for actual, with the confidence"
    images = test_images[[index for index, *_ in shown]]
    return _grid(images, captions, [FAINT] * len(shown), columns, title, note)


@styled
def samples(
    test_images: np.ndarray,
    actual: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    *,
    variant: str,
    count: int = 20,
    seed: int = 1,
) -> Figure:
    """Show predictions of randomly drawn test images.

    The draw depends only on the number of images and the seed: all variants show the same images.
    Correct predictions are green with a check mark, wrong ones red with a cross and the true class.

    Args:
        test_images: as in `mistakes`.
        actual: int (n,), labels.
        predicted: int (n,), predicted classes.
        classes: the names of the labels.
        variant: the name in the title.
        count: maximum number of images.
        seed: seed of the draw.
    """
    n = len(test_images)
    chosen = np.random.default_rng(seed).permutation(n)[:count]
    columns, one_line = _columns(classes, "✗ {}, is {}")
    captions = []
    for row in chosen:
        name, truth = classes[predicted[row]], classes[actual[row]]
        if predicted[row] == actual[row]:
            captions.append([(f"✓ {name}", GREEN, "bold")])
        elif one_line:
            captions.append([(f"✗ {name}, is {truth}", RED, "bold")])
        else:
            captions.append([(f"✗ {name}", RED, "bold"), (f"is {truth}", RED, "normal")])
    correct = int((actual[chosen] == predicted[chosen]).sum())
    note = (
        f"{len(chosen)} of n = {n:,} test images, at random: "
        f"{correct} right (green ✓), {len(chosen) - correct} wrong (red ✗)"
    )
    edges = [caption[0][1] for caption in captions]
    title = f"{variant}: sample predictions"
    return _grid(test_images[chosen], captions, edges, columns, title, note)


@styled
def predictions(
    images: np.ndarray,
    names: Sequence[str],
    probability: np.ndarray,
    classes: Sequence[str],
    *,
    model: str,
    count: int = 100,
) -> Figure:
    """Show a user's images as the model saw them, with its predictions.

    Args:
        images: uint8 (n, height, width, channels), 1 or 3 channels; n at least 1.
        names: one per image, such as its file name.
        probability: float (n, classes).
        classes: the names of the classes.
        model: the model, for the title.
        count: maximum number of images.
    """
    n = len(images)
    columns, _ = _columns(classes, "✗ {}, is {}")
    captions = [
        [
            (classes[row.argmax()], INK, "bold"),
            (percent(row.max()), MUTED, "normal"),
            (name, MUTED, "normal"),
        ]
        for row, name in zip(probability[:count], names, strict=False)
    ]
    which = f"the first {count} of {n:,} images" if n > count else f"{n:,} images"
    which = "1 image" if n == 1 else which
    note = f"{which}, as the model saw them\npredicted class, its probability, the file"
    return _grid(images[:count], captions, [FAINT] * n, columns, f"{model}: predictions", note)


def percent(fraction: float) -> str:
    """Format a probability in percent; only 1 itself is 100 %."""
    if 0.995 <= fraction < 1:  # rounding to whole percents would claim certainty
        return "> 99.9 %" if fraction > 0.999 else f"{floor(1000 * fraction) / 10:.1f} %"
    return f"{100 * fraction:.0f} %"


def show(
    axes: Axes, image: np.ndarray, left: float, top: float, height: float, width: float
) -> None:
    """Draw an image, uint8 (height, width, 1 or 3), at a place on a `sheet`."""
    axes.imshow(
        image[..., 0] if image.shape[-1] == 1 else image,
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=(left, left + width, top + height, top),
        aspect="auto",
    )


def _columns(classes: Sequence[str], pattern: str) -> tuple[int, bool]:
    """Return the number of images per row, and whether two names fit into one line."""
    longest = max(classes, key=lambda name: text_width(name, TEXT, "bold"))
    if text_width(pattern.format(longest, longest), TEXT, "bold") <= _side(5):
        return 5, True
    return (5 if text_width(f"✗ {longest}", TEXT, "bold") <= _side(5) else 4), False


def _side(columns: int) -> float:
    """Return the side in inches of the square for each image."""
    return (WIDTH - (columns - 1) * GAP) / columns


def _grid(
    images: np.ndarray,
    captions: Sequence[Sequence[Line]],
    edges: Sequence[str],
    columns: int,
    title: str,
    note: str,
) -> Figure:
    """Draw images in rows, their captions below them.

    All images share one axes: an axes per image would take ten times as long.
    """
    side = _side(columns)
    height, width = np.array(images.shape[1:3]) * side / max(images.shape[1:3])
    step = height + 0.06 + LINE * max(map(len, captions)) + GAP
    figure, axes = sheet(WIDTH, step * ceil(len(images) / columns) - GAP)
    frames = []
    for position, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(position, columns)
        middle, top = column * (side + GAP) + side / 2, row * step
        show(axes, image, middle - width / 2, top, height, width)
        frames.append(Rectangle((middle - width / 2, top), width, height))
        for number, (text, colour, weight) in enumerate(caption):
            text = shorten(text, side, TEXT, weight)
            down = top + height + 0.06 + LINE * number
            axes.text(middle, down, text, color=colour, weight=weight, ha="center", va="top")
    outline = {"facecolors": "none", "edgecolors": edges, "linewidths": 1.5}
    axes.add_collection(PatchCollection(frames, **outline))
    heading(figure, title, note)
    return figure
