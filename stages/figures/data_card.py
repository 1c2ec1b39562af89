"""The data card: images per class and split, a sample of each class, and facts on the data."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from stages.figures.gallery import show
from stages.figures.style import (
    BLUE,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    WIDTH,
    heading,
    heading_height,
    key,
    page,
    place,
    shorten,
    styled,
    text_width,
    wrap,
    write,
)

MOST = 20  # classes up to which each has a row; of more, only the largest and smallest
ENDS = 8  # number of these, each
ROW = 0.42  # inches
SAMPLE = 0.36  # inches, the side of an image
CURVE = 1.9  # inches, the height of the sizes of many classes
LINE = 0.2  # inches from one line of the facts to the next
SIZE = 9  # points, of small text


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
        classes: the names of the labels.
        facts: (name, sentence), from `stages.report.dataset.facts`.
        source: the data set's name, for the title.

    Returns:
        The figure; its height depends on the rows and facts.
    """
    classes = [" ".join(name.split()) for name in classes]
    counts = np.array([np.bincount(of, minlength=len(classes)) for of in (labels, test_labels)])
    order = np.argsort(-counts[0], kind="stable")
    many = len(classes) > MOST
    rows = [order[:ENDS], order[-ENDS:]] if many else [np.arange(len(classes))]
    titles = [f"the {ENDS} largest", f"the {ENDS} smallest"] if many else [""]
    height, width, channels = images.shape[1:]
    note = (
        f"{len(labels):,} training and {len(test_labels):,} test images of {height} x {width} "
        f"pixels, {'grey' if channels == 1 else 'colour'}, in {len(classes):,} classes"
    )
    lines = _lines(facts)
    down = heading_height(note) + 0.1
    blocks = [ROW * len(block) + (0.45 if many else 0.05) for block in rows]
    curve = CURVE + 0.75 if many else 0
    figure = page(WIDTH, down + 0.35 + curve + sum(blocks) + 0.15 + LINE * len(lines) + MARGIN)
    heading(figure, f"{source}: data", note)
    handles = [Patch(color=BLUE, label="training images"), Patch(color=ORANGE, label="test images")]
    key(figure, handles, down)
    down += 0.35
    if many:
        _curve(figure, counts[:, order], down)
        down += curve
    for title, block, used in zip(titles, rows, blocks, strict=True):
        if title:
            write(figure, MARGIN, down + 0.15, title, weight="bold")
        _rows(figure, down + used - ROW * len(block), block, counts, classes, images, labels)
        down += used
    for number, (text, colour, weight) in enumerate(lines):
        write(
            figure,
            MARGIN,
            down + 0.15 + LINE * number,
            text,
            color=colour,
            weight=weight,
            size=SIZE,
        )
    return figure


def _lines(facts: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return (text, colour, weight) of each line that the facts take."""
    lines = []
    for what, sentence in facts:
        lines.append((what, INK, "bold"))
        words = " ".join(sentence.split())
        for line in wrap(words, WIDTH - 2 * MARGIN, SIZE):
            lines.append((shorten(line, WIDTH - 2 * MARGIN, SIZE), MUTED, "normal"))
    return lines


def _curve(figure: Figure, counts: np.ndarray, down: float) -> None:
    """Draw the number of images of each class, largest first: counts int (splits, classes)."""
    bottom = figure.get_size_inches()[1] - down - CURVE
    axes = place(figure, MARGIN + 0.55, bottom, WIDTH - 2 * MARGIN - 0.55, CURVE)
    ranks = np.arange(counts.shape[1] + 1) + 0.5
    for of, colour in zip(counts, (BLUE, ORANGE), strict=True):
        axes.stairs(of, ranks, color=colour, linewidth=1.5)
    axes.set(xlim=(ranks[0], ranks[-1]), ylim=(0, None))
    axes.set_xlabel("classes, by the number of their training images")
    axes.tick_params(labelsize=SIZE)


def _rows(
    figure: Figure,
    down: float,
    shown: np.ndarray,
    counts: np.ndarray,
    classes: Sequence[str],
    images: np.ndarray,
    labels: np.ndarray,
) -> None:
    """Draw one row per class: its first training image, its name, one bar per split.

    All rows share one axes in inches: an axes per image would take ten times as long.
    """
    numbers = [f"{count:,}" for count in counts[:, shown].max(axis=0)]
    longest = max(text_width(classes[label], SIZE) for label in shown)
    name = min(longest, 2.2)
    left = MARGIN + SAMPLE + 0.1 + name + 0.1
    room = WIDTH - MARGIN - left - max(text_width(text, SIZE) for text in numbers) - 0.1
    high = ROW * len(shown)
    axes = place(figure, 0, figure.get_size_inches()[1] - down - high, WIDTH, high)
    axes.set_axis_off()
    shape = np.array(images.shape[1:3]) * SAMPLE / max(images.shape[1:3])
    scale = room / counts.max()
    for position, label in enumerate(shown):
        middle = (position + 0.5) * ROW
        image = np.asarray(images[int(np.argmax(labels == label))])
        start, top = MARGIN + (SAMPLE - shape[1]) / 2, middle - shape[0] / 2
        show(axes, image, start, top, *shape)
        text = shorten(classes[label], name, SIZE)
        axes.text(left - 0.1, middle, text, size=SIZE, ha="right", va="center")
    for of, colour, offset in zip(counts[:, shown], (BLUE, ORANGE), (-0.085, 0.085), strict=True):
        middles = (np.arange(len(shown)) + 0.5) * ROW + offset
        axes.barh(middles, of * scale, height=0.15, left=left, color=colour)
        for count, middle in zip(of, middles, strict=True):
            end = left + count * scale + 0.06
            axes.text(end, middle, f"{count:,}", size=SIZE - 2, va="center_baseline")
    axes.set(xlim=(0, WIDTH), ylim=(high, 0))
