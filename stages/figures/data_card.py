"""The data card: images per class and split, a sample of each class, and facts about the data."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.figures import style
from stages.figures.gallery import show
from stages.figures.style import BLUE, INK, LINE, MUTED, ORANGE, WIDTH, styled

MAX_ROWS = 20  # classes up to which each has a row; beyond, only the largest and smallest have one
ENDS = 8  # number of the largest, and of the smallest
ROW = 0.42  # inches
SAMPLE = 0.36  # inches, the side of an image
CURVE = 1.9  # inches, the height of the curve of class sizes
BELOW = 0.75  # inches below that curve, for its labels
SIZE = 9  # points, of small text
SPLITS = (("training images", BLUE, -0.085), ("test images", ORANGE, 0.085))


@styled
def data_card(
    images: np.ndarray,
    labels: np.ndarray,
    test_labels: np.ndarray,
    classes: Sequence[str],
    facts: Sequence[tuple[str, str]],
    *,
    source: str,
) -> Figure:
    """Draw image counts of both splits per class with a sample, and facts as text.

    For more than 20 classes, draw the sorted counts of all, and rows of the largest and smallest.

    Args:
        images: uint8 (n, height, width, channels), the training images; only the rows shown are
            read, so it may be memory-mapped.
        labels: int (n,), of the training images; each class has at least one.
        test_labels: int (m,), of the test images.
        facts: from `stages.report.dataset.facts`.
    """
    classes = [" ".join(name.split()) for name in classes]
    counts = np.array([np.bincount(each, minlength=len(classes)) for each in (labels, test_labels)])
    order = np.argsort(-counts[0], kind="stable")
    blocks = {"": np.arange(len(classes))}
    if len(classes) > MAX_ROWS:
        blocks = {f"the {ENDS} largest": order[:ENDS], f"the {ENDS} smallest": order[-ENDS:]}
    curve = CURVE + BELOW if len(blocks) > 1 else 0
    down = curve
    figure, axes = style.sheet(
        WIDTH, down + ROW * sum(map(len, blocks.values())) + 2 * LINE * len(blocks)
    )
    for title, block in blocks.items():
        if title:
            down += LINE
            axes.text(0, down, title, weight="bold")
            down += 0.15
        _rows(axes, down, block, counts, classes, images, labels)
        down += ROW * len(block) + LINE
    for what, sentence in facts:
        axes.text(0, down, what, size=SIZE, color=INK, weight="bold")
        for line in style.wrap(sentence, WIDTH, SIZE):
            down += 0.2
            axes.text(0, down, line, size=SIZE, color=MUTED)
        down += 0.2
    if curve:
        _curve(figure, counts[:, order])
    axes.legend(handles=axes.containers[:2], loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    height, width, channels = images.shape[1:]
    note = (
        f"{len(labels):,} training and {len(test_labels):,} test images of {height} x {width} "
        f"pixels, {'grey' if channels == 1 else 'colour'}, in {len(classes):,} classes"
    )
    style.heading(figure, f"{source}: data", note)
    return figure


def _curve(figure: Figure, counts: np.ndarray) -> None:
    """Draw the number of images of each class, largest first: counts int (splits, classes)."""
    part = CURVE / figure.get_size_inches()[1]
    axes = figure.add_axes((0.09, 1 - part, 0.91, part))
    ranks = np.arange(counts.shape[1] + 1) + 0.5
    for images, (_, colour, _) in zip(counts, SPLITS, strict=True):
        axes.stairs(images, ranks, color=colour, linewidth=1.5)
    axes.set(xlim=(ranks[0], ranks[-1]), ylim=(0, None))
    axes.set_xlabel("classes, by the number of their training images")
    axes.tick_params(labelsize=SIZE)


def _rows(
    axes: Axes,
    down: float,
    shown: np.ndarray,
    counts: np.ndarray,
    classes: Sequence[str],
    images: np.ndarray,
    labels: np.ndarray,
) -> None:
    """Draw one row per class on a sheet: its first training image, its name, one bar per split."""
    numbers = [f"{count:,}" for count in counts[:, shown].max(axis=0)]
    name = min(2.2, max(style.text_width(classes[label], SIZE) for label in shown))
    left = SAMPLE + 0.1 + name + 0.1
    available = WIDTH - left - max(style.text_width(text, SIZE) for text in numbers) - 0.1
    scale = available / counts.max()
    height, width = np.array(images.shape[1:3]) * SAMPLE / max(images.shape[1:3])
    middles = down + (np.arange(len(shown)) + 0.5) * ROW
    for middle, label in zip(middles, shown, strict=True):
        image = np.asarray(images[int(np.argmax(labels == label))])
        show(axes, image, (SAMPLE - width) / 2, middle - height / 2, height, width)
        text = style.shorten(classes[label], name, SIZE)
        axes.text(left - 0.1, middle, text, size=SIZE, ha="right", va="center")
    for bar, (split, colour, offset) in zip(counts[:, shown], SPLITS, strict=True):
        bars = axes.barh(middles + offset, bar * scale, 0.15, left=left, color=colour, label=split)
        texts = [f"{count:,}" for count in bar]
        axes.bar_label(bars, texts, padding=4, size=SIZE - 2)
