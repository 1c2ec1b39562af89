"""Test images on the page: the hardest ones, and those that only one variant gets wrong."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from stages.figures.gallery import percent
from stages.report.pictures import data_url
from stages.report.results import Result
from stages.statistics.agreement import hardest, only_one

HARDEST = 24  # images
OWN = 8  # images per variant
SIDE = 56  # pixels, the longer side of a thumbnail; the page shows it at about this size


def hardest_images(
    results: Mapping[str, Result], images: np.ndarray, classes: Sequence[str]
) -> list[dict[str, str]]:
    """Return the test images that most variants get wrong, hardest first; see `_shown`."""
    every = list(results.values())
    label = every[0].test_label
    wrong = np.array([~result.test_correct for result in every])
    p_true = np.mean([result.p_true for result in every], axis=0)
    shown = []
    for index in hardest(wrong, p_true, HARDEST):
        predicted = np.array([result.test_predicted[index] for result in every])[wrong[:, index]]
        mode = int(np.bincount(predicted).argmax())  # of a tie, the first class
        actual, times = int(label[index]), len(predicted)
        note = f"{times} of {len(every)}" if len(every) > 1 else percent(every[0].confidence[index])
        shown.append(_shown(images[index], classes[actual], classes[mode], note))
    return shown


def own_mistakes(
    results: Mapping[str, Result],
    names: Sequence[str],
    images: np.ndarray,
    classes: Sequence[str],
) -> dict[str, tuple[int, list[dict[str, str]]]]:
    """Return variant -> (number of mistakes that only it makes, the most confident of them).

    Args:
        results: variant -> its results; "only" means that all others predict correctly.
        names: the variants to show.
        images: uint8 (tests, height, width, channels); may be memory-mapped.
        classes: the names of the labels.
    """
    single = dict(zip(results, only_one([~r.test_correct for r in results.values()]), strict=True))
    found = {}
    for name in names:
        result, own = results[name], single[name]
        order = own[np.argsort(-result.confidence[own], kind="stable")][:OWN]
        shown = []
        for index in order.tolist():
            actual, predicted = result.test_label[index], result.test_predicted[index]
            note = percent(float(result.confidence[index]))
            shown.append(_shown(images[index], classes[actual], classes[predicted], note))
        found[name] = len(own), shown
    return found


def thumbnail(image: np.ndarray) -> str:
    """Return a thumbnail as a data URL: PNG for grey images, JPEG for colour.

    Args:
        image: uint8 (height, width, channels), 1 or 3 channels.
    """
    grey = image.shape[-1] == 1
    picture = Image.fromarray(np.ascontiguousarray(image[..., 0] if grey else image))
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    kind, options = ("png", {"optimize": True}) if grey else ("jpeg", {"quality": 85})
    with io.BytesIO() as content:
        picture.save(content, kind, **options)
        return data_url(content.getvalue(), kind)


def _shown(image: np.ndarray, actual: str, predicted: str, note: str) -> dict[str, Any]:
    """Return one image with its caption."""
    alt = f"An image of {actual} predicted as {predicted}."
    return {
        "src": thumbnail(image),
        "alt": alt,
        "predicted": predicted,
        "actual": actual,
        "note": note,
    }
