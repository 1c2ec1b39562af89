"""Pictures on the page: the files that `plot` and `compare` wrote, and drawings on one scale."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from stages import files
from stages.figures import style
from stages.figures.comparison import near_others
from stages.figures.confusion import confusion_difference
from stages.figures.curves import curves
from stages.report.comparison import Comparison

CSS_DPI = 96


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
        raise files.damaged(path, "it is no picture") from None


def embedded(content: bytes) -> Picture:
    """Return the content of a PNG file that `stages.figures.style` wrote as a picture."""
    with Image.open(io.BytesIO(content)) as image:
        width, height = (round(side * CSS_DPI / style.DPI) for side in image.size)
    return Picture(data_url(content, "png"), width, height)


def data_url(content: bytes, kind: str) -> str:
    """Return the content of an image file, of kind "png" or "jpeg", as a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def training_curves(found: Comparison, shown: Sequence[str]) -> dict[str, Picture]:
    """Return curves with the same axes, to which outliers may not fit; ensembles have none."""
    histories = {name: found.results[name].history for name in shown}
    histories = {name: history for name, history in histories.items() if history["epoch"].size}
    if not histories:
        return {}
    near = near_others(100 * np.array([found.results[name].accuracy for name in histories]))
    setting = [history for history, one in zip(histories.values(), near, strict=True) if one]
    scale = {key: np.concatenate([history[key] for history in setting]) for key in setting[0]}
    return {
        name: embedded(style.png(curves(history, variant=name, scale=scale)))
        for name, history in histories.items()
    }


def differences(found: Comparison, shown: Sequence[str]) -> dict[str, Picture]:
    """Return each confusion matrix minus the baseline's, with the same colours."""
    counts = {name: found.results[name].counts for name in shown}
    other = counts.pop(found.baseline)
    most = max((int(np.abs(one - other).max()) for one in counts.values()), default=0)
    shared = {"classes": found.dataset["classes"], "baseline": found.baseline, "most": most}
    return {
        name: embedded(style.png(confusion_difference(one, other, variant=name, **shared)))
        for name, one in counts.items()
    }
