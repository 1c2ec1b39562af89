"""Pictures on the page: files of `plot` and `compare`, drawings on one scale, and test images."""

import base64
import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from stages import files
from stages.figures import style
from stages.figures.comparison import inliers
from stages.figures.confusion import confusion_difference
from stages.figures.curves import curves
from stages.figures.gallery import as_percent
from stages.report.comparison import Comparison
from stages.report.results import Result

CSS_DPI = 96
HARDEST = 24  # test images that most variants get wrong
OWN = 8  # test images per variant that only it gets wrong
SIDE = 56  # pixels, the longer side of a thumbnail; the page shows it at about this size


class Picture(NamedTuple):
    """A PNG file on the page, in which text has the same size in all pictures."""

    src: str  # data URL
    width: int  # CSS pixels
    height: int


def of_file(results: Path, variant: str, name: str) -> Picture:
    """Return a picture of a variant.

    Raises:
        UserError: when it is missing or damaged.
    """
    path = files.existing(results / variant / "plots" / f"{name}.png", f"plot@{variant}")
    try:
        return embedded(path.read_bytes())
    except UnidentifiedImageError:
        raise files.damaged(path, "it is not an image") from None


def of_comparison(results: Path, name: str) -> Picture:
    """Return a picture that `compare` has just drawn."""
    return embedded((results / "plots" / f"{name}.png").read_bytes())


def embedded(content: bytes) -> Picture:
    """Return, as a picture, the content of a PNG file that `stages.figures.style` wrote."""
    with Image.open(io.BytesIO(content)) as image:
        width, height = (round(side * CSS_DPI / style.DPI) for side in image.size)
    return Picture(_data_url(content, "png"), width, height)


def training_curves(comparison: Comparison, shown: Sequence[str]) -> dict[str, Picture]:
    """Return curves on shared axes, whose limits ignore outliers; ensembles have none."""
    histories = {name: comparison.results[name].history for name in shown}
    histories = {name: history for name, history in histories.items() if history["epoch"].size}
    if not histories:
        return {}
    near = inliers(100 * np.array([comparison.results[name].accuracy for name in histories]))
    setting = [history for history, one in zip(histories.values(), near, strict=True) if one]
    scale = {key: np.concatenate([history[key] for history in setting]) for key in setting[0]}
    drawn = {}
    for name, history in histories.items():
        scored = comparison.results[name].curve_images
        figure = curves(history, variant=name, scale=scale, scored=scored)
        drawn[name] = embedded(style.png(figure))
    return drawn


def differences(comparison: Comparison, shown: Sequence[str]) -> dict[str, Picture]:
    """Return each confusion matrix minus the baseline's, with the same colours."""
    counts = {name: comparison.results[name].counts for name in shown}
    other = counts.pop(comparison.baseline)
    most = max((int(np.abs(one - other).max()) for one in counts.values()), default=0)
    classes, baseline = comparison.dataset["classes"], comparison.baseline
    draw = partial(confusion_difference, classes=classes, baseline=baseline, most=most)
    return {
        name: embedded(style.png(draw(one, other, variant=name))) for name, one in counts.items()
    }


def hardest_images(
    results: Mapping[str, Result], images: np.ndarray, classes: Sequence[str]
) -> list[dict[str, str]]:
    """Return the test images that most variants get wrong, with their most common prediction.

    If equally many variants get two images wrong, the one with the lower mean probability of the
    true class comes first. `images` is uint8 (tests, height, width, channels), maybe memory-mapped.
    """
    every = list(results.values())
    predicted, label = np.array([result.test_predicted for result in every]), every[0].test_label
    wrong = predicted != label
    p_true = np.mean([result.p_true for result in every], axis=0)
    times = wrong.sum(axis=0)
    shown = []
    for index in np.lexsort((p_true, -times))[: min(HARDEST, np.count_nonzero(times))].tolist():
        mode = int(np.bincount(predicted[wrong[:, index], index]).argmax())  # of a tie, the first
        note = f"{times[index]} of {len(every)}"
        if len(every) == 1:
            note = as_percent(every[0].confidence[index])
        shown.append(_shown(images, classes, (index, label[index], mode), note))
    return shown


def unique_mistakes(
    results: Mapping[str, Result], names: Sequence[str], images: np.ndarray, classes: Sequence[str]
) -> dict[str, tuple[int, list[dict[str, str]]]]:
    """Return name -> (number of mistakes that no other variant makes, the most confident of them).

    The other variants are all `results`, not only `names`.
    """
    exclusive = np.sum([~result.test_correct for result in results.values()], axis=0) == 1
    found = {}
    for name in names:
        own = [mistake for mistake in results[name].mistakes if exclusive[mistake[0]]]
        shown = [
            _shown(images, classes, one, as_percent(confidence)) for *one, confidence in own[:OWN]
        ]
        found[name] = len(own), shown
    return found


def _shown(
    images: np.ndarray, classes: Sequence[str], mistake: Sequence[int], note: str
) -> dict[str, str]:
    """Return the image of a mistake (index, actual, predicted) with its caption."""
    index, actual, predicted = mistake
    return {
        "src": thumbnail(images[index]),
        "alt": f"An image of {classes[actual]} predicted as {classes[predicted]}.",
        "predicted": classes[predicted],
        "actual": classes[actual],
        "note": note,
    }


def thumbnail(image: np.ndarray) -> str:
    """Return an image, uint8 (height, width, 1 or 3), as a data URL: PNG if grey, else JPEG."""
    grey = image.shape[-1] == 1
    picture = Image.fromarray(np.ascontiguousarray(image[..., 0] if grey else image))
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    kind, options = ("png", {"optimize": True}) if grey else ("jpeg", {"quality": 85})
    with io.BytesIO() as content:
        picture.save(content, kind, **options)
        return _data_url(content.getvalue(), kind)


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
