"""Images with their predictions: the worst mistakes, a random sample, a user's own images."""

from collections.abc import Collection, Mapping, Sequence
from math import ceil, floor
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stages.figures import style
from stages.figures.style import GREEN, INK, LINE, MUTED, RED, TEXT, WIDTH, styled
from stages.statistics.classification import Mistake

GAP = 0.16  # inches between images
COUNT = 20  # test images in a figure
SPLITS = {"train": "training", "test": "test"}
OWN = 100  # a user's images in a figure

# Text in bold that may take two lines, its colour, and lines below it.
Caption = tuple[tuple[str, ...], str, tuple[str, ...]]


@styled
def mistakes(
    test_images: np.ndarray, found: Sequence[Mistake], classes: Sequence[str], *, variant: str
) -> Figure:
    """Show the most confident mistakes, if any, each as "8 for 3" with its confidence.

    Args:
        test_images: uint8 (n, height, width, channels), 1 or 3 channels; only the rows shown
            are read, so it may be memory-mapped.
        found: from `stages.statistics.classification.mistakes`.
    """
    title = f"{variant}: most confident mistakes"
    n, m, shown = len(test_images), len(found), found[:COUNT]
    if m == 0:
        return style.empty(title, f"none: all n = {n:,} test images are classified correctly")
    captions = [
        ((classes[predicted], f"for {classes[actual]}"), INK, (as_percent(confidence),))
        for _, actual, predicted, confidence in shown
    ]
    which = f"the first {COUNT} of {m:,} mistakes" if m > COUNT else f"all {m:,} mistakes"
    which = "the only mistake" if m == 1 else which
    note = f"{which} on n = {n:,} test images\npredicted for actual, with the confidence"
    return grid(test_images[[index for index, *_ in shown]], captions, title, note)


@styled
def label_issues(images: np.ndarray, found: Sequence[tuple[str, str, str]], total: int) -> Figure:
    """Show training images whose label is probably wrong, as "4, not 9" with the name.

    `images` belong to `found`, (suggested, given, name), the first of `total` in the list.
    """
    title = "Labels to check"
    if not found:
        return style.empty(title, "none: the out-of-fold predictions contradict no label")
    captions: list[Caption] = [
        ((f"{suggested},", f"not {given}"), INK, (name,)) for suggested, given, name in found
    ]
    note = f"{_shown(len(found), total, 'training image')} to check"
    note += "\nsuggested, not given, with the file or row"
    return grid(images, captions, title, note)


def _shown(count: int, total: int, what: str) -> str:
    """Return how many are shown: `1 group`, `all 3 groups`, `the first 20 of 41 groups`."""
    if total == 1:
        return f"1 {what}"
    return f"the first {count} of {total:,} {what}s" if total > count else f"all {total:,} {what}s"


@styled
def near_duplicates(images: np.ndarray, found: Sequence[Mapping[str, Any]], groups: int) -> Figure:
    """Show groups of near duplicates, one after the other, each image with its class and name.

    `images` belong to `found`, the first of all `groups` in near_duplicates.csv. Classes are red
    where a group is in both splits or has two labels.
    """
    title = "Near duplicates"
    if not found:
        return style.empty(title, "none: no group of nearly equal images was found")
    facts: dict[int, set[tuple[str, str]]] = {}
    for one in found:
        facts.setdefault(one["group"], set()).add((one["split"], one["label"]))
    captions: list[Caption] = [
        (
            (one["label"],),
            RED if len(facts[one["group"]]) > 1 else INK,
            (f"{one['group']}, {SPLITS[one['split']]}", str(one["file"] or one["row"])),
        )
        for one in found
    ]
    note = _shown(len(facts), groups, "group")
    note += "\nclass; group and split; file or row\nred: in both splits or two classes"
    return grid(images, captions, title, note)


@styled
def samples(
    test_images: np.ndarray,
    actual: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    *,
    variant: str,
) -> Figure:
    """Show predictions of randomly drawn test images; arrays of n labels, images as in `mistakes`.

    The draw depends only on the number of images, so all variants show the same ones.
    Correct predictions are green with a check mark, wrong ones red with a cross and the true class.
    """
    n = len(test_images)
    chosen = np.random.default_rng(1).permutation(n)[:COUNT]
    captions = [
        ((f"✓ {classes[label]}",), GREEN, ())
        if label == true
        else ((f"✗ {classes[label]},", f"is {classes[true]}"), RED, ())
        for label, true in zip(predicted[chosen], actual[chosen], strict=True)
    ]
    correct = int((actual[chosen] == predicted[chosen]).sum())
    note = (
        f"{len(chosen)} of n = {n:,} test images, at random: "
        f"{correct} right (green ✓), {len(chosen) - correct} wrong (red ✗)"
    )
    return grid(test_images[chosen], captions, f"{variant}: sample predictions", note)


@styled
def predictions(
    images: np.ndarray,
    names: Sequence[str],
    probability: np.ndarray,
    classes: Sequence[str],
    *,
    model: str,
    explained: bool = False,
    unsure: Collection[int] = (),
) -> Figure:
    """Show a user's images as the model saw them, with its predictions and their names.

    `probability` is float (n, classes), n at least 1. `images` are the first ones, uint8
    (at most n, height, width, channels), from `occlusion.beside` if `explained`. `unsure` are the
    numbers of the images whose prediction sets do not have exactly one class.
    """
    n, images = len(probability), images[:OWN]
    captions = [
        (
            (classes[row.argmax()],),
            INK,
            (as_percent(row.max()) + ", unsure" * (number in unsure), name),
        )
        for number, (row, name, _) in enumerate(zip(probability, names, images, strict=False))
    ]
    which = f"the first {len(images)} of {n:,} images" if n > len(images) else f"{n:,} images"
    saw = "1 image, as the model saw it" if n == 1 else f"{which}, as the model saw them"
    note = f"{saw}{'; orange: where it looked' * explained}"
    note += "\npredicted class, its probability, the file"
    return grid(images, captions, f"{model}: predictions", note)


def as_percent(fraction: float) -> str:
    """Format a probability in percent; only 1 itself is 100 %, and only 0 itself 0 %."""
    if 0.995 <= fraction < 1:  # rounding to whole percents would claim certainty
        return "> 99.9 %" if fraction > 0.999 else f"{floor(1000 * fraction) / 10:.1f} %"
    if 0 < fraction < 0.005:
        return "< 0.1 %" if fraction < 0.001 else f"{100 * fraction:.1f} %"
    return f"{100 * fraction:.0f} %"


def show(
    axes: Axes, image: np.ndarray, left: float, top: float, height: float, width: float
) -> None:
    """Draw an image, uint8 (height, width, 1 or 3), at a place on a `sheet`."""
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    extent = (left, left + width, top + height, top)
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")


def grid(images: np.ndarray, captions: Sequence[Caption], title: str, note: str) -> Figure:
    """Draw images in rows of five, or of four where that is too narrow, with their captions.

    All images share one axes: an axes per image would take ten times as long.
    """
    heads = [head for head, *_ in captions]
    narrow = (WIDTH - 4 * GAP) / 5
    if all(style.text_width(" ".join(head), TEXT, "bold") <= narrow for head in heads):
        heads = [(" ".join(head),) for head in heads]
    wide = any(style.text_width(part, TEXT, "bold") > narrow for head in heads for part in head)
    columns = 4 if wide else 5
    side = (WIDTH - (columns - 1) * GAP) / columns
    height, width = np.array(images.shape[1:3]) * side / max(images.shape[1:3])
    lines = max(len(head) + len(rest) for head, (*_, rest) in zip(heads, captions, strict=True))
    step = height + 0.06 + LINE * lines + GAP
    figure, axes = style.sheet(WIDTH, step * ceil(len(images) / columns) - GAP)
    for position, (image, head) in enumerate(zip(images, heads, strict=True)):
        _, colour, rest = captions[position]
        row, column = divmod(position, columns)
        middle, top = column * (side + GAP) + side / 2, row * step
        show(axes, image, middle - width / 2, top, height, width)
        edge = style.FAINT if colour == INK else colour
        frame = Rectangle((middle - width / 2, top), width, height, edgecolor=edge)
        axes.add_patch(frame).set(fill=False, linewidth=1.5, clip_on=False)
        for number, text in enumerate((*head, *rest)):
            weight = "normal" if number else "bold"
            short = style.shorten(text, side, TEXT, weight)
            ink = colour if number < len(head) else MUTED
            below = top + height + 0.06 + LINE * number
            axes.text(middle, below, short, color=ink, weight=weight, ha="center", va="top")
    style.heading(figure, title, note)
    return figure
